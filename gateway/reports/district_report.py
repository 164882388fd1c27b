"""All schools in a term, for a district: numbers of schools and grades, never of a class, a teacher or a pupil."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.activity import days_of_all
from gateway.reports.figures import Adoption, DistrictFigures, PointCell, PointLine, SchoolLine, State
from gateway.reports.freshness import NOTHING, freshness_of
from gateway.reports.periods import Term
from gateway.reports.school_report import (
    ClassTerm,
    Sizes,
    adoption_of,
    class_terms_of,
    grades_gone,
    has_small_class,
    weakest_first,
)
from gateway.store.tables.schools import schools
from gateway.store.tables.summaries import class_knowledge
from homework.load import subject_of
from homework.suppression import LEAST


async def district_report(
    connection: AsyncConnection,
    term: Term,
    *,
    subject: str | None = None,
    grade: int | None = None,
    now_ms: int,
    sizes: Sizes | None = None,
) -> DistrictFigures:
    """The figures as of the last summaries. With subject and grade the points have a part for each school.

    `sizes` are those of the class lists, where they are known already.
    """
    subject = None if subject is None else subject_of(subject)
    titles = {row[0]: row[1] for row in await connection.execute(_TITLES)}
    fresh = await freshness_of(connection, now_ms=now_ms)
    classes = await class_terms_of(connection, term, subject=subject, sizes=sizes)
    # What is not told is decided over all grades, whichever are asked for: pages together tell no more than each.
    adoption = {
        school: [line for line in adoption_of(some, subject=subject) if grade in (None, line.grade)]
        for school, some in classes.items()
    }
    lines = tuple(
        SchoolLine(
            school=school,
            title=title,
            **_of_school(classes.get(school, ()) if grade is None else (), adoption.get(school, ()), subject),
            freshness=fresh.get(school, NOTHING),
        )
        for school, title in titles.items()
    )
    days = await days_of_all(connection, term, {school: grades_gone(some) for school, some in classes.items()})
    points, left_out = await _points(connection, term, subject, grade)
    states = Counter(line.freshness.state for line in lines)
    told = [(line.freshness.state, at) for line in lines if (at := line.freshness.as_of_ms) is not None]
    lagging = [at for state, at in told if state in (State.COMPLETE, State.BEHIND, State.UNTOLD)]
    last_ms = max((at for _, at in told), default=None)  # holidays: nobody is heard, and something was
    return DistrictFigures(
        term=term,
        subject=subject,
        grade=grade,
        schools=lines,
        adoption=_by_grade([line for some in adoption.values() for line in some]),
        points=points,
        load=tuple(one for one in days.load if grade in (None, one.grade)),
        activity=days.activity,
        left_out=left_out + days.gone,
        as_of_ms=min(lagging, default=last_ms),
        complete=states[State.COMPLETE],
        behind=states[State.BEHIND],
        untold=states[State.UNTOLD],
        silent=states[State.SILENT],
        nothing=states[State.NOTHING],
    )


_TITLES = select(schools.c.school_id, schools.c.title).order_by(schools.c.school_id)


def _of_school(classes: Sequence[ClassTerm], grades: Sequence[Adoption], subject: str | None) -> dict[str, Any]:
    """A school's line over its grades. All its classes together are told where there are enough pupils in them."""
    enough = sum(one.pupils for one in classes) >= LEAST
    told = enough and (subject is None or not has_small_class(classes))
    return {
        "classes": sum(line.classes for line in grades),
        "active": sum(line.active for line in grades),
        "assignments": sum(line.assignments for line in grades),
        "handed_in": sum(one.handed_in for one in classes) if told else _sum([line.handed_in for line in grades]),
        "expected": sum(one.expected for one in classes) if told else _sum([line.expected for line in grades]),
    }


def _by_grade(lines: Sequence[Adoption]) -> tuple[Adoption, ...]:
    """The schools' grades together: of those whose sheets a school's own page does not tell none is in the sums."""
    by_grade: dict[int, list[Adoption]] = defaultdict(list)
    for line in lines:
        by_grade[line.grade or 0].append(line)
    return tuple(
        Adoption(
            grade=grade or None,
            classes=sum(line.classes for line in some),
            active=sum(line.active for line in some),
            assignments=sum(line.assignments for line in some),
            handed_in=_sum([line.handed_in for line in some]),
            expected=_sum([line.expected for line in some]),
        )
        for grade, some in sorted(by_grade.items())
    )


def _sum(values: Sequence[int | None]) -> int | None:
    told = [value for value in values if value is not None]
    return sum(told) if told else None


async def _points(
    connection: AsyncConnection, term: Term, subject: str | None, grade: int | None
) -> tuple[tuple[PointLine, ...], int]:
    """The points over all schools that tell theirs, and how many schools' figures are left out."""
    of_schools, whole = _knowledge(of_subject=subject is not None, of_grade=grade is not None)
    given = {"term": term.name, "subject": subject, "grade": grade}
    given = {name: value for name, value in given.items() if value is not None}
    parts: Mapping[tuple[str, int | None, str], list[PointCell]] = defaultdict(list)
    if subject is not None and grade is not None:
        for row in await connection.execute(of_schools, given):
            told = row.pupils >= LEAST
            parts[row.subject, row.grade, row.knowledge].append(
                PointCell(
                    name=row.school_id,
                    correct=int(row.correct) if told else None,
                    n=int(row.n) if told else None,
                    pupils=int(row.pupils) if told else None,
                )
            )
    lines, left_out = [], 0
    for name, of_grade, knowledge, correct, n, pupils, gone in await connection.execute(whole, given):
        left_out += int(gone)
        told = pupils >= LEAST
        cell = PointCell(
            name=knowledge,
            correct=int(correct) if told else None,
            n=int(n) if told else None,
            pupils=int(pupils) if told else None,
        )
        some = parts.get((name, of_grade, knowledge), [])
        lines.append(PointLine(subject=name, grade=of_grade, whole=cell, parts=tuple(some)))
    return weakest_first(lines), left_out


@cache
def _knowledge(*, of_subject: bool, of_grade: bool) -> tuple[Select[tuple[Any, ...]], Select[tuple[Any, ...]]]:
    """The points school by school, and together those of schools that tell theirs."""
    columns = class_knowledge.c
    what = (columns.subject, columns.grade, columns.knowledge)
    wanted = [columns.term == bindparam("term")]
    if of_subject:
        wanted.append(columns.subject == bindparam("subject"))
    if of_grade:
        wanted.append(columns.grade == bindparam("grade"))
    counts = [func.sum(columns[name]).label(name) for name in ("correct", "n", "pupils")]
    of_schools = select(columns.school_id, *what, *counts).where(*wanted).group_by(columns.school_id, *what)
    each = of_schools.subquery()
    enough = each.c.pupils >= LEAST
    whole = select(
        each.c.subject,
        each.c.grade,
        each.c.knowledge,
        *(func.sum(case((enough, each.c[name]), else_=0)).label(name) for name in ("correct", "n", "pupils")),
        func.sum(case((enough, 0), else_=1)).label("left_out"),
    ).group_by(each.c.subject, each.c.grade, each.c.knowledge)
    return of_schools.order_by(columns.school_id), whole
