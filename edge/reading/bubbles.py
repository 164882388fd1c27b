"""Bubbles: which of them are marked, told by their fill against the paper and against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import BoxPx, FieldCrop
from edge.reading.crops import PX_PER_MM, box_in_crop
from edge.reading.ink import FAINTEST, darkness
from homework.layout import Bubble
from homework.results import Candidate, Doubt, Reading

INSIDE = 0.72
"""The part of a bubble's radius that is measured: clear of its outline."""

INK = 0.16
FULL_COVER = 0.55
FULL_DARKNESS = 0.26
EMPTY_COVER = 0.09
"""Fill over the emptiest bubble's of the field: whose printed letter is in all of them alike."""

RING_FROM_MM = 0.5
RING_TO_MM = 1.6
LEAKED = 0.22
"""A cross through a bubble goes on outside it; a child's filling hardly does."""

CERTAIN = 0.999
LIKELY = 0.9


class Mark(Enum):
    """What one bubble shows."""

    EMPTY = "empty"
    FAINT = "faint"
    FILLED = "filled"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Fill:
    """One bubble's measures: covered share and mean darkness inside, and covered share just outside."""

    cover: float
    dark: float
    leak: float


def read_bubbles(crop: FieldCrop, bubbles: Sequence[Bubble], *, several: bool) -> Reading:
    """The labels marked, joined and sorted. `several`: more than one may be marked (`choices`).

    Two marks on a single choice read as both, and are for a person; so are faint and cancelled ones.
    """
    dark = darkness(crop.image, largest_mm=8.0)
    boxes = [box_in_crop(bubble.box_mm, crop.region_mm) for bubble in bubbles]
    fills = [measure(dark, box, [b for b in boxes if b is not box]) for box in boxes]
    marks = judge(fills)
    filled = [bubble.label for bubble, mark in zip(bubbles, marks, strict=True) if mark is Mark.FILLED]
    faint = [bubble.label for bubble, mark in zip(bubbles, marks, strict=True) if mark is Mark.FAINT]
    cancelled = Mark.CANCELLED in marks
    text = "".join(sorted(filled or faint))
    candidates = tuple(Candidate("".join(sorted(labels)), LIKELY) for labels in (filled, faint) if labels)
    if cancelled:
        return Reading(text, LIKELY if filled else 0.5, Doubt.CANCELLED, candidates)
    if faint:
        return Reading(text, 0.5, Doubt.FAINT_MARK, candidates)
    if len(filled) > 1 and not several:
        return Reading(text, LIKELY, Doubt.TWO_MARKS, candidates)
    return Reading(text, CERTAIN)


def measure(dark: NDArray[np.float32], box: BoxPx, others: Sequence[BoxPx]) -> Fill:
    """How much of a bubble is ink, and of the ring outside it that is not another bubble's."""
    inside = _ellipse(dark.shape, box, INSIDE, 0.0)
    ring = _ellipse(dark.shape, box, 1.0, RING_TO_MM) & ~_ellipse(dark.shape, box, 1.0, RING_FROM_MM)
    for other in others:
        ring &= ~_ellipse(dark.shape, other, 1.0, RING_FROM_MM)
    return Fill(
        cover=float((dark[inside] > INK).mean()),
        dark=float(dark[inside].mean()),
        leak=float((dark[ring] > FAINTEST).mean()) if ring.any() else 0.0,
    )


def judge(fills: Sequence[Fill]) -> list[Mark]:
    """Each bubble's mark, given all bubbles of the field."""
    printed = min(fill.cover for fill in fills)
    printed_dark = min(fill.dark for fill in fills)
    around = float(np.median([fill.leak for fill in fills]))
    return [_judge_one(fill, printed, printed_dark, around) for fill in fills]


def _judge_one(fill: Fill, printed: float, printed_dark: float, around: float) -> Mark:
    # Where every bubble is filled there is no empty one to compare with: the paper alone decides.
    base = printed if printed < 0.5 else 0.0
    base_dark = printed_dark if printed < 0.5 else 0.0
    more = fill.cover - base
    if more <= EMPTY_COVER and fill.dark - base_dark <= 0.06:
        return Mark.EMPTY
    if fill.leak - around > LEAKED:
        return Mark.CANCELLED
    if fill.cover >= FULL_COVER and fill.dark - base_dark >= FULL_DARKNESS * 0.7 and fill.dark >= FULL_DARKNESS:
        return Mark.FILLED
    return Mark.FAINT


def _ellipse(shape: tuple[int, ...], box: BoxPx, scale: float, grow_mm: float) -> NDArray[np.bool_]:
    canvas = np.zeros(shape[:2], np.uint8)
    x, y, width, height = box
    centre = (round((x + width / 2) * 16), round((y + height / 2) * 16))
    axes = (
        round((width / 2 * scale + grow_mm * PX_PER_MM) * 16),
        round((height / 2 * scale + grow_mm * PX_PER_MM) * 16),
    )
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, 1, -1, cv2.LINE_8, 4)
    return canvas > 0
