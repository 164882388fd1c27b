"""What a school and a district are shown: values only, made from what the worker keeps (`gateway.reports.worker`).

No name of a pupil stands in any of them. Where a figure is None it is of fewer than ten pupils, or would give such a
figure away (`homework.suppression`): pages say "not shown", never 0. Nothing is grouped by teacher, and nothing
says which class or school is the best: lines go by name, or by what is weak.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from fractions import Fraction

import msgspec

from gateway.reports.periods import Term


class State(StrEnum):
    """How complete a school's data is."""

    COMPLETE = "complete"
    """All that its boxes say that they have is here."""
    BEHIND = "behind"
    """Sheets are under way."""
    UNTOLD = "untold"
    """Boxes were heard lately, and none has said yet what it has."""
    SILENT = "silent"
    """No box was heard lately: what it has nobody knows."""
    NOTHING = "nothing"
    """Nothing ever came."""


class Freshness(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How fresh a school's data is. `as_of_ms` (截至): up to then all boxes that work were heard; None for none.

    Of `boxes` that are enrolled, `heard` were within the last days and `behind` have sheets that did not come yet;
    `under_way` counts their pages. `told_ms` is when a box last said what it has. Times are Unix milliseconds.
    """

    state: State
    boxes: int
    heard: int
    behind: int
    under_way: int
    as_of_ms: int | None
    told_ms: int | None


class Adoption(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How much homework went through the boxes in a term, of one grade (None: where the grade is not known).

    `classes` are those of the class lists and others of which a sheet came, `active` the latter. `assignments` counts
    what was given to each class. `handed_in` of `expected` sheets of pupils (an assignment of several pages is one);
    both None where they are of too few.
    """

    grade: int | None
    classes: int
    active: int
    assignments: int
    handed_in: int | None
    expected: int | None


class PointCell(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A knowledge point in one class (school report) or one school (district report): right answers of `n`.

    All three numbers are None where they are of too few pupils.
    """

    name: str
    correct: int | None
    n: int | None
    pupils: int | None

    @property
    def rate(self) -> Fraction | None:
        """The share that is right, exactly; None where it is not shown, or of nothing."""
        return Fraction(self.correct, self.n) if self.correct is not None and self.n else None


class PointLine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A knowledge point of a subject and grade: the whole, and its parts by name. `whole.name` is the point's."""

    subject: str
    grade: int | None
    whole: PointCell
    parts: tuple[PointCell, ...]


class ClassDay(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a class had to do for one day (the day on which it was due, else that of its first sheet), in minutes.

    `estimated` (估计) where a part was: pages say so beside every number. `over` is whether it exceeds `cap_min`; None
    where it may not be judged, because not all subjects are in (`complete`) or there is no cap for the grade.
    """

    class_name: str
    grade: int | None
    day: date
    minutes: int
    estimated: bool
    subjects: tuple[str, ...]
    complete: bool
    cap_min: int | None
    over: bool | None


class DayLoad(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The load of a grade on one day over many classes: `over` of `judged` exceed the cap.

    `classes` had homework, on average `minutes`; of `estimated` of them a part of it was estimated. Classes that are
    not all in are in `classes` and the mean, not in `judged`.
    """

    day: date
    grade: int | None
    classes: int
    judged: int
    over: int
    minutes: float
    estimated: int


class Activity(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What came on one day: classes and assignments of which a sheet was due or came, and sheets of pupils.

    `handed_in` is None where the day is of too few pupils, or would give away one that is.
    """

    day: date
    classes: int
    assignments: int
    handed_in: int | None


class SchoolFigures(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A school in a term. `title` is "" where nobody said what it is called.

    `adoption` by grade, `points` by subject, grade and then the weakest first, `days` by class and day (the latest
    first), `activity` by day. `hidden` counts the figures that are not shown.
    """

    school: str
    title: str
    term: Term
    freshness: Freshness
    adoption: tuple[Adoption, ...]
    points: tuple[PointLine, ...]
    days: tuple[ClassDay, ...]
    activity: tuple[Activity, ...]
    hidden: int


class SchoolLine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One school in the district's list, by name. The numbers are those of `Adoption`, over all grades shown."""

    school: str
    title: str
    classes: int
    active: int
    assignments: int
    handed_in: int | None
    expected: int | None
    freshness: Freshness


class DistrictFigures(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All schools in a term, of one subject and grade where they are given.

    `points` have a part for each school where subject and grade are given; a school with too few pupils for a point is
    in no total, so that no total gives it away, and so it is with a day of a school that it does not tell (`left_out`
    counts both). `activity` is of all subjects and grades.
    `as_of_ms` is that of the school that lags most among those that are heard; where none is, the last time that one
    was. `complete`, `behind`, `untold`, `silent` and `nothing` count the schools in each state.
    """

    term: Term
    subject: str | None
    grade: int | None
    schools: tuple[SchoolLine, ...]
    adoption: tuple[Adoption, ...]
    points: tuple[PointLine, ...]
    load: tuple[DayLoad, ...]
    activity: tuple[Activity, ...]
    left_out: int
    as_of_ms: int | None
    complete: int
    behind: int
    untold: int
    silent: int
    nothing: int
