"""In which month a sheet lies: that in which its school's first sheet of the worksheet came, by the gateway's clock.

All sheets of a school's worksheet lie in the same month, whenever they come. So what is looked for under a worksheet is
looked for in one month, and what is unique in a month is unique. PostgreSQL keeps each month in a table of its own
(`gateway.store.partitions`); SQLite has one table with the same columns.

A capture may lie in two months: its page was given to another worksheet later. `capture_months` says where else to look
than in the month of a record that comes. It has the months of revisions after the first, and of twins under the capture
that they repeat. Two *first* revisions of one capture under worksheets of different months, which no box sends, are not
found by that; each counts for its own worksheet.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import ScalarSelect, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.asking import Asked
from gateway.store.dialect import add_or_ignore
from gateway.store.partitions import is_there, month_at
from gateway.store.tables.sheets import assignment_months, capture_months

NO_MONTH = 0
"""Where sheets lie of which nobody knows the worksheet."""
_log = logging.getLogger(__name__)
_WORKSHEETS = Asked("worksheets", school_id="TEXT", assignment="TEXT")
_CAPTURES = Asked("captures", school_id="TEXT", capture="BYTEA")


def month_of_assignment(school: str, assignment: str) -> ScalarSelect[Any]:
    """The month of a school's worksheet, for a condition on `page_records.month`; NULL where no sheet has come."""
    return (
        select(assignment_months.c.month)
        .where(assignment_months.c.school_id == school, assignment_months.c.assignment == assignment)
        .scalar_subquery()
    )


async def known_months(connection: AsyncConnection, school: str, assignments: Collection[str]) -> dict[str, int]:
    """The months of those worksheets of a school of which sheets have come."""
    return (await _known(connection, {school: assignments}))[school]


async def months_for(
    connection: AsyncConnection, assignments: Mapping[str, Collection[str]], *, now_ms: int
) -> dict[str, dict[str, int]]:
    """The months of these worksheets, by school; those of which nothing has come yet get that of now.

    The schools are locked.
    """
    found = await _known(connection, assignments)
    new = [
        (school, name) for school, names in assignments.items() for name in sorted(set(names) - found[school].keys())
    ]
    if new:
        month = month_at(now_ms)
        if not await is_there(connection, month):
            # All is right there too, only less tidy: rather that than to keep a class waiting.
            _log.warning("the month %d has no place of its own in the database", month)
            month = NO_MONTH
        rows = [{"school_id": school, "assignment": name, "month": month} for school, name in new]
        await connection.execute(assignment_months.insert(), rows)
        for school, name in new:
            found[school][name] = month
    return found


async def _known(connection: AsyncConnection, assignments: Mapping[str, Collection[str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {school: {} for school in assignments}
    keys = [(school, name) for school, names in assignments.items() for name in sorted(set(names))]
    if keys:
        dialect = connection.dialect.name
        for row in await connection.execute(_months_of(dialect), _WORKSHEETS.values(dialect, keys)):
            found[row.school_id][row.assignment] = row.month
    return found


@cache
def _months_of(dialect: str) -> Select[Any]:
    return _WORKSHEETS.matching(dialect, assignment_months)


async def months_with(connection: AsyncConnection, captures: Collection[tuple[str, bytes]]) -> set[int]:
    """The months, besides those of their first records, in which there is something of these captures of schools."""
    dialect = connection.dialect.name
    rows = await connection.execute(_months_with(dialect), _CAPTURES.values(dialect, captures))
    return {row.month for row in rows}


@cache
def _months_with(dialect: str) -> Select[Any]:
    return _CAPTURES.matching(dialect, capture_months)


async def note_captures(connection: AsyncConnection, where: Iterable[tuple[str, bytes, int]]) -> None:
    """Remember captures of schools and the months in which there is something of them besides their first records."""
    rows = [{"school_id": school, "capture": capture, "month": month} for school, capture, month in sorted(set(where))]
    if rows:
        await connection.execute(add_or_ignore(connection, capture_months), rows)
