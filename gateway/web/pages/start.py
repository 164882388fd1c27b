"""The start page: to each what that person's roles open, and the latest homework of the own classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.person import Person, Role
from gateway.access.rules import may, names_for, visible_classes, visible_subjects
from gateway.clock import unix_ms
from gateway.store.reading import Cursor, headings_named, report_lines
from gateway.store.schools import class_sizes, pupils_named, school_titles
from gateway.store.stock import Begun, how_far
from gateway.web.asking import is_welcomed, may_here
from gateway.web.chosen import Chosen
from gateway.web.found import class_address, person_of, pupil_address, school_address
from gateway.web.office import doors_of_schools, has_office, office_address
from gateway.web.rooms import Rooms, report_address
from gateway.web.start_view import (
    Door,
    SchoolLines,
    StartView,
    Step,
    cursor_asked,
    earlier_address,
    first_step,
    line_view,
    next_steps,
)
from homework.by_name import by_name
from homework.load import subject_of
from homework.wording import Translate
from ui.language import translator
from ui.pages import language_of, render

_LINES = 50
"""Homework on one page, a school."""
_MOST_SCHOOLS = 5
"""Whoever sees more schools than these chooses one first."""


_Open = Mapping[str, Collection[str] | None]
"""The schools of which somebody sees something, with the classes; None: all of them."""


class _Seen(NamedTuple):
    """Somebody who looks, at a moment."""

    person: Person
    at_ms: int


def add_start(rooms: Rooms) -> None:
    """`/` and its stream of changes."""
    start = _Start(rooms)
    rooms.page("GET", "/", start.page, deed=Deed.SEE_START)
    rooms.page("GET", "/live", start.live, deed=Deed.SEE_START)


class _Start:
    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: web.Request) -> web.Response:
        seen = _Seen(person_of(request), unix_ms())
        _ = translator(language_of(request)).gettext
        wanted, cursor = request.query.get("school"), cursor_asked(request.query)
        async with self._rooms.store.reading() as connection:
            titles = await school_titles(connection)
            schools = tuple(titles)
            classes = {one: visible_classes(seen.person, one, seen.at_ms) for one in schools}
            open_to = {one: some for one, some in classes.items() if some is None or some}
            shown = [one for one in open_to if wanted in (None, one)] if len(open_to) <= _MOST_SCHOOLS else []
            if wanted in open_to:
                shown = [str(wanted)]
            groups = [
                (await _lines(connection, one, seen, cursor if wanted else None, _))._replace(title=titles[one])
                for one in shown
            ]
            asked = {one: title for one, title in titles.items() if wanted in (None, one)}
            doors = await self._doors(connection, asked, open_to, seen, _)
            is_admin = any(grant.role is Role.ADMIN for grant in seen.person.grants)
            begun = await how_far(connection) if is_admin else None
            taught = {
                one.school
                for one in seen.person.grants
                if one.role in (Role.TEACHER, Role.HEAD) and one.school is not None and one.school in titles
            }
            bare = {one for one in taught if len(taught) == 1 and not await class_sizes(connection, one)}
        own = {grant.school for grant in seen.person.grants}
        near = asked if None in own else {one: title for one, title in asked.items() if one in own}
        offices = {one: title for one, title in near.items() if has_office(request, one)}
        several = {}
        if len(offices) <= _MOST_SCHOOLS:
            doors += [Door(one.words, one.address, main=False) for one in doors_of_schools(request, offices, _)]
        else:
            several = {one: f"/?{urlencode({'school': one})}" for one in offices}
        places = {school_address(one): one for one in asked}
        through = {places[door.address] for door in doors if door.address in places}
        if several or len(through) > _MOST_SCHOOLS:
            doors = [door for door in doors if door.address not in places]
            several = {one: several.get(one, school_address(one)) for one in titles if one in {*through, *several}}
        if is_admin and not seen.person.strong:  # nothing is open to administrators before it
            doors.append(Door(_("Second step at sign-in"), "/me?second", main=True))
        lines = tuple(group for group in groups if group.lines)
        steps = _steps(request, asked, begun, _)
        if not steps and not lines:
            steps = _first_step(request, taught, bare, _)
        welcome = is_welcomed(request)
        if len(doors) == 1 and doors[0].main and not (lines or steps or several):  # a family with one child
            raise web.HTTPSeeOther(doors[0].address + ("?welcome" if welcome else ""))
        heading = _("Classes and worksheets") if lines else offices.get(str(wanted), _("Home"))
        choice = Chosen([(titles[one], where) for one, where in several.items()], request.query.get("find", ""))
        view = StartView(heading, tuple(doors), lines, steps, choice, welcome)
        return render(request, "start.html", view=view, live="/live")

    async def live(self, request: web.Request) -> web.StreamResponse:
        return await self._rooms.stream(request, None)

    async def _doors(
        self, connection: AsyncConnection, titles: dict[str, str], open_to: _Open, seen: _Seen, _: Translate
    ) -> list[Door]:
        person, at_ms = seen
        doors = []
        if may(person, Deed.SEE_WEEK, Thing(person=person.id), at_ms):
            doors.append(Door(_("This week"), "/week", main=True))
        if may(person, Deed.SEE_DISTRICT, Thing(), at_ms):
            doors.append(Door(_("District"), "/district", main=True))
        doors += [
            Door(title, school_address(one), main=False)
            for one, title in titles.items()
            if may(person, Deed.SEE_SCHOOL, Thing(school=one), at_ms)
        ]
        for one, classes in open_to.items():
            doors += [Door(name, class_address(one, name), main=False) for name in sorted(classes or (), key=by_name)]
        return doors + await self._children(connection, seen, _)

    async def _children(self, connection: AsyncConnection, seen: _Seen, _: Translate) -> list[Door]:
        """Of pupils their own page, of parents their children's."""
        own: dict[str, set[bytes]] = defaultdict(set)
        for grant in seen.person.grants:
            if grant.role in (Role.PUPIL, Role.PARENT) and grant.holds(seen.at_ms) and grant.pupil and grant.school:
                own[grant.school].add(grant.pupil)
        doors = []
        for school, pupils in own.items():
            known = await pupils_named(connection, self._rooms.store.vault, school, pupils)
            for one in names_for(seen.person, school, seen.at_ms).open(known):
                words = _("{name}: homework").format(name=one.pupil.name)
                doors.append(Door(words, pupil_address(school, one.pseudonym), main=True))
        return doors


def _steps(request: web.Request, titles: dict[str, str], begun: Begun | None, _: Translate) -> tuple[Step, ...]:
    """What an administrator does first, on the pages that do it where they are open."""
    if begun is None:
        return ()
    only = next(iter(titles)) if len(titles) == 1 else None
    lists, boxes = (
        office_address(only, page)
        if only and may_here(request, deed, Thing(school=only, class_name=SOME, subject=SOME))
        else ""
        for page, deed in (("rosters", Deed.EDIT_ROSTER), ("boxes", Deed.MANAGE_BOXES))
    )
    return next_steps(begun, lists, boxes, _)


def _first_step(request: web.Request, taught: Collection[str], bare: Collection[str], _: Translate) -> tuple[Step, ...]:
    """Of those who teach at one school, from which nothing has come; `bare` if it has no class list either."""
    if len(taught) != 1:
        return ()
    (school,) = taught
    brings = may_here(request, Deed.EDIT_ROSTER, Thing(school=school, class_name=SOME, subject=SOME))
    return (first_step(office_address(school, "rosters") if bare and brings else "", _),)


async def _lines(
    connection: AsyncConnection, school: str, seen: _Seen, cursor: Cursor | None, _: Translate
) -> SchoolLines:
    """The homework of a school that the person may see, the latest first."""
    classes = visible_classes(seen.person, school, seen.at_ms)
    found = await report_lines(connection, school, classes, before=cursor, limit=_LINES)
    documents = await headings_named(connection, school, {line.assignment for line in found})
    sizes = await class_sizes(connection, school)
    lines = []
    for line in found:
        document = documents.get(line.assignment)
        subjects = visible_subjects(seen.person, school, line.class_name, seen.at_ms)
        if subjects is None or (document is not None and subject_of(document.subject) in subjects):
            title = document.title if document is not None else None
            lines.append(line_view(line, title, sizes.get(line.class_name, 0), report_address, _))
    earlier = earlier_address(school, found[-1].cursor) if len(found) == _LINES else ""
    return SchoolLines(school, school, tuple(lines), earlier)
