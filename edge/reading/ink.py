"""Pupil's ink on a crop: relative to the paper around it, with the printed frame taken away."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import BoxPx, FieldCrop, Image
from edge.reading.crops import LEAST_AROUND_MM, PX_PER_MM

Mask = NDArray[np.bool_]

SHRINK = 4
FAINTEST = 0.13
"""The palest pencil that counts: so much darker than the paper."""

TRACE = 0.09
NOISE_FACTOR = 5.0
SPECK_MM2 = 0.35
SPECK_MM = 0.9
"""Smaller marks are dust, or the copier's."""

FRAME_INSIDE_MM = 0.25
FRAME_OUTSIDE_MM = 0.85
"""How far inside and outside the edge of its box a frame may be printed: the line, and half of it for error."""

CROP_MARGIN_MM = 1.0


@dataclass(frozen=True)
class FieldInk:
    """The ink of a written field.

    `clean` is the crop without the frame. `inside` is whether the pupil wrote in the field, `beside` whether they
    wrote next to it apart from that. `mask` is all their ink; `writing` cuts the answer, strokes that leave the
    frame included, out of the crop.
    """

    clean: Image
    mask: Mask
    inside: bool
    beside: bool
    writing: BoxPx

    def answer_crop(self) -> Image:
        """The crop for a recogniser: the inside of the frame grown by a millimetre, or as far as its strokes go."""
        x, y, width, height = self.writing
        return self.clean[y : y + height, x : x + width]


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


def darkness(image: Image, *, largest_mm: float = 3.5) -> NDArray[np.float32]:
    """How much darker than the paper round it each pixel is, 0..1, lightly smoothed.

    The paper is the morphological closing of the shrunken crop; ink as wide as `largest_mm` does not pass for it.
    """
    height, width = image.shape
    small = cv2.resize(image, (max(width // SHRINK, 2), max(height // SHRINK, 2)), interpolation=cv2.INTER_AREA)
    side = max(round(largest_mm * PX_PER_MM / SHRINK) | 1, 3)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    paper = cv2.blur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel), (5, 5))
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    smooth = cv2.GaussianBlur(image, (3, 3), 0).astype(np.float32)
    return np.clip(1 - smooth / np.maximum(paper, 1.0), 0, 1).astype(np.float32)


def ink_mask(dark: NDArray[np.float32]) -> Mask:
    """Ink: faint pixels that are connected to clear ones, in marks larger than a speck."""
    noise = 1.4826 * float(np.median(np.abs(dark - np.median(dark))))
    trace = max(TRACE, 0.6 * NOISE_FACTOR * noise)
    clear = max(FAINTEST, NOISE_FACTOR * noise)
    marks = marks_of(dark > trace)
    stats = marks.stats
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = (
        (marks.touching(dark > clear) >= 4)
        & (stats[:, cv2.CC_STAT_AREA] >= SPECK_MM2 * PX_PER_MM**2)
        & (extent >= SPECK_MM * PX_PER_MM)
    )
    keep[0] = False
    return np.asarray(keep[marks.labels], np.bool_)


def field_ink(crop: FieldCrop) -> FieldInk:
    """Where the pupil wrote in and around a written field."""
    clean = without_ellipse(crop.image, crop.box_px) if crop.field.round else without_frame(crop.image, crop.box_px)
    mask = ink_mask(darkness(clean))
    x, y, width, height = crop.box_px
    marks = marks_of(mask)
    stats = marks.stats
    within = marks.touching(np.s_[y : y + height, x : x + width])
    area = stats[:, cv2.CC_STAT_AREA]
    speck = SPECK_MM2 * PX_PER_MM**2
    belongs = within >= np.maximum(speck, 0.15 * area)
    belongs[0] = False
    beside = ~belongs & (area - within >= 2 * speck) & ~_leaks_in(stats, crop.image.shape)
    beside[0] = False
    return FieldInk(
        clean=clean,
        mask=mask,
        inside=bool(belongs.any()),
        beside=bool(beside.any()),
        writing=_writing(crop.box_px, stats[belongs], crop.image.shape),
    )


def without_frame(image: Image, box_px: BoxPx) -> Image:
    """The crop with a rectangular frame painted over: each side takes the brighter of the paper within and without.

    A stroke across the line is dark on both sides of it and stays.
    """
    x, y, width, height = box_px
    outer = round(FRAME_OUTSIDE_MM * PX_PER_MM)
    clean = image.copy()
    for line, step in ((y, 1), (y + height, -1)):
        _paint_rows(clean, line, step, slice(max(x - outer, 0), x + width + outer))
    for line, step in ((x, 1), (x + width, -1)):
        _paint_rows(clean.T, line, step, slice(max(y - outer, 0), y + height + outer))
    return clean


def without_ellipse(image: Image, box_px: BoxPx) -> Image:
    """The crop with a round frame painted over in the colour of the paper."""
    x, y, width, height = box_px
    ring = np.zeros(image.shape, np.uint8)
    centre = (round(x + width / 2), round(y + height / 2))
    outer, inner = round(FRAME_OUTSIDE_MM * PX_PER_MM), round(FRAME_INSIDE_MM * PX_PER_MM)
    cv2.ellipse(ring, centre, (width // 2 + outer, height // 2 + outer), 0, 0, 360, 1, -1)
    cv2.ellipse(ring, centre, (width // 2 - inner, height // 2 - inner), 0, 0, 360, 0, -1)
    paper = np.percentile(image, 75)
    return np.where(ring > 0, np.uint8(paper), image)


def _paint_rows(image: Image, line: int, step: int, along: slice) -> None:
    """Paint over the band of one side; `step` is +1 where the inside has the larger index."""
    inner, outer = round(FRAME_INSIDE_MM * PX_PER_MM), round(FRAME_OUTSIDE_MM * PX_PER_MM)
    height = image.shape[0]
    within = int(np.clip(line + step * (inner + 1), 0, height - 1))
    without = int(np.clip(line - step * (outer + 1), 0, height - 1))
    low, high = sorted((within, without))
    if high - low < 2:
        return
    brighter = np.maximum(image[within, along], image[without, along])
    image[low + 1 : high, along] = brighter[None, :]


def _leaks_in(stats: NDArray[np.int32], shape: tuple[int, ...]) -> Mask:
    """Marks that enter the crop by less than a millimetre from beyond it: a neighbour's stroke, or its frame."""
    deep = PX_PER_MM
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    leaks = (
        ((left == 0) & (right <= deep))
        | ((top == 0) & (bottom <= deep))
        | ((right == shape[1]) & (left >= shape[1] - deep))
        | ((bottom == shape[0]) & (top >= shape[0] - deep))
    )
    return np.asarray(leaks, np.bool_)


def _writing(box_px: BoxPx, marks: NDArray[np.int32], shape: tuple[int, ...]) -> BoxPx:
    x, y, width, height = box_px
    margin = round(min(CROP_MARGIN_MM, LEAST_AROUND_MM) * PX_PER_MM)
    x0, y0, x1, y1 = x - margin, y - margin, x + width + margin, y + height + margin
    if len(marks):
        pad = margin // 2
        left, top = marks[:, cv2.CC_STAT_LEFT], marks[:, cv2.CC_STAT_TOP]
        x0, y0 = min(x0, int(left.min()) - pad), min(y0, int(top.min()) - pad)
        x1 = max(x1, int((left + marks[:, cv2.CC_STAT_WIDTH]).max()) + pad)
        y1 = max(y1, int((top + marks[:, cv2.CC_STAT_HEIGHT]).max()) + pad)
    x0, y0 = max(x0, 0), max(y0, 0)
    return (x0, y0, min(x1, shape[1]) - x0, min(y1, shape[0]) - y0)
