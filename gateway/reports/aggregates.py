"""Sums over summaries: a class's term, its days, a school's days.

They are made anew from the summaries, and written where they differ from what is there, so that what was wrong once
does not stay wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.periods import Term, day_number, day_numbered, term_of
from gateway.reports.summaries import grade_of_class, points_of
from gateway.store.dialect import add_or_replace, among
from gateway.store.tables.summaries import (
    class_days,
    class_knowledge,
    class_summaries,
    class_terms,
    school_days,
    school_freshness,
)
from homework.knowledge import Count, together
from homework.load import CAPS_MIN, Minutes, day_load

LATELY = timedelta(days=14)
"""A subject that was given within these days belongs to a class's day."""
UNDER_WAY_FOR = timedelta(days=60)
"""What has been under way for longer, of that nobody waits any more."""


class Touched:
    """Which classes, days and subjects of a school have another summary than before."""

    def __init__(self) -> None:
        self.days: dict[str, set[date]] = defaultdict(set)
        self.subjects: dict[str, set[str]] = defaultdict(set)

    def add(self, class_name: str, day: int, subject: str) -> None:
        """A summary of the class has changed that is, or was, counted on this day and for this subject."""
        self.days[class_name].add(day_numbered(day))
        self.subjects[class_name].add(subject)


class _Books:
    """The sums of one school."""

    def __init__(self, connection: AsyncConnection, school: str, wrong: list[str], *, look_only: bool = False) -> None:
        self.connection, self.school = connection, school
        self._wrong, self._look_only = wrong, look_only

    async def make_so(
        self, table: Table, query: Select[Any], given: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """Make the school's rows that a query of `table` finds these. Returns those that were not right.

        No other is touched. `given` are the query's parameters but for the school.
        """
        key = [column.name for column in table.primary_key.columns]
        names = [column.name for column in table.columns]
        right = {tuple(row[name] for name in key): {name: row[name] for name in names} for row in rows}
        found = await self.connection.execute(query, {"school": self.school, **given})
        there = {tuple(row[name] for name in key): dict(row) for row in found.mappings()}
        if self._look_only and table is school_days:
            for place, row in there.items():
                if not row["pupils"] and place in right:  # not counted yet: that is no fault
                    row["pupils"] = right[place]["pupils"]
        wrong = [row for place, row in right.items() if there.get(place) != row]
        gone = [place for place in there if place not in right]
        self._wrong += [f"{table.name} {place}" for place, row in right.items() if there.get(place) != row]
        self._wrong += [f"{table.name} {place}" for place in gone]
        if not self._look_only:
            if wrong:
                await self.connection.execute(add_or_replace(self.connection, table), wrong)
            for place in gone:
                same = [table.c[name] == value for name, value in zip(key, place, strict=True)]
                await self.connection.execute(delete(table).where(*same))
        return [*wrong, *(there[place] for place in gone)]


async def aggregate(
    connection: AsyncConnection, school: str, touched: Touched, *, look_only: bool = False
) -> list[str]:
    """Bring the sums up to date in which the summaries of these classes and days stand; or only look at them.

    Returns what was not right, as table and key.
    """
    wrong: list[str] = []
    books = _Books(connection, school, wrong, look_only=look_only)
    changed: set[date] = set()
    for class_name, days in sorted(touched.days.items()):
        for term in sorted({term_of(day) for day in days}):
            await _term(books, class_name, term, () if look_only else touched.subjects[class_name])
        changed |= days | await _days(books, class_name, days)
    if changed:
        await _school_days(books, changed)
    return wrong


async def uncounted_days(connection: AsyncConnection, school: str, *, most: int) -> list[date]:
    """Some of the school's days of which nobody counted the pupils: an older gateway wrote them."""
    days = await connection.execute(_UNCOUNTED.limit(most), {"school": school})
    return [day_numbered(day) for day in days.scalars()]


async def count_days(connection: AsyncConnection, school: str, days: Collection[date]) -> None:
    """Make the sums of these days of the school anew."""
    await _school_days(_Books(connection, school, []), days)


_UNCOUNTED = (
    select(school_days.c.day)
    .distinct()
    .where(school_days.c.school_id == bindparam("school"), school_days.c.pupils == 0, school_days.c.classes > 0)
)


async def freshness(connection: AsyncConnection, school: str, today: date) -> None:
    """Keep what boxes said that they have and that has not come."""
    given = {"school": school, "since": day_number(today - UNDER_WAY_FOR)}
    under_way, told_ms = (await connection.execute(_UNDER_WAY, given)).one()
    lists = (await connection.execute(_BEHIND, given)).scalars()
    row = {
        "school_id": school,
        "under_way": int(under_way or 0),
        "behind": len({box for boxes in lists for box in boxes.split("\n")}),
        "told_ms": told_ms,
    }
    await _Books(connection, school, []).make_so(school_freshness, _all_of(school_freshness), {}, [row])


_TOLD = (
    class_summaries.c.school_id == bindparam("school"),
    class_summaries.c.day >= bindparam("since"),
    class_summaries.c.told_ms.is_not(None),
)
_UNDER_WAY = select(func.sum(class_summaries.c.under_way), func.max(class_summaries.c.told_ms)).where(*_TOLD)
_BEHIND = select(class_summaries.c.behind).where(*_TOLD, class_summaries.c.behind != "")


async def _term(books: _Books, class_name: str, term: Term, subjects: Collection[str]) -> None:
    """A class's term in these subjects (without any: in all), and what it knows of them."""
    named = {"subjects": sorted(subjects)} if subjects else {}
    dialect = books.connection.dialect.name if subjects else None
    days = {"first": day_number(term.first), "last": day_number(term.last)}
    given = {"school": books.school, "class_name": class_name, **named, **days}
    by_subject: dict[str, list[Any]] = defaultdict(list)
    for one in await books.connection.execute(_counted(dialect), given):
        by_subject[one.subject].append(one)
    terms, points = [], []
    for subject, some in by_subject.items():
        here = {"school_id": books.school, "class_name": class_name, "subject": subject, "term": term.name}
        grade = _grade(class_name, some)
        sums = {name: sum(getattr(one, name) for one in some) for name in ("handed_in", "expected", "late")}
        pupils_n = max(one.handed_in for one in some)
        terms.append({**here, "grade": grade, "assignments": len(some), "pupils": pupils_n, **sums})
        counts = [(one.handed_in, points_of(bytes(one.knowledge))) for one in some]
        pupils: dict[str, int] = defaultdict(int)
        for handed_in, by_point in counts:
            for point in by_point:
                pupils[point] = max(pupils[point], handed_in)
        for point, count in together(by_point for _, by_point in counts).items():
            points.append({**here, "knowledge": point, "grade": grade, "pupils": pupils[point], **_of(count)})
    there = {"class_name": class_name, "term": term.name, **named}
    for table, rows in ((class_terms, terms), (class_knowledge, points)):
        await books.make_so(table, _of_term(dialect, table), there, rows)


async def _days(books: _Books, class_name: str, days: Collection[date]) -> set[date]:
    """What a class had to do on these days, and on those after them for which a subject may be missing now or not."""
    first, last = min(days), max(days) + LATELY
    window = {"class_name": class_name, "first": day_number(first - LATELY), "last": day_number(last)}
    found = await books.connection.execute(_OF_CLASS, {"school": books.school, **window})
    by_day: dict[date, list[Any]] = defaultdict(list)
    for one in found:
        by_day[day_numbered(one.day)].append(one)
    rows = []
    for day, some in by_day.items():
        if day < first:
            continue
        given: dict[str, list[Minutes]] = defaultdict(list)
        for one in some:
            given[one.subject].append(Minutes(one.minutes, one.minutes_estimated))
        recent = {one.subject for other, ones in by_day.items() if day - LATELY <= other <= day for one in ones}
        grade = _grade(class_name, some)
        load = day_load(given, grade=grade, recent=recent)
        rows.append(
            {
                "school_id": books.school,
                "class_name": class_name,
                "day": day_number(day),
                "grade": grade,
                "minutes": load.minutes,
                "estimated": load.estimated,
                "subjects": "\n".join(load.subjects)[:400],
                "complete": load.complete,
            }
        )
    there = {"class_name": class_name, "first": day_number(first), "last": day_number(last)}
    return {day_numbered(row["day"]) for row in await books.make_so(class_days, _DAYS_OF_CLASS, there, rows)}


async def _school_days(books: _Books, days: Collection[date]) -> None:
    """A school's days by grade: what was handed in, and how heavy it was."""
    dialect, numbers = books.connection.dialect.name, sorted(map(day_number, days))
    given = {"school": books.school, "days": numbers}
    by_grade: dict[tuple[int, int], tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    of_class: dict[tuple[int, str], int] = {}
    for load in await books.connection.execute(_loads(dialect), given):
        of_class[load.day, load.class_name] = load.grade or 0
        by_grade[load.day, load.grade or 0][1].append(load)
    for one in await books.connection.execute(_of_days(dialect), given):
        of_name = grade_of_class(one.class_name) or 0
        by_grade[one.day, of_class.get((one.day, one.class_name), of_name)][0].append(one)
    rows = []
    for (number, grade), (some, loads) in by_grade.items():
        cap = CAPS_MIN.get(grade)
        judged = [one for one in loads if one.complete and cap is not None]
        pupils: dict[str, int] = defaultdict(int)
        for one in some:
            pupils[one.class_name] = max(pupils[one.class_name], one.expected, one.handed_in)
        rows.append(
            {
                "school_id": books.school,
                "day": number,
                "grade": grade,
                "classes": len({one.class_name for one in some}),
                "assignments": len({one.assignment for one in some}),
                "handed_in": sum(one.handed_in for one in some),
                "expected": sum(one.expected for one in some),
                "load_classes": len(loads),
                "load_minutes": sum(one.minutes for one in loads),
                "load_judged": len(judged),
                "load_over": sum(one.minutes > (cap or 0) for one in judged),
                "load_estimated": sum(one.estimated for one in loads),
                "pupils": sum(pupils.values()),
            }
        )
    await books.make_so(school_days, _rows_of_days(dialect), {"days": numbers}, rows)


# Statements are built once: to build one, and the name under which its text is kept, costs more than to run it.


@cache
def _all_of(table: Table) -> Select[Any]:
    return select(table).where(table.c.school_id == bindparam("school"))


@cache
def _of_term(dialect: str | None, table: Table) -> Select[Any]:
    """The rows of a class's term: with a `dialect` those of some subjects."""
    columns = table.c
    query = _all_of(table).where(columns.class_name == bindparam("class_name"), columns.term == bindparam("term"))
    return query if dialect is None else query.where(among(dialect, columns.subject, "subjects", of="VARCHAR"))


@cache
def _rows_of_days(dialect: str) -> Select[Any]:
    return _all_of(school_days).where(among(dialect, school_days.c.day, "days", of="INTEGER"))


_DAYS_OF_CLASS = _all_of(class_days).where(
    class_days.c.class_name == bindparam("class_name"),
    class_days.c.day.between(bindparam("first"), bindparam("last")),
)


def _summaries_with(*names: str) -> Select[tuple[Any, ...]]:
    columns = class_summaries.c
    return select(*(columns[name] for name in names)).where(
        columns.school_id == bindparam("school"), columns.handed_in > 0
    )


def _of_class(*names: str) -> Select[tuple[Any, ...]]:
    columns = class_summaries.c
    return (
        _summaries_with(*names)
        .where(
            columns.class_name == bindparam("class_name"), columns.day.between(bindparam("first"), bindparam("last"))
        )
        .order_by(columns.day, columns.assignment)
    )


_OF_CLASS = _of_class("subject", "grade", "day", "minutes", "minutes_estimated")


@cache
def _counted(dialect: str | None) -> Select[tuple[Any, ...]]:
    """What a class's term is summed up of: with a `dialect` in some subjects."""
    query = _of_class("subject", "grade", "handed_in", "expected", "late", "knowledge")
    if dialect is None:
        return query
    return query.where(among(dialect, class_summaries.c.subject, "subjects", of="VARCHAR"))


@cache
def _of_days(dialect: str) -> Select[Any]:
    columns = class_summaries.c
    query = _summaries_with("day", "class_name", "assignment", "grade", "handed_in", "expected")
    return query.where(among(dialect, columns.day, "days", of="INTEGER"), columns.class_name != "")


@cache
def _loads(dialect: str) -> Select[Any]:
    columns = class_days.c
    return select(
        columns.day, columns.class_name, columns.grade, columns.complete, columns.minutes, columns.estimated
    ).where(columns.school_id == bindparam("school"), among(dialect, columns.day, "days", of="INTEGER"))


def _grade(class_name: str, some: Sequence[Any]) -> int | None:
    """A class is of the grade that its name says, whatever worksheets it is given: a fourth grade that repeats the
    third's is judged by its own cap and stays in its own line. Where the name says none, the latest worksheet does.
    """
    known = next((one.grade for one in reversed(some) if one.grade is not None), None)
    return grade_of_class(class_name) or known


def _of(count: Count) -> dict[str, int]:
    return {"correct": count.correct, "n": count.n}
