"""Pupil's ink on a crop: relative to the paper around it, with the printed frame taken away."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import BoxPx, FieldCrop, Image
from edge.reading.crops import paper_level
from homework.layout import Box

Mask = NDArray[np.bool_]

PAPER, FULL = 25, 230
"""In a picture of darkness, clean paper is 25 and black 255, so that noise to both sides of the paper survives."""

SHRUNK_PX_PER_MM = 2.0
FAINTEST = 0.13
"""The palest pencil that counts: so much darker than the paper."""

TRACE = 0.09
NOISE_FACTOR = 5.0
SPECK_MM2 = 0.35
SPECK_MM = 0.9
"""Smaller marks are dust, or the copier's."""

FRAME_INSIDE_MM = 0.3
FRAME_OUTSIDE_MM = 0.85
"""How far inside and outside the edge of its box a frame may be printed: the line, and half of it for error."""

RING_INSIDE_MM = 0.5
"""The same inside a ring: a blurred one shades into its inside, and what is written in it rarely reaches so far."""

WRITING_MARGIN_MM = 1.0
LEAK_MM = 1.0


@dataclass(frozen=True)
class FieldInk:
    """The ink of a written field: whether the pupil wrote in it, and whether next to it, apart from that.

    `ink_mm` bounds the answer's strokes on the page (of none, it has no size). `writing_mm` is what to look at to
    read them: the field grown by a millimetre, or as far as they go.
    """

    inside: bool
    beside: bool
    ink_mm: Box
    writing_mm: Box


@dataclass(frozen=True)
class Marks:
    """The connected marks of a mask, 0 being the paper: (height, width) labels, (n, 5) OpenCV stats, (n, 2) centres."""

    labels: NDArray[np.int32]
    stats: NDArray[np.int32]
    centres: NDArray[np.float64]

    @property
    def count(self) -> int:
        return len(self.stats)

    def touching(self, where: Mask | tuple[slice, slice]) -> NDArray[np.int64]:
        """How many pixels each mark has in a part of the crop."""
        return np.bincount(self.labels[where].ravel(), minlength=self.count)


def marks_of(mask: Mask) -> Marks:
    """The 8-connected marks of a mask."""
    _, labels, stats, centres = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    return Marks(np.asarray(labels, np.int32), np.asarray(stats, np.int32), np.asarray(centres, np.float64))


def darkness(image: Image, px_per_mm: float, *, largest_mm: float = 3.5) -> Image:
    """How much darker than the paper round it each pixel is: `PAPER` for clean paper, `PAPER + FULL` for black.

    The paper is the morphological closing of the shrunken crop; ink as wide as `largest_mm` does not pass for it.
    """
    height, width = image.shape
    shrink = SHRUNK_PX_PER_MM / px_per_mm
    size = (max(round(width * shrink), 2), max(round(height * shrink), 2))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    side = max(round(largest_mm * SHRUNK_PX_PER_MM) | 1, 3)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    paper = cv2.blur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel), (5, 5))
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    ratio = cv2.divide(cv2.GaussianBlur(image, (3, 3), 0), paper, scale=FULL)
    return np.asarray(cv2.bitwise_not(ratio), np.uint8)


def find_marks(dark: Image, px_per_mm: float) -> tuple[Marks, Mask]:
    """The marks in a picture of darkness, and which of them are ink (by their number).

    Ink is what is connected to something clearly darker than paper and noise, and larger than a speck.
    """
    counts = np.cumsum(np.bincount(dark.ravel(), minlength=256))
    middle, low = (int(np.searchsorted(counts, share * counts[-1])) for share in (0.5, 0.16))
    noise = NOISE_FACTOR * (middle - low)
    marks = marks_of(dark > middle + max(TRACE * FULL, 0.6 * noise))
    seeds = marks.touching(dark > middle + max(FAINTEST * FULL, noise))
    stats = marks.stats
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    ink = (
        (seeds >= 0.06 * px_per_mm**2)
        & (stats[:, cv2.CC_STAT_AREA] >= SPECK_MM2 * px_per_mm**2)
        & (extent >= SPECK_MM * px_per_mm)
    )
    ink[0] = False
    return marks, np.asarray(ink, np.bool_)


def field_ink(crop: FieldCrop) -> FieldInk:
    """Where the pupil wrote in and around a written field."""
    scale = crop.px_per_mm
    marks, ink = find_marks(darkness(clean_crop(crop), scale), scale)
    x, y, width, height = crop.box_px
    within = marks.touching(np.s_[y : y + height, x : x + width])
    area = marks.stats[:, cv2.CC_STAT_AREA]
    speck = SPECK_MM2 * scale**2
    belongs = ink & (within >= np.maximum(speck, 0.15 * area))
    beside = ink & ~belongs & (area - within >= 2 * speck) & ~_leaks_in(marks.stats, crop)
    ink_mm = _bounds(crop, marks.stats[belongs])
    return FieldInk(bool(belongs.any()), bool(beside.any()), ink_mm, _writing(crop.field.hull_mm(), ink_mm))


def clean_crop(crop: FieldCrop) -> Image:
    """The crop of a written field without its printed frame."""
    if not crop.framed:
        return crop.image
    return without_outline(crop.image, crop.box_px, crop.px_per_mm, is_round=crop.field.round)


def without_outline(image: Image, box_px: BoxPx, px_per_mm: float, *, is_round: bool) -> Image:
    """The crop with the printed frame of a field painted over."""
    if is_round:
        return _without_ellipse(image, box_px, px_per_mm)
    return _without_frame(image, box_px, px_per_mm)


def _without_frame(image: Image, box_px: BoxPx, px_per_mm: float) -> Image:
    """Each side of the frame takes the brighter of the paper within and without.

    A stroke across the line is dark on both sides of it and stays.
    """
    x, y, width, height = box_px
    inner, outer = round(FRAME_INSIDE_MM * px_per_mm), round(FRAME_OUTSIDE_MM * px_per_mm)
    clean = image.copy()
    for line, step in ((y, 1), (y + height, -1)):
        _paint_rows(
            clean[:, max(x - outer, 0) : x + width + outer], line + step * (inner + 1), line - step * (outer + 1)
        )
    upright = clean.T
    for line, step in ((x, 1), (x + width, -1)):
        _paint_rows(
            upright[:, max(y - outer, 0) : y + height + outer], line + step * (inner + 1), line - step * (outer + 1)
        )
    return clean


def _paint_rows(image: Image, one: int, other: int) -> None:
    """Paint the rows between two with the brighter of both, column by column."""
    low, high = sorted((min(max(one, 0), len(image) - 1), min(max(other, 0), len(image) - 1)))
    image[low + 1 : high] = np.maximum(image[low], image[high])


def _without_ellipse(image: Image, box_px: BoxPx, px_per_mm: float) -> Image:
    """The ring takes the grey of the paper."""
    ring = disc(image.shape, box_px, 1.0, FRAME_OUTSIDE_MM * px_per_mm)
    ring &= ~disc(image.shape, box_px, 1.0, -RING_INSIDE_MM * px_per_mm)
    return np.where(ring, np.uint8(paper_level(image)), image)


def disc(shape: tuple[int, ...], box_px: BoxPx, scale: float, grow_px: float) -> Mask:
    """The ellipse in a box, scaled and then grown, as a mask of that shape."""
    canvas = np.zeros(shape[:2], np.uint8)
    x, y, width, height = box_px
    centre = (round((x + width / 2 - 0.5) * 16), round((y + height / 2 - 0.5) * 16))
    axes = (round((width / 2 * scale + grow_px) * 16), round((height / 2 * scale + grow_px) * 16))
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, 1, -1, cv2.LINE_8, 4)
    return canvas > 0


def _leaks_in(stats: NDArray[np.int32], crop: FieldCrop) -> Mask:
    """Marks that enter the crop by less than a millimetre from beyond it: a neighbour's stroke, or its frame."""
    deep = LEAK_MM * crop.px_per_mm
    height, width = crop.image.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    leaks = (
        ((left == 0) & (right <= deep))
        | ((top == 0) & (bottom <= deep))
        | ((right == width) & (left >= width - deep))
        | ((bottom == height) & (top >= height - deep))
    )
    return np.asarray(leaks, np.bool_)


def _bounds(crop: FieldCrop, marks: NDArray[np.int32]) -> Box:
    x, y, _, _ = crop.region_mm
    if not len(marks):
        return (x, y, 0.0, 0.0)
    left, top = marks[:, cv2.CC_STAT_LEFT], marks[:, cv2.CC_STAT_TOP]
    right, bottom = left + marks[:, cv2.CC_STAT_WIDTH], top + marks[:, cv2.CC_STAT_HEIGHT]
    low = np.array([left.min(), top.min()]) / crop.px_per_mm
    size = np.array([right.max(), bottom.max()]) / crop.px_per_mm - low
    return (x + float(low[0]), y + float(low[1]), float(size[0]), float(size[1]))


def _writing(field: Box, ink: Box) -> Box:
    grow, pad = WRITING_MARGIN_MM, WRITING_MARGIN_MM / 2
    x0, y0 = min(field[0] - grow, ink[0] - pad), min(field[1] - grow, ink[1] - pad)
    x1 = max(field[0] + field[2] + grow, ink[0] + ink[2] + pad)
    y1 = max(field[1] + field[3] + grow, ink[1] + ink[3] + pad)
    return (x0, y0, x1 - x0, y1 - y0)
