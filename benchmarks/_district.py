"""A district's term as a plan: its schools and classes, what is given when, and how many sheets come of it. Pure.

The numbers of a whole term are fixed and come out exactly; how they fall on schools, classes and days is drawn from a
seed. Nothing here depends on the number of sheets: a plan of 11 million of them is as small as one of a thousand.
`benchmarks._district_sheets` makes the sheets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WEEKS = 17
DAYS = WEEKS * 5
"""School days, from 0. What is collected on one leaves late sheets and 订正 for the next; on the last nothing is."""
CLASSES_OF_A_BOX = 6
SUBJECTS = ("math", "chinese", "english")
_PUPILS_OF_A_CLASS = 36
"""On average. With it 95 in 100 hand in and one in eleven sheets is a 订正, for the numbers of `TERM` to come out."""
_LEAST, _MOST = 30, 50
_OF_SUBJECT = np.array([0.40, 0.35, 0.25])
_AGAIN = 0.088
"""The share of 订正 among all sheets."""
HOME = timezone(timedelta(hours=8))

Whole = NDArray[np.int64]


class Size(NamedTuple):
    """How much there is of everything. `given`: worksheets given to a class; `sheets`: pages that count."""

    schools: int
    teachers: int
    pupils: int
    given: int
    sheets: int

    def part(self, share: float) -> Size:
        """A smaller district of the same kind."""
        return Size(*(max(1, round(share * value)) for value in self))


TERM = Size(schools=156, teachers=5_608, pupils=119_932, given=304_000, sheets=11_399_000)


class ClassPlan(NamedTuple):
    """A class: so many pupils, worksheets given, first sheets and sheets of corrections in the term."""

    name: str
    grade: int
    pupils: int
    given: int
    first: int
    again: int


class SchoolPlan(NamedTuple):
    """A school. Its boxes are numbered from 1; each serves `CLASSES_OF_A_BOX` classes."""

    number: int
    teachers: int
    classes: tuple[ClassPlan, ...]

    @property
    def name(self) -> str:
        """Its id."""
        return f"s{self.number + 1:03}"

    def box_of(self, class_no: int) -> str:
        """The box to which a class's sheets are shown."""
        return f"box-{class_no // CLASSES_OF_A_BOX + 1}"

    @property
    def boxes(self) -> tuple[str, ...]:
        """All its boxes."""
        return tuple(dict.fromkeys(self.box_of(number) for number in range(len(self.classes))))


class Course(NamedTuple):
    """A teacher's classes of one grade in one subject: they get the same worksheets on the same days."""

    teacher: int
    subject: str
    grade: int
    worksheets: int


class Given(NamedTuple):
    """A worksheet given to a class and collected on `day`. `leads`: its class is the first whose box has it.

    `first` and `again`: so many hand it in, so many of them once more with corrections.
    """

    day: int
    class_no: int
    course_no: int
    worksheet: int
    first: int
    again: int
    leads: bool


class Timetable(NamedTuple):
    """What a school gives: its courses, and for each day what is collected, by class."""

    courses: tuple[Course, ...]
    days: tuple[tuple[Given, ...], ...]


class District:
    """A plan. The same size, seed and first day (a Monday) give the same term on every machine."""

    def __init__(self, size: Size = TERM, *, first_day: date, seed: int = 1) -> None:
        """Raises `ValueError` where the numbers cannot be had: more sheets than twice the pupils of all worksheets."""
        self.size, self.first_day, self.seed = size, first_day, seed
        self.schools = tuple(_schools(size, np.random.default_rng([seed, 0])))

    @lru_cache(maxsize=256)  # noqa: B019 - a plan lives as long as its program
    def timetable(self, school_no: int) -> Timetable:
        """The timetable of a school."""
        return _timetable(self.schools[school_no], np.random.default_rng([self.seed, 1, school_no]))

    def at_ms(self, day: int, hour: int, minute: int = 0) -> int:
        """Unix time of a moment of a school day, in milliseconds."""
        when = datetime.combine(self.date(day), time(hour, minute), HOME)
        return round(when.astimezone(UTC).timestamp() * 1000)

    def date(self, day: int) -> date:
        """The date of a school day."""
        return self.first_day + timedelta(weeks=day // 5, days=day % 5)

    def due(self, day: int) -> str:
        """When a worksheet that is collected on that day has to be in, as an assignment says it."""
        return datetime.combine(self.date(day), time(9), HOME).isoformat()

    def days(self, upto: float = 1.0) -> int:
        """How many of the first days bring that share of the term's sheets, at least."""
        bound, sheets = upto * self.size.sheets, 0
        for day, count in enumerate(self.sheets_by_day(), 1):
            sheets += count
            if sheets >= bound:
                return day
        return DAYS

    def sheets_by_day(self) -> list[int]:
        """How many sheets come on each day, but for the late ones, which come a day later than is said here."""
        found = [0] * DAYS
        for given in self.all_given():
            found[given.day] += given.first
            found[given.day + 1] += given.again
        return found

    def all_given(self) -> Iterator[Given]:
        """Every worksheet given to a class, school by school and day by day."""
        for school in self.schools:
            for day in self.timetable(school.number).days:
                yield from day


def apportion(total: int, weights: NDArray[np.float64], most: Whole | None = None) -> Whole:
    """Whole parts of `total` in proportion to weights, by the largest remainder; none is above its `most`.

    Raises `ValueError` where they cannot hold it.
    """
    parts = np.zeros(len(weights), np.int64)
    limit = np.full(len(weights), total) if most is None else most
    if total > int(limit.sum()):
        raise ValueError(f"{total} do not fit into {int(limit.sum())}")
    while rest := total - int(parts.sum()):
        open_weights = np.where(parts < limit, weights, 0.0)
        if open_weights.sum() == 0:
            open_weights = (parts < limit).astype(float)
        shares = rest * open_weights / open_weights.sum()
        whole = np.minimum(shares.astype(np.int64), limit - parts)
        parts += whole
        remainders = np.where(parts < limit, shares - whole, -1.0)
        order = np.argsort(-remainders, kind="stable")[: rest - int(whole.sum())]
        parts[order[remainders[order] >= 0]] += 1
    return parts


def _schools(size: Size, rng: np.random.Generator) -> Iterator[SchoolPlan]:
    count = max(size.schools, round(size.pupils / _PUPILS_OF_A_CLASS))
    weights = rng.lognormal(0.0, 0.6, size.schools)
    classes = 1 + apportion(count - size.schools, weights)
    teachers = 1 + apportion(size.teachers - size.schools, classes.astype(float))
    junior = rng.random(size.schools) < 0.3
    grades = np.concatenate(
        [_grades(int(n), 7 if j else 1, 9 if j else 6) for n, j in zip(classes, junior, strict=True)]
    )
    draws = _LEAST + (_MOST - _LEAST) * rng.beta(1.2, 2.8, count)
    pupils = _LEAST + apportion(size.pupils - _LEAST * count, draws - _LEAST, np.full(count, _MOST - _LEAST))
    given = apportion(size.given, _workload(grades) * rng.lognormal(0.0, 0.1, count))
    keen = np.clip(rng.normal(1.0, 0.025, count), 0.9, 1.03)
    first = apportion(round(size.sheets * (1 - _AGAIN)), pupils * given * keen, pupils * given)
    again = apportion(size.sheets - int(first.sum()), first * rng.lognormal(0.0, 0.3, count), first)
    start = 0
    for number in range(size.schools):
        end = start + int(classes[number])
        seen: dict[int, int] = defaultdict(int)
        mine = []
        for n in range(start, end):
            grade = int(grades[n])
            seen[grade] += 1
            numbers = (int(pupils[n]), int(given[n]), int(first[n]), int(again[n]))
            mine.append(ClassPlan(f"{grade}-{seen[grade]}", grade, *numbers))
        yield SchoolPlan(number, int(teachers[number]), tuple(mine))
        start = end


def _grades(classes: int, lowest: int, highest: int) -> Whole:
    """The grades of a school's classes, ascending, as equally many of each as can be."""
    return lowest + np.arange(classes, dtype=np.int64) * (highest - lowest + 1) // max(classes, highest - lowest + 1)


def _workload(grades: Whole) -> NDArray[np.float64]:
    """How much paper a grade fills: the two youngest have no written homework, and only what is done in class."""
    return np.where(grades <= 2, 0.4, np.where(grades <= 6, 1.0, 1.3))


def _timetable(school: SchoolPlan, rng: np.random.Generator) -> Timetable:
    by_subject = [apportion(one.given, _OF_SUBJECT) for one in school.classes]
    courses: list[Course] = []
    of_class: list[list[tuple[int, int, bool]]] = [[] for _ in school.classes]  # course, worksheet, leads
    for place, subject in enumerate(SUBJECTS):
        for (teacher, grade), members in sorted(_courses(school, place).items()):
            worksheets = max(int(by_subject[n][place]) for n in members)
            taken: set[int] = set()
            for n in members:
                mine = int(by_subject[n][place])
                for number in (i * worksheets // mine for i in range(mine)):
                    of_class[n].append((len(courses), number, number not in taken))
                    taken.add(number)
            courses.append(Course(teacher, subject, grade, worksheets))
    begins = rng.random(len(courses))
    days: list[list[Given]] = [[] for _ in range(DAYS)]
    for n, one in enumerate(school.classes):
        spread = rng.normal(1.0, 0.03, one.given).clip(0.8, 1.2)
        first = apportion(one.first, spread, np.full(one.given, one.pupils))
        again = apportion(one.again, first * rng.lognormal(0.0, 0.6, one.given), first)
        for (course, number, leads), handed_in, corrected in zip(of_class[n], first, again, strict=True):
            day = int((number + begins[course]) * (DAYS - 1) / courses[course].worksheets)
            days[day].append(Given(day, n, course, number, int(handed_in), int(corrected), leads))
    return Timetable(tuple(courses), tuple(map(tuple, days)))


def _courses(school: SchoolPlan, place: int) -> dict[tuple[int, int], list[int]]:
    """Whom each teacher of a subject teaches: numbers of classes, by teacher and grade."""
    shares = 1 + apportion(max(0, school.teachers - len(SUBJECTS)), _OF_SUBJECT)
    before, mine = int(shares[:place].sum()), int(shares[place])
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for n, one in enumerate(school.classes):
        teacher = (before + n * mine // len(school.classes)) % school.teachers
        found[teacher, one.grade].append(n)
    return found
