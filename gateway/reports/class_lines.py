"""A class's homework of a term, line by line, from what the worker keeps (`gateway.reports.worker`)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.periods import Term, day_number, day_numbered
from gateway.reports.week import WeekLine
from gateway.store.schema import class_summaries


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
            columns.day >= day_number(term.first),
            columns.day <= day_number(term.last),
        )
        .order_by(columns.day.desc(), columns.assignment)
        .limit(limit)
    )
    return [_line(row) for row in await connection.execute(query)]


def _line(row: Any) -> WeekLine:
    return WeekLine(
        school=row.school_id,
        class_name=row.class_name,
        assignment=row.assignment,
        title=row.title or row.assignment,
        subject=row.subject,
        day=day_numbered(row.day),
        expected=row.expected if row.size else None,
        handed_in=row.handed_in,
        late=row.late,
        missing=row.expected - row.handed_in if row.size else 0,
        pending=row.pending,
        again_owes=row.again_owes,
        again_done=row.again_done,
        reteach=row.reteach_n,
        mean_rate=row.rate_sum_ppm / row.settled / 1_000_000 if row.settled else None,
        minutes=row.minutes,
        minutes_estimated=row.minutes_estimated,
        finished_ms=row.finished_ms,
    )
