"""From a crop of paper to the pictures that the recognisers look at; shared by training and the box.

A crop is grey (uint8, paper bright), about 8-10 px/mm, the inside of a printed frame grown by about 1 mm.
Ink is found relative to the paper round it: the paper is the closing of the shrunken crop (strokes are
narrower than the 3 mm it spans), contrast is one minus the ratio of the two, so shadows and uneven light
cancel. Faint pencil is stretched to full brightness, but only what stands well clear of the noise counts
as ink. What lies along the edges is the frame's remnant, not the pupil's; a ruled line that crosses the whole
crop is the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from homework.errors import ClassboxError

Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the crop."""

LINE_HEIGHT_PX: Final = 32
LINE_WIDTHS_PX: Final = (64, 128, 256)
"""A line's picture is as wide as the narrowest of these that it fits into: a short answer costs a quarter."""
GLYPH_SIDE_PX: Final = 32

_SHRINK = 4  # the paper is looked at in quarter size: 16 times fewer pixels, and the noise averages out
_PAPER_LEVEL = 25  # where clean paper lies in the contrast picture, so that noise to both sides survives
_LEAST_INK = 14  # contrast steps (of 230) between paper and the faintest pencil
_LEAST_DOT_PX = 6  # specks below are dust and noise; a decimal point has 15 and more at 8 px/mm
_DOT_PX = 10  # a mark no larger than this is a dot
_POINT_SHARE = 0.3  # a decimal point is at most so large against the line's height
_MOST_GROWTH = 2.0  # a speck is not blown up into a digit
_MARGIN_PX = 4  # empty columns left of a line, and at least so many right of it
_RULED_SHARE = 0.9
_RULE_PX = 7  # a ruled line is thinner


class CropError(ClassboxError):
    """What was handed over to be read is no picture."""


@dataclass(frozen=True)
class Ink:
    """The pupil's ink: bright on black, cut tight.

    `image` (height, width) uint8, 255 = the darkest ink. `box_px` is (x, y, w, h) of it in the crop.
    `contrast` in 0..1 is how much darker than paper the ink was before it was stretched. `points` counts the small
    marks of their own in its lower half: decimal points, or crumbs. `left_out` counts the upright strokes at the
    sides that were taken for the frame's and may be a 1 on its line. `marks` counts all marks that are no mere dots.
    """

    image: Image
    box_px: Box
    contrast: float
    points: int = 0
    left_out: int = 0
    marks: int = 1


def find_ink(crop: Image) -> Ink | None:
    """The ink of a crop of any size, or None when there is none that stands clear of the noise.

    Raises `CropError` for anything but a grey (height, width) or BGR (height, width, 3) array of uint8.
    """
    grey = _grey(crop)
    height, width = grey.shape
    if min(height, width) < 2 * _SHRINK:
        return None
    contrast = _contrast(grey)
    band = int(np.clip(round(0.13 * min(height, width)), 2, 12))  # the margin of 1 mm and a little
    paper, noise, ink = _levels(contrast[band:-band:2, band:-band:2])
    strength = ink - paper
    if strength < max(_LEAST_INK, 6.0 * noise):
        return None
    low = int(paper + max(0.28 * strength, 3.5 * noise))
    # A decimal point is so small that blur alone makes it paler than a stroke.
    strong = int(paper + max(0.5 * strength, 5.0 * noise)), int(paper + max(0.36 * strength, 4.5 * noise))
    mask = _darker(contrast, low)
    if _paint_rules(contrast, mask):
        mask = _darker(contrast, low)
    kept = _pupils_marks(contrast, mask, strong, band)
    if kept is None:
        return None
    drawn, (x, y, w, h), boxes, dropped = kept
    stretch = np.clip((np.arange(256) - paper - 0.12 * strength) / (0.75 * strength), 0, 1) * 255
    bright = cv2.LUT(contrast[y : y + h, x : x + w], stretch.astype(np.uint8))
    where = cv2.dilate(drawn[y : y + h, x : x + w], np.ones((3, 3), np.uint8))
    return Ink(
        image=np.asarray(cv2.bitwise_and(bright, where), np.uint8),
        box_px=(x, y, w, h),
        contrast=float(strength / (255 - _PAPER_LEVEL)),
        points=_points(boxes, y, h),
        marks=sum(max(w, h) > _DOT_PX for _, _, w, h in boxes),
        left_out=sum(_maybe_a_one(box, h, grey.shape) for box in dropped),
    )


def line_picture(ink: Ink) -> Image:
    """The ink as a line of writing, (32, 64 | 128 | 256): 28 px tall unless too wide, centred in height."""
    scale = min((LINE_HEIGHT_PX - 4) / ink.image.shape[0], _room(LINE_WIDTHS_PX[-1]) / ink.image.shape[1], _MOST_GROWTH)
    image = _scaled(ink.image, scale)
    return _in_line(image, (LINE_HEIGHT_PX - len(image)) // 2)


def glyph_picture(ink: Ink) -> Image:
    """The ink as one mark: 32 × 32, its longer side 26 px, centred."""
    image = _scaled(ink.image, min((GLYPH_SIDE_PX - 6) / max(ink.image.shape), _MOST_GROWTH))
    height, width = image.shape
    picture = np.zeros((GLYPH_SIDE_PX, GLYPH_SIDE_PX), np.uint8)
    top, left = (GLYPH_SIDE_PX - height) // 2, (GLYPH_SIDE_PX - width) // 2
    picture[top : top + height, left : left + width] = image
    return picture


def _grey(crop: Image) -> Image:
    if crop.dtype != np.uint8 or crop.ndim not in (2, 3) or (crop.ndim == 3 and crop.shape[2] != 3):
        raise CropError(
            "A crop of shape {shape} and type {type} is no picture.",
            remedy="Hand over a grey or BGR picture of 8 bits a channel.",
            shape="×".join(map(str, crop.shape)),
            type=crop.dtype,
        )
    if crop.ndim == 2:
        return crop
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8) if crop.size else crop[..., 0]


def _contrast(grey: Image) -> Image:
    """255 - 230 × grey / paper, lightly smoothed: clean paper at 25, black at 255."""
    height, width = grey.shape
    # A whole number of quarters shrinks several times as fast; the last rows and columns are like their neighbours.
    even = grey[: height // _SHRINK * _SHRINK, : width // _SHRINK * _SHRINK]
    small = cv2.resize(even, (width // _SHRINK, height // _SHRINK), interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, _PAPER_KERNEL)
    paper = cv2.resize(cv2.blur(paper, (5, 5)), (width, height), interpolation=cv2.INTER_LINEAR)
    ratio = cv2.divide(grey, paper, scale=255.0 - _PAPER_LEVEL)
    return np.asarray(cv2.GaussianBlur(cv2.bitwise_not(ratio), (3, 3), 0), np.uint8)


_PAPER_KERNEL = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))


def _levels(contrast: Image) -> tuple[float, float, float]:
    """(paper, noise, ink) of every other pixel: the median, the spread below it, and about the 40th darkest of all."""
    total = np.cumsum(np.bincount(contrast.ravel(), minlength=256))
    size = int(total[-1])
    median, sixth, ink = np.searchsorted(total, (0.5 * size, 0.16 * size, size - min(10, max(size // 50, 1))))
    return float(median), max(float(median - sixth), 1.0), float(ink)


def _darker(contrast: Image, low: int) -> Image:
    return np.asarray(cv2.threshold(contrast, low, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _paint_rules(contrast: Image, mask: Image) -> bool:
    """Paint out, in place, the thin straight lines that cross the whole crop; whether there were any.

    Along each line its pixels take the paler of its two sides, so that strokes across it stay.
    """
    found = False
    for axis, picture in ((1, contrast), (0, contrast.T)):
        share = np.asarray(cv2.reduce(mask, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F)).ravel() / 255
        lines = np.flatnonzero(share >= _RULED_SHARE)
        for run in np.split(lines, np.flatnonzero(np.diff(lines) > 2) + 1) if len(lines) else ():
            before, after = int(run[0]) - 3, int(run[-1]) + 3
            if after - before > _RULE_PX + 5 or before < 0 or after >= len(picture):
                continue
            picture[before + 1 : after] = np.minimum(picture[before], picture[after])
            found = True
    return found


def _pupils_marks(
    contrast: Image, mask: Image, strong: tuple[int, int], band: int
) -> tuple[Image, Box, list[Box], list[Box]] | None:
    """A mask (255) of the marks that are the pupil's, the box that bounds them, and each one's; None without any.

    Last the boxes of the marks that were taken for the frame's.

    `strong` is the contrast that a mark must reach somewhere: a stroke, and a mere dot.
    """
    height, width = mask.shape
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    drawn = np.zeros_like(mask)
    left, top, right, bottom = width, height, 0, 0
    boxes: list[Box] = []
    dropped: list[Box] = []
    for found in contours:
        contour = np.asarray(found, np.int32)
        x, y, w, h = cv2.boundingRect(contour)
        box = (x, y, w, h)
        high = strong[max(w, h) <= _DOT_PX]
        # A few strong pixels, and not so small as to be dust.
        if w * h < _LEAST_DOT_PX or np.count_nonzero(contrast[y : y + h, x : x + w] > high) < 3:
            continue
        if _edge_line(box, band, width, height):
            dropped.append(box)
            continue
        if min(x, y) < band or x + w > width - band or y + h > height - band:
            inside = _without_margin(contour, box, mask, band)
            if inside is None:
                dropped.append(box)
                continue
            own, (x, y, w, h) = inside
            place = drawn[y : y + h, x : x + w]
            np.maximum(place, own, out=place)
        else:
            cv2.drawContours(drawn, [contour], -1, 255, -1)
        left, top, right, bottom = min(left, x), min(top, y), max(right, x + w), max(bottom, y + h)
        boxes.append((x, y, w, h))
    if right == 0:
        return None
    return drawn, (left, top, right - left, bottom - top), boxes, dropped


def _maybe_a_one(box: Box, ink_height: int, shape: tuple[int, ...]) -> bool:
    """Whether a mark at a side is as tall as the writing and shorter than the frame: a 1 that stands on its line."""
    _, _, w, h = box
    return w < 0.5 * h and 0.5 * ink_height <= h <= 1.4 * ink_height and h < 0.8 * shape[0]


def _points(boxes: list[Box], top: int, height: int) -> int:
    """How many marks are small and in the lower half of all of them."""
    small = max(_POINT_SHARE * height, 4)
    return sum(max(w, h) <= small and y + h / 2 > top + height / 2 for _, y, w, h in boxes)


def _edge_line(box: Box, band: int, width: int, height: int) -> bool:
    """Whether a mark is a thin line that runs along an edge, a little further in than the band."""
    x, y, w, h = box
    near = 2 * band
    if h <= 0.6 * band and w >= 0.3 * width and (y + h <= near or y >= height - near):
        return True
    # A "1" at the left edge is as thin as a frame, but it stops short of the frame's corners.
    at_side = x + w <= 0.9 * near or x >= width - 0.9 * near
    return w <= 0.6 * band and h >= 0.3 * height and at_side and (y <= band or y + h >= height - band)


def _without_margin(contour: NDArray[np.int32], box: Box, mask: Image, band: int) -> tuple[Image, Box] | None:
    """A mark that reaches into the margin, as far as it is the pupil's: its mask and box; None when none of it is.

    A sign that hangs on a remnant of the frame is cut free of it.
    """
    x, y, w, h = box
    height, width = mask.shape
    own = np.zeros((h, w), np.uint8)
    cv2.drawContours(own, [contour], -1, 255, -1, offset=(-x, -y))
    own &= mask[y : y + h, x : x + w]
    x0, y0 = max(band - x, 0), max(band - y, 0)
    inner = own[y0 : max(min(h, height - band - y), y0), x0 : max(min(w, width - band - x), x0)]
    inside = int(np.count_nonzero(inner))
    if inside > 0.3 * np.count_nonzero(own):
        return own, box
    rows, columns = np.flatnonzero(inner.any(1)), np.flatnonzero(inner.any(0))
    if inside < 30 or min(len(rows), len(columns)) < 3 or max(len(rows), len(columns)) < band or len(rows) < 0.8 * band:
        return None
    tight = inner[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return tight, (x + x0 + int(columns[0]), y + y0 + int(rows[0]), tight.shape[1], tight.shape[0])


def _room(width: int) -> int:
    return width - 2 * _MARGIN_PX


def _in_line(image: Image, top: int) -> Image:
    """The narrowest picture of a line that holds `image`, which stands `_MARGIN_PX` from its left."""
    height, width = image.shape
    wide = next(w for w in LINE_WIDTHS_PX if width <= _room(w))
    picture = np.zeros((LINE_HEIGHT_PX, wide), np.uint8)
    picture[top : top + height, _MARGIN_PX : _MARGIN_PX + width] = image
    return picture


def _scaled(image: Image, scale: float) -> Image:
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8
    )
