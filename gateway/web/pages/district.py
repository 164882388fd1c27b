"""The district: every school and how fresh its data is, use, knowledge points, load. Numbers alone, nobody's name."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed, Thing
from gateway.access.rules import may
from gateway.clock import unix_ms
from gateway.web.figure_view import district_page
from gateway.web.found import REPORTS, day_asked, person_of, school_address, term_asked, today
from gateway.web.pages.keys import DISTRICT_KEYS
from gateway.web.rooms import Rooms
from homework.errors import UsageError
from ui.pages import Handler, language_of, render

_PARTS = ("", "adoption", "knowledge", "load", "freshness")


def add_district(rooms: Rooms) -> None:
    """`/district`, and each of its questions on a page of its own."""
    for part in _PARTS:
        rooms.page("GET", f"/district/{part}".rstrip("/"), _page_of(rooms, part), deed=Deed.SEE_DISTRICT)


def _page_of(rooms: Rooms, part: str) -> Handler:
    async def page(request: web.Request) -> web.Response:
        person, at_ms = person_of(request), unix_ms()
        async with rooms.store.reading() as connection:
            figures = await request.app[REPORTS].district_report(
                connection,
                term_asked(request),
                request.query.get("subject") or None,
                _grade(request),
                now_ms=at_ms,
            )
        view = district_page(
            figures,
            language_of(request),
            today=today(),
            week=day_asked(request, "week"),
            go=lambda school: school_address(school) if may(person, Deed.SEE_SCHOOL, Thing(school), at_ms) else "",
            part=part,
            opened=request.query.get("point"),
        )
        keys = DISTRICT_KEYS if may(person, Deed.MANAGE_DISTRICT_KEYS, Thing(), at_ms) else ""
        return render(request, "district.html", page=view, part=part, keys_address=keys)

    return page


def _grade(request: web.Request) -> int | None:
    """The grade of `?grade=`. Raises `UsageError` for what is none."""
    text = request.query.get("grade", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:3]) <= 12):
        raise UsageError("“{text}” is no grade.", remedy="Write a number from 1 to 12.", text=text[:20])
    return int(text)
