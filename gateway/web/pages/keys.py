"""Programs of a school, or of the district: the keys with which they read and write, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from gateway.access.deeds import Deed
from gateway.access.people import accounts
from gateway.access.program_keys import (
    LONGEST_DAYS,
    LONGEST_TITLE,
    KeyLine,
    NoSuchKeyError,
    ProgramKeys,
    can_give,
    end_key,
    keys_of,
    make_key,
)
from gateway.api.hooks import NoSuchHookError, add_hook, checked_url, end_hook, hooks_of
from gateway.store.dialect import lock_school
from gateway.store.schools import school_ids
from gateway.web.office import office_address, render_office
from gateway.web.pages.login import see_other
from gateway.web.people_words import time_words
from gateway.web.rooms import Rooms
from homework.errors import ClassboxError, UsageError
from homework.wording import Translate
from ui.forms import small_form
from ui.language import translator
from ui.pages import language_of, render

KEYS = "/schools/{school}/keys"
DISTRICT_KEYS = "/district/keys"
DAYS = (30, 180, 365)
NOTHING_TYPED: Final[Mapping[str, str]] = {"title": "", "days": "", "url": ""}
WORDS = {
    Deed.SEE_CLASS: "Class reports and class lists, with names",
    Deed.SEE_PUPIL: "Pupils' reports, with names",
    Deed.SEE_CROP: "Pictures of answers",
    Deed.SEE_SCHOOL: "Figures of the school, without names",
    Deed.SEE_DISTRICT: "Figures of the district, without names",
    Deed.EXPORT: "Exports of results",
    Deed.BE_TOLD: "Being told when a class has finished",
    Deed.EDIT_ROSTER: "Bring in class lists",
    Deed.ASSIGN: "Bring in homework",
    Deed.CORRECT: "Correct answers",
    Deed.SAY_ABSENT: "Say who is on leave or exempt",
}


class _Shown(NamedTuple):
    """A key as it stands on the page."""

    id: int
    title: str
    scopes: list[str]
    made: str
    until: str
    used: str | None
    ended: bool


def add_keys(rooms: Rooms, keys: ProgramKeys) -> None:
    """The page; a new key, and its end; a new address, and its end."""
    page = _Keys(rooms, keys)
    for where, deed in ((KEYS, Deed.MANAGE_KEYS), (DISTRICT_KEYS, Deed.MANAGE_DISTRICT_KEYS)):
        rooms.page("GET", where, page.show, deed=deed)
        rooms.page("POST", where, page.make, deed=deed)
        rooms.page("POST", where + r"/{key:\d{1,18}}/end", page.end, deed=deed)
    rooms.page("POST", KEYS + "/told", page.tell, deed=Deed.MANAGE_KEYS)
    rooms.page("POST", KEYS + r"/told/{hook:\d{1,18}}/end", page.end_telling, deed=Deed.MANAGE_KEYS)


class _Keys:
    def __init__(self, rooms: Rooms, keys: ProgramKeys) -> None:
        self._rooms, self._keys = rooms, keys

    async def show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def make(self, request: web.Request) -> web.Response:
        """The only answer in which the key itself stands."""
        school, form = request.match_info.get("school"), await small_form(request)
        days, person, now_ms = form.get("days", ""), self._rooms.person(request), self._rooms.access.now_ms()
        try:
            async with self._rooms.store.writing() as connection:
                if school is not None and not await lock_school(connection, school):
                    raise web.HTTPNotFound
                made = await make_key(
                    connection,
                    school,
                    person,
                    title=form.get("title", ""),
                    scopes=[deed for deed in WORDS if deed.value in form],
                    days=int(days) if days.isascii() and days.isdigit() and len(days) < 6 else 0,
                    now_ms=now_ms,
                )
        except UsageError as refused:
            return await self._page(request, refused=refused, typed=form)
        return await self._page(request, made=made)

    async def end(self, request: web.Request) -> web.Response:
        school = request.match_info.get("school")
        try:
            async with self._rooms.store.writing() as connection:
                await end_key(connection, school, int(request.match_info["key"]))
        except NoSuchKeyError as refused:
            return await self._page(request, refused=refused)
        self._keys.forget()
        return see_other(keys_address(school))

    async def tell(self, request: web.Request) -> web.Response:
        """Have an address told: the only answer in which its secret stands."""
        school, form = request.match_info["school"], await small_form(request)
        store, person = self._rooms.store, self._rooms.person(request)
        try:
            url = checked_url(form.get("url", "").strip())
            async with store.writing() as connection:
                if not await lock_school(connection, school):
                    raise web.HTTPNotFound
                now_ms = self._rooms.access.now_ms()
                _, secret = await add_hook(connection, store.vault, school, url, made_by=person.id, now_ms=now_ms)
        except UsageError as refused:
            return await self._page(request, refused=refused, typed=form)
        return await self._page(request, secret=secret)

    async def end_telling(self, request: web.Request) -> web.Response:
        school = request.match_info["school"]
        try:
            async with self._rooms.store.writing() as connection:
                await end_hook(connection, school, int(request.match_info["hook"]))
        except NoSuchHookError as refused:
            return await self._page(request, refused=refused)
        return see_other(keys_address(school))

    async def _page(
        self,
        request: web.Request,
        *,
        made: str | None = None,
        secret: str | None = None,
        refused: ClassboxError | None = None,
        typed: Mapping[str, str] = NOTHING_TYPED,
    ) -> web.Response:
        """`typed` stands in the form again: who was refused need not type it anew."""
        school, now_ms = request.match_info.get("school"), self._rooms.access.now_ms()
        words = translator(language_of(request)).gettext
        store = self._rooms.store
        async with store.reading() as connection:
            if school is not None and school not in await school_ids(connection):
                raise web.HTTPNotFound
            lines = await keys_of(connection, school)
            told = [] if school is None else await hooks_of(connection, school)
            makers = await accounts(connection, store.vault, {line.made_by for line in lines})
        names = {number: maker.name for number, maker in makers.items()}
        shown = render if school is None else render_office
        return shown(
            request,
            "keys.html",
            of_school=school is not None,
            status=200 if refused is None else 400,
            address=keys_address(school),
            keys=[_shown(line, names, now_ms, words) for line in lines],
            told=told,
            made=made,
            secret=secret,
            refused=None if refused is None else refused.said(words),
            typed={**NOTHING_TYPED, **typed},
            choices=[
                (deed.value, words(WORDS[deed])) for deed in can_give(self._rooms.person(request), school, now_ms)
            ],
            days=DAYS,
            most_days=LONGEST_DAYS,
            most_title=LONGEST_TITLE,
        )


def keys_address(school: str | None) -> str:
    """The address of the page; None: of the district's."""
    return DISTRICT_KEYS if school is None else office_address(school, "keys")


def _shown(line: KeyLine, names: dict[int, str], now_ms: int, _: Translate) -> _Shown:
    maker = names.get(line.made_by)
    made = time_words(line.made_ms)
    return _Shown(
        id=line.id,
        title=line.title,
        scopes=[_(words) for deed, words in WORDS.items() if deed.value in line.scopes],
        made=made if maker is None else _("{time}, by {name}").format(time=made, name=maker),
        until=time_words(line.until_ms),
        used=None if line.used_ms is None else time_words(line.used_ms),
        ended=now_ms >= line.until_ms,
    )
