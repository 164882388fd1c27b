"""Pictures for the pages: a sheet flattened to its paper, and the crop of one field."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from homework.layout import Box

LONGEST_PX = 1000
CROP_PX_PER_MM = 8.0
CROP_MARGIN_MM = 3.0
SMALL_PX_PER_MM = 6.0
SMALL_PX = 120_000
_SMALL_QUALITY = 50
_SHEET_QUALITY = 78
_CROP_QUALITY = 85


def flattened(image: Image, mm_to_px: NDArray[np.float64], page_mm: tuple[float, float]) -> bytes:
    """The page upright and flat, as JPEG: its longest side has 1000 px."""
    flat = _warped(image, mm_to_px, (0.0, 0.0, *page_mm), LONGEST_PX / max(page_mm))
    return _jpeg(_evenly_lit(flat), _SHEET_QUALITY)


def field_crop(
    image: Image, mm_to_px: NDArray[np.float64], hull_mm: Box, *, margin_mm: float = CROP_MARGIN_MM
) -> bytes:
    """One field with some paper around it, upright, 8 px/mm, as JPEG."""
    x, y, width, height = hull_mm
    margin = margin_mm
    box = (x - margin, y - margin, width + 2 * margin, height + 2 * margin)
    return _jpeg(_evenly_lit(_warped(image, mm_to_px, box, CROP_PX_PER_MM)), _CROP_QUALITY)


def small_crop(image: Image, mm_to_px: NDArray[np.float64], box_mm: Box, page_mm: tuple[float, float]) -> bytes:
    """A box of the paper upright, as a small WebP: what travels to the school. Nothing beyond the paper is on it.

    6 px/mm, coarser where that would be more than `SMALL_PX` pixels. Numbers that simulated pupils wrote, photographed
    at 2 and at 12 MP, take 0.6 KB (median; 95 of 100 at most 1 KB) and can be read at half of that.
    """
    left, top = max(0.0, box_mm[0]), max(0.0, box_mm[1])
    right, bottom = min(page_mm[0], box_mm[0] + box_mm[2]), min(page_mm[1], box_mm[1] + box_mm[3])
    box = (left, top, max(1.0, right - left), max(1.0, bottom - top))
    px_per_mm = min(SMALL_PX_PER_MM, float(np.sqrt(SMALL_PX / (box[2] * box[3]))))
    flat = _evenly_lit(_warped(image, mm_to_px, box, px_per_mm))
    return bytes(cv2.imencode(".webp", flat, [cv2.IMWRITE_WEBP_QUALITY, _SMALL_QUALITY])[1])


def crop_size_px(hull_mm: Box, height_px: int, *, margin_mm: float = CROP_MARGIN_MM) -> tuple[int, int]:
    """Width and height at which a field's crop is shown, so that the page keeps its place while it loads."""
    _, _, width, height = hull_mm
    ratio = (width + 2 * margin_mm) / (height + 2 * margin_mm)
    return round(height_px * ratio), height_px


def thumbnail(image: Image) -> bytes:
    """The whole picture as it came, its longest side 1000 px, as JPEG: for what could not be flattened."""
    scale = min(1.0, LONGEST_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _jpeg(small, _SHEET_QUALITY)


def _warped(image: Image, mm_to_px: NDArray[np.float64], box_mm: Box, px_per_mm: float) -> Image:
    x, y, width, height = box_mm
    size = (max(1, round(width * px_per_mm)), max(1, round(height * px_per_mm)))
    out_to_mm = np.array([[1 / px_per_mm, 0, x], [0, 1 / px_per_mm, y], [0, 0, 1]])
    out_to_px = mm_to_px @ out_to_mm
    corners = np.array([[[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]]], np.float64)
    found = cv2.perspectiveTransform(corners, out_to_px)[0]
    # Only the part that is needed, and shrunk before it is warped: a linear warp that shrinks much would alias.
    low = np.clip(np.floor(found.min(axis=0)).astype(int) - 2, 0, [image.shape[1] - 1, image.shape[0] - 1])
    high = np.clip(np.ceil(found.max(axis=0)).astype(int) + 3, low + 1, [image.shape[1], image.shape[0]])
    part = image[low[1] : high[1], low[0] : high[0]]
    shrink = min(1.0, 1.2 * size[0] / max(1.0, float(np.linalg.norm(found[1] - found[0]))))
    if shrink < 0.75:
        part = np.asarray(cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        shrink = 1.0
    to_part = np.array([[shrink, 0, -low[0] * shrink], [0, shrink, -low[1] * shrink], [0, 0, 1]])
    flat = cv2.warpPerspective(
        part,
        to_part @ out_to_px,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(235, 235, 235),
    )
    return np.asarray(flat, np.uint8)


def _evenly_lit(flat: Image) -> Image:
    """The paper white all over, ink and its colours kept: each place is divided by the paper's brightness there.

    The paper's brightness is the grey closing at an eighth of the size, which no stroke survives, then blurred.
    """
    small = cv2.resize(flat, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    paper = cv2.resize(cv2.GaussianBlur(paper, (0, 0), 3), flat.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(flat, paper, scale=248), np.uint8)


def _jpeg(image: object, quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.asarray(image), [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
