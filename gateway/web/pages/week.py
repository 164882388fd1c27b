"""A teacher's own week: what her classes had to do, what came, and what waits for her."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from gateway.access.deeds import Deed, Thing
from gateway.access.person import Person, Role
from gateway.clock import unix_ms
from gateway.reports.week import WeekClass, week
from gateway.store.schools import school_ids
from gateway.web.found import person_of, today
from gateway.web.rooms import Rooms, report_address
from gateway.web.week_view import monday_asked, week_view
from ui.pages import language_of, render

_MOST_SCHOOLS = 5
"""Of whoever belongs to every school; a week of more is no list that anybody reads."""


def add_week(rooms: Rooms) -> None:
    """`/week`, everybody's own."""

    async def page(request: web.Request) -> web.Response:
        monday = monday_asked(request.query.get("of"), today())
        async with rooms.store.reading() as connection:
            classes = _classes(person_of(request), await school_ids(connection))
            found = await week(connection, classes, monday)
        view = week_view(
            found,
            language_of(request),
            address=lambda line: report_address(line.school, line.class_name, line.assignment),
        )
        return render(request, "week.html", view=view)

    rooms.page("GET", "/week", page, deed=Deed.SEE_WEEK, thing=_own)


def _own(request: web.Request) -> Thing:
    return Thing(person=person_of(request).id)


def _classes(person: Person, schools: Sequence[str]) -> list[WeekClass]:
    """Whose homework belongs into the week of that person: a teacher's classes, all of a head's schools."""
    at_ms = unix_ms()
    return [
        WeekClass(school, grant.class_name, grant.subject)
        for grant in person.grants
        if grant.holds(at_ms) and grant.role in (Role.TEACHER, Role.HEAD)
        for school in ([grant.school] if grant.school is not None else schools[:_MOST_SCHOOLS])
    ]
