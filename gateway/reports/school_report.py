"""A school in a term: adoption, what its classes know, how heavy the days are, how fresh the data is.

Of figures of fewer than ten pupils nothing is told, nor of others by which they could be worked out. What is hidden is
decided school by school and for a whole term, so that no two pages together tell more than each: the district's totals
are sums of what the schools' own pages show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.activity import days_of_school
from gateway.reports.figures import Adoption, ClassDay, PointCell, PointLine, SchoolFigures
from gateway.reports.freshness import NOTHING, freshness_of
from gateway.reports.periods import Term, day_number, day_numbered
from gateway.reports.summaries import grade_of_class
from gateway.store.tables.schools import pupils, schools
from gateway.store.tables.summaries import class_days, class_knowledge, class_terms
from homework.knowledge import Count
from homework.load import CAPS_MIN
from homework.suppression import LEAST, Path, hidden

LOAD_OF = timedelta(days=28)
"""The days whose load is told class by class."""


class ClassTerm(NamedTuple):
    """A class in a term: of how many pupils its figures are, and what went through the boxes over all subjects.

    `pupils` are those of the list; none while no sheet of the class came in any subject, for it is in no figure.
    """

    name: str
    grade: int | None
    pupils: int
    active: bool
    assignments: int
    handed_in: int
    expected: int


async def school_report(connection: AsyncConnection, school: str, term: Term, *, now_ms: int) -> SchoolFigures | None:
    """The figures as of the last summaries; None for a school that is not here."""
    title = (await connection.execute(_TITLE, {"school": school})).scalar()
    if title is None:
        return None
    classes = (await class_terms_of(connection, term, school=school)).get(school, ())
    adoption = adoption_of(classes)
    gone = grades_gone(classes)
    activity, days_gone = await days_of_school(connection, school, term, gone)
    points, cells_gone = await _points(connection, school, term)
    return SchoolFigures(
        school=school,
        title=title,
        term=term,
        freshness=(await freshness_of(connection, school, now_ms=now_ms)).get(school, NOTHING),
        adoption=adoption,
        points=points,
        days=await _days(connection, school, term),
        activity=activity,
        hidden=len(gone) + days_gone + cells_gone,
    )


_TITLE = select(schools.c.title).where(schools.c.school_id == bindparam("school"))


async def class_terms_of(
    connection: AsyncConnection,
    term: Term,
    *,
    school: str | None = None,
    subject: str | None = None,
    sizes: Sizes | None = None,
) -> dict[str, list[ClassTerm]]:
    """The classes of one school or of all, by school: those of the class lists, and those of which a sheet came.

    With a subject their homework is that of it. How many pupils they are is not: or a figure that is told of all
    subjects, less those that are told of each, would be one that is not.
    """
    given = {"term": term.name, "subject": subject} | ({} if school is None else {"school": school})
    # Of one subject's rows the others' are not needed, but for the size and the grade of the class.
    terms = await connection.execute(_terms(of_one=school is not None, of_all=subject is None), given)
    rows = {
        (name, class_name): (grade, most, terms_n, assignments, handed_in, expected)
        for name, class_name, grade, most, terms_n, assignments, handed_in, expected in terms.all()
    }
    if sizes is None:
        sizes = await _sizes(connection, school)
    found: dict[str, list[ClassTerm]] = defaultdict(list)
    for place in sorted(rows.keys() | sizes.keys()):
        grade, most, terms_n, assignments, handed_in, expected = rows.get(place, _NOTHING)
        found[place[0]].append(
            ClassTerm(
                name=place[1],
                grade=grade_of_class(place[1]) or grade,
                pupils=max(sizes.get(place, 0), most) if place in rows else 0,
                active=terms_n > 0,
                assignments=int(assignments),
                handed_in=int(handed_in),
                expected=int(expected),
            )
        )
    return found


_NOTHING = (None, 0, 0, 0, 0, 0)
Sizes = Mapping[tuple[str, str], int]
"""How many pupils are on each class's list, by school and class."""


async def _sizes(connection: AsyncConnection, school: str | None = None) -> Sizes:
    lists = await connection.execute(_lists(of_one=school is not None), {} if school is None else {"school": school})
    return {(name, class_name): n for name, class_name, n in lists.all()}


class ListSizes:
    """How large all classes are, counted again only when a list has changed: to count a district's pupils takes a
    database 60 ms.
    """

    def __init__(self) -> None:
        self._made_of: object = None
        self._sizes: Sizes = {}

    async def read(self, connection: AsyncConnection) -> Sizes:
        """The sizes as they are in this transaction."""
        made_of = tuple((await connection.execute(_LISTS_ARE)).all())
        if made_of != self._made_of:
            self._made_of, self._sizes = made_of, await _sizes(connection)
        return self._sizes


_LISTS_ARE = select(schools.c.school_id, schools.c.roster_version).order_by(schools.c.school_id)


@cache
def _terms(*, of_one: bool, of_all: bool) -> Select[tuple[Any, ...]]:
    """A class's subjects together: the greatest grade and size, and of all subjects or one how many and their sums."""
    columns = class_terms.c
    place = (columns.school_id, columns.class_name)
    counted = literal(1) if of_all else case((columns.subject == bindparam("subject"), 1), else_=0)
    sums = (counted, *(counted * columns[name] for name in ("assignments", "handed_in", "expected")))
    query = (
        select(*place, func.max(columns.grade), func.max(columns.pupils), *(func.sum(one) for one in sums))
        .where(columns.term == bindparam("term"))
        .group_by(*place)
    )
    return query.where(columns.school_id == bindparam("school")) if of_one else query


@cache
def _lists(*, of_one: bool) -> Select[tuple[Any, ...]]:
    columns = (pupils.c.school_id, pupils.c.class_name)
    query = select(*columns, func.count()).group_by(*columns)
    return query.where(pupils.c.school_id == bindparam("school")) if of_one else query


def grades_gone(classes: Sequence[ClassTerm]) -> frozenset[Path]:
    """The grades of a school (as text, "0" where it is not known) whose sheets are not told; (), not even of all."""
    by_grade: dict[Path, int] = defaultdict(int)
    for one in classes:
        by_grade[str(one.grade or 0),] += one.pupils
    return hidden(by_grade)


def adoption_of(classes: Sequence[ClassTerm], *, subject: str | None = None) -> tuple[Adoption, ...]:
    """A school's adoption by grade. `subject` is that of which the classes were asked for.

    A school that has a class of a few pupils tells no sheets of single subjects: which classes had one on which days
    the school's page says, and with days, grades and subjects there are more ways to a class than can be closed.
    """
    by_grade: dict[int, list[ClassTerm]] = defaultdict(list)
    for one in classes:
        by_grade[one.grade or 0].append(one)
    gone = grades_gone(classes)
    none_told = subject is not None and has_small_class(classes)
    lines = []
    for grade, some in sorted(by_grade.items()):
        shown = (str(grade),) not in gone and not none_told
        lines.append(
            Adoption(
                grade=grade or None,
                classes=len(some),
                active=sum(one.active for one in some),
                assignments=sum(one.assignments for one in some),
                handed_in=sum(one.handed_in for one in some) if shown else None,
                expected=sum(one.expected for one in some) if shown else None,
            )
        )
    return tuple(lines)


def has_small_class(classes: Sequence[ClassTerm]) -> bool:
    """Whether there is a class with fewer pupils than a figure may be of."""
    return any(0 < one.pupils < LEAST for one in classes)


def point_line(
    subject: str, grade: int | None, point: str, parts: Mapping[str, tuple[Count, int]]
) -> tuple[PointLine, int]:
    """A point over the parts of a whole, each with its counts and pupils; and how many figures are not told."""
    gone = hidden({(name,): n for name, (_, n) in parts.items()})
    counts = [count for count, _ in parts.values()]
    whole = Count(sum([count.correct for count in counts]), sum([count.n for count in counts]))
    return (
        PointLine(
            subject=subject,
            grade=grade,
            whole=point_cell(point, whole, sum([n for _, n in parts.values()]), gone, ()),
            parts=tuple([point_cell(name, *parts[name], gone, (name,)) for name in sorted(parts)]),
        ),
        len(gone),
    )


def point_cell(name: str, count: Count, n: int, gone: frozenset[Path], path: Path) -> PointCell:
    """A figure, or that there is none to tell."""
    if path in gone:
        return PointCell(name=name, correct=None, n=None, pupils=None)
    return PointCell(name=name, correct=count.correct, n=count.n, pupils=n)


def weakest_first(lines: Sequence[PointLine]) -> tuple[PointLine, ...]:
    """By subject and grade, then the weakest first; those that are not told last."""

    def order(line: PointLine) -> tuple[str, int, bool, float, str]:
        whole = line.whole
        rate = whole.correct / whole.n if whole.correct is not None and whole.n else None
        return line.subject, line.grade or 0, rate is None, rate or 0.0, whole.name

    return tuple(sorted(lines, key=order))


async def _points(connection: AsyncConnection, school: str, term: Term) -> tuple[tuple[PointLine, ...], int]:
    found: dict[tuple[str, int | None, str], dict[str, tuple[Count, int]]] = defaultdict(dict)
    rows = await connection.execute(_KNOWLEDGE, {"school": school, "term": term.name})
    for subject, grade, knowledge, class_name, correct, n, n_pupils in rows:
        found[subject, grade, knowledge][class_name] = (Count(correct, n), n_pupils)
    lines, gone = [], 0
    for (subject, grade, point), parts in found.items():
        line, hidden_n = point_line(subject, grade, point, parts)
        lines.append(line)
        gone += hidden_n
    return weakest_first(lines), gone


async def _days(connection: AsyncConnection, school: str, term: Term) -> tuple[ClassDay, ...]:
    """The latest days of the term on which there was homework."""
    given = {"school": school, "first": day_number(term.first), "last": day_number(term.last)}
    last = (await connection.execute(_LAST_DAY, given)).scalar()
    if last is None:
        return ()
    given["since"] = day_number(day_numbered(last) - LOAD_OF)
    return tuple([_class_day(row) for row in await connection.execute(_DAYS, given)])


_KNOWLEDGE = select(
    *(class_knowledge.c[name] for name in ("subject", "grade", "knowledge", "class_name", "correct", "n", "pupils"))
).where(class_knowledge.c.school_id == bindparam("school"), class_knowledge.c.term == bindparam("term"))
_WITHIN = (
    class_days.c.school_id == bindparam("school"),
    class_days.c.day.between(bindparam("first"), bindparam("last")),
)
_LAST_DAY = select(func.max(class_days.c.day)).where(*_WITHIN)
_DAYS = (
    select(
        *(class_days.c[name] for name in ("class_name", "grade", "day", "minutes", "estimated", "subjects", "complete"))
    )
    .where(*_WITHIN, class_days.c.day > bindparam("since"))
    .order_by(class_days.c.day.desc(), class_days.c.class_name)
)


def _class_day(row: Sequence[Any]) -> ClassDay:
    class_name, grade, day, minutes, estimated, subjects, complete = row
    cap = CAPS_MIN.get(grade) if grade is not None else None
    return ClassDay(
        class_name=class_name,
        grade=grade,
        day=day_numbered(day),
        minutes=minutes,
        estimated=bool(estimated),
        subjects=tuple(subjects.split("\n")) if subjects else (),
        complete=bool(complete),
        cap_min=cap,
        over=minutes > cap if complete and cap is not None else None,
    )
