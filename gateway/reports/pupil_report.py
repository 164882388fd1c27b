"""One pupil over a time: what is weak and on which sheets it showed, progress, punctuality, each sheet item by item.

It compares a pupil with nobody: no rank, no place in the class. A test of which the results were not released is in it
for teachers alone (`for_family`).
"""

from __future__ import annotations

from datetime import date

import msgspec

from gateway.reports.periods import Term
from homework.comments import CommentFacts, Trend
from homework.knowledge import Mastery
from homework.lateness import Timing
from homework.results import VerdictKind
from homework.statistics import SubmissionStatus


class PupilItem(msgspec.Struct, frozen=True, kw_only=True):
    """逐题得失: one item of one sheet. `state` None: left alone (B or C), or read and not judged.

    `answers` are what stands on the paper, blank by blank ("" nothing, None not readable), `accepted` one right answer
    each, where the assignment is at hand; `now` is the state on the newest corrected sheet, None without one.
    """

    item: str
    label: str
    prompt: str
    knowledge: tuple[str, ...]
    state: VerdictKind | None
    now: VerdictKind | None
    answers: tuple[str | None, ...]
    accepted: tuple[str, ...]
    score_hundredths: int | None
    max_score_hundredths: int | None
    explanation: str | None
    video: str | None


class PupilSheet(msgspec.Struct, frozen=True, kw_only=True):
    """One assignment that this pupil's class had. `rate` (0..1) is None while anything of it is open or missing.

    `again` is how far its mistakes are put right (订正: a value of `AgainState`), None where no corrected sheet of the
    class ever came.
    `attempts` counts how often a sheet came. `test` and not `released`: families do not see it.
    """

    assignment: str
    title: str
    subject: str
    class_name: str
    day: date
    status: SubmissionStatus
    timing: Timing | None
    score_hundredths: int | None
    max_score_hundredths: int | None
    rate: float | None
    pending: int
    missing_pages: tuple[int, ...]
    again: str | None
    attempts: int
    test: bool
    released: bool
    items: tuple[PupilItem, ...]


class Where(msgspec.Struct, frozen=True):
    """An item of a sheet on which a knowledge point was answered wrongly."""

    assignment: str
    item: str


class PupilPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A knowledge point of a subject, what the pupil's answers say, and the wrong ones, the latest first."""

    subject: str
    knowledge: str
    mastery: Mastery
    wrong: tuple[Where, ...]


class Punctuality(msgspec.Struct, frozen=True, kw_only=True):
    """Of `expected` sheets: in time, late (补交), handed in at a time nobody knows or without a due time, missing.

    请假 and 免做 are in none of them; `excused` counts both.
    """

    expected: int
    in_time: int
    late: int
    unknown: int
    missing: int
    excused: int


class StoredComment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment that somebody wrote or took over; `person_id` says who, `changed_ms` when (Unix ms)."""

    text: str
    person_id: int
    changed_ms: int


class PupilReport(msgspec.Struct, frozen=True, kw_only=True):
    """A pupil in a term, for one subject or (None) all. `name` comes from the school's own roster.

    `sheets` go from the latest back; `points` by what is weakest, those with too few answers last. `trend` is the
    pupil's own, None while there are too few sheets. `facts` are what a proposed comment is made of
    (`homework.comments.proposed`); `comment` is what stands already.
    """

    school: str
    pupil: bytes
    pupil_id: str
    name: str
    seat: int
    class_name: str
    term: Term
    subject: str | None
    sheets: tuple[PupilSheet, ...]
    points: tuple[PupilPoint, ...]
    punctuality: Punctuality
    trend: Trend | None
    facts: CommentFacts
    comment: StoredComment | None
    as_of_ms: int | None

    @property
    def weak(self) -> tuple[PupilPoint, ...]:
        """薄弱点: the points of which it can be said that they are weak."""
        return tuple(point for point in self.points if point.mastery.level == "weak")
