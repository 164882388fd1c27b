"""Find the printed corner markers (ArUco) in a picture, in any rotation.

S. Garrido-Jurado et al., *Automatic generation and detection of highly reliable fiducial markers under
occlusion*, Pattern Recognition 47 (2014). A reduced picture is both quicker to search and more robust; the
corners are then refined at full resolution.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.registration.geometry import Points
from homework.layout import MARKER_DICTIONARY

SEARCH_SIDES_PX = (1000, 2000, 4000)
"""Long sides at which markers are searched, quickest first; a picture is enlarged at most twofold."""

CORNER_IDS = (0, 1, 2, 3)
ENOUGH_MARKERS = 3
ENOUGH_AT = 2.0
"""A fourth marker that is seen at neither the first size nor twice that is covered, as a rule."""

MAX_CHOICES = 24


@cache
def _detector(*, thorough: bool) -> cv2.aruco.ArucoDetector:
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, MARKER_DICTIONARY))
    parameters = cv2.aruco.DetectorParameters()
    parameters.minMarkerPerimeterRate = 0.04  # 10 px a side of 1,000: less cannot hold 6 × 6 modules
    # One local mean, a marker wide, finds them as a rule; the other sizes are for hard pictures and cost the same each.
    parameters.adaptiveThreshWinSizeMin = 3 if thorough else 23
    parameters.adaptiveThreshWinSizeMax = 33 if thorough else 23
    return cv2.aruco.ArucoDetector(dictionary, parameters)


def grey_of(image: Image) -> Image:
    """One channel of a grey or BGR picture."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


class Pyramid:
    """A picture at the sizes at which it is searched, each made once and only when asked for."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._grey: dict[float, Image] = {}
        self._glance: dict[float, Image] = {}

    def grey(self, scale: float) -> Image:
        """The grey picture at `scale` (1 = as it came)."""
        if scale not in self._grey:
            self._grey[scale] = self._make(scale)
        return self._grey[scale]

    def glance(self, scale: float) -> Image:
        """The same in two thirds of the time, from a few pixels of each square alone: enough for a first look."""
        if scale in self._grey or scale > 0.5:
            return self.grey(scale)
        if scale not in self._glance:
            size = [max(round(side * scale), 1) for side in self.image.shape[1::-1]]
            small = cv2.resize(self.image, size, interpolation=cv2.INTER_LINEAR)
            self._glance[scale] = grey_of(np.asarray(small, np.uint8))
        return self._glance[scale]

    def _make(self, scale: float) -> Image:
        if scale == 1.0:
            return grey_of(self.image)
        if scale <= 0.25:  # two halvings by whole areas are six times quicker than one quartering
            source, factor = self.grey(scale * 2), 0.5
        else:
            source, factor = self.image, scale
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        size = [max(round(side * factor), 1) for side in source.shape[1::-1]]
        return grey_of(np.asarray(cv2.resize(source, size, interpolation=how), np.uint8))

    def scale_for(self, long_side_px: int) -> float:
        """The scale, a power of two, that brings the long side nearest to `long_side_px`; at most 2."""
        exponent = round(float(np.log2(long_side_px / max(self.image.shape[:2]))))
        return float(2.0 ** min(exponent, 1))


def find_markers(pyramid: Pyramid) -> dict[int, list[Points]]:
    """Every sighting of the four corner markers: their corners (4, 2) in pixels of the full picture.

    Stops at the first size that shows all four, or three at the second.
    """
    best: dict[int, list[Points]] = {}
    scales = list(dict.fromkeys(pyramid.scale_for(side) for side in SEARCH_SIDES_PX))
    for scale, thorough in [(scales[0], False), *((scale, True) for scale in scales)]:
        grey = pyramid.grey(scale) if thorough else pyramid.glance(scale)
        found = _search(grey, scale, thorough=thorough)
        if len(found) > len(best):
            best = found
        if len(best) == len(CORNER_IDS) or (len(best) == ENOUGH_MARKERS and scale >= ENOUGH_AT * scales[0]):
            break
    return {
        marker: [_refine(pyramid.image, corners, scale_px=2.0) for corners in sightings]
        for marker, sightings in best.items()
    }


def any_marker_at_a_glance(pyramid: Pyramid) -> bool:
    """Whether the first look of `find_markers` shows a corner marker, as it does of nearly every sheet of ours."""
    scale = pyramid.scale_for(SEARCH_SIDES_PX[0])
    return bool(_search(pyramid.glance(scale), scale, thorough=False))


def seen_in_a_mirror(pyramid: Pyramid) -> bool:
    """Whether the markers are there once the picture is flipped: a mirrored photo, or paper seen from behind."""
    scale = pyramid.scale_for(SEARCH_SIDES_PX[0])
    return len(_search(np.ascontiguousarray(pyramid.grey(scale)[:, ::-1]), scale, thorough=True)) >= ENOUGH_MARKERS


def choices(sightings: dict[int, list[Points]]) -> list[dict[int, Points]]:
    """All ways to take one sighting of each marker: two sheets in a picture show a marker twice."""
    ids = sorted(sightings)
    combinations = list(product(*(sightings[i] for i in ids)))[:MAX_CHOICES]
    return [dict(zip(ids, combination, strict=True)) for combination in combinations]


def _search(grey: Image, scale: float, *, thorough: bool) -> dict[int, list[Points]]:
    corners, ids, _ = _detector(thorough=thorough).detectMarkers(grey)
    found: dict[int, list[Points]] = {}
    if ids is None:
        return found
    for quad, marker in zip(corners, np.asarray(ids).ravel(), strict=True):
        if int(marker) in CORNER_IDS:
            # Pixel centres: (x + 0.5) scales, not x.
            full = (np.asarray(quad, np.float64).reshape(4, 2) + 0.5) / scale - 0.5
            found.setdefault(int(marker), []).append(full)
    return found


def _refine(image: Image, corners: Points, *, scale_px: float) -> Points:
    """The corners to a part of a pixel, on the full picture around the marker alone."""
    side = float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).mean())
    # Within the marker's border, which is a sixth of its side.
    return refine(image, corners, int(np.clip(side / 10 * scale_px / 2, 2, 12)))


def refine(image: Image, corners: Points, window: int) -> Points:
    """Corners (n, 2) to a part of a pixel, each looked for `window` px around; one that runs away stays."""
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 2 * window - 2, 0)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int) + 2 * window + 3
    patch = grey_of(np.ascontiguousarray(image[y0:y1, x0:x1]))
    if min(patch.shape) < 2 * window + 5:
        return corners
    start = (corners - [x0, y0]).astype(np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.02)
    refined: NDArray[np.float64] = cv2.cornerSubPix(patch, start.copy(), (window, window), (-1, -1), stop).astype(
        np.float64
    )
    moved = np.linalg.norm(refined - start, axis=2)
    refined = np.where((moved <= window)[..., None], refined, start)  # one that runs away found another edge
    return refined.reshape(-1, 2) + np.array([x0, y0], np.float64)
