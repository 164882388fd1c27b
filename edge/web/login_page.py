"""Signing in: by PIN, the first time by the set-up code, by a link that is shown as a QR code; and signing out."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from edge.access.access import ACCESS, Locked, locked
from edge.access.book import Person
from edge.access.sign_in import DEVICE_COOKIE, TooOftenError, WrongError
from edge.web.desk import static_address
from homework.errors import ClassboxError, UsageError
from ui.forms import small_form
from ui.language import translator
from ui.pages import SIGNED, language_of, render
from ui.sessions import forget_cookie, give_cookie, read_cookie, token_digest
from ui.strangers import local_address

log = logging.getLogger(__name__)
_DEVICE_DAYS = 365
_DAY_S = 86_400


def add_login_page(app: web.Application) -> None:
    """Add the ways in and out."""
    app.router.add_get("/login", _show)
    app.router.add_post("/login", _sign_in)
    app.router.add_post("/login/first", _first)
    app.router.add_get("/in/{token}", _show_link)
    app.router.add_post("/in/{token}", _use_link)
    app.router.add_post("/signout", _sign_out)


async def _show(request: web.Request) -> web.Response:
    to = local_address(request.query.get("next"))
    if request.get(SIGNED) is not None or request.config_dict[ACCESS].locked is None:
        raise web.HTTPSeeOther(to)
    return _page(request, to=to)


def _page(
    request: web.Request, *, to: str, error: ClassboxError | None = None, name: str = "", code: str = ""
) -> web.Response:
    book = locked(request).book
    words = translator(language_of(request)).gettext
    status = 200 if error is None else 429 if isinstance(error, TooOftenError) else 403
    return render(
        request,
        "login.html",
        status=status,
        own=static_address,
        first=not book.has_teacher(),
        ask_name=len(book.people()) > 1,
        to=to,
        name=name,
        code=code,
        problem=error.said(words) if error is not None else None,
        wait_s=round(error.wait_s) if isinstance(error, TooOftenError) else None,
    )


async def _sign_in(request: web.Request) -> web.StreamResponse:
    form = await small_form(request)
    to = local_address(form.get("next"))
    name = form.get("name")
    try:
        person = await locked(request).sign_in.by_pin(request, name, form.get("pin", ""))
    except (WrongError, TooOftenError) as error:
        return _page(request, to=to, error=error, name=name or "")
    return _let_in(request, person, to)


async def _first(request: web.Request) -> web.StreamResponse:
    form = await small_form(request)
    to, name, pin, code = (
        local_address(form.get("next")),
        form.get("name", ""),
        form.get("pin", ""),
        form.get("code", ""),
    )
    try:
        if pin != form.get("again"):
            raise UsageError("The two PINs differ.", remedy="Type the same one twice.")
        person = await locked(request).sign_in.first(request, code, name, pin)
    except ClassboxError as error:
        return _page(request, to=to, error=error, name=name, code=code)
    log.info("the first teacher was set up (person %d)", person.id)
    return _let_in(request, person, to)


async def _show_link(request: web.Request) -> web.Response:
    """What a QR code leads to. A button signs in: messengers open links to preview them, and must not use them up."""
    person = _of_link(locked(request), request.match_info["token"])
    return render(request, "link.html", own=static_address, person=person, status=200 if person else 404)


async def _use_link(request: web.Request) -> web.StreamResponse:
    at = locked(request)
    person_id = at.links.use(request.match_info["token"])
    person = at.book.person(person_id) if person_id is not None else None
    if person is None:
        return render(request, "link.html", own=static_address, person=None, status=404)
    return _let_in(request, person, "/")


def _of_link(at: Locked, token: str) -> Person | None:
    person_id = at.links.person(token)
    return at.book.person(person_id) if person_id is not None else None


def _let_in(request: web.Request, person: Person, to: str) -> web.Response:
    """A new session, whatever the browser held before: nobody can have planted this one."""
    at = locked(request)
    before = read_cookie(request)
    if before is not None:
        at.book.close_session(token_digest(before))
    response = web.Response(status=303, headers={"Location": to})
    token = at.book.open_session(person.id, _device(request))
    give_cookie(request, response, token, max_age_s=at.session_days * _DAY_S)
    device = read_cookie(request, DEVICE_COOKIE)
    if device is None or not at.book.knows_device(device):
        device = at.book.know_device(person.id)
        give_cookie(request, response, device, max_age_s=_DEVICE_DAYS * _DAY_S, purpose=DEVICE_COOKIE)
    log.info("person %d signed in", person.id)
    return response


def _device(request: web.Request) -> str:
    """What a person would call the device, as far as the browser says."""
    agent = request.headers.get("User-Agent", "")
    kinds = ("HarmonyOS", "iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux")
    return next((kind for kind in kinds if kind in agent), "")


async def _sign_out(request: web.Request) -> web.StreamResponse:
    signed = request.get(SIGNED)
    access = request.config_dict[ACCESS]
    response = web.Response(status=303, headers={"Location": "/login"})
    if signed is not None and access.locked is not None:
        await asyncio.to_thread(access.locked.book.close_session, signed.session)
        forget_cookie(request, response)
        access.gate.sweep(but=request.transport)
        log.info("person %d signed out", signed.person)
    return response
