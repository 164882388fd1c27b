"""What programs can read: who they are, schools, classes, homework, reports."""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed
from gateway.access.person import Grant, Person
from gateway.access.rules import names_for, visible_classes
from gateway.api.listing import ArchivedMonths, Line, Viewer, cursor_at, lines_of
from gateway.api.operations import Api, asked, conditional_headers, is_known, json_answer
from gateway.api.paging import Part, cursor_of, place_of_cursor
from gateway.api.report_answer import ReportAnswer
from gateway.reports.export import report_to_json
from gateway.reports.summaries import Place
from gateway.store.archived import archived_months_of
from gateway.store.reading import Cursor, ReportVersion, class_version
from gateway.store.schools import class_pupils, class_sizes, school_ids
from gateway.store.tables.schools import schools
from gateway.store.tables.sheets import class_rollups
from gateway.web.found import REPORTS
from gateway.web.rooms import REPORT, place_of, some_class, some_subject

_HOUR_S = 3600


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever asks is, and until when (null: until it is taken away). `pupil` is a pseudonym."""

    role: str
    school: str | None
    class_name: str | None = field(name="class")
    subject: str | None
    pupil: str | None
    until_ms: int | None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks. `scopes` are the only deeds that a key is good for; null for a person."""

    name: str
    roles: list[Role]
    scopes: list[str] | None


class School(msgspec.Struct, frozen=True):
    """A school, and what people call it."""

    school: str
    title: str
    archived: ArchivedMonths


class SchoolList(msgspec.Struct, frozen=True):
    """The schools that can be seen, and a part of their reports: school by school, the latest first."""

    schools: list[School]
    lines: list[Line]
    next: str | None


class OneSchool(msgspec.Struct, frozen=True):
    """A school with its classes that can be seen."""

    school: str
    title: str
    classes: int
    pupils: int
    archived: ArchivedMonths


class ClassLine(msgspec.Struct, frozen=True, kw_only=True):
    """A class. `size` is its list's, 0 where there is none; `class` is empty for sheets whose class nobody knows."""

    class_name: str = field(name="class")
    size: int


class ClassList(msgspec.Struct, frozen=True):
    """A part of a school's classes."""

    classes: list[ClassLine]
    next: str | None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A pupil of a class. `pupil` is the pseudonym by which exports and addresses name the pupil."""

    pupil: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    pupil_id: str
    seat: int
    name: str


class OneClass(msgspec.Struct, frozen=True, kw_only=True):
    """A class and its pupils by seat."""

    school: str
    class_name: str = field(name="class")
    pupils: list[Member]


class LineList(msgspec.Struct, frozen=True):
    """A part of a class's homework, the latest sheets first."""

    lines: list[Line]
    next: str | None
    archived: ArchivedMonths


class _InSchools(msgspec.Struct, frozen=True):
    """Where a list of several schools goes on."""

    school: str
    at: Cursor


def add_reading(api: Api) -> None:
    """Register what can be read."""
    reading = _Reading(api)
    of_class = "/schools/{school}/classes/{class_name}"
    api.add("GET", "/me", reading.me, name="me", summary="Who asks", deed=Deed.SEE_START, gives=Me)
    api.add(
        "GET",
        "/schools",
        reading.schools,
        name="schools",
        summary="Schools and their reports",
        deed=Deed.SEE_START,
        query=Part,
        gives=SchoolList,
    )
    api.add(
        "GET",
        "/schools/{school}",
        reading.school,
        name="school",
        summary="A school",
        deed=Deed.SEE_CLASS,
        thing=some_class,
        gives=OneSchool,
    )
    api.add(
        "GET",
        "/schools/{school}/classes",
        reading.classes,
        name="classes",
        summary="Classes of a school",
        deed=Deed.SEE_CLASS,
        thing=some_class,
        query=Part,
        gives=ClassList,
    )
    api.add(
        "GET",
        of_class,
        reading.one_class,
        name="class",
        summary="A class and its pupils",
        deed=Deed.SEE_CLASS,
        thing=some_subject,
        gives=OneClass,
    )
    api.add(
        "GET",
        f"{of_class}/assignments",
        reading.assignments,
        name="classAssignments",
        summary="Homework of a class",
        deed=Deed.SEE_CLASS,
        thing=some_subject,
        query=Part,
        gives=LineList,
    )
    api.add(
        "GET",
        f"{REPORT}/report",
        reading.report,
        name="report",
        summary="The report of a class on a piece of homework",
        deed=Deed.SEE_CLASS,
        gives=ReportAnswer,
    )


class _Reading:
    def __init__(self, api: Api) -> None:
        self._rooms = api.rooms
        self._store = api.rooms.store

    def _viewer(self, request: web.Request) -> Viewer:
        return Viewer(self._rooms.person(request), self._rooms.access.now_ms())

    async def me(self, request: web.Request) -> Me:
        who = self._viewer(request)
        scopes = who.person.scopes
        return Me(
            name=who.person.name,
            roles=[_role(grant) for grant in who.person.grants if grant.holds(who.now_ms)],
            scopes=None if scopes is None else sorted(scopes),
        )

    async def schools(self, request: web.Request) -> SchoolList:
        part, who = asked(request, Part), self._viewer(request)
        place = place_of_cursor(part.after, _InSchools)
        found: list[Line] = []
        async with self._store.reading() as connection:
            known = await _schools_of(connection, who)
            for one in known:
                if place is not None and one.school < place.school:
                    continue
                before = place.at if place is not None and one.school == place.school else None
                limit = part.limit + 1 - len(found)
                found += await lines_of(connection, who, one.school, before=before, limit=limit)
                if len(found) > part.limit:
                    break
        lines, last = found[: part.limit], found[part.limit - 1 : part.limit]
        following = cursor_of(_InSchools(last[0].school, cursor_at(last[0]))) if len(found) > part.limit else None
        return SchoolList(known, lines, following)

    async def school(self, request: web.Request) -> OneSchool:
        who = self._viewer(request)
        async with self._store.reading() as connection:
            one = await _school(connection, request)
            mine = visible_classes(who.person, one.school, who.now_ms)
            sizes = await class_sizes(connection, one.school)
        seen = [size for name, size in sizes.items() if mine is None or name in mine]
        return OneSchool(one.school, one.title, len(seen), sum(seen), one.archived)

    async def classes(self, request: web.Request) -> ClassList:
        part, who = asked(request, Part), self._viewer(request)
        after = place_of_cursor(part.after, str)
        async with self._store.reading() as connection:
            one = await _school(connection, request)
            mine = visible_classes(who.person, one.school, who.now_ms)
            sizes = await class_sizes(connection, one.school)
            told = select(class_rollups.c.class_name).where(class_rollups.c.school_id == one.school).distinct()
            for name in await connection.scalars(told):  # of sheets whose class has no list
                sizes.setdefault(name, 0)
        names = sorted(name for name in sizes if (mine is None or name in mine) and (after is None or name > after))
        shown = names[: part.limit]
        following = cursor_of(shown[-1]) if len(names) > part.limit else None
        return ClassList([ClassLine(class_name=name, size=sizes[name]) for name in shown], following)

    async def one_class(self, request: web.Request) -> OneClass:
        who, name = self._viewer(request), _class_name(request)
        async with self._store.reading() as connection:
            one = await _school(connection, request)
            pupils = await class_pupils(connection, self._store.vault, one.school, name)
        if not pupils:
            raise web.HTTPNotFound
        shown = names_for(who.person, one.school, who.now_ms).open(pupils)
        members = [
            Member(pupil=k.pseudonym.hex(), pupil_id=k.pupil.pupil_id, seat=k.pupil.seat, name=k.pupil.name)
            for k in shown
        ]
        return OneClass(school=one.school, class_name=name, pupils=members)

    async def assignments(self, request: web.Request) -> LineList:
        part, who, name = asked(request, Part), self._viewer(request), _class_name(request)
        before = place_of_cursor(part.after, Cursor)
        async with self._store.reading() as connection:
            one = await _school(connection, request)
            found = await lines_of(connection, who, one.school, classes=(name,), before=before, limit=part.limit + 1)
        lines = found[: part.limit]
        following = cursor_of(cursor_at(lines[-1])) if len(found) > part.limit else None
        return LineList(lines, following, one.archived)

    async def report(self, request: web.Request) -> web.Response:
        """The report; when nothing of it has changed since the ETag that is sent along, only that."""
        school, class_name, assignment = place_of(request)
        async with self._store.reading() as connection:
            await _school(connection, request)
            version = await class_version(connection, school, class_name, assignment)
            tag = _tag(self._store.incarnation, version)
            headers = conditional_headers(tag)
            if is_known(request, headers["ETag"]):
                return web.Response(status=304, headers=headers)
            report = await self._rooms.app[REPORTS].class_report(connection, Place(school, class_name, assignment))
        return json_answer(request, report_to_json(report), tag=tag)


def _tag(store: bytes, version: ReportVersion) -> str:
    """Of what a report was made. With time alone it changes too (due times, clocks of boxes): an hour is one value."""
    told: tuple[Any, ...] = (store, *version, int(time.time() // _HOUR_S))
    return hashlib.blake2b(msgspec.msgpack.encode(told), digest_size=16).hexdigest()


def _role(grant: Grant) -> Role:
    return Role(
        role=grant.role.value,
        school=grant.school,
        class_name=grant.class_name,
        subject=grant.subject,
        pupil=None if grant.pupil is None else grant.pupil.hex(),
        until_ms=grant.until_ms,
    )


def _class_name(request: web.Request) -> str:
    name = request.match_info["class_name"]
    return "" if name == "-" else name


async def _schools_of(connection: AsyncConnection, who: Viewer) -> list[School]:
    """The schools where the viewer is anything."""
    found = await connection.execute(select(schools.c.school_id, schools.c.title).order_by(schools.c.school_id))
    mine = [row for row in found if _is_anything(who.person, row.school_id, who.now_ms)]
    months = await archived_months_of(connection, [row.school_id for row in mine])
    return [School(row.school_id, row.title, months.get(row.school_id, [])) for row in mine]


def _is_anything(person: Person, school: str, now_ms: int) -> bool:
    return any(grant.holds(now_ms) and grant.school in (None, school) for grant in person.grants)


async def _school(connection: AsyncConnection, request: web.Request) -> School:
    """The school of an address. Raises `HTTPNotFound`."""
    name = request.match_info["school"]
    if name not in await school_ids(connection):
        raise web.HTTPNotFound
    title = await connection.scalar(select(schools.c.title).where(schools.c.school_id == name))
    months = await archived_months_of(connection, [name])
    return School(name, title or "", months.get(name, []))
