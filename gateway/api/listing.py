"""The reports that somebody may see, in parts, as the interface lists them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Meta, field
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed, Thing
from gateway.access.person import Person
from gateway.access.rules import may, visible_classes
from gateway.store.reading import Cursor, ReportLine, assignments_named, report_lines
from homework.assignment import Assignment
from homework.load import subject_of

ArchivedMonths = Annotated[
    list[int],
    Meta(
        description="Months (as 202609) of which homework went into the archive. It is not listed any more; figures of "
        "the term still have it. For single sheets ask whoever keeps the archive."
    ),
]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A report that there is. `title` is null until the homework itself has come; `report` is its address."""

    school: str
    class_name: str = field(name="class")
    assignment: str
    title: str | None
    subject: str | None
    sheets: Annotated[int, Meta(ge=0, description="Pages that count.")]
    pending: Annotated[int, Meta(ge=0, description="Answers that wait for a look.")]
    first_ms: int
    updated_ms: int
    report: str


class Viewer(NamedTuple):
    """Who looks, and when."""

    person: Person
    now_ms: int


async def lines_of(
    connection: AsyncConnection,
    viewer: Viewer,
    school: str,
    *,
    classes: Collection[str] | None = None,
    before: Cursor | None = None,
    limit: int,
) -> list[Line]:
    """At most `limit` reports of a school (of `classes`, None: of any) that the viewer may see, the latest first."""
    mine = visible_classes(viewer.person, school, viewer.now_ms)
    wanted = classes if mine is None else mine if classes is None else mine & set(classes)
    found: list[Line] = []
    while len(found) < limit and (wanted is None or wanted):
        some = await report_lines(connection, school, wanted, before=before, limit=limit)
        documents = await assignments_named(connection, school, {line.assignment for line in some})
        found += _shown(viewer, some, documents)
        if len(some) < limit:
            break
        before = some[-1].cursor
    return found[:limit]


def cursor_at(line: Line) -> Cursor:
    """Where the list goes on after a line."""
    return Cursor(line.updated_ms, line.assignment, line.class_name)


def api_report_address(school: str, class_name: str, assignment: str) -> str:
    """The address of a class report for programs."""
    place = f"/schools/{quote(school, '')}/classes/{quote(class_name, '') or '-'}/assignments/{quote(assignment, '')}"
    return f"/api/1{place}/report"


def _shown(viewer: Viewer, lines: Iterable[ReportLine], documents: dict[str, Assignment]) -> list[Line]:
    shown = []
    for line in lines:
        document = documents.get(line.assignment)
        subject = None if document is None else subject_of(document.subject)
        thing = Thing(line.school, line.class_name, line.assignment, subject=subject)
        if may(viewer.person, Deed.SEE_CLASS, thing, viewer.now_ms):
            shown.append(
                Line(
                    school=line.school,
                    class_name=line.class_name,
                    assignment=line.assignment,
                    title=None if document is None else document.title,
                    subject=subject,
                    sheets=line.pages,
                    pending=line.pending,
                    first_ms=line.first_ms,
                    updated_ms=line.last_ms,
                    report=api_report_address(line.school, line.class_name, line.assignment),
                )
            )
    return shown
