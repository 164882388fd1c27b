"""A class's homework of a term, line by line, from what the worker keeps (`gateway.reports.worker`)."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.periods import Term, day_number
from gateway.reports.week import WEEK_COLUMNS, WeekLine, week_line
from gateway.store.tables.summaries import class_summaries


async def class_lines(
    connection: AsyncConnection, school: str, class_name: str, term: Term, *, limit: int = 200
) -> list[WeekLine]:
    """What the class had in the term, the latest first, at most `limit`. Empty for a class that had nothing."""
    days = {"first": day_number(term.first), "last": day_number(term.last)}
    given = {"school": school, "class_name": class_name, "most": limit, **days}
    return [week_line(row) for row in await connection.execute(_LINES, given)]


_LINES = (
    select(*WEEK_COLUMNS)
    .where(
        class_summaries.c.school_id == bindparam("school"),
        class_summaries.c.class_name == bindparam("class_name"),
        class_summaries.c.day.between(bindparam("first"), bindparam("last")),
        class_summaries.c.handed_in > 0,
    )
    .order_by(class_summaries.c.day.desc(), class_summaries.c.assignment)
    .limit(bindparam("most"))
)
