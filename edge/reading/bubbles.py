"""Bubbles: which of them are marked, told by their fill against the paper and against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge.frames import BoxPx, FieldCrop, Image
from edge.reading.crops import box_in_crop
from edge.reading.ink import FAINTEST, FULL, PAPER, Mask, darkness, disc
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
    dark = darkness(crop.image, crop.px_per_mm, largest_mm=8.0)
    boxes = [box_in_crop(bubble.box_mm, crop.region_mm, crop.px_per_mm) for bubble in bubbles]
    fills = [measure(dark, box, [b for b in boxes if b is not box], crop.px_per_mm) for box in boxes]
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


def measure(dark: Image, box: BoxPx, others: Sequence[BoxPx], px_per_mm: float) -> Fill:
    """How much of a bubble is ink, and of the ring outside it that is not another bubble's."""
    x, y, width, height = box
    reach = math.ceil(RING_TO_MM * px_per_mm) + 1
    x0, y0 = max(x - reach, 0), max(y - reach, 0)
    part = dark[y0 : y + height + reach, x0 : x + width + reach]

    def around(of: BoxPx, grow_mm: float, scale: float = 1.0) -> Mask:
        return disc(part.shape, (of[0] - x0, of[1] - y0, of[2], of[3]), scale, grow_mm * px_per_mm)

    inside = part[around(box, 0.0, INSIDE)]
    ring = around(box, RING_TO_MM) & ~around(box, RING_FROM_MM)
    for other in others:
        if abs(other[0] - x) < width + 2 * reach and abs(other[1] - y) < height + 2 * reach:
            ring &= ~around(other, RING_FROM_MM)
    return Fill(
        cover=float((inside > PAPER + INK * FULL).mean()),
        dark=(float(inside.mean()) - PAPER) / FULL,
        leak=float((part[ring] > PAPER + FAINTEST * FULL).mean()) if ring.any() else 0.0,
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
