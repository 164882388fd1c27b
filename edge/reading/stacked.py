"""Fractions as pupils write them: one number over another, with a bar between, perhaps a whole number before."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.reading.crops import WRITING_PX_PER_MM as PX_PER_MM
from edge.reading.crops import paper_level
from edge.reading.ink import PAPER, Marks, Mask, darkness, marks_of
from edge.reading.recogniser import Recogniser, Recognition
from homework.results import Candidate

BAR_MM = 2.0
PART_MM = 2.4
"""A bar is at least so long, and what stands over it and under it is at least so tall."""

FOOT_MM = 1.5

BAR_SHARE = 0.7
"""A bar is at least so long, measured by the wider of the two numbers; the foot of a 2 is not."""

LEAST_STACKED_MM = 7.8
"""Two numbers and a bar are at least so tall together; a line of digits hardly ever is."""

BAR_LEVEL, BAR_PX = 0.55, 60
HUNG_SHARE = 0.5
"""A digit that hangs on the bar by so much of its ink is joined to it; of a fraction hardly ever both are."""

REACH_PX = 5
"""How far from its middle a bar's line is looked for."""

CRUMB_PX = 6.5
"""What stays so close to the line, all of it, is a rest of the bar."""

CRUMB_MM2 = 0.4
MARGIN_PX = 8
WHOLE_NUMBER = "0123456789"


@dataclass(frozen=True)
class StackedFraction:
    """The crops of a fraction's parts; `whole` is None for a plain fraction."""

    numerator: Image
    denominator: Image
    whole: Image | None


def find_stacked(image: Image) -> StackedFraction | None:
    """The parts of a stacked fraction in a crop of an answer, or None when there is no bar with numbers on both sides.

    The bar may touch the digits: it is found as a long flat run of ink, and taken out before they are told apart.
    """
    dark = darkness(image, PX_PER_MM)
    # Half of the darkest ink: the blur between a bar and the digits next to it is paler than that.
    ink = int(np.sort(dark, axis=None)[-BAR_PX:].mean()) - PAPER
    mask = dark > PAPER + BAR_LEVEL * ink
    bars = marks_of(_flat_runs(mask))
    for bar in sorted(range(1, bars.count), key=lambda mark: -int(bars.stats[mark, cv2.CC_STAT_WIDTH])):
        found = _around_bar(image, mask, bars.labels == bar)
        if found is not None:
            return found
    return None


def _flat_runs(mask: Mask) -> Mask:
    """Ink in horizontal runs of at least `BAR_MM`; thickened first, so that a bar may slope by a fifth."""
    thick = cv2.dilate(mask.view(np.uint8), np.ones((5, 1), np.uint8))
    runs = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, round(BAR_MM * PX_PER_MM)), np.uint8))
    return np.asarray(runs > 0, np.bool_)


def _around_bar(image: Image, mask: Mask, bar: Mask) -> StackedFraction | None:
    columns = np.flatnonzero(bar.any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    width = right - left
    middles = np.array([np.flatnonzero(bar[:, column]).mean() for column in columns])
    slope, height_at_0 = np.polyfit(columns, middles, 1)
    if np.abs(middles - slope * columns - height_at_0).max() > PX_PER_MM:
        return None  # not straight: the round of a digit
    where = _Bar(left, right, float(slope), float(height_at_0))
    # Whether it is a fraction is asked without the wide run: a 5 that hangs on its own bar has nothing above it then.
    without = marks_of(mask & ~bar)
    wide = without.stats
    above, below, _, after = where.split(without)
    if len(after) or not _is_number(wide, above, width) or not _is_number(wide, below, width):
        return None
    if _extent(wide, below)[0] < FOOT_MM * PX_PER_MM:
        return None  # the foot of a 4; nobody divides by 1
    hung = marks_of(mask)
    own = hung.labels == np.argmax(hung.touching(bar & mask)[1:]) + 1
    if all(_share(own, np.isin(without.labels, part)) > HUNG_SHARE for part in (above, below)):
        return None  # a stroke in the middle of a large 5 or 8: what is above and below it hangs on it
    digits = marks_of(mask & ~_line_of(mask, bar, where))
    above, below, before, _ = where.split(digits)
    if not len(above) or not len(below):
        return None
    return StackedFraction(
        _part(image, digits, above),
        _part(image, digits, below),
        _part(image, digits, before) if len(before) else None,
    )


@dataclass(frozen=True)
class _Bar:
    """A bar from column `left` to `right` (exclusive) on the line y = slope × x + height_at_0, in pixels."""

    left: int
    right: int
    slope: float
    height_at_0: float

    def distance(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """How far above or below the line each pixel of a picture is."""
        rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
        return np.abs(rows - (self.slope * columns + self.height_at_0))

    def split(self, marks: Marks) -> tuple[NDArray[np.int64], ...]:
        """The numbers of the marks above, below, before and after the bar; what stays of the bar itself is none."""
        stats, centres = marks.stats, marks.centres
        away = marks.touching(self.distance(marks.labels.shape) > CRUMB_PX) > 0
        some = np.flatnonzero((stats[:, cv2.CC_STAT_AREA] >= CRUMB_MM2 * PX_PER_MM**2) & away)
        some = some[some > 0]
        x, y = centres[some, 0], centres[some, 1]
        slack = 0.15 * (self.right - self.left)
        over_bar = (x >= self.left - slack) & (x <= self.right + slack)
        over_line = y < self.slope * x + self.height_at_0
        return (
            some[over_bar & over_line],
            some[over_bar & ~over_line],
            some[~over_bar & (x < self.left)],
            some[~over_bar & (x > self.left)],
        )


def _line_of(mask: Mask, bar: Mask, where: _Bar) -> Mask:
    """The pixels of the bar's own line: as thick as it mostly is, so that a digit that touches it loses no stroke."""
    distance = where.distance(mask.shape)
    thick = float(np.median((mask & (distance <= REACH_PX))[:, where.left : where.right].sum(axis=0)))
    along = cv2.dilate(bar.view(np.uint8), np.ones((2 * REACH_PX + 1, 3), np.uint8)).view(np.bool_)
    return np.asarray((distance <= thick / 2 + 0.5) & along, np.bool_)


def _share(of: Mask, part: Mask) -> float:
    return float(np.mean(of[part])) if part.any() else 0.0


def _is_number(stats: NDArray[np.int32], marks: NDArray[np.int64], bar_px: int) -> bool:
    """Whether some marks are tall enough for a number, and no wider than their bar allows."""
    if not len(marks):
        return False
    wide, tall = _extent(stats, marks)
    return tall >= PART_MM * PX_PER_MM and bar_px >= BAR_SHARE * wide


def _extent(stats: NDArray[np.int32], marks: NDArray[np.int64]) -> tuple[int, int]:
    """Width and height of some marks together."""
    top, left = stats[marks, cv2.CC_STAT_TOP], stats[marks, cv2.CC_STAT_LEFT]
    wide = int((left + stats[marks, cv2.CC_STAT_WIDTH]).max() - left.min())
    tall = int((top + stats[marks, cv2.CC_STAT_HEIGHT]).max() - top.min())
    return wide, tall


def read_stacked(fraction: StackedFraction, recogniser: Recogniser) -> Recognition:
    """`3/4` or `1 3/4`, with the product of its parts' probabilities; text None when a part is no whole number."""
    crops = [fraction.numerator, fraction.denominator]
    if fraction.whole is not None:
        crops.append(fraction.whole)
    parts = recogniser.read("number", crops)
    if any(not part.text or set(part.text) - set(WHOLE_NUMBER) for part in parts):
        return Recognition(text=None, confidence=0.0)
    confidence = float(np.prod([part.confidence for part in parts]))
    text = f"{parts[0].text}/{parts[1].text}"
    if len(parts) == 3:
        text = f"{parts[2].text} {text}"
    return Recognition(text=text, confidence=confidence, candidates=(Candidate(text, confidence),))


def _part(image: Image, all_marks: Marks, marks: NDArray[np.int64]) -> Image:
    """The crop of some marks, with every other mark painted over in the colour of the paper."""
    stats = all_marks.stats
    left, top = stats[marks, cv2.CC_STAT_LEFT].min(), stats[marks, cv2.CC_STAT_TOP].min()
    right = (stats[marks, cv2.CC_STAT_LEFT] + stats[marks, cv2.CC_STAT_WIDTH]).max()
    bottom = (stats[marks, cv2.CC_STAT_TOP] + stats[marks, cv2.CC_STAT_HEIGHT]).max()
    window = np.s_[
        max(top - MARGIN_PX, 0) : bottom + MARGIN_PX,
        max(left - MARGIN_PX, 0) : right + MARGIN_PX,
    ]
    part, seen = image[window].copy(), all_marks.labels[window]
    ours = cv2.dilate(np.isin(seen, marks).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    part[~ours] = np.uint8(paper_level(image))
    border = MARGIN_PX  # the recognisers take what lies along the very edge for the remnant of a frame
    paper = int(paper_level(image))
    padded = cv2.copyMakeBorder(part, border, border, border, border, cv2.BORDER_CONSTANT, value=(paper,))
    return padded.astype(np.uint8, copy=False)
