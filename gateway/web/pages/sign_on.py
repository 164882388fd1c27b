"""Signing in at another house: there, back, and the tie between an account there and one here.

A tie is made by whoever is signed in here, or holds an invitation, and says yes once more after coming back: an answer
alone, which somebody else could have made this browser bring, ties nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from yarl import URL

from gateway.access.access import THERE, Access, WrongError
from gateway.access.deeds import Deed, Thing
from gateway.access.links import Kind, use_link, who_by_link
from gateway.access.people import account
from gateway.access.person import Person
from gateway.access.provider import ProviderAwayError, SignOnError
from gateway.access.request_keys import PERSON
from gateway.access.sso import Flow, SignOn
from gateway.access.tickets import Tickets
from gateway.access.ties import Identity, TiedElsewhereError, is_tied, person_of_identity, tie, untie
from gateway.access.tries import TooOftenError
from gateway.web.pages.login import remember_language, see_other
from gateway.web.pages.second_factor import owner
from gateway.web.rooms import Rooms
from homework.errors import ClassboxError
from ui.forms import small_form
from ui.language import translator
from ui.limits import Allowance, caller
from ui.pages import language_of, render
from ui.sessions import cookie_name, forget_cookie, give_cookie, read_cookie
from ui.strangers import local_address

_FLOW = "-sign-on"
"""Purpose of the cookie of a sign-on that is under way."""
_FLOW_LASTS_S = 600
_THERE_LASTS_S = 12 * 3600
_BACK = "/login/sso/back"


class _UnderWay(msgspec.Struct, frozen=True, gc=False):
    """A sign-on that a browser has begun."""

    flow: Flow
    to: str
    session: bytes = b""
    """Of whoever wants to tie the account there to the one here."""
    invite: str = ""


class _Proposed(msgspec.Struct, frozen=True, gc=False):
    """A tie that waits for a yes."""

    issuer: str
    subject: str
    person: int
    session: bytes = b""
    invite: str = ""


def add_sign_on(rooms: Rooms, sign_on: SignOn) -> None:
    """Register the pages."""
    pages = _Pages(rooms.access, sign_on)
    rooms.page("GET", "/login/sso", pages.leave, deed=Deed.OPEN)
    rooms.page("GET", _BACK, pages.back, deed=Deed.OPEN)
    rooms.page("GET", "/login/sso/out", pages.out, deed=Deed.OPEN)
    rooms.page("POST", "/login/sso/tie", pages.tie_invited, deed=Deed.OPEN)
    rooms.page("GET", "/me/sign-on", pages.mine, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/sign-on", pages.tie_mine, deed=Deed.OWN_ACCOUNT)
    rooms.page("POST", "/me/sign-on/off", pages.untie, deed=Deed.OWN_ACCOUNT)


class _Pages:
    def __init__(self, access: Access, sign_on: SignOn) -> None:
        self._access, self._store, self._sign_on = access, access.store, sign_on
        self._tickets = Tickets(self._store.vault, now_s=lambda: access.now_ms() / 1000)
        # Each try asks the provider something: nobody makes us ask it without end.
        self._allowance = Allowance(most=10, every_s=3.0)

    async def leave(self, request: web.Request) -> web.Response:
        """Send the browser to the provider. `tie` for one's own account, `invite` for the one of an invitation."""
        person: Person | None = request.get(PERSON)
        tying = "tie" in request.query
        if tying and person is None:
            raise web.HTTPSeeOther("/login")
        self._charge(request)
        try:
            # On a machine that several share, the provider may still know the one before.
            anew = person is None and read_cookie(request, THERE) is not None
            address, flow = await self._sign_on.begin(_address_back(request), anew=anew)
        except SignOnError as error:
            return self._problem(request, error)
        under_way = _UnderWay(
            flow,
            to=local_address(request.query.get("next")),
            session=person.session if tying and person is not None else b"",
            invite=request.query.get("invite", "")[:64],
        )
        response = see_other(address)
        ticket = self._tickets.make(under_way, purpose="sign-on", lasts_s=_FLOW_LASTS_S)
        give_cookie(request, response, ticket, max_age_s=_FLOW_LASTS_S, purpose=_FLOW)
        return response

    async def back(self, request: web.Request) -> web.Response:
        """The provider has sent the browser back: sign in, or ask whether to tie. Each sign-on ends here once."""
        ticket = request.cookies.get(cookie_name(request, _FLOW))
        under_way = self._tickets.read(ticket, _UnderWay, purpose="sign-on")
        self._charge(request)
        try:
            if under_way is None:
                raise self._sign_on.begun_elsewhere()
            identity = await self._sign_on.finish(under_way.flow, request.query, _address_back(request))
            response = await self._known(request, under_way, identity)
            give_cookie(request, response, "1", max_age_s=_THERE_LASTS_S, purpose=THERE)
        except (SignOnError, WrongError) as error:
            response = self._problem(request, error)
        forget_cookie(request, response, _FLOW)
        return response

    async def out(self, request: web.Request) -> web.Response:
        """Sign out at the provider as well, where it has a page for that."""
        self._charge(request)
        try:
            address = await self._sign_on.farewell(f"{_origin(request)}/login")
        except SignOnError as error:
            return self._problem(request, error)
        response = see_other(address or "/login")
        forget_cookie(request, response, THERE)
        return response

    async def mine(self, request: web.Request) -> web.Response:
        """Whether one's account is tied."""
        person = owner(request)
        async with self._store.reading() as connection:
            tied = await is_tied(connection, self._sign_on.issuer, person.id)
        return self._page(request, tied=tied, leave="/me")

    async def tie_mine(self, request: web.Request) -> web.Response:
        """Yes: tie it to whoever is signed in, and was so when it began."""
        person, form = owner(request), await small_form(request)
        proposed = self._tickets.read(form.get("ticket"), _Proposed, purpose="tie")
        if proposed is None or proposed.person != person.id or proposed.session != person.session or proposed.invite:
            return self._problem(request, self._sign_on.begun_elsewhere(), leave="/me/sign-on")
        try:
            # A tie is a way in for good: whoever finds a page open must not make one.
            if await self._has_password(person.id):
                await self._access.by_password(request, person.login, form.get("password", ""))
            async with self._store.writing() as connection:
                await tie(connection, _identity(proposed), person.id, now_ms=self._access.now_ms())
        except (WrongError, TooOftenError) as error:
            return await self._propose_mine(request, proposed, person, error=error)
        except TiedElsewhereError as error:
            return self._problem(request, error, leave="/me/sign-on")
        self._note(person.id, "sign-on tied")
        raise web.HTTPSeeOther("/me/sign-on")

    async def tie_invited(self, request: web.Request) -> web.Response:
        """Yes: tie it to whom the invitation is for, use the invitation up, and sign in."""
        form = await small_form(request)
        proposed = self._tickets.read(form.get("ticket"), _Proposed, purpose="tie")
        if proposed is None or not proposed.invite:
            return self._problem(request, self._sign_on.begun_elsewhere())
        now_ms = self._access.now_ms()
        try:
            async with self._store.writing() as connection:
                person = await use_link(connection, Kind.INVITE, proposed.invite, now_ms=now_ms)
                if person != proposed.person:
                    raise _no_invitation()
                await tie(connection, _identity(proposed), person, now_ms=now_ms)
            response = see_other("/")
            await self._welcome(request, response, person)
        except (TiedElsewhereError, WrongError) as error:
            return self._problem(request, error)
        self._note(person, "sign-on tied")
        return response

    async def untie(self, request: web.Request) -> web.Response:
        """Take the tie away, unless nothing else would be left to sign in with."""
        person = owner(request)
        if not await self._has_password(person.id):
            error = WrongError(
                "Without a password nothing would be left to sign in with.",
                remedy="Ask whoever let you in for a link to a new password first.",
            )
            return self._problem(request, error, leave="/me/sign-on")
        async with self._store.writing() as connection:
            await untie(connection, self._sign_on.issuer, person.id)
        self._note(person.id, "sign-on untied")
        raise web.HTTPSeeOther("/me/sign-on")

    async def _known(self, request: web.Request, under_way: _UnderWay, identity: Identity) -> web.Response:
        """What follows for somebody whom the provider knows."""
        if under_way.session:
            person: Person | None = request.get(PERSON)
            if person is None or person.session != under_way.session:
                raise self._sign_on.begun_elsewhere()
            proposed = _Proposed(*identity, person=person.id, session=person.session)
            return await self._propose_mine(request, proposed, person)
        async with self._store.reading() as connection:
            known = await person_of_identity(connection, identity)
            if known is None and under_way.invite:
                invited = await who_by_link(connection, Kind.INVITE, under_way.invite, now_ms=self._access.now_ms())
                who = None if invited is None else await account(connection, self._store.vault, invited)
                if who is None:
                    raise _no_invitation()
                proposed = _Proposed(*identity, person=who.id, invite=under_way.invite)
                return self._propose(request, proposed, name=who.name, action="/login/sso/tie", leave="/login")
        if known is None:
            return self._page(request, stranger=identity.subject, status=403, leave="/login")
        response = see_other(under_way.to)
        await self._welcome(request, response, known)
        return response

    async def _welcome(self, request: web.Request, response: web.Response, person: int) -> None:
        """Sign in, or where there is a second step ask for its code: the provider's word is no more than a password."""
        async with self._store.reading() as connection:
            who = await account(connection, self._store.vault, person)
        if who is not None and who.totp_sealed is not None:
            to = response.headers["Location"]
            response.headers["Location"] = str(URL("/login/code").with_query(next=to))
            await self._access.ask_for_code(request, response, who)
        else:
            await self._access.welcome(request, response, person, by="sign-on")
            remember_language(response, who.language if who is not None else None)

    async def _propose_mine(
        self, request: web.Request, proposed: _Proposed, person: Person, *, error: ClassboxError | None = None
    ) -> web.Response:
        mine = "/me/sign-on"
        return self._propose(
            request,
            proposed,
            name=person.name,
            action=mine,
            leave=mine,
            password=await self._has_password(person.id),
            problem=None if error is None else error.said(translator(language_of(request)).gettext),
            status=200 if error is None else 400,
        )

    def _propose(self, request: web.Request, proposed: _Proposed, **about: Any) -> web.Response:
        ticket = self._tickets.make(proposed, purpose="tie", lasts_s=_FLOW_LASTS_S)
        return self._page(request, ticket=ticket, subject=proposed.subject, **about)

    async def _has_password(self, person: int) -> bool:
        async with self._store.reading() as connection:
            who = await account(connection, self._store.vault, person)
        return who is not None and who.password is not None

    def _problem(self, request: web.Request, error: ClassboxError, *, leave: str = "/login") -> web.Response:
        status = 503 if isinstance(error, ProviderAwayError) else 403
        said = error.said(translator(language_of(request)).gettext)
        return self._page(request, problem=said, status=status, leave=leave)

    def _page(self, request: web.Request, *, status: int = 200, **values: Any) -> web.Response:
        empty = dict.fromkeys(("stranger", "ticket", "problem", "tied", "subject", "name", "action", "password"))
        return render(request, "sign_on.html", status=status, title=self._sign_on.title, **(empty | values))

    def _charge(self, request: web.Request) -> None:
        if self._allowance.wait_s(caller(request)) > 0:
            raise web.HTTPTooManyRequests
        self._allowance.charge(caller(request))

    def _note(self, person: int, what: str) -> None:
        self._access.audit.note(person, Deed.OWN_ACCOUNT, Thing(person=person), what)


def _identity(proposed: _Proposed) -> Identity:
    return Identity(proposed.issuer, proposed.subject)


def _no_invitation() -> WrongError:
    return WrongError("This invitation was used already, or is over.", remedy="Ask whoever gave it to you for another.")


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _address_back(request: web.Request) -> str:
    """Our address as the provider must know it; the gate has seen that the name is ours."""
    return _origin(request) + _BACK
