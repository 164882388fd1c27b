"""A class's homework of a term, line by line, from what the worker keeps (`gateway.reports.worker`)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.periods import Term, day_number
from gateway.reports.week import WeekLine, week_line
from gateway.store.tables.summaries import class_summaries


async def class_lines(
    connection: AsyncConnection, school: str, class_name: str, term: Term, *, limit: int = 200
) -> list[WeekLine]:
    """What the class had in the term, the latest first, at most `limit`. Empty for a class that had nothing."""
    columns = class_summaries.c
    query = (
        select(class_summaries)
        .where(
            columns.school_id == school,
            columns.class_name == class_name,
            columns.day.between(day_number(term.first), day_number(term.last)),
            columns.handed_in > 0,
        )
        .order_by(columns.day.desc(), columns.assignment)
        .limit(limit)
    )
    return [week_line(row) for row in await connection.execute(query)]
