"""A school and its classes: figures without names for the school, homework and pupils for a class."""

from __future__ import annotations

from aiohttp import web

from gateway.access.deeds import Deed, Thing
from gateway.access.rules import may, visible_classes
from gateway.clock import unix_ms
from gateway.store.schools import class_sizes
from gateway.web.figure_view import school_page
from gateway.web.found import (
    REPORTS,
    class_address,
    day_asked,
    person_of,
    school_address,
    term_asked,
    today,
)
from gateway.web.rooms import Rooms
from homework.by_name import by_name
from ui.pages import Handler, language_of, render

SCHOOL = "/schools/{school}"
_PARTS = ("", "adoption", "knowledge", "load")


def add_schools(rooms: Rooms) -> None:
    """The pages of a school, each question on one of its own too, and of a class."""
    schools = _Schools(rooms)
    for part in _PARTS:
        rooms.page("GET", f"{SCHOOL}/{part}".rstrip("/"), schools.page_of(part), deed=Deed.SEE_SCHOOL)


class _Schools:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def page_of(self, part: str) -> Handler:
        async def page(request: web.Request) -> web.Response:
            school = request.match_info["school"]
            person, at_ms = person_of(request), unix_ms()
            visible = visible_classes(person, school, at_ms)
            async with self._rooms.store.reading() as connection:
                figures = await request.app[REPORTS].school_report(
                    connection, school, term_asked(request), now_ms=at_ms
                )
                # The doors to the classes stand on the page of all questions alone.
                classes = [] if part else sorted(await class_sizes(connection, school), key=by_name)
            if figures is None:
                raise web.HTTPNotFound

            def go(name: str) -> str:
                return class_address(school, name) if visible is None or name in visible else ""

            of_all = may(person, Deed.SEE_DISTRICT, Thing(), at_ms)
            view = school_page(
                figures,
                language_of(request),
                today=today(),
                week=day_asked(request, "week"),
                go=go,
                part=part,
            )
            return render(
                request,
                "school.html",
                page=view,
                part=part,
                address=school_address(school),
                back=school_address(school) if part else "/district" if of_all else "/",
                classes=[(name, go(name)) for name in classes if go(name)],
            )

        return page
