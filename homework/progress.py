"""进退步: whether a pupil's work goes up or down, beside the same pupil's work before. Pure.

Sheets differ: on a hard one everybody has less. So what is followed is how far a pupil lies from the mean of the class
on the same sheet; the class serves as the measure of the sheet, and nothing is said of anybody's place in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, pvariance
from typing import NamedTuple

from homework.comments import Trend

LATEST = 3
"""So many sheets are "lately"."""
BEFORE = 6
"""At most so many before them are what they are compared with, at least `LATEST`."""
LEAST_CHANGE = 0.05
"""Less than five of a hundred points is nothing to tell a child."""
BEYOND_CHANCE = 1.5
"""How many standard errors a change has to be before it is told."""
_LEAST_SPREAD = 0.05
"""A sheet of 20 items varies by more than this from chance alone, however even the last few were."""


class Mark(NamedTuple):
    """A sheet's share of points (0..1), and the mean share of the class on it."""

    rate: float
    class_rate: float


def trend(marks: Sequence[Mark]) -> Trend | None:
    """Up, steady or down over these sheets, in the order of time; None with fewer than two times `LATEST`.

    The means of both groups are compared by their standard error (Welch; B. L. Welch, Biometrika 34 (1947), 28-35),
    with a spread that is never taken for less than that of a short sheet.
    """
    beside = [mark.rate - mark.class_rate for mark in marks]
    now, before = beside[-LATEST:], beside[-LATEST - BEFORE : -LATEST]
    if len(before) < LATEST:
        return None
    change = fmean(now) - fmean(before)
    spread = sum(max(pvariance(some), _LEAST_SPREAD**2) / (len(some) - 1) for some in (now, before))
    if abs(change) < max(LEAST_CHANGE, BEYOND_CHANCE * math.sqrt(spread)):
        return Trend.STEADY
    return Trend.UP if change > 0 else Trend.DOWN
