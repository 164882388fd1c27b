"""Fractions as pupils write them: one number over another, with a bar between, perhaps a whole number before."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.reading.crops import WRITING_PX_PER_MM as PX_PER_MM
from edge.reading.crops import paper_level
from edge.reading.ink import PAPER, Marks, darkness, marks_of
from edge.reading.recogniser import Recogniser, Recognition
from homework.results import Candidate

BAR_MM = 2.0
BAR_SLOPE = 0.35
PART_MM = 1.4
"""A bar is at least so long, at most so steep, and what stands over and under it is at least so tall."""

BAR_LEVEL, BAR_PX = 0.55, 60
LEAST_STACKED_MM = 5.0
"""Two numbers and a bar are at least so tall together."""

MARGIN_PX = 8
WHOLE_NUMBER = "0123456789"


@dataclass(frozen=True)
class StackedFraction:
    """The crops of a fraction's parts; `whole` is None for a plain fraction."""

    numerator: Image
    denominator: Image
    whole: Image | None


def find_stacked(image: Image) -> StackedFraction | None:
    """The parts of a stacked fraction in a crop of an answer, or None when there is no bar with ink on both sides.

    A bar is a mark of its own: one that touches a digit is not found, since the bar of a 4 looks the same.
    """
    dark = darkness(image, PX_PER_MM)
    # Half of the darkest ink: the blur between a bar and the digits next to it is paler than that.
    ink = int(np.sort(dark, axis=None)[-BAR_PX:].mean()) - PAPER
    marks = marks_of(dark > PAPER + BAR_LEVEL * ink)
    stats, centres = marks.stats, marks.centres
    numbers = np.arange(1, marks.count)
    for bar in sorted(numbers, key=lambda mark: -int(stats[mark, cv2.CC_STAT_WIDTH])):
        left, top, width, height = (int(v) for v in stats[bar, :4])
        if width < BAR_MM * PX_PER_MM or height > max(BAR_SLOPE * width, 0.8 * PX_PER_MM):
            continue
        others = numbers[numbers != bar]
        over_bar = (centres[others, 0] >= left - 0.2 * width) & (centres[others, 0] <= left + 1.2 * width)
        middle = top + height / 2
        above = others[over_bar & (centres[others, 1] < middle)]
        below = others[over_bar & (centres[others, 1] > middle)]
        before = others[~over_bar & (centres[others, 0] < left)]
        after = others[~over_bar & (centres[others, 0] > left)]
        if not _tall(stats, above) or not _tall(stats, below) or len(after):
            continue
        return StackedFraction(
            _part(image, marks, above),
            _part(image, marks, below),
            _part(image, marks, before) if len(before) else None,
        )
    return None


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


def _tall(stats: NDArray[np.int32], marks: NDArray[np.int64]) -> bool:
    return bool(len(marks)) and int(stats[marks, cv2.CC_STAT_HEIGHT].max()) >= PART_MM * PX_PER_MM


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
    ours = np.isin(seen, marks)
    foreign = ((seen > 0) & ~ours).astype(np.uint8)
    part[(cv2.dilate(foreign, np.ones((5, 5), np.uint8)) > 0) & ~ours] = np.uint8(paper_level(image))
    border = MARGIN_PX  # the recognisers take what lies along the very edge for the remnant of a frame
    paper = int(paper_level(image))
    padded = cv2.copyMakeBorder(part, border, border, border, border, cv2.BORDER_CONSTANT, value=(paper,))
    return padded.astype(np.uint8, copy=False)
