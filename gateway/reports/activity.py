"""What came on each day of a term, of a school or of all, and how heavy the days were, from the sums of days.

A day of a school that is of a few pupils is not told, nor another by which it could be worked out
(`homework.suppression`); in the sums over schools are the sheets of those whose own page tells them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.figures import Activity, DayLoad
from gateway.reports.periods import Term, day_number, day_numbered
from gateway.store.tables.summaries import school_days
from homework.suppression import LEAST, Path, hidden_columns

GradesGone = Mapping[str, Collection[Path]]
"""By school the grades whose sheets are not told (`gateway.reports.school_report.grades_gone`)."""


class DaysOfAll(NamedTuple):
    """The days of all schools together: what came, how many days of schools are not told, the load by grade."""

    activity: tuple[Activity, ...]
    gone: int
    load: tuple[DayLoad, ...]


async def days_of_school(
    connection: AsyncConnection, school: str, term: Term, grades_gone: Collection[Path]
) -> tuple[tuple[Activity, ...], int]:
    """What came to a school on each day of the term, by day; and how many days are not told."""
    rows = [_Row(*row) for row in await connection.execute(_OF_SCHOOL, {"school": school, **_within(term)})]
    few = any((row.pupils or 0) < LEAST for row in rows)
    gone, gone_n = _sheets_gone(map(_small_day, rows), {school: grades_gone}) if few else ({}, 0)
    return _activity(rows, gone), gone_n


async def days_of_all(connection: AsyncConnection, term: Term, grades_gone: GradesGone) -> DaysOfAll:
    """The same of all schools together, and their load."""
    rows = [_Row("", *row) for row in await connection.execute(_OF_ALL, _within(term))]
    gone: Mapping[int, int] = {}
    gone_n = 0
    if any(row.pupils is not None and row.pupils < LEAST for row in rows):
        small = (await connection.execute(_SMALL, _within(term))).all()
        # Of a district of small schools it takes 0.4 s: other pages are not to wait for it.
        gone, gone_n = await asyncio.to_thread(_sheets_gone, small, grades_gone)
    return DaysOfAll(_activity([row for row in rows if row.classes], gone), gone_n, _load(rows))


class _Row(NamedTuple):
    """A day of a grade, of a school or of all. To ask a row of the database for a value by its name takes ten times as
    long.
    """

    school_id: str
    day: int
    grade: int
    pupils: int | None
    classes: int
    assignments: int
    handed_in: int
    expected: int
    load_classes: int = 0
    load_judged: int = 0
    load_over: int = 0
    load_minutes: int = 0
    load_estimated: int = 0


def _within(term: Term) -> dict[str, int]:
    return {"first": day_number(term.first), "last": day_number(term.last)}


_TERM = (school_days.c.day.between(bindparam("first"), bindparam("last")),)
_ACTIVE = (*_TERM, school_days.c.classes > 0)
_LOADS = ("load_classes", "load_judged", "load_over", "load_minutes", "load_estimated")
_SENT = ("classes", "assignments", "handed_in", "expected")
_OF_SCHOOL = (
    select(
        *(school_days.c[name] for name in ("school_id", "day", "grade", "pupils")),
        *(school_days.c[name] for name in _SENT),
    )
    .where(*_ACTIVE, school_days.c.school_id == bindparam("school"))
    .order_by(school_days.c.day)
)
_OF_ALL = (
    # All that is told of days in one walk through the table: of a district's term it has 60,000 rows.
    select(
        school_days.c.day,
        school_days.c.grade,
        func.min(case((school_days.c.classes > 0, school_days.c.pupils))).label("pupils"),
        *(func.sum(school_days.c[name]).label(name) for name in (*_SENT, *_LOADS)),
    )
    .where(*_TERM)
    .group_by(school_days.c.day, school_days.c.grade)
    .order_by(school_days.c.day, school_days.c.grade)
)
_SMALL = select(
    *(school_days.c[name] for name in ("school_id", "day", "grade", "pupils", "expected", "assignments", "handed_in"))
).where(
    *_ACTIVE,
    school_days.c.school_id.in_(
        select(school_days.c.school_id).where(*_ACTIVE, school_days.c.pupils < LEAST).correlate(None)
    ),
)
"""All the days of those schools that have a grade's day of a few pupils."""


def _small_day(row: _Row) -> tuple[Any, ...]:
    return row.school_id, row.day, row.grade, row.pupils, row.expected, row.assignments, row.handed_in


def _activity(rows: Sequence[_Row], gone: Mapping[int, int]) -> tuple[Activity, ...]:
    """`rows` are of days and grades, in the order of days."""
    found = []
    for day, some in groupby(rows, key=lambda row: row.day):
        grades = list(some)
        found.append(
            Activity(
                day=day_numbered(day),
                classes=sum([int(row.classes) for row in grades]),
                assignments=sum([int(row.assignments) for row in grades]),
                # Where homework was, sheets came: nothing is left only where no school tells its day.
                handed_in=sum([int(row.handed_in) for row in grades]) - gone.get(day, 0) or None,
            )
        )
    return tuple(found)


def _load(rows: Iterable[_Row]) -> tuple[DayLoad, ...]:
    """By day and grade, the latest day first."""
    some = [row for row in rows if row.load_classes]
    some.sort(key=lambda row: -row.day)  # within a day they stay in the order of grades
    return tuple(
        [
            DayLoad(
                day=day_numbered(row.day),
                grade=row.grade or None,
                classes=int(row.load_classes),
                judged=int(row.load_judged),
                over=int(row.load_over),
                minutes=float(row.load_minutes) / int(row.load_classes),
                estimated=int(row.load_estimated),
            )
            for row in some
        ]
    )


def _sheets_gone(rows: Iterable[Sequence[Any]], grades_gone: GradesGone) -> tuple[dict[int, int], int]:
    """How many sheets are not told of each day, and of how many days of schools that is so; of `_SMALL`.

    The grades that a school does not tell are one here: what they come to together follows from the others.
    """
    pupils_of: dict[str, dict[tuple[str, int], int]] = defaultdict(lambda: defaultdict(int))
    sheets_of: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for school, day, grade, pupils_n, expected, assignments, handed_in in rows:
        row = "" if (str(grade),) in grades_gone.get(school, ()) else str(grade)
        # Of a day that nobody counted they are at least as many as an assignment has on average.
        pupils_of[school][row, day] += pupils_n or expected // max(1, assignments)
        sheets_of[school][day] += handed_in
    found: dict[int, int] = defaultdict(int)
    gone_n = 0
    for school, cells in pupils_of.items():
        sheets = sheets_of[school]
        gone = set(sheets) if () in grades_gone.get(school, ()) else hidden_columns(cells)
        gone_n += len(gone)
        for day in gone:
            found[day] += sheets[day]
    return found, gone_n
