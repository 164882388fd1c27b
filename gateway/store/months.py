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
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from sqlalchemy import ScalarSelect, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_ignore, among, batched
from gateway.store.partitions import is_there, month_at
from gateway.store.tables.sheets import assignment_months, capture_months

NO_MONTH = 0
"""Where sheets lie of which nobody knows the worksheet."""
_log = logging.getLogger(__name__)


def month_of_assignment(school: str, assignment: str) -> ScalarSelect[Any]:
    """The month of a school's worksheet, for a condition on `page_records.month`; NULL where no sheet has come."""
    return (
        select(assignment_months.c.month)
        .where(assignment_months.c.school_id == school, assignment_months.c.assignment == assignment)
        .scalar_subquery()
    )


async def known_months(connection: AsyncConnection, school: str, assignments: Collection[str]) -> dict[str, int]:
    """The months of those worksheets of a school of which sheets have come."""
    found: dict[str, int] = {}
    for some in batched(sorted(assignments)):
        query = select(assignment_months.c.assignment, assignment_months.c.month).where(
            assignment_months.c.school_id == school, assignment_months.c.assignment.in_(some)
        )
        found |= {row.assignment: row.month for row in await connection.execute(query)}
    return found


async def months_for(
    connection: AsyncConnection, school: str, assignments: Collection[str], *, now_ms: int
) -> dict[str, int]:
    """The months of these worksheets; those of which nothing has come yet get that of now. The school is locked."""
    found = await known_months(connection, school, assignments)
    new = sorted(set(assignments) - found.keys())
    if new:
        month = month_at(now_ms)
        if not await is_there(connection, month):
            # All is right there too, only less tidy: rather that than to keep a class waiting.
            _log.warning("the month %d has no place of its own in the database", month)
            month = NO_MONTH
        rows = [{"school_id": school, "assignment": assignment, "month": month} for assignment in new]
        await connection.execute(assignment_months.insert(), rows)
        found |= dict.fromkeys(new, month)
    return found


async def months_with(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> set[int]:
    """The months, besides those of their first records, in which there is something of these captures."""
    found: set[int] = set()
    query = _months_with(connection.dialect.name)
    for some in batched(sorted(captures)):
        rows = await connection.execute(query, {"school": school, "captures": some})
        found |= set(rows.scalars())
    return found


@cache
def _months_with(dialect: str) -> Select[Any]:
    columns = capture_months.c
    mine = columns.school_id == bindparam("school"), among(dialect, columns.capture, "captures")
    return select(columns.month).where(*mine).distinct()


async def note_captures(connection: AsyncConnection, school: str, where: Iterable[tuple[bytes, int]]) -> None:
    """Remember captures and the months in which there is something of them besides their first records."""
    rows = [{"school_id": school, "capture": capture, "month": month} for capture, month in sorted(set(where))]
    if rows:
        await connection.execute(add_or_ignore(connection, capture_months), rows)
