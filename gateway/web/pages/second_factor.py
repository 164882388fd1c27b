"""The second step at sign-in: giving its code, turning it on and off, new codes on paper."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from aiohttp import web

from gateway.access.access import Access, WrongError
from gateway.access.deeds import Deed, Thing
from gateway.access.factors import Used, factor_of, replace_codes, turn_off, turn_on, use_code
from gateway.access.people import account
from gateway.access.person import ANYBODY, Person, Role
from gateway.access.request_keys import PERSON
from gateway.access.tickets import Tickets
from gateway.access.totp import enrolment_address, matched_step, new_recovery_codes, new_secret, qr_picture, spelled
from gateway.access.tries import TooOftenError
from gateway.web.pages.login import remember_language, see_other
from gateway.web.rooms import Rooms
from homework.errors import ClassboxError
from homework.wording import counted
from ui.forms import small_form
from ui.language import translator
from ui.pages import language_of, render
from ui.strangers import local_address

_ENROLMENT_LASTS_S = 30 * 60
_REFUSALS = (WrongError, TooOftenError)


class _Secret(msgspec.Struct, frozen=True, gc=False):
    """Of a phone that has not shown a code yet."""

    secret: str


class _Waiting(NamedTuple):
    """Whose code is awaited."""

    person: int
    by: str
    """As `Access.welcome` wants it."""
    language: str | None


def add_second_factor(rooms: Rooms) -> None:
    """Register the pages."""
    pages = _Pages(rooms.access)
    rooms.page("GET", "/login/code", pages.ask, deed=Deed.OPEN)
    rooms.page("POST", "/login/code", pages.give, deed=Deed.OPEN)
    rooms.page("GET", "/me/code", pages.mine, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/code", pages.turn_on, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/code/paper", pages.new_paper, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/code/off", pages.turn_off, deed=Deed.OWN_ACCOUNT)


class _Pages:
    def __init__(self, access: Access) -> None:
        self._access, self._store = access, access.store
        self._tickets = Tickets(self._store.vault, now_s=lambda: access.now_ms() / 1000)

    async def ask(self, request: web.Request) -> web.Response:
        """Ask for the code, of whoever has given the password or wants to do what needs the second step."""
        to = local_address(request.query.get("next"))
        await self._waiting(request, to)
        return render(request, "login_code.html", to=to, problem=None)

    async def give(self, request: web.Request) -> web.Response:
        """Sign in whoever gives a right code."""
        form = await small_form(request)
        to = local_address(form.get("next"))
        waiting = await self._waiting(request, to)
        try:
            used = await self._use(request, waiting.person, form.get("code", ""))
        except _REFUSALS as error:
            return render(request, "login_code.html", status=_status(error), to=to, problem=_said(request, error))
        response = see_other(to)
        await self._access.welcome(request, response, waiting.person, by=waiting.by, strong=True)
        remember_language(response, waiting.language)
        if used is Used.PAPER:
            self._note(waiting.person, "paper code")
        return response

    async def mine(self, request: web.Request) -> web.Response:
        """Whether it is on; what to do to turn it on or off."""
        return await self._mine(request, owner(request))

    async def turn_on(self, request: web.Request) -> web.Response:
        """Turn it on for whoever shows that the phone has the secret; shows the codes for paper once."""
        person, form = owner(request), await small_form(request)
        kept = self._tickets.read(form.get("ticket"), _Secret, purpose=_purpose(person))
        async with self._store.reading() as connection:
            on = (await factor_of(connection, person.id)).on
            who = await account(connection, self._store.vault, person.id)
        if on or who is None:
            raise web.HTTPSeeOther("/me/code")
        try:
            if kept is None:
                raise WrongError("That took too long.", remedy="Scan the new picture.")
            if who.password is not None:  # whoever finds the page open must not lock its owner out
                await self._access.by_password(request, person.login, form.get("password", ""))
            step = matched_step(kept.secret, form.get("code", ""), now_s=self._access.now_ms() / 1000, last_step=None)
            if step is None:
                raise _wrong_code()
        except _REFUSALS as error:
            return await self._mine(request, person, secret=kept.secret if kept else None, error=error)
        codes = new_recovery_codes()
        async with self._store.writing() as connection:
            await turn_on(connection, self._store.vault, person.id, secret=kept.secret, step=step, codes=codes)
            await self._access.sessions.close_all(connection, person.id)
        self._note(person.id, "second step on")
        return await self._paper(request, person, codes)

    async def new_paper(self, request: web.Request) -> web.Response:
        """Other codes for paper."""
        person, form = owner(request), await small_form(request)
        try:
            await self._use(request, person.id, form.get("code", ""))
        except _REFUSALS as error:
            return await self._mine(request, person, error=error)
        codes = new_recovery_codes()
        async with self._store.writing() as connection:
            await replace_codes(connection, person.id, codes)
        self._note(person.id, "new paper codes")
        return await self._paper(request, person, codes)

    async def turn_off(self, request: web.Request) -> web.Response:
        """Turn it off for whoever still has the phone or the paper."""
        person, form = owner(request), await small_form(request)
        try:
            await self._use(request, person.id, form.get("code", ""))
        except _REFUSALS as error:
            return await self._mine(request, person, error=error)
        async with self._store.writing() as connection:
            await turn_off(connection, self._store.vault, person.id)
        self._access.sessions.forget(person.id)
        self._note(person.id, "second step off")
        response = see_other("/me/code")
        await self._access.welcome(request, response, person.id, by="second step off")
        return response

    async def _waiting(self, request: web.Request, to: str) -> _Waiting:
        """Whose code is awaited. Leads elsewhere when it is nobody's."""
        pending = await self._access.pending(request)
        if pending is not None:
            return _Waiting(pending.id, "code", pending.language)
        person: Person | None = request.get(PERSON)
        if person is None:
            raise web.HTTPSeeOther("/login")
        if person.strong:
            raise web.HTTPSeeOther(to)
        async with self._store.reading() as connection:
            if not (await factor_of(connection, person.id)).on:
                raise web.HTTPSeeOther("/me/code")
        return _Waiting(person.id, "second step", person.language)

    async def _use(self, request: web.Request, person: int, code: str) -> Used:
        """Use a code up. Raises `TooOftenError`, `WrongError`."""
        async with self._store.writing() as connection:
            await self._access.tries.charge_code(connection, person)
        async with self._store.writing() as connection:
            used = await use_code(connection, self._store.vault, person, code, now_s=self._access.now_ms() / 1000)
            if used is not None:
                await self._access.tries.forgive_code(connection, person)
        if used is None:
            self._access.audit.note_look(person, "sign-in", Thing(person=person), "wrong code")
            raise _wrong_code()
        return used

    async def _mine(
        self, request: web.Request, person: Person, *, secret: str | None = None, error: ClassboxError | None = None
    ) -> web.Response:
        async with self._store.reading() as connection:
            factor = await factor_of(connection, person.id)
            who = await account(connection, self._store.vault, person.id)
        status, problem = (200, None) if error is None else (_status(error), _said(request, error))
        _ = translator(language_of(request))
        if factor.on:
            left = counted(_.gettext, factor.codes_left, "{n} code on paper left", "{n} codes on paper left")
            return render(
                request, "second_factor.html", status=status, codes=None, on=True, codes_left=left, problem=problem
            )
        secret = secret or new_secret()
        return render(
            request,
            "second_factor.html",
            status=status,
            codes=None,
            on=False,
            needed=any(grant.role is Role.ADMIN for grant in person.grants),
            password=who is not None and who.password is not None,
            qr=qr_picture(enrolment_address(secret, login=person.login, title=f"Classbox {request.url.host}")),
            spelled=spelled(secret),
            ticket=self._tickets.make(_Secret(secret), purpose=_purpose(person), lasts_s=_ENROLMENT_LASTS_S),
            problem=problem,
        )

    async def _paper(self, request: web.Request, person: Person, codes: tuple[str, ...]) -> web.Response:
        response = render(request, "second_factor.html", codes=codes, login=person.login)
        await self._access.welcome(request, response, person.id, by="second step", strong=True)
        return response

    def _note(self, person: int, what: str) -> None:
        self._access.audit.note(person, Deed.OWN_ACCOUNT, Thing(person=person), what)


def owner(request: web.Request) -> Person:
    """Who asks. Raises `HTTPNotFound` where nobody signs in: there is no account to do anything with."""
    person: Person = request[PERSON]
    if person.id == ANYBODY:
        raise web.HTTPNotFound
    return person


def _purpose(person: Person) -> str:
    return f"enrolment {person.id}"


def _wrong_code() -> WrongError:
    return WrongError(
        "That code is not right.",
        remedy="Each is good once: wait for the next. If none is right, look at the phone's clock.",
    )


def _status(error: ClassboxError) -> int:
    return 429 if isinstance(error, TooOftenError) else 400


def _said(request: web.Request, error: ClassboxError) -> tuple[str, str]:
    return error.said(translator(language_of(request)).gettext)
