"""A class: its homework of a term, and its pupils."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed, Thing
from gateway.access.rules import may, names_for, visible_subjects
from gateway.clock import unix_ms
from gateway.reports.class_lines import class_lines
from gateway.reports.week import WeekLine
from gateway.store.schools import class_pupils, is_here
from gateway.web.found import class_address, person_of, place_in, pupil_address, school_address, term_asked
from gateway.web.rooms import Rooms, report_address, some_subject
from gateway.web.week_view import class_view
from homework.errors import ClassboxError
from ui.pages import language_of, render

CLASS = "/schools/{school}/classes/{class_name}"


def add_classes(rooms: Rooms) -> None:
    """The page of a class."""
    classes = _Classes(rooms)
    rooms.page("GET", CLASS, classes.page, deed=Deed.SEE_CLASS, thing=some_subject)


class _Classes:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        """A class's homework in a term, and its pupils."""
        school, class_name = place_in(request)
        person, at_ms, language = person_of(request), unix_ms(), language_of(request)
        store = self._rooms.store
        async with store.reading() as connection:
            try:
                known = await class_pupils(connection, store.vault, school, class_name)
            except ClassboxError as error:
                if not await is_here(connection, school):
                    raise web.HTTPNotFound from error
                raise
            lines = await self._lines(connection, request, school, class_name)
        if not known and not lines:
            raise web.HTTPNotFound
        view = class_view(
            lines, language, address=lambda line: report_address(line.school, line.class_name, line.assignment)
        )
        return render(
            request,
            "class.html",
            view=view,
            class_name=class_name,
            address=class_address(school, class_name),
            back=school_address(school) if may(person, Deed.SEE_SCHOOL, Thing(school=school), at_ms) else "/",
            pupils=[
                (f"{one.pupil.seat:02d}", one.pupil.name, pupil_address(school, one.pseudonym))
                for one in names_for(person, school, at_ms).open(known)
            ],
        )

    async def _lines(
        self, connection: AsyncConnection, request: web.Request, school: str, class_name: str
    ) -> Sequence[WeekLine]:
        """The homework of the class that the reader may see, the latest first."""
        subjects = visible_subjects(person_of(request), school, class_name, unix_ms())
        lines = await class_lines(connection, school, class_name, term_asked(request))
        return [line for line in lines if subjects is None or line.subject in subjects]
