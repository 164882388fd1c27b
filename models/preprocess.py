"""From a crop of paper to the pictures that the recognisers look at; shared by training and the box.

A crop is grey (uint8, paper bright), about 8-10 px/mm, the inside of a printed frame grown by about 1 mm.
Ink is found relative to the paper round it: the paper is the closing of the shrunken crop (strokes are
narrower than the 3 mm it spans), contrast is one minus the ratio of the two, so shadows and uneven light
cancel. Faint pencil is stretched to full brightness, but only what stands well clear of the noise counts
as ink. What lies along the edges is the frame's remnant, not the pupil's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

LINE_HEIGHT_PX: Final = 32
LINE_WIDTH_PX: Final = 256
GLYPH_SIDE_PX: Final = 32

_SHRINK = 4  # the paper is looked at in quarter size: 16 times fewer pixels, and the noise averages out
_PAPER_LEVEL = 25  # where clean paper lies in the contrast picture, so that noise to both sides survives
_LEAST_INK = 14  # contrast steps (of 230) between paper and the faintest pencil
_LEAST_DOT_PX = 6  # specks below are dust and noise; a decimal point has 15 and more at 8 px/mm
_MOST_GROWTH = 2.0  # a speck is not blown up into a digit


@dataclass(frozen=True)
class Ink:
    """The pupil's ink: bright on black, cut tight.

    `image` (height, width) uint8, 255 = the darkest ink. `box_px` is (x, y, w, h) of it in the crop.
    `contrast` in 0..1 is how much darker than paper the ink was before it was stretched.
    """

    image: Image
    box_px: tuple[int, int, int, int]
    contrast: float


def find_ink(crop: Image) -> Ink | None:
    """The ink of a crop of any size, or None when there is none that stands clear of the noise."""
    grey = crop if crop.ndim == 2 else np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    height, width = grey.shape
    if min(height, width) < 2 * _SHRINK:
        return None
    contrast = _contrast(grey)
    band = int(np.clip(round(0.13 * min(height, width)), 2, 12))  # the margin of 1 mm and a little
    inner = contrast[band:-band, band:-band]
    paper, noise, ink = _levels(inner)
    strength = ink - paper
    if strength < max(_LEAST_INK, 6.0 * noise):
        return None
    low = paper + max(0.28 * strength, 3.5 * noise)
    high = paper + max(0.5 * strength, 5.0 * noise)
    _, mask = cv2.threshold(contrast, int(low), 255, cv2.THRESH_BINARY)
    # GRANA takes half as long as the default here.
    count, labelled, found, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_GRANA)
    labels, stats = np.asarray(labelled, np.int32), np.asarray(found, np.int32)
    strong = np.bincount(labels.ravel()[np.flatnonzero(contrast > int(high))], minlength=count)
    area = stats[:, cv2.CC_STAT_AREA]
    keep = (strong >= 3) & (area >= _LEAST_DOT_PX) & ~_edge_lines(stats, band, width, height)
    for index in np.flatnonzero(keep[1:]) + 1:
        keep[index] = _without_margin(labels, stats[index], int(index), band)
    keep[0] = False
    if not keep.any():
        return None
    kept = stats[keep]
    x0 = int(kept[:, cv2.CC_STAT_LEFT].min())
    y0 = int(kept[:, cv2.CC_STAT_TOP].min())
    x1 = int((kept[:, cv2.CC_STAT_LEFT] + kept[:, cv2.CC_STAT_WIDTH]).max())
    y1 = int((kept[:, cv2.CC_STAT_TOP] + kept[:, cv2.CC_STAT_HEIGHT]).max())
    mask = cv2.dilate(keep.astype(np.uint8)[labels[y0:y1, x0:x1]], np.ones((3, 3), np.uint8))
    stretch = np.clip((np.arange(256) - paper - 0.12 * strength) / (0.75 * strength), 0, 1) * 255
    bright = cv2.LUT(contrast[y0:y1, x0:x1], stretch.astype(np.uint8))
    return Ink(
        image=np.asarray(bright * mask, np.uint8),
        box_px=(x0, y0, x1 - x0, y1 - y0),
        contrast=float(strength / (255 - _PAPER_LEVEL)),
    )


def line_picture(ink: Ink) -> Image:
    """The ink as a line of writing: 32 × 256, 28 px tall unless too wide, from 4 px off the left, centred in height."""
    image = _fit(ink.image, LINE_HEIGHT_PX - 4, LINE_WIDTH_PX - 8)
    height, width = image.shape
    picture = np.zeros((LINE_HEIGHT_PX, LINE_WIDTH_PX), np.uint8)
    top = (LINE_HEIGHT_PX - height) // 2
    picture[top : top + height, 4 : 4 + width] = image
    return picture


def glyph_picture(ink: Ink) -> Image:
    """The ink as one mark: 32 × 32, its longer side 26 px, centred."""
    side = GLYPH_SIDE_PX - 6
    image = _fit(ink.image, side, side)
    height, width = image.shape
    picture = np.zeros((GLYPH_SIDE_PX, GLYPH_SIDE_PX), np.uint8)
    top, left = (GLYPH_SIDE_PX - height) // 2, (GLYPH_SIDE_PX - width) // 2
    picture[top : top + height, left : left + width] = image
    return picture


def _contrast(grey: Image) -> Image:
    """255 - 230 × grey / paper, lightly smoothed: clean paper at 25, black at 255."""
    height, width = grey.shape
    small = cv2.resize(grey, (max(width // _SHRINK, 2), max(height // _SHRINK, 2)), interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    paper = cv2.resize(cv2.blur(paper, (5, 5)), (width, height), interpolation=cv2.INTER_LINEAR)
    ratio = cv2.divide(grey, paper, scale=255.0 - _PAPER_LEVEL)
    return np.asarray(cv2.GaussianBlur(cv2.bitwise_not(ratio), (3, 3), 0), np.uint8)


def _levels(contrast: Image) -> tuple[float, float, float]:
    """(paper, noise, ink) of a contrast picture: its median, spread below the median, and 40th darkest pixel."""
    total = np.cumsum(cv2.calcHist([contrast], [0], None, [256], [0, 256]).ravel())
    size = int(total[-1])
    median = int(np.searchsorted(total, 0.5 * size))
    sixth = int(np.searchsorted(total, 0.16 * size))
    ink = int(np.searchsorted(total, size - min(40, max(size // 50, 1))))
    return float(median), max(float(median - sixth), 1.0), float(ink)


def _without_margin(labels: NDArray[np.int32], stats: NDArray[np.int32], index: int, band: int) -> bool:
    """Whether a component is the pupil's. A sign that hangs on a remnant of the frame is cut free of it, in place."""
    x, y, w, h, area = (int(value) for value in stats)
    height, width = labels.shape
    if min(x, y) >= band and x + w <= width - band and y + h <= height - band:
        return True
    left, top = max(x, band), max(y, band)
    inner = labels[top : min(y + h, height - band), left : min(x + w, width - band)] == index
    inside = int(np.count_nonzero(inner))
    if inside > 0.3 * area:
        return True
    rows, columns = np.flatnonzero(inner.any(1)), np.flatnonzero(inner.any(0))
    if inside < 30 or min(len(rows), len(columns)) < 3 or max(len(rows), len(columns)) < band or len(rows) < 0.8 * band:
        return False
    whole = labels[y : y + h, x : x + w]
    whole[whole == index] = 0
    labels[top : top + inner.shape[0], left : left + inner.shape[1]][inner] = index
    stats[:4] = (left + columns[0], top + rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
    return True


def _edge_lines(stats: NDArray[np.int32], band: int, width: int, height: int) -> NDArray[np.bool_]:
    """Which components are thin lines that run along an edge, a little further in than the band."""
    x, y = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    w, h = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    near = 2 * band
    flat = (h <= 0.6 * band) & (w >= 0.3 * width) & ((y + h <= near) | (y >= height - near))
    tall = (w <= 0.6 * band) & (h >= 0.3 * height) & ((x + w <= 0.9 * near) | (x >= width - 0.9 * near))
    # A "1" at the left edge is as thin as a frame, but it stops short of the frame's corners.
    ends = (y <= band) | (y + h >= height - band)
    return np.asarray(flat | (tall & ends), np.bool_)


def _fit(image: Image, height: int, width: int) -> Image:
    """Scale to touch (height, width) from inside, keeping the aspect, growing at most twice."""
    scale = min(height / image.shape[0], width / image.shape[1], _MOST_GROWTH)
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
