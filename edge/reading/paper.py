"""The light on the paper: how bright it is beside the ink, place by place, and a picture with that light taken out."""

from __future__ import annotations

import cv2
import numpy as np

from edge.frames import Image

SHRUNK_PX_PER_MM = 2.0
UNEVEN = 0.8
"""Where the paper's darker parts have less than this share of its brighter ones' light, something casts a shadow."""

PAPER_GREY = 235
"""The paper's grey in a picture whose light was taken out."""

WIDEST_STROKE_MM, WIDEST_FILL_MM = 3.5, 8.0
"""What is as wide as this and darker than its surroundings is ink (a stroke; a filled bubble), not a shadow."""


def paper_of(image: Image, px_per_mm: float, *, largest_mm: float = WIDEST_STROKE_MM) -> Image:
    """The grey of the paper at each pixel of a grey picture, under ink as wide as `largest_mm` too.

    It is the morphological closing of the shrunken picture, made smooth, yet never brighter than what lies around:
    smoothing across the edge of a shadow would call the paper beside it brighter than it is, and the shadow's rim ink.
    """
    height, width = image.shape
    shrink = SHRUNK_PX_PER_MM / px_per_mm
    size = (max(round(width * shrink), 2), max(round(height * shrink), 2))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    side = max(round(largest_mm * SHRUNK_PX_PER_MM) | 1, 3)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel)
    smooth = np.minimum(cv2.blur(closed, (5, 5)), cv2.erode(closed, np.ones((3, 3), np.uint8)))
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def evened(image: Image, px_per_mm: float, *, largest_mm: float = WIDEST_STROKE_MM) -> Image:
    """The grey picture as it would be in even light; itself, untouched, where no shadow's edge crosses it."""
    paper = paper_of(image, px_per_mm, largest_mm=largest_mm)
    counts = np.cumsum(np.bincount(paper.ravel(), minlength=256))
    low, high = (int(np.searchsorted(counts, share * counts[-1])) for share in (0.03, 0.97))
    if low >= UNEVEN * high or high < 1:
        return image
    return np.asarray(cv2.divide(image, np.maximum(paper, 1), scale=PAPER_GREY), np.uint8)
