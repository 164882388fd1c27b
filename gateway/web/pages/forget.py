"""A pupil is erased: what that means, and the word that it is meant."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.access.request_keys import NOTED
from gateway.access.rules import names_for
from gateway.clock import unix_ms
from gateway.keeping.forgetting import forget, pupil_called
from gateway.store.boxes_told import not_told
from gateway.store.erased import erased_at
from gateway.store.schools import pupils_named, school_key
from gateway.web.asking import person_of
from gateway.web.found import pupil_address
from gateway.web.office import office_address, render_office
from gateway.web.rooms import Rooms, thing_of_address
from homework.errors import ClassboxError, UsageError
from ui.forms import sent_form
from ui.language import translator
from ui.pages import language_of
from ui.sent import sent_fields

FORGET = "/schools/{school}/pupils/{pupil}/forget"


def add_forgetting(rooms: Rooms) -> None:
    """The page that asks, and the erasure."""
    pages = _Forgetting(rooms)
    rooms.page("GET", FORGET, pages.show, deed=Deed.FORGET)
    rooms.page("POST", FORGET, pages.erase, deed=Deed.FORGET)


def forget_address(school: str, pupil: bytes) -> str:
    """Where a pupil can be erased."""
    return f"{pupil_address(school, pupil)}/forget"


class _Forgetting:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._store = rooms.store

    async def show(self, request: web.Request) -> web.Response:
        """Who it is, what goes, and what has to be typed."""
        return await self._page(request)

    async def erase(self, request: web.Request) -> web.StreamResponse:
        """Erase, where what was typed says that it is meant."""
        school, alias = self._pupil(request)
        typed = sent_fields(await sent_form(request)).get("typed", "")
        try:
            async with self._store.writing() as connection:
                await pupil_called(connection, self._store.vault, school, alias.hex())
                listed = await pupils_named(connection, self._store.vault, school, {alias})
                expected = f"{listed[0].pupil.class_name}#{listed[0].pupil.seat}" if listed else alias.hex()
                if "".join(typed.split()) != "".join(expected.split()):
                    raise UsageError("That is not what was to be typed. Nothing was erased.", remedy="Type it exactly.")
                person = person_of(request).id
                now_ms = unix_ms()
                await forget(connection, self._store.vault, school, alias, now_ms=now_ms, person=person)
                await self._store.tell_others(connection, None)
        except ClassboxError as refused:
            return await self._page(request, refused)
        request[NOTED] = True  # in the transaction itself
        self._rooms.changes.tell_all()
        raise web.HTTPSeeOther(forget_address(school, alias))

    async def _page(self, request: web.Request, refused: ClassboxError | None = None) -> web.Response:
        school, alias = self._pupil(request)
        words = translator(language_of(request)).gettext
        async with self._store.reading() as connection:
            await school_key(connection, self._store.vault, school)
            erased = next((one for one in (await erased_at(connection, school)).pupils if one.pseudonym == alias), None)
            listed = await pupils_named(connection, self._store.vault, school, {alias})
            waiting = await not_told(connection, school, alias.hex()) if erased is not None else []
            if erased is None and not listed:
                await pupil_called(connection, self._store.vault, school, alias.hex())
        shown = names_for(person_of(request), school, unix_ms()).open(listed)
        pupil = shown[0].pupil if shown else None
        when = None if erased is None else datetime.fromtimestamp(erased.erased_ms / 1000).astimezone()
        return render_office(
            request,
            "pupil_forget.html",
            status=200 if refused is None else 400,
            address=forget_address(school, alias),
            back=pupil_address(school, alias) if pupil is not None else office_address(school, "rosters"),
            pupil=pupil,
            typed=f"{pupil.class_name}#{pupil.seat}" if pupil is not None else alias.hex(),
            erased=when.strftime("%Y-%m-%d %H:%M") if when is not None and pupil is None else "",
            waiting=waiting,
            refused=refused.said(words) if refused is not None else None,
        )

    def _pupil(self, request: web.Request) -> tuple[str, bytes]:
        thing = thing_of_address(request)
        assert isinstance(thing.school, str)
        assert thing.pupil is not None
        return thing.school, thing.pupil
