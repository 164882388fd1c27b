"""Signing in and out, and the two links that people hand over: an invitation, and the way to a new password."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from gateway.access.access import THERE, Access, WrongError
from gateway.access.deeds import Deed
from gateway.access.grants import grants_of_all
from gateway.access.links import Kind, use_link, who_by_link
from gateway.access.passwords import LEAST, MOST, checked_password
from gateway.access.people import Account, account, set_password
from gateway.access.person import ANYBODY, Role
from gateway.access.request_keys import PERSON
from gateway.access.tries import TooOftenError
from gateway.web.rooms import Rooms
from homework.errors import ClassboxError, UsageError
from ui.forms import small_form
from ui.language import LANGUAGES, translator
from ui.pages import LANGUAGE_COOKIE, language_of, render
from ui.sessions import forget_cookie, read_cookie
from ui.strangers import local_address


def add_login(rooms: Rooms) -> None:
    """`/login`, `/signout`, `/invite/…`, `/reset/…`."""
    login = _Login(rooms.access)
    rooms.page("GET", "/login", login.show, deed=Deed.OPEN)
    rooms.page("POST", "/login", login.sign_in, deed=Deed.OPEN)
    rooms.page("POST", "/signout", login.sign_out, deed=Deed.OWN_ACCOUNT)
    for kind in (Kind.INVITE, Kind.RESET):
        link = _Link(rooms.access, kind)
        rooms.page("GET", f"/{kind.value}/{{secret}}", link.show, deed=Deed.OPEN)
        rooms.page("POST", f"/{kind.value}/{{secret}}", link.use, deed=Deed.OPEN)


def see_other(place: str) -> web.Response:
    """Go on at another page. An answer and no exception: it may carry cookies."""
    return web.Response(status=303, headers={"Location": place})


def remember_language(response: web.Response, language: str | None) -> None:
    """Let the browser ask for the language that somebody chose for their account."""
    if language in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, samesite="Lax", httponly=True)


class _Login:
    def __init__(self, access: Access) -> None:
        self._access = access

    async def show(self, request: web.Request) -> web.Response:
        to = local_address(request.query.get("next"))
        if request.get(PERSON) is not None:
            return see_other(to)
        return self._page(request, to=to)

    async def sign_in(self, request: web.Request) -> web.Response:
        form = await small_form(request)
        to, name = local_address(form.get("next")), form.get("name", "")
        try:
            who = await self._access.by_password(request, name, form.get("password", ""))
            if who.totp_sealed is not None:
                response = see_other(f"/login/code?next={quote(to, safe='')}")
                await self._access.ask_for_code(request, response, who)
                return response
            response = see_other(to)
            await self._access.welcome(request, response, who.id, by="password")
        except (WrongError, TooOftenError) as error:
            return self._page(request, to=to, error=error, name=name)
        remember_language(response, who.language)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        person = request[PERSON]
        if person.id == ANYBODY or not person.session:
            raise web.HTTPForbidden
        async with self._access.store.writing() as connection:
            await self._access.sessions.close(connection, person.id, person.session)
        response = see_other("/login")
        forget_cookie(request, response)
        return response

    def _page(
        self, request: web.Request, *, to: str, error: ClassboxError | None = None, name: str = ""
    ) -> web.Response:
        return render(
            request,
            "login.html",
            status=200 if error is None else 429 if isinstance(error, TooOftenError) else 403,
            to=to,
            name=name,
            problem=None if error is None else error.said(translator(language_of(request)).gettext),
            sign_on=self._access.sign_on,
            there=read_cookie(request, THERE) is not None,
        )


class _Link:
    """What stands behind a link. It is used up by the form, not by being looked at: messengers open links, too."""

    def __init__(self, access: Access, kind: Kind) -> None:
        self._access, self._kind = access, kind

    async def show(self, request: web.Request) -> web.Response:
        who = await self._who(request)
        return self._page(request, who)

    async def use(self, request: web.Request) -> web.Response:
        access, form = self._access, await small_form(request)
        who = await self._who(request)
        if who is None:
            return self._page(request, None)
        try:
            password = checked_password(form.get("password", ""), form.get("again", ""), login=who.login)
        except UsageError as error:
            return self._page(request, who, error)
        hashed = await access.passwords.hashed(password)
        async with access.store.writing() as connection:
            secret = request.match_info["secret"]
            if await use_link(connection, self._kind, secret, now_ms=access.now_ms()) is None:
                return self._page(request, None)
            await set_password(connection, who.id, hashed)
            held = [one.grant for one in (await grants_of_all(connection, {who.id}, access.now_ms())).get(who.id, ())]
        access.sessions.forget(who.id)
        if who.totp_sealed is not None:  # the link stands for the password, not for the second factor
            return see_other("/login")
        to = "/"
        if self._kind is Kind.INVITE:  # an administrator may do nothing before the second step
            to = "/me/code" if any(one.role is Role.ADMIN for one in held) else "/?welcome"
        response = see_other(to)
        await access.welcome(request, response, who.id, by=self._kind.value)
        return response

    async def _who(self, request: web.Request) -> Account | None:
        secret, store = request.match_info["secret"], self._access.store
        async with store.reading() as connection:
            person = await who_by_link(connection, self._kind, secret, now_ms=self._access.now_ms())
            return None if person is None else await account(connection, store.vault, person)

    def _page(self, request: web.Request, who: Account | None, error: ClassboxError | None = None) -> web.Response:
        return render(
            request,
            "link.html",
            status=404 if who is None else 200 if error is None else 400,
            who=who,
            kind=self._kind.value,
            problem=None if error is None else error.said(translator(language_of(request)).gettext),
            least=LEAST,
            most=MOST,
            sign_on=self._access.sign_on,
            secret=request.match_info["secret"],
        )
