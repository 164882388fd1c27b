"""The newest reports of all schools: classes and assignments with counts from the rollups."""

from __future__ import annotations

import heapq

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed, Thing
from gateway.access.person import Person
from gateway.access.rules import may, visible_classes
from gateway.store.reading import ReportLine, assignments_named, report_lines
from gateway.store.schools import school_ids
from homework.load import subject_of


class OverviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """One report. `title` is None until the assignment has come; `updated_ms` is when its latest page came."""

    school: str
    class_name: str
    assignment: str
    title: str | None
    pages: int
    pending: int
    updated_ms: int


async def overview(
    connection: AsyncConnection, person: Person, now_ms: int, *, most: int = 100
) -> tuple[OverviewLine, ...]:
    """The newest reports that a person may see, by their latest page: of `most` of each school, and in all."""
    found: list[ReportLine] = []
    titles: dict[tuple[str, str], str] = {}
    for school in await school_ids(connection):
        classes = visible_classes(person, school, now_ms)
        if classes is not None and not classes:
            continue
        lines = await report_lines(connection, school, classes, limit=most)
        documents = await assignments_named(connection, school, {one.assignment for one in lines})
        titles |= {(school, name): document.title for name, document in documents.items()}
        subjects = {name: subject_of(document.subject) for name, document in documents.items()}
        for line in lines:
            thing = Thing(school, line.class_name, line.assignment, subject=subjects.get(line.assignment))
            if may(person, Deed.SEE_CLASS, thing, now_ms):
                found.append(line)
    newest = heapq.nlargest(most, found, key=lambda line: line.last_ms)
    return tuple(
        OverviewLine(
            school=line.school,
            class_name=line.class_name,
            assignment=line.assignment,
            title=titles.get((line.school, line.assignment)),
            pages=line.pages,
            pending=line.pending,
            updated_ms=line.last_ms,
        )
        for line in newest
    )
