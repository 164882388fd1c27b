"""A small picture of the pupil's ink, to tell the same sheet seen twice from another copy of the same master.

The ink inside every field (and the seat cells) is averaged over a coarse grid; the signature keeps a byte a cell.
Two photos of one sheet agree but for light and blur; two pupils' sheets differ wherever they wrote otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import FieldCrop
from edge.reading.bubbles import INSIDE
from edge.reading.crops import box_in_crop
from edge.reading.ink import FULL, PAPER, clean_crop, darkness, disc

GRID = (8, 20)
"""Rows and columns of a field's grid."""

LEAST_DARKNESS = 0.1
LEAST_INK = 3.0
SAME = 0.95
"""Correlation from which two are the same ink: photos of one sheet had 0.997 and more, others' same answers 0.83."""


def ink_signature(crops: Sequence[FieldCrop]) -> bytes:
    """The signature of a page's crops, in their order: 160 bytes a field, a grid of darkness 0-255."""
    return b"".join(_grid(crop).tobytes() for crop in crops)


AROUND_GRID = (4, 10)
"""Rows and columns of the grid over a field's surroundings."""

FRAME_MM = 1.2
"""So close to its box, ink may be the frame's own line."""


def ink_around(crops: Sequence[FieldCrop]) -> bytes:
    """The ink beside the fields of a page: 40 bytes a field, a grid of darkness over the field and its surroundings.

    What is in the box is left out, and so is its frame: they are in `ink_signature`.
    """
    return b"".join(_around(crop).tobytes() for crop in crops)


def same_ink(one: bytes, other: bytes) -> bool:
    """Whether two signatures of the same page of the same sheet show the same ink.

    Two empty pages are not the same ink: nothing shows that they are one. Nor is what was not written by this
    version of the grid: an older box's signatures stay in its ledger.
    """
    if len(one) != len(other) or not one or len(one) % (GRID[0] * GRID[1]):
        return False
    a, b = (_softened(np.frombuffer(s, np.uint8)) for s in (one, other))
    spread = float(np.linalg.norm(a) * np.linalg.norm(b))
    if min(float(a.sum()), float(b.sum())) < LEAST_INK * 255 or spread == 0:
        return False
    return float((a * b).sum()) / spread >= SAME


def _grid(crop: FieldCrop) -> NDArray[np.uint8]:
    x, y, width, height = crop.box_px
    clean = clean_crop(crop) if crop.field.box_mm is not None else crop.image
    dark = darkness(clean, crop.px_per_mm, largest_mm=8.0 if crop.field.bubbles else 3.5)[y : y + height, x : x + width]
    ink = cv2.subtract(dark, np.full_like(dark, PAPER + LEAST_DARKNESS * FULL))
    if crop.field.bubbles:  # what is printed between and around them is in every copy
        boxes = [box_in_crop(b.box_mm, crop.region_mm, crop.px_per_mm) for b in crop.field.bubbles]
        inside = np.zeros(dark.shape, bool)
        for bx, by, bw, bh in boxes:
            part = inside[max(by - y, 0) : by - y + bh, max(bx - x, 0) : bx - x + bw]
            part |= _inside(bw, bh)[max(y - by, 0) :, max(x - bx, 0) :][: part.shape[0], : part.shape[1]]
        ink = np.where(inside, ink, np.uint8(0))
    rows, columns = GRID
    coarse = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.convertScaleAbs(coarse, alpha=2.0), np.uint8)


def _around(crop: FieldCrop) -> NDArray[np.uint8]:
    x, y, width, height = crop.box_px
    dark = darkness(crop.image, crop.px_per_mm, largest_mm=8.0 if crop.field.bubbles else 3.5)
    ink = cv2.subtract(dark, np.full_like(dark, PAPER + LEAST_DARKNESS * FULL))
    clear = round(FRAME_MM * crop.px_per_mm)
    ink[max(y - clear, 0) : y + height + clear, max(x - clear, 0) : x + width + clear] = 0
    rows, columns = AROUND_GRID
    coarse = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.convertScaleAbs(coarse, alpha=2.0), np.uint8)


@lru_cache(maxsize=64)
def _inside(width: int, height: int) -> NDArray[np.bool_]:
    return disc((height, width), (0, 0, width, height), INSIDE, 0.0)


def _softened(signature: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blurred within each field, so that half a cell of displacement does not make a stranger."""
    rows, columns = GRID
    grids = signature.reshape(-1, rows, columns).astype(np.float32)
    return np.stack([cv2.GaussianBlur(grid, (3, 3), 0.8) for grid in grids])
