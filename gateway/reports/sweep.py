"""Finds summaries that are older than what they are of, by comparing versions: nothing rests on having been told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.periods import day_number, term_of
from gateway.reports.shelf import document_digests
from gateway.reports.summaries import Place, made_of
from gateway.store.tables.schools import schools
from gateway.store.tables.sheets import class_rollups
from gateway.store.tables.summaries import class_summaries

ROSTER_COUNTS_FOR = timedelta(days=30)
"""A class list that changes says nothing of homework that is older: those were other children."""
CLOCKS_COUNT_FOR = timedelta(days=60)
"""The times of older sheets are not looked at again when a box learns the time."""


class Versions(NamedTuple):
    """Of a school's class lists, settings and documents."""

    roster: int
    settings: int
    documents: int


async def changed_schools(connection: AsyncConnection, known: Mapping[str, Versions]) -> set[str]:
    """The schools of which something may have changed since its versions were `known`, or since it was summed up."""
    columns = (schools.c.school_id, schools.c.roster_version, schools.c.settings_version, schools.c.documents_version)
    versions = {row[0]: Versions(*row[1:]) for row in await connection.execute(select(*columns))}
    pages = await _sums(connection, class_rollups.c.version, class_rollups.c.school_id, class_rollups.c.assignment)
    kept = await _sums(
        connection, class_summaries.c.rows_version, class_summaries.c.school_id, class_summaries.c.assignment
    )
    return {
        school
        for school, now in versions.items()
        if known.get(school) != now or pages.get(school, 0) != kept.get(school, 0)
    }


async def out_of_date(
    connection: AsyncConnection, school: str, today: date, known: Versions | None
) -> tuple[list[Place], Versions | None]:
    """The classes of a school whose summary is missing or old, and the versions of which that is true.

    `known` are the versions when it was last looked: what a clock says that has been set since moves sheets of which
    nobody knew whether they came in time.
    """
    columns = (schools.c.roster_version, schools.c.settings_version, schools.c.documents_version)
    row = (await connection.execute(select(*columns).where(schools.c.school_id == school))).first()
    if row is None:
        return [], None
    now = Versions(*row)
    clocks_changed = known is None or known.documents != now.documents
    digests = await document_digests(connection, school, None)
    rollups = class_rollups.c
    pages = await connection.execute(
        select(rollups.class_name, rollups.assignment, func.sum(rollups.version))
        .where(rollups.school_id == school, rollups.assignment != "")
        .group_by(rollups.class_name, rollups.assignment)
    )
    kept = {
        Place(school, one.class_name, one.assignment): one
        for one in await connection.execute(_KEPT, {"school": school})
    }
    roster_from, clocks_from = day_number(today - ROSTER_COUNTS_FOR), day_number(today - CLOCKS_COUNT_FOR)
    settings_from = day_number(term_of(today).first)
    found = []
    for class_name, assignment, version in pages:
        place = Place(school, class_name, assignment)
        one = kept.get(place)
        if (
            one is None
            or one.rows_version != version
            or (one.roster_version != now.roster and one.day >= roster_from)
            or (one.settings_version != now.settings and one.day >= settings_from)
            or (clocks_changed and one.time_unknown and one.day >= clocks_from)
            or bytes(one.made_of) != made_of(assignment, one.sheets.split("\n") if one.sheets else [], digests)
        ):
            found.append(place)
    return found, now


_KEPT = select(
    *(class_summaries.c[name] for name in ("class_name", "assignment", "day", "time_unknown", "made_of", "sheets")),
    *(class_summaries.c[f"{what}_version"] for what in ("rows", "roster", "settings")),
).where(class_summaries.c.school_id == bindparam("school"))
"""What is compared, of the thousands of summaries that a school has after a term; the rest of each is a kilobyte."""


async def overdue(connection: AsyncConnection, due_before_ms: int) -> list[Place]:
    """Homework that was due by then, and that nobody has called finished."""
    columns = class_summaries.c
    query = select(columns.school_id, columns.class_name, columns.assignment).where(
        columns.due_ms <= due_before_ms, columns.finished_ms.is_(None), columns.handed_in > 0
    )
    return [Place(*row) for row in await connection.execute(query)]


async def _sums(
    connection: AsyncConnection,
    version: ColumnElement[int],
    school: ColumnElement[str],
    assignment: ColumnElement[str],
) -> dict[str, int]:
    query = select(school, func.sum(version)).where(assignment != "").group_by(school)
    return {name: int(total) for name, total in await connection.execute(query)}
