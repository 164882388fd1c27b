"""What there is to report on: schools, classes and assignments, with counts from the rollups."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.reading import assignments_named, report_lines
from gateway.store.schools import class_sizes, school_ids


class OverviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """One report. `size` is the class's roster (0: none), `title` None until the assignment has come."""

    school: str
    class_name: str
    assignment: str
    title: str | None
    size: int
    pages: int
    pending: int
    updated_ms: int | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All reports, the newest first. `rosters` says of each school which classes it knows, and their sizes."""

    schools: tuple[str, ...]
    rosters: dict[str, dict[str, int]]
    lines: tuple[OverviewLine, ...]


async def overview(connection: AsyncConnection) -> Overview:
    """Every class and assignment of every school."""
    schools = await school_ids(connection)
    rosters: dict[str, dict[str, int]] = {}
    lines: list[OverviewLine] = []
    for school in schools:
        rosters[school] = await class_sizes(connection, school)
        found = await report_lines(connection, school)
        documents = await assignments_named(connection, school, {line.assignment for line in found})
        lines += [
            OverviewLine(
                school=school,
                class_name=line.class_name,
                assignment=line.assignment,
                title=documents[line.assignment].title if line.assignment in documents else None,
                size=rosters[school].get(line.class_name, 0),
                pages=line.pages,
                pending=line.pending,
                updated_ms=line.last_ms,
            )
            for line in found
        ]
    lines.sort(key=lambda line: (-(line.updated_ms or 0), line.school, line.class_name, line.assignment))
    return Overview(schools=schools, rosters=rosters, lines=tuple(lines))
