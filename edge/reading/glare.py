"""Glare: light that comes back from the paper's gloss and hides what is written. What it hides, nobody reads.

Burnt-out paper alone is no glare: every scan's is white. Where the printed outline has gone with it, ink has too.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.frames import BoxPx, Image

BURNT = 250
LEAST_MM = 1.5
"""A burnt patch is at least so wide."""

OUTLINE_REACH_MM = 1.0
"""How far from where it must be an outline may be printed; so far burnt patches are grown, too."""

PALEST_OUTLINE = 0.8
HIDDEN_MM = 2.5
"""So much of a field's outline gone in burnt light is glare."""

INSIDE_MM2 = 10.0
"""A burnt patch of this size that meets no outline is glare when the paper round it is not burnt."""


def has_glare(image: Image, outlines: Sequence[BoxPx], px_per_mm: float, *, are_round: bool) -> bool:
    """Whether light hides part of a field: `image` is grey, as the camera saw it; `outlines` are printed on it."""
    if int(image.max()) < BURNT:
        return False
    side = max(round(LEAST_MM * px_per_mm), 2)
    burnt = cv2.morphologyEx((image >= BURNT).astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    if not burnt.any():
        return False
    reach = round(OUTLINE_REACH_MM * px_per_mm)
    near = cv2.dilate(burnt, np.ones((2 * reach + 1,) * 2, np.uint8))
    darkest = cv2.erode(image, np.ones((2 * reach + 1,) * 2, np.uint8))
    hidden = met = 0
    inside = np.zeros(image.shape, np.uint8)
    for x, y, w, h in outlines:
        path = np.zeros(image.shape, np.uint8)
        if are_round:
            centre, axes = (x + w // 2, y + h // 2), (w // 2, h // 2)
            cv2.ellipse(path, centre, axes, 0, 0, 360, 1, 1)
            cv2.ellipse(inside, centre, axes, 0, 0, 360, 1, -1)
        else:
            cv2.rectangle(path, (x, y), (x + w, y + h), 1, 1)
            cv2.rectangle(inside, (x, y), (x + w, y + h), 1, -1)
        on_path = (path > 0) & (near > 0)
        met += int(on_path.sum())
        hidden += int((on_path & (darkest > PALEST_OUTLINE * 255)).sum())
    if met:
        return hidden >= HIDDEN_MM * px_per_mm
    return int(((burnt > 0) & (inside > 0)).sum()) >= INSIDE_MM2 * px_per_mm**2
