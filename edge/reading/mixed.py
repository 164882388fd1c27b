"""A picture without colour: the teacher's marks and the pupil's ink look alike there, so where they may mix, it asks.

An answer whose strokes go well beyond its frame may have a mark over it. Where one of the page's marks is clearly a
tick, a cross, a half tick or a ring off the answers, or several answers have ink beside or beyond their frames, the
sheet was marked, and nothing written on it is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import FieldCrop, Image, RegisteredPage
from edge.reading.fields import FieldReading
from edge.reading.ink import clean_crop, darkness, find_marks
from edge.reading.mark_shapes import judge_picture, shape_of
from edge.reading.recogniser import Recogniser
from homework.results import Doubt, MarkKind, Reading

COLOUR_STEPS = 3
COLOURED_SHARE = 0.002
"""A picture has colour when in this share of its pixels the channels differ by more than so many steps of 255."""

BEYOND_MM = 2.2
"""Strokes of an answer that go so far beyond its frame may be somebody else's."""

SEVERAL, SEVERAL_SHARE = 3, 0.15
"""Pupils rarely write beside so many frames of one page, and in so large a part of what they wrote."""

LEAST_MARK_MM = 5.0
RING_MM = 9.0


@dataclass(frozen=True)
class _Mark:
    mask: NDArray[np.bool_]
    px_per_mm: float


def colourless(image: Image) -> bool:
    """Whether a picture is grey: by its shape, or because its three channels are alike."""
    if image.ndim == 2:
        return True
    some = np.ascontiguousarray(image[::16, ::16])
    blue, green, red = cv2.split(some)
    differ = (cv2.absdiff(red, green) > COLOUR_STEPS) | (cv2.absdiff(red, blue) > COLOUR_STEPS)
    return float(np.mean(differ)) <= COLOURED_SHARE


def ask_where_inks_mix(
    page: RegisteredPage, readings: Sequence[FieldReading], recogniser: Recogniser
) -> list[FieldReading]:
    """The readings, in doubt where a teacher's mark may be part of what was read; as they are of a coloured page."""
    crops = [one.crop for one in readings]
    if any(crop.red_is == "pupil" for crop in crops) or not colourless(page.capture.image):
        return list(readings)
    touched: set[int] = set()
    loose: list[_Mark] = []
    for n, crop in enumerate(crops):
        if not crop.field.bubbles:
            beyond, marks = _marks_at(crop)
            loose += marks
            if beyond:
                touched.add(n)
    astray = touched | {n for n, one in enumerate(readings) if one.reading.doubt is Doubt.INK_BESIDE}
    written = sum(one.reading.text != "" for one in readings)
    marked = len(astray) >= max(SEVERAL, SEVERAL_SHARE * written) or _any_is_a_teachers(loose, recogniser)
    return [
        replace(one, reading=_asked(one.reading)) if marked or n in touched else one for n, one in enumerate(readings)
    ]


def _marks_at(crop: FieldCrop) -> tuple[bool, list[_Mark]]:
    """Whether an answer goes well beyond its frame, and the large marks at it that are none of its own.

    What stands inside is the answer: a digit may look like a tick, and a tick there is no number to its recogniser.
    """
    scale = crop.px_per_mm
    marks, ink = find_marks(darkness(clean_crop(crop), scale), scale)
    x, y, w, h = crop.box_px
    within = marks.touching(np.s_[y : y + h, x : x + w])
    beyond = False
    loose: list[_Mark] = []
    for n in np.flatnonzero(ink):
        left, top, wide, high, area = (int(v) for v in marks.stats[n])
        out = max(x - left, y - top, left + wide - x - w, top + high - y - h) / scale
        if within[n] > 0 and out > BEYOND_MM:
            beyond = True
        own = within[n] >= 0.6 * area
        if not own and max(wide, high) >= LEAST_MARK_MM * scale:
            mask = marks.labels[top : top + high, left : left + wide] == n
            loose.append(_Mark(np.asarray(mask, np.bool_), scale))
    return beyond, loose


def _any_is_a_teachers(marks: Sequence[_Mark], recogniser: Recogniser) -> bool:
    if not marks:
        return False
    said = recogniser.read("judge", [judge_picture(mark.mask) for mark in marks])
    sure = recogniser.threshold("judge")
    for mark, one in zip(marks, said, strict=True):
        kind = shape_of(mark.mask, mark.px_per_mm).kind
        tick_or_cross = one.text is not None and one.confidence >= sure and kind is MarkKind.TICK
        large = max(mark.mask.shape) >= RING_MM * mark.px_per_mm
        if tick_or_cross or kind is MarkKind.HALF or (kind is MarkKind.RING and large):
            return True
    return False


def _asked(reading: Reading) -> Reading:
    if reading.text == "" or reading.doubt is not None:
        return reading
    return Reading(reading.text, min(reading.confidence, 0.5), Doubt.MIXED_INKS, reading.candidates)
