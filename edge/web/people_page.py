"""Who has access to the box: other teachers, new devices, a substitute for a day, and taking it away."""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from edge.access import pins
from edge.access.access import ACCESS, Locked, locked, own_address
from edge.access.book import Person, Role
from edge.access.lifetimes import elapsed_ms
from edge.access.links import LINK_LIFE_S
from edge.web.desk import static_address
from homework.errors import UsageError
from homework.sheets.symbols import code_svg
from sync.clock import ClockQuality, SystemClock
from ui.forms import small_form
from ui.pages import SIGNED, render
from ui.sessions import Signed

log = logging.getLogger(__name__)
_CLOCK = SystemClock()


@dataclass(frozen=True)
class Row:
    """A person on the page. `until` is the time of day when a substitute's access ends, None without a set clock."""

    person: Person
    me: bool
    may_go: bool
    until: str | None
    hours_left: int | None


@dataclass(frozen=True)
class Shown:
    """What is shown once: a link as a QR code, and a PIN if there is a new one."""

    person: Person
    me: bool
    address: str
    code: str
    pin: str | None
    seconds: int = int(LINK_LIFE_S)


def add_people_page(app: web.Application) -> None:
    """Add the page and what it does."""
    app.router.add_get("/people", _show)
    app.router.add_post("/people/add", _add)
    app.router.add_post("/people/link", _link)
    app.router.add_post("/people/pin", _new_pin)
    app.router.add_post("/people/remove", _remove)


def qr_picture(text: str) -> str:
    """A QR code as an address that an `img` shows; the white round it is the page's affair."""
    return "data:image/svg+xml;base64," + base64.b64encode(code_svg(text)[0].encode()).decode()


def _me(request: web.Request) -> Signed:
    signed: Signed | None = request.get(SIGNED)
    if signed is None:
        raise web.HTTPForbidden
    return signed


async def _show(request: web.Request) -> web.Response:
    return await _page(request)


async def _page(request: web.Request, *, shown: Shown | None = None, done: str | None = None) -> web.Response:
    at, me = locked(request), _me(request)
    people = await asyncio.to_thread(at.book.people)
    teachers = sum(person.role is Role.TEACHER for person in people)
    rows = [_row(person, me, last=person.role is Role.TEACHER and teachers == 1) for person in people]
    return render(request, "people.html", own=static_address, rows=rows, shown=shown, done=done)


def _row(person: Person, me: Signed, *, last: bool) -> Row:
    until, hours = None, None
    if person.life_ms is not None:
        now = _CLOCK.read()
        left_ms = person.life_ms - (elapsed_ms(person.made, now) or 0)
        hours = max(1, round(left_ms / 3_600_000))
        if now.quality is not ClockQuality.UNSET:
            until = datetime.fromtimestamp((now.wall_ms + left_ms) / 1000).astimezone().strftime("%H:%M")
            until = "24:00" if until == "00:00" else until
    return Row(person, person.id == me.person, not last, until, hours)


async def _add(request: web.Request) -> web.Response:
    form = await small_form(request)
    at = locked(request)
    role = Role.SUBSTITUTE if form.get("role") == Role.SUBSTITUTE else Role.TEACHER
    pin = pins.new_pin()
    person = await asyncio.to_thread(at.book.add, form.get("name", ""), pin, role)
    log.info("person %d let person %d in as %s", _me(request).person, person.id, role.value)
    return await _page(request, shown=_shown(request, at, person, pin))


async def _link(request: web.Request) -> web.Response:
    at = locked(request)
    person = await _chosen(request, at)
    return await _page(request, shown=_shown(request, at, person, None))


def _shown(request: web.Request, at: Locked, person: Person, pin: str | None) -> Shown:
    address = f"{own_address(request)}in/{at.links.make(person.id)}"
    return Shown(person, person.id == _me(request).person, address, qr_picture(address), pin)


async def _new_pin(request: web.Request) -> web.StreamResponse:
    """A new PIN for whoever is signed in; every session with the old one ends, also this one's others."""
    form, at, me = await small_form(request), locked(request), _me(request)
    if form.get("pin") != form.get("again"):
        raise UsageError("The two PINs differ.", remedy="Type the same one twice.")
    await at.sign_in.by_pin(request, me.name, form.get("old", ""))
    await asyncio.to_thread(at.book.set_pin, me.person, form.get("pin", ""))
    at.links.cancel(me.person)
    log.info("person %d has a new PIN", me.person)
    request.config_dict[ACCESS].gate.sweep(but=request.transport)
    raise web.HTTPSeeOther("/login")


async def _remove(request: web.Request) -> web.StreamResponse:
    at, me = locked(request), _me(request)
    person = await _chosen(request, at)
    others = [one for one in at.book.people() if one.role is Role.TEACHER and one.id != person.id]
    if person.role is Role.TEACHER and not others:
        raise UsageError("The last teacher stays.", remedy="Let another one in first.")
    await asyncio.to_thread(at.book.remove, person.id)
    at.links.cancel(person.id)
    request.config_dict[ACCESS].gate.sweep(but=request.transport)
    log.info("person %d took access from person %d", me.person, person.id)
    raise web.HTTPSeeOther("/people")


async def _chosen(request: web.Request, at: Locked) -> Person:
    text = (await small_form(request)).get("person", "")
    person = at.book.person(int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else None
    if person is None:
        raise UsageError("This person has no access any more.", remedy="Choose one of the list.")
    return person
