"""The newest reports of all schools: classes and assignments with counts from the rollups."""

from __future__ import annotations

import heapq
from collections import defaultdict

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.reading import ReportLine, assignments_named, report_lines
from gateway.store.schools import school_ids


class OverviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """One report. `title` is None until the assignment has come; `updated_ms` is when its latest page came."""

    school: str
    class_name: str
    assignment: str
    title: str | None
    pages: int
    pending: int
    updated_ms: int


async def overview(connection: AsyncConnection, *, most: int = 100) -> tuple[OverviewLine, ...]:
    """The `most` reports whose latest page came last, the newest first."""
    schools = await school_ids(connection)
    found = [line for school in schools for line in await report_lines(connection, school, limit=most)]
    newest = heapq.nlargest(most, found, key=lambda line: line.last_ms)
    by_school: dict[str, list[ReportLine]] = defaultdict(list)
    for line in newest:
        by_school[line.school].append(line)
    titles = {
        (school, name): document.title
        for school, lines in by_school.items()
        for name, document in (await assignments_named(connection, school, {one.assignment for one in lines})).items()
    }
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
