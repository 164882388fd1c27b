"""The own account: what one may, where one is signed in, password and language."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from aiohttp import web

from gateway.access.access import DEVICE, DEVICE_LASTS_S, Access, WrongError
from gateway.access.deeds import Deed, Thing
from gateway.access.factors import Factor, factor_of
from gateway.access.passwords import LEAST, MOST, checked_password
from gateway.access.people import set_language, set_password
from gateway.access.person import ANYBODY, Person
from gateway.access.sessions import SessionLine
from gateway.access.ties import is_tied
from gateway.access.tries import TooOftenError
from gateway.store.schools import school_titles
from gateway.web.pages.login import remember_language, see_other
from gateway.web.people_words import grant_words
from gateway.web.rooms import Rooms
from homework.errors import ClassboxError, UsageError
from ui.forms import small_form
from ui.language import LANGUAGES, translator
from ui.pages import language_of, render
from ui.sessions import give_cookie

_KINDS = ("HarmonyOS", "iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux")


class _Device(NamedTuple):
    """A session as its owner sees it. `key` names it in the form."""

    key: str
    kind: str
    used: str
    here: bool


def add_me(rooms: Rooms) -> None:
    """`/me` and what it does."""
    me = _Me(rooms)
    rooms.page("GET", "/me", me.show, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/password", me.change_password, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/devices", me.sign_out, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/language", me.choose_language, deed=Deed.OWN_ACCOUNT)


class _Me:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._access: Access = rooms.access

    async def show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def change_password(self, request: web.Request) -> web.Response:
        """A new password, for whoever knows the one until now; everything else that is signed in ends."""
        access, person, form = self._access, self._signed(request), await small_form(request)
        try:
            new = checked_password(form.get("password", ""), form.get("again", ""), login=person.login)
            await access.by_password(request, person.login, form.get("old", ""))
        except (UsageError, WrongError, TooOftenError) as error:
            return await self._page(request, error)
        hashed = await access.passwords.hashed(new)
        async with access.store.writing() as connection:
            await set_password(connection, person.id, hashed, but_session=person.session)
            device = await access.sessions.know_device(connection, person.id)  # the others are strange ones now
        access.sessions.forget(person.id)
        access.audit.note(person.id, Deed.OWN_ACCOUNT, Thing(person=person.id), "password changed")
        response = see_other("/me?changed")
        give_cookie(request, response, device, max_age_s=DEVICE_LASTS_S, purpose=DEVICE)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End one of the own sessions, or all but this one."""
        access, person, form = self._access, self._signed(request), await small_form(request)
        key = form.get("session", "")
        async with access.store.writing() as connection:
            if key == "others":
                await access.sessions.close_all(connection, person.id, but=person.session)
            else:
                try:
                    digest = bytes.fromhex(key)
                except ValueError as error:
                    raise web.HTTPBadRequest from error
                await access.sessions.close(connection, person.id, digest)
        return see_other("/me")

    async def choose_language(self, request: web.Request) -> web.Response:
        access, person, form = self._access, self._signed(request), await small_form(request)
        chosen = form.get("language", "")
        if chosen not in LANGUAGES:
            raise web.HTTPBadRequest
        async with access.store.writing() as connection:
            await set_language(connection, person.id, chosen)
        access.sessions.forget(person.id)
        response = see_other("/me")
        remember_language(response, chosen)
        return response

    def _signed(self, request: web.Request) -> Person:
        """Who is signed in. Raises `HTTPForbidden` on a machine whose pages are open, and for a key of a program."""
        person = self._rooms.person(request)
        if person.id == ANYBODY or not person.session:
            raise web.HTTPForbidden
        return person

    async def _page(self, request: web.Request, error: ClassboxError | None = None) -> web.Response:
        person, access = self._rooms.person(request), self._access
        words = translator(language_of(request)).gettext
        devices: list[SessionLine] = []
        titles: dict[str, str] = {}
        factor, tied = Factor(on=False, codes_left=0), False
        if person.id != ANYBODY:
            async with access.store.reading() as connection:
                titles = await school_titles(connection)
                devices = await access.sessions.of(connection, person.id)
                factor = await factor_of(connection, person.id)
                if access.sign_on is not None:
                    tied = await is_tied(connection, access.sign_on.issuer, person.id)
        return render(
            request,
            "me.html",
            status=200 if error is None else 429 if isinstance(error, TooOftenError) else 400,
            me=person if person.id != ANYBODY else None,
            roles=[grant_words(grant, titles, words) for grant in person.grants if person.id != ANYBODY],
            devices=[_device(line, person.session) for line in devices],
            problem=None if error is None else error.said(words),
            changed="changed" in request.query,
            wants_second="second" in request.query and not person.strong,
            factor=factor,
            sign_on=access.sign_on,
            tied=tied,
            languages=LANGUAGES,
            least=LEAST,
            most=MOST,
        )


def _device(line: SessionLine, own: bytes) -> _Device:
    kind = next((kind for kind in _KINDS if kind in line.device), "")
    used = datetime.fromtimestamp(line.used_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    return _Device(line.digest.hex(), kind, used, line.digest == own)
