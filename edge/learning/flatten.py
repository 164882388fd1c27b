"""An empty page in a photo or a scan, made flat: by the paper's edges in a photo; a scan is the page."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.registration.geometry import Matrix, Points, corners_of
from edge.registration.markers import grey_of
from homework.assignment import Paper
from homework.errors import BadFileError
from homework.sheets.paper import PAGE_MM

REFERENCE_PX_PER_MM = 6.0
"""About 150 dpi: a sign of 3 mm has 18 pixels."""

LEAST_PX_PER_MM = 3.0
LEAST_SHARE, MOST_SHARE = 0.2, 0.985
"""Of a photo, the paper takes so much; a picture that is paper all over is a scan."""

SCAN_RIM = 0.6
"""Of a scan, so much of the rim is paper; of a photo, hardly any."""

SEARCH_SIDE_PX = 900
MOST_ASPECT_ERROR = 0.06


@dataclass(frozen=True, eq=False)
class FlatPage:
    """An empty page: grey, at `px_per_mm`, filling `page_mm`; `mm_to_px` leads to the picture that it came from."""

    image: Image
    px_per_mm: float
    page_mm: tuple[float, float]
    mm_to_px: Matrix


def flat_page(picture: Image, *, paper: Paper | None = None) -> FlatPage:
    """Flatten the one page of a picture. `paper` is its size (A4, B5, 16K …), else that whose shape fits.

    Raises `BadFileError` when it is too small to be learned from.
    """
    grey = grey_of(picture)
    quad = paper_quad(grey)
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    page_mm = _page_mm(float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2, paper)
    corners_mm = corners_of((0, 0, *page_mm)).astype(np.float32)
    mm_to_px = cv2.getPerspectiveTransform(corners_mm, quad.astype(np.float32)).astype(np.float64)
    scale = float(sides.min()) / min(page_mm)
    if scale < LEAST_PX_PER_MM:
        raise BadFileError(
            "The page is too small in the picture to be learned from.", remedy="Take it closer, or scan it at 150 dpi."
        )
    size = (round(page_mm[0] * REFERENCE_PX_PER_MM), round(page_mm[1] * REFERENCE_PX_PER_MM))
    step = 1 / REFERENCE_PX_PER_MM
    to_mm = np.array([[step, 0, step / 2], [0, step, step / 2], [0, 0, 1.0]])
    shrink = min(1.0, 1.3 * REFERENCE_PX_PER_MM / scale)
    if shrink < 0.75:  # a linear warp that shrinks much would alias
        grey = np.asarray(cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        shrink = 1.0
    to_small = np.array([[shrink, 0, 0.5 * shrink - 0.5], [0, shrink, 0.5 * shrink - 0.5], [0, 0, 1.0]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(grey, to_small @ mm_to_px @ to_mm, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return FlatPage(_evenly_lit(np.asarray(flat, np.uint8)), REFERENCE_PX_PER_MM, page_mm, mm_to_px)


def paper_quad(grey: Image) -> Points:
    """The paper's corners TL, TR, BR, BL in pixels; the picture's own when it shows paper alone."""
    height, width = grey.shape
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5
    scale = min(1.0, SEARCH_SIDE_PX / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # Print closed away, so that the paper is one bright region.
    side = max(round(0.02 * max(small.shape)) | 1, 3)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    level, bright = cv2.threshold(cv2.GaussianBlur(closed, (5, 5), 0), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    above, below = closed[closed > level], closed[closed <= level]
    if not len(below) or float(np.median(above)) - float(np.median(below)) < 25:
        return whole
    rim = np.concatenate([bright[:3].ravel(), bright[-3:].ravel(), bright[:, :3].ravel(), bright[:, -3:].ravel()])
    if (rim > 0).mean() > SCAN_RIM:
        return whole
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    paper = max(contours, key=cv2.contourArea)
    share = cv2.contourArea(paper) / bright.size
    if not LEAST_SHARE <= share <= MOST_SHARE:
        return whole
    hull = np.asarray(cv2.convexHull(paper), np.int32)
    quad = _four_corners(hull)
    if quad is None or cv2.contourArea(quad.astype(np.float32)) < 0.93 * cv2.contourArea(hull):
        return whole
    refined = _by_edges(quad, paper.reshape(-1, 2).astype(np.float64))
    return np.asarray((_from_top_left(refined) + 0.5) / scale - 0.5, np.float64)


def _four_corners(hull: NDArray[np.int32]) -> Points | None:
    around = cv2.arcLength(hull, closed=True)
    for part in np.linspace(0.01, 0.08, 15):
        found = cv2.approxPolyDP(hull, part * around, closed=True).reshape(-1, 2)
        if len(found) == 4:
            return found.astype(np.float64)
    return None


def _by_edges(quad: Points, outline: Points) -> Points:
    """Corners where straight lines through the middles of the paper's edges meet: rounded corners do not count."""
    lines = []
    for a, b in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
        offset = outline - a
        place = offset @ along
        far = np.abs(offset @ np.array([-along[1], along[0]]))
        length = float(np.linalg.norm(b - a))
        near = outline[(far < 0.02 * length + 2) & (place > 0.1 * length) & (place < 0.9 * length)]
        if len(near) < 10:
            return quad
        vx, vy, x, y = cv2.fitLine(near.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        lines.append(np.cross([x, y, 1.0], [x + vx, y + vy, 1.0]))
    corners = []
    for before, after in zip(np.roll(lines, 1, axis=0), lines, strict=True):
        x, y, w = np.cross(before, after)
        if abs(w) < 1e-9:
            return quad
        corners.append((x / w, y / w))
    return np.array(corners, np.float64)


def _from_top_left(quad: Points) -> Points:
    """The same corners clockwise, the one nearest the picture's top left first."""
    middle = quad.mean(axis=0)
    order = np.argsort(np.arctan2(*(quad - middle).T[::-1]))
    clockwise = quad[order]
    return np.roll(clockwise, -int(np.argmin(clockwise.sum(axis=1))), axis=0)


def _page_mm(width: float, height: float, paper: Paper | None) -> tuple[float, float]:
    """The paper's size upright or across as the picture has it; of unknown shape, as wide as A4."""
    short, long = sorted(PAGE_MM[paper or "A4"])
    upright = height >= width
    page = (short, long) if upright else (long, short)
    if paper is not None or abs(np.log((width / height) / (page[0] / page[1]))) <= MOST_ASPECT_ERROR:
        return page
    return (210.0, round(210.0 * height / width, 1)) if upright else (round(210.0 * width / height, 1), 210.0)


def _evenly_lit(flat: Image) -> Image:
    """The paper white all over: the reference is compared in any light."""
    small = cv2.resize(flat, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    paper = cv2.resize(cv2.GaussianBlur(paper, (0, 0), 6), flat.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(flat, np.maximum(paper, 1), scale=245), np.uint8)
