"""Bubbles: which of them are marked, told by their fill and by a network's look. Where the two differ, a person looks.

The fill is measured against the paper and against the field's other bubbles; the network (`models.bubbles`) sees one
bubble and its surroundings. What passes for empty or filled must do so with both, but for bubbles that are bare: where
next to nothing is darker than the palest bubble of the column, there is nothing to look at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from edge.frames import BoxPx, FieldCrop, Image
from edge.reading.crops import box_in_crop
from edge.reading.ink import FAINTEST, FULL, PAPER, Mask, disc
from homework.layout import Bubble
from homework.results import Candidate, Doubt, Reading
from models.bubbles import BubbleReader, Look, relative_darkness

INSIDE = 0.72
"""The part of a bubble's radius that is measured: clear of its outline."""

INK = 0.16
FULL_COVER = 0.55
FULL_DARKNESS = 0.26
EMPTY_COVER = 0.09
"""Fill over the emptiest bubble's of the field: whose printed letter is in all of them alike."""

CORE = 0.55
"""The part of a bubble's radius that no thick outline reaches."""

BARE_CORE, BARE_MEAN, BARE_COVER, PALE_MEAN = 0.09, 0.015, 0.08, 0.06
"""A bubble is bare when nothing in its core is so dark, half of what the palest pencil leaves, and when it is hardly
darker, in the mean and by its cover, than the emptiest of its column, which is pale itself."""

COMPANIONS = 3
"""So many bare bubbles are shown to the network with those that are not: it looks at what is different."""

RING_FROM_MM = 0.5
RING_TO_MM = 1.6
LEAKED = 0.22
"""A cross through a bubble goes on outside it; a child's filling hardly does."""

DARKEST_PAPER = 24
"""Where no pixel is brighter, there is no paper to tell ink from."""

CERTAIN = 0.999
LIKELY = 0.9
UNLIKELY = 0.5


EMPTY_LOOK = Look("empty", CERTAIN, True, False, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
"""Of a bubble that is bare."""


class Mark(Enum):
    """What one bubble shows. By its fill alone `TICKED` and `CROSSED` are `FAINT`: some ink, but no fill."""

    EMPTY = "empty"
    FAINT = "faint"
    FILLED = "filled"
    CANCELLED = "cancelled"
    TICKED = "ticked"
    CROSSED = "crossed"
    MARKED = "marked"
    """A fill, a tick or a cross, but which is not sure: a scribble with white between its lines."""
    BESIDE = "beside"
    """No ink within, but the network is not sure that there is none for this bubble."""


@dataclass(frozen=True)
class Fill:
    """One bubble's measures: covered share and mean darkness inside, covered share just outside, most in its core."""

    cover: float
    dark: float
    leak: float
    darkest: float = 1.0


@cache
def shipped_reader() -> BubbleReader:
    """The network that comes with Classbox, one for the process. Raises `ModelError` when it is missing or damaged."""
    return BubbleReader.load()


def read_bubbles(
    crop: FieldCrop, bubbles: Sequence[Bubble], *, several: bool, reader: BubbleReader | None = None
) -> Reading:
    """The labels marked, joined and sorted. `several`: more than one may be marked (`choices`).

    One tick or cross among empty bubbles is read like a fill. Two marks on a single choice read as both, and are for
    a person; so is everything that is not surely empty or surely a mark. `reader`: by default the one that ships.
    """
    return read_columns(crop, [bubbles], several=several, reader=reader)[0]


def read_columns(
    crop: FieldCrop, columns: Sequence[Sequence[Bubble]], *, several: bool, reader: BubbleReader | None = None
) -> list[Reading]:
    """The reading of each column of one field, as `read_bubbles` reads it."""
    boxes = [[box_in_crop(bubble.box_mm, crop.region_mm, crop.px_per_mm) for bubble in column] for column in columns]
    every = [box for column in boxes for box in column]
    dark = relative_darkness(crop.image, max(max(width, height) for _, _, width, height in every))
    height, width = dark.shape
    outside = any(x < 0 or y < 0 or x + w > width or y + h > height for x, y, w, h in every)
    if outside or int(crop.image.max()) < DARKEST_PAPER:
        return [Reading(None, 0.0, Doubt.UNSURE)] * len(columns)
    fill_of = dict(zip(every, measure(dark, every, crop.px_per_mm), strict=True))
    readings = []
    for column, of_column in zip(columns, boxes, strict=True):
        fills = [fill_of[box] for box in of_column]
        looks = _looks(dark, of_column, fills, reader or shipped_reader())
        marks = [agreed(mark, look) for mark, look in zip(judge(fills), looks, strict=True)]
        sure = min(math.prod(look.confidence for look in looks), CERTAIN)
        readings.append(interpret([bubble.label for bubble in column], marks, sure, several=several))
    return readings


def _looks(dark: Image, boxes: Sequence[BoxPx], fills: Sequence[Fill], reader: BubbleReader) -> list[Look]:
    """The network's look at each bubble of a column, but for those that are bare: they are only its companions."""
    bare = _bare(fills)
    if len(bare) == len(boxes):
        return [EMPTY_LOOK] * len(boxes)
    shown = sorted({*range(len(boxes))} - set(bare[COMPANIONS:]))
    seen = dict(zip(shown, reader.read(dark, [boxes[n] for n in shown]), strict=True))
    return [EMPTY_LOOK if n in bare else seen[n] for n in range(len(boxes))]


def _bare(fills: Sequence[Fill]) -> list[int]:
    """Which bubbles of a column have nothing at all in them or near: no look is needed to call that empty."""
    dark, cover = min(fill.dark for fill in fills), min(fill.cover for fill in fills)
    if dark > PALE_MEAN:
        return []
    return [
        n
        for n, fill in enumerate(fills)
        if fill.leak == 0
        and fill.darkest <= BARE_CORE
        and fill.dark - dark <= BARE_MEAN
        and fill.cover - cover <= BARE_COVER
    ]


def read_bubble_field(crop: FieldCrop, *, reader: BubbleReader | None = None) -> Reading:
    """The reading of a field of bubbles; of an imported card's columns, what they say together."""
    field = crop.field
    several = field.kind == "choices"
    readings = read_columns(crop, field.columns(), several=several, reader=reader)
    if len(readings) == 1:
        return readings[0]
    return joined(readings, empty=field.empty, leading_may_be_empty=field.kind == "number")


def joined(readings: Sequence[Reading], *, empty: str, leading_may_be_empty: bool) -> Reading:
    """One reading of several columns: their texts in order, `empty` for one that is empty beside others.

    What any of them leaves in doubt is in doubt. An empty column after a marked one is for a person (7 and nothing may
    be 7 or 70), and one before it too, unless that is how a short number is written.
    """
    texts = [reading.text for reading in readings]
    sure = math.prod(reading.confidence for reading in readings)
    doubt = next((reading.doubt for reading in readings if reading.doubt is not None), None)
    if doubt is None and not any(texts):
        return Reading("", sure)
    text = None if None in texts else "".join(one or empty for one in texts)
    marked = [bool(one) for one in texts]
    if doubt is None and not all(marked[marked.index(True) if leading_may_be_empty else 0 :]):
        return Reading(text, min(sure, UNLIKELY), Doubt.UNSURE)
    return Reading(text, sure, doubt)


def measure(dark: Image, boxes: Sequence[BoxPx], px_per_mm: float) -> list[Fill]:
    """How much of each of a field's bubbles is ink, and of the ring round it that is not another bubble's."""
    reach = math.ceil(RING_TO_MM * px_per_mm) + 1
    pad = reach + max(max(width, height) for _, _, width, height in boxes)
    padded = cv2.copyMakeBorder(dark, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=PAPER)
    free = np.zeros(padded.shape, bool)
    free[pad : pad + dark.shape[0], pad : pad + dark.shape[1]] = True
    for x, y, width, height in boxes:
        own = _masks(width, height, px_per_mm, reach).own
        free[y + pad - reach : y + pad + height + reach, x + pad - reach : x + pad + width + reach] &= ~own
    inky = padded > PAPER + FAINTEST * FULL
    fills = []
    for x, y, width, height in boxes:
        masks = _masks(width, height, px_per_mm, reach)
        around = np.s_[y + pad - reach : y + pad + height + reach, x + pad - reach : x + pad + width + reach]
        inside = padded[around][masks.inside]
        there = masks.near & free[around]
        counted = np.count_nonzero(there)
        fills.append(
            Fill(
                cover=np.count_nonzero(inside > PAPER + INK * FULL) / len(inside),
                dark=(float(inside.mean()) - PAPER) / FULL,
                leak=np.count_nonzero(there & inky[around]) / counted if counted else 0.0,
                darkest=(int(padded[around][masks.core].max()) - PAPER) / FULL,
            )
        )
    return fills


class _Masks(NamedTuple):
    """Of a bubble and what is around it: itself with its outline, its inside, its core, and all that is near it."""

    own: Mask
    inside: Mask
    core: Mask
    near: Mask


@lru_cache(maxsize=256)
def _masks(width: int, height: int, px_per_mm: float, reach: int) -> _Masks:
    """In a picture with `reach` pixels around the bubble."""
    shape, box = (height + 2 * reach, width + 2 * reach), (reach, reach, width, height)
    own, near = (disc(shape, box, 1.0, mm * px_per_mm) for mm in (RING_FROM_MM, RING_TO_MM))
    return _Masks(own, disc(shape, box, INSIDE, 0.0), disc(shape, box, CORE, 0.0), near)


def judge(fills: Sequence[Fill]) -> list[Mark]:
    """Each bubble's mark by its fill, given all bubbles of the field."""
    printed = min(fill.cover for fill in fills)
    printed_dark = min(fill.dark for fill in fills)
    around = float(np.median([fill.leak for fill in fills]))
    return [_judge_one(fill, printed, printed_dark, around) for fill in fills]


def agreed(measured: Mark, look: Look) -> Mark:
    """What a bubble shows by its fill and by the network's look at it."""
    if measured is Mark.EMPTY:
        return Mark.EMPTY if look.shown == "empty" and look.sure else Mark.BESIDE
    if look.shown == "cancelled" or (measured is Mark.CANCELLED and look.shown == "filled"):
        return Mark.CANCELLED
    if measured is Mark.FILLED:
        if look.shown == "filled" and look.sure:
            return Mark.FILLED
    elif look.sure and look.shown in ("ticked", "crossed"):
        return Mark(look.shown)
    return Mark.MARKED if look.marked else Mark.FAINT


def interpret(labels: Sequence[str], marks: Sequence[Mark], sure: float, *, several: bool) -> Reading:
    """The reading of a field whose bubbles show `marks`; `sure` is the probability that they do."""

    def bearing(*wanted: Mark) -> str:
        return "".join(sorted(label for label, mark in zip(labels, marks, strict=True) if mark in wanted))

    filled, ticked, crossed = (bearing(mark) for mark in (Mark.FILLED, Mark.TICKED, Mark.CROSSED))
    marked = bearing(Mark.FILLED, Mark.TICKED, Mark.CROSSED, Mark.MARKED)
    kinds = {mark for mark in marks if mark not in (Mark.EMPTY, Mark.BESIDE)}
    faint, cancelled = bearing(Mark.FAINT), bearing(Mark.CANCELLED)
    # A cross beside a fill takes something back, or it is a second answer: the fill is the likelier one.
    if cancelled or (crossed and (filled or ticked)):
        kept = "".join(sorted(filled + ticked)) or (crossed if cancelled else "")
        text = kept or faint
        return Reading(text, LIKELY if kept else UNLIKELY, Doubt.CANCELLED, _candidates(kept, faint, marked, cancelled))
    if len(marked) > 1 and not several:
        return Reading(marked, LIKELY, Doubt.TWO_MARKS, _candidates(marked, *marked))
    # Several marks are one pupil's answer when they are alike: all filled, or all ticked.
    if faint or len(kinds) > 1 or (len(marked) > 1 and not kinds <= {Mark.FILLED, Mark.TICKED}):
        text = marked or faint
        return Reading(text, UNLIKELY, Doubt.FAINT_MARK, _candidates(marked, faint, "".join(sorted(marked + faint))))
    if Mark.BESIDE in marks:
        return Reading(marked or None, UNLIKELY, Doubt.INK_BESIDE, _candidates(marked, bearing(Mark.BESIDE)))
    return Reading(marked, sure)


def _candidates(*texts: str) -> tuple[Candidate, ...]:
    """Each text once, those that are none left out; the first is the likely one."""
    different = list(dict.fromkeys(text for text in texts if text))
    return tuple(Candidate(text, LIKELY if n == 0 else UNLIKELY) for n, text in enumerate(different))


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
