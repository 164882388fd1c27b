"""Finds summaries that are older than what they are of, by comparing versions: nothing rests on having been told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, exists, func, select
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
    documents_changed = known is None or known.documents != now.documents
    given = {
        "school": school,
        "roster": now.roster,
        "roster_from": day_number(today - ROSTER_COUNTS_FOR),
        "settings": now.settings,
        "settings_from": day_number(term_of(today).first),
        # Of clocks nothing is new while no version says so; then no day is late enough.
        "clocks_from": day_number(today - CLOCKS_COUNT_FOR) if documents_changed else _NEVER,
    }
    found = {Place(school, *one) for one in await connection.execute(_OLD, given)}
    if documents_changed:
        found |= await _made_of_others(connection, school)
    return sorted(found), now


async def _made_of_others(connection: AsyncConnection, school: str) -> set[Place]:
    """The classes whose summary was made of other documents than there are now."""
    digests = await document_digests(connection, school, None)
    right: dict[tuple[str, str], bytes] = {}  # several classes have the same worksheet
    found = set()
    for class_name, assignment, sheets, kept in await connection.execute(_DOCUMENTS, {"school": school}):
        key = (assignment, sheets)
        if key not in right:
            right[key] = made_of(assignment, sheets.split("\n") if sheets else [], digests)
        if bytes(kept) != right[key]:
            found.add(Place(school, class_name, assignment))
    return found


_NEVER = 99_999_999
_PAGES = (
    select(
        class_rollups.c.school_id,
        class_rollups.c.class_name,
        class_rollups.c.assignment,
        func.sum(class_rollups.c.version).label("version"),
    )
    .where(class_rollups.c.school_id == bindparam("school"), class_rollups.c.assignment != "")
    .group_by(class_rollups.c.school_id, class_rollups.c.class_name, class_rollups.c.assignment)
    .subquery("pages")
)
_KEPT = class_summaries.c
_OLD = (
    select(_PAGES.c.class_name, _PAGES.c.assignment)
    .select_from(
        _PAGES.outerjoin(
            class_summaries,
            (_KEPT.school_id == _PAGES.c.school_id)
            # Said once more for PostgreSQL, which would read the summaries of all schools else.
            & (_KEPT.school_id == bindparam("school"))
            & (_KEPT.assignment == _PAGES.c.assignment)
            & (_KEPT.class_name == _PAGES.c.class_name),
        )
    )
    .where(
        _KEPT.rows_version.is_(None)
        | (_KEPT.rows_version != _PAGES.c.version)
        | ((_KEPT.roster_version != bindparam("roster")) & (_KEPT.day >= bindparam("roster_from")))
        | ((_KEPT.settings_version != bindparam("settings")) & (_KEPT.day >= bindparam("settings_from")))
        | ((_KEPT.time_unknown > 0) & (_KEPT.day >= bindparam("clocks_from")))
    )
)
"""The database compares: of the thousands of summaries that a school has after a term hardly one is old."""
_DOCUMENTS = select(_KEPT.class_name, _KEPT.assignment, _KEPT.sheets, _KEPT.made_of).where(
    _KEPT.school_id == bindparam("school"),
    # What has no pages any more (its month was archived) stays as it is.
    exists().where(
        class_rollups.c.school_id == _KEPT.school_id,
        class_rollups.c.assignment == _KEPT.assignment,
        class_rollups.c.class_name == _KEPT.class_name,
        class_rollups.c.assignment != "",
    ),
)


async def overdue(connection: AsyncConnection, due_before_ms: int, school: str | None = None) -> list[Place]:
    """Homework (of one school) that was due by then, and that nobody has called finished."""
    columns = class_summaries.c
    query = select(columns.school_id, columns.class_name, columns.assignment).where(
        columns.due_ms <= due_before_ms, columns.finished_ms.is_(None), columns.handed_in > 0
    )
    if school is not None:
        query = query.where(columns.school_id == school)
    return [Place(*row) for row in await connection.execute(query)]


async def _sums(
    connection: AsyncConnection,
    version: ColumnElement[int],
    school: ColumnElement[str],
    assignment: ColumnElement[str],
) -> dict[str, int]:
    query = select(school, func.sum(version)).where(assignment != "").group_by(school)
    return {name: int(total) for name, total in await connection.execute(query)}
