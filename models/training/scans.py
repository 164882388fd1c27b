"""Scanned glyphs as another pen would have written them: strokes as wide as the pen, none of them broken."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_FAINTEST = 40
_RIDGE_PX = 0.35
_SPECK_SHARE = 0.03  # what is smaller is the scanner's: as wide as a pen it would be a point
_EDGE = 0.45  # of the stroke's own brightness: a pale upstroke of a scan is as much a stroke as a dark one


def with_pen(scan: NDArray[np.uint8], pen_px: float, grain_px: float) -> NDArray[np.float32]:
    """How much of each pixel a pen `pen_px` wide covers, 0 to 1, where it follows the strokes of an enlarged scan.

    `scan` is bright on black, a pixel of the original now `grain_px` wide. Every stroke becomes as wide as the pen, by
    its distance from the outline: a thin one is widened, a broad one narrowed as far as the scan's pen was broader,
    so that what had run together (the eye of an 8) stays a blot instead of turning into another figure.
    """
    soft = cv2.GaussianBlur(scan, (0, 0), 0.45 * grain_px)
    reach = 2 * round(1.5 * grain_px) + 1
    brightest = cv2.dilate(soft, np.ones((reach, reach), np.uint8))
    inside = ((soft > _FAINTEST) & (soft > _EDGE * brightest)).astype(np.uint8)
    n, parts, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    if n == 1:
        return np.zeros(scan.shape, np.float32)
    areas = stats[:, cv2.CC_STAT_AREA]
    if n > 2:
        inside = (inside * (areas[parts] > _SPECK_SHARE * areas[1:].sum())).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    away = depth - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    usual = 2 * float(depth[inside > 0].mean())  # the pixels of a band are a quarter of its width from its edge
    ridge = (inside > 0) & (depth > cv2.dilate(depth, np.ones((3, 3), np.uint8)) - _RIDGE_PX)
    _, nearest = cv2.distanceTransformWithLabels(
        np.where(ridge, 0, 1).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    half = np.zeros(int(nearest.max()) + 1, np.float32)
    half[nearest[ridge]] = depth[ridge]
    half = cv2.blur(half[nearest], (3, 3))
    narrower = np.minimum(half, usual) - pen_px / 2
    return np.asarray(np.clip(away - narrower + 0.5, 0, 1), np.float32)
