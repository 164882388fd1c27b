"""A teacher's week: what her classes had to do, what came, and what waits for her."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.periods import day_number, day_numbered
from gateway.store.tables.summaries import class_summaries
from homework.load import subject_of


class WeekClass(NamedTuple):
    """A class whose homework belongs into somebody's week; `class_name` None: every class, `subject` None: any."""

    school: str
    class_name: str | None
    subject: str | None


class WeekLine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One class's homework in the week. `title` is the assignment's id until its document has come.

    `expected` is None without a class list. `pending` counts answers that wait for a look (待确认), `missing` pupils
    who have not handed in, `again_owes` and `again_done` those who have to put mistakes right and who did (订正; both
    None where no corrected sheet of the class came). `reteach` are the items below the line. `finished_ms` is when
    everything was in, or an hour after it was due; None while it is open.
    """

    school: str
    class_name: str
    assignment: str
    title: str
    subject: str
    day: date
    expected: int | None
    handed_in: int
    late: int
    missing: int
    pending: int
    again_owes: int | None
    again_done: int | None
    reteach: int
    mean_rate: float | None
    minutes: int
    minutes_estimated: bool
    finished_ms: int | None


class WeekDay(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One day of the week with what is counted on it (`ClassDay` says which day that is)."""

    day: date
    lines: tuple[WeekLine, ...]


class Week(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Seven days from `monday`, those on which there is something; the sums are over all of their lines."""

    monday: date
    days: tuple[WeekDay, ...]

    @property
    def lines(self) -> tuple[WeekLine, ...]:
        """Every class's homework of the week."""
        return tuple(line for day in self.days for line in day.lines)

    @property
    def pending(self) -> int:
        """Answers that wait for a look."""
        return sum(line.pending for line in self.lines)


async def week(connection: AsyncConnection, classes: Iterable[WeekClass], monday: date) -> Week:
    """The week that begins on `monday` for whoever has these classes.

    Homework shows some seconds after its first sheet; days without any are left out.
    """
    columns = class_summaries.c
    mine: dict[str, list[WeekClass]] = defaultdict(list)
    for one in classes:
        mine[one.school].append(one)
    found: dict[date, list[WeekLine]] = defaultdict(list)
    for school, some in sorted(mine.items()):
        query = select(*WEEK_COLUMNS).where(
            columns.school_id == school,
            columns.day.between(day_number(monday), day_number(monday + timedelta(days=6))),
            columns.handed_in > 0,
        )
        if all(one.class_name is not None for one in some):
            query = query.where(columns.class_name.in_(sorted({one.class_name or "" for one in some})))
        for row in await connection.execute(query.order_by(columns.class_name, columns.assignment)):
            if any(_is_of(one, row) for one in some):
                found[day_numbered(row.day)].append(week_line(row))
    return Week(monday=monday, days=tuple(WeekDay(day=day, lines=tuple(found[day])) for day in sorted(found)))


def _is_of(one: WeekClass, row: Any) -> bool:
    return one.class_name in (None, row.class_name) and (one.subject is None or subject_of(one.subject) == row.subject)


WEEK_COLUMNS = [
    class_summaries.c[name]
    for name in (
        *("school_id", "class_name", "assignment", "title", "subject", "day", "size", "expected", "handed_in", "late"),
        *("pending", "again_owes", "again_done", "reteach_n", "rate_sum_ppm", "settled", "minutes"),
        *("minutes_estimated", "finished_ms"),
    )
]
"""What `week_line` is made of, in its order."""


def week_line(row: Sequence[Any]) -> WeekLine:
    """A row of `WEEK_COLUMNS` as it is shown. To ask it for each by its name takes three times as long."""
    school, class_name, assignment, title, subject, day, size, expected, handed_in, late, *rest = row
    pending, again_owes, again_done, reteach_n, rate_sum_ppm, settled, minutes, estimated, finished_ms = rest
    return WeekLine(
        school=school,
        class_name=class_name,
        assignment=assignment,
        title=title or assignment,
        subject=subject,
        day=day_numbered(day),
        expected=expected if size else None,
        handed_in=handed_in,
        late=late,
        missing=expected - handed_in if size else 0,
        pending=pending,
        again_owes=again_owes,
        again_done=again_done,
        reteach=reteach_n,
        mean_rate=rate_sum_ppm / settled / 1_000_000 if settled else None,
        minutes=minutes,
        minutes_estimated=bool(estimated),
        finished_ms=finished_ms,
    )
