"""How long homework takes, and what a day may hold. Pure.

Nobody measured how long a pupil sat over a sheet of paper: minutes are the teacher's own (`minutes` of the
assignment), or an estimate (估计) from its items that is called one wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from homework.assignment import Assignment
from homework.layout import FieldKind

CAPS_MIN: dict[int, int] = {
    **dict.fromkeys((1, 2), 0),
    **dict.fromkeys(range(3, 7), 60),
    **dict.fromkeys((7, 8, 9), 90),
}
"""The most minutes of written homework a day, by grade: none in grades 1 and 2, 60 in 3 to 6, 90 in junior school.

Source: 中共中央办公厅 国务院办公厅《关于进一步减轻义务教育阶段学生作业负担和校外培训负担的意见》, July 2021, 二 (5).
"""
SECONDS_A_BLANK: dict[FieldKind, int] = {
    "choice": 45,
    "choices": 60,
    "judge": 30,
    "letter": 45,
    "number": 40,
    "compare": 20,
    "open": 240,
    "text": 90,
}
"""What an estimate is made of: a convention between the people who read it, not a measurement."""
CORE = ("chinese", "math", "english")
"""Subjects without which a day is not whole; English from grade 3."""
_SAME = {"语文": "chinese", "数学": "math", "maths": "math", "mathematics": "math", "英语": "english"}


class Minutes(NamedTuple):
    """How long; `estimated` where nobody said so."""

    value: int
    estimated: bool


class DayLoad(NamedTuple):
    """A class's homework of one day. `over` is whether it exceeds the cap: None while that cannot be judged.

    `estimated` where any part of it is. `subjects` are those that the minutes cover; `complete`, that they are all.
    """

    minutes: int
    estimated: bool
    subjects: tuple[str, ...]
    complete: bool
    cap_min: int | None
    over: bool | None


def minutes(assignment: Assignment) -> Minutes:
    """What an assignment takes: the teacher's number, or an estimate from its required (A) items, at least a minute.

    Work that is all B and C is voluntary: it takes 0.
    """
    if assignment.minutes is not None:
        return Minutes(assignment.minutes, estimated=False)
    seconds = sum(SECONDS_A_BLANK[item.kind] * item.blanks for item in assignment.items if item.layer == "A")
    return Minutes(-(-seconds // 60), estimated=True)


def subject_of(name: str) -> str:
    """A subject under one name, whatever it was called."""
    word = name.strip().lower()
    return _SAME.get(word, word)


def expected_subjects(grade: int | None, recent: Collection[str]) -> frozenset[str]:
    """The subjects that have to be there before a day is judged: the core ones, and whatever was given lately."""
    core = CORE[:2] if grade is not None and grade < 3 else CORE
    return frozenset(core) | {subject_of(name) for name in recent}


def day_load(given: Mapping[str, Collection[Minutes]], *, grade: int | None, recent: Collection[str]) -> DayLoad:
    """The load of a class on a day from the assignments by subject; `recent` are the subjects of the last two weeks.

    Judged against the cap only when all subjects are in: minutes of mathematics alone say nothing of a child's evening.
    """
    by_subject: dict[str, list[Minutes]] = {}
    for subject, some in given.items():
        by_subject.setdefault(subject_of(subject), []).extend(some)
    every = [one for some in by_subject.values() for one in some]
    total = sum(one.value for one in every)
    cap = CAPS_MIN.get(grade) if grade is not None else None
    complete = expected_subjects(grade, recent) <= by_subject.keys()
    return DayLoad(
        minutes=total,
        estimated=any(one.estimated for one in every),
        subjects=tuple(sorted(by_subject)),
        complete=complete,
        cap_min=cap,
        over=total > cap if complete and cap is not None else None,
    )
