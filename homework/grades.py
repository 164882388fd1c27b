"""等第: a word instead of points, as primary schools give it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from homework.statistics import PupilFigures


class Grade(StrEnum):
    """优, 良, 合格, 待合格, the best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    PASSING = "passing"
    BELOW = "below"


GRADE_WORDS = {
    Grade.EXCELLENT: "Excellent",
    Grade.GOOD: "Good",
    Grade.PASSING: "Pass",
    Grade.BELOW: "Not yet",
}
"""Message ids, translated where they are shown."""


class GradeScale(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """From how many percent of the pupil's own maximum each grade is given; below `passing` is 待合格."""

    excellent: int = 90
    good: int = 75
    passing: int = 60


def grade_of(score_hundredths: int, max_score_hundredths: int, scale: GradeScale) -> Grade:
    """The grade of a score. A cut-off belongs to the better grade; whole numbers, so that nothing is rounded.

    Raises `ValueError` for a maximum that is not positive: nothing could be earned, so there is no grade.
    """
    if max_score_hundredths <= 0:
        raise ValueError(f"no grade out of {max_score_hundredths}")
    earned = 100 * score_hundredths
    for grade, cut in (
        (Grade.EXCELLENT, scale.excellent),
        (Grade.GOOD, scale.good),
        (Grade.PASSING, scale.passing),
    ):
        if earned >= cut * max_score_hundredths:
            return grade
    return Grade.BELOW


def grade_of_pupil(pupil: PupilFigures, scale: GradeScale) -> Grade | None:
    """The grade of a pupil's line; None while it has no settled score."""
    if pupil.rate is None or pupil.score_hundredths is None or not pupil.max_score_hundredths:
        return None
    return grade_of(pupil.score_hundredths, pupil.max_score_hundredths, scale)


def grade_counts(pupils: Iterable[PupilFigures], scale: GradeScale) -> dict[Grade, int]:
    """How many have each grade, the best first; grades that nobody has are there with 0."""
    counts = dict.fromkeys(Grade, 0)
    for pupil in pupils:
        grade = grade_of_pupil(pupil, scale)
        if grade is not None:
            counts[grade] += 1
    return counts
