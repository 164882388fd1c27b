"""What the class report's JSON holds (`gateway.reports.export.report_to_json`), for the interface's description."""

from __future__ import annotations

import msgspec
from msgspec import field

from gateway.reports.accounts import BoxAccount
from homework.again import AgainState
from homework.lateness import Timing
from homework.statistics import SubmissionStatus


class PupilLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pupil's sheet. Scores are null while something of it is missing or was not judged."""

    pupil: str
    name: str
    seat: int | None
    score: float | None
    max_score: float | None
    status: SubmissionStatus
    timing: Timing | None
    corrected: AgainState | None
    pending: int
    missing_pages: list[int]
    in_roster: bool


class Corrected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how many pupils what has become of their mistakes; `turnaround_ms` is the median."""

    begun: bool
    owes: int
    still_wrong: int = field(name="still-wrong")
    review: int
    done: int
    nothing: int
    turnaround_ms: int | None


class WrongLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wrong answer and who gave it."""

    text: str
    blank: int | None
    n: int
    pupils: list[str]


class ItemLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item over the class: of `n` answers so many correct, wrong and blank; `review` stands beside."""

    item: str
    n: int
    correct: int
    wrong: int
    blank: int
    review: int
    reteach: bool
    borderline: bool
    common_wrong: list[WrongLine]


class ReportAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class on one piece of homework, with names: for the school's own programs alone."""

    school: str
    class_name: str = field(name="class")
    assignment: str
    title: str | None
    sheets: int
    unnamed: int
    duplicates: int
    expected: int
    handed_in: int
    late: int
    time_unknown: int
    settled: int
    mean: float | None
    max_score: float | None
    excellent: int
    passing: int
    low: int
    updated_ms: int | None
    boxes: list[BoxAccount]
    corrected: Corrected
    pupils: list[PupilLine]
    items: list[ItemLine]
    missing: list[str]
