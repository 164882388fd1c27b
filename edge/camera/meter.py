"""How well a camera is set up: light, focus, how large and how straight a sheet lies in the picture. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera.watching import sharpness
from edge.frames import Image
from edge.registration.code import find_codes
from edge.registration.geometry import Points
from edge.registration.markers import ENOUGH_MARKERS, Pyramid, find_markers
from edge.registration.register import MIN_PX_PER_MM
from homework.sheets.paper import MARKER_MM

DARK, BRIGHT = 70, 250
"""Grey of the paper: below is too dark to read pencil, above the sensor is at its limit."""
UNEVEN = 0.65
"""The darkest tenth of the paper, of the brightest: a lamp to one side, a shadow across."""
GOOD_PX_PER_MM = 6.0
"""With this much, pencil and small print are safe; `MIN_PX_PER_MM` is where a page is refused."""
SLANTED = 1.12
"""The largest marker's side over the smallest's: more, and the camera looks from the side."""
SOFT = 0.10
"""`sharpness` of a page that is out of focus or moved (simulated pages in focus: 0.16)."""


@dataclass(frozen=True)
class Meter:
    """What one picture says. Lengths of 0 and a slant of 0: no sheet was seen to measure them by."""

    light: int
    """Grey of the paper, 0 to 255."""
    evenness: float
    """The darkest tenth of the sheet's paper over the brightest; 1 is even, 0: no sheet."""
    sharpness: float
    markers: int
    sheet: str | None
    page: int | None
    px_per_mm: float
    slant: float
    """The largest marker's side over the smallest's; 1 is straight from above."""

    def advice(self) -> tuple[str, ...]:
        """What to change, most important first, as message ids; empty when it is well set up."""
        told: list[str] = []
        if self.light < DARK:
            told.append("It is dark: put a lamp beside the camera.")
        elif self.light > BRIGHT:
            told.append("It is too bright: pencil may vanish. Turn the lamp away.")
        if not self.markers and self.sheet is None:
            return (*told, "No sheet is found: lay a printed worksheet flat under the camera.")
        # A code is read when it is smaller than markers can be.
        too_small = not self.markers or 0 < self.px_per_mm < MIN_PX_PER_MM
        if not too_small and (self.markers < ENOUGH_MARKERS or self.sheet is None):
            told.append("A part of a sheet is seen: move it until all four corners are in the picture.")
        if self.sharpness < SOFT:
            told.append("It is not sharp: turn the lens, or run `classbox camera focus`.")
        if too_small:
            told.append("The sheet is too small in the picture to be read: bring the camera nearer.")
        elif 0 < self.px_per_mm < GOOD_PX_PER_MM:
            told.append("The sheet is small in the picture: bring the camera nearer, or take a larger size.")
        if self.slant > SLANTED:
            told.append("The camera looks from the side: tilt it until it looks straight down.")
        if 0 < self.evenness < UNEVEN:
            told.append("The light falls from one side, or there is a shadow: move the lamp.")
        return tuple(told)


def meter(image: Image) -> Meter:
    """Measure a full picture."""
    pyramid = Pyramid(image)
    markers, codes = find_markers(pyramid), find_codes(pyramid)
    sides = _sides_px(markers)
    return Meter(
        light=round(float(np.percentile(image[::8, ::8], 95))),
        evenness=round(_evenness(pyramid, markers), 2),
        sharpness=round(sharpness(image), 3),
        markers=len(markers),
        sheet=codes[0].code.sheet if codes else None,
        page=codes[0].code.page if codes else None,
        px_per_mm=round(float(np.median(sides)) / MARKER_MM, 2) if sides else 0.0,
        slant=round(max(sides) / min(sides), 3) if len(sides) >= ENOUGH_MARKERS else 0.0,
    )


def _sides_px(markers: Mapping[int, Sequence[Points]]) -> list[float]:
    """The mean side of each marker that was seen once: two sheets at once measure nothing."""
    return [
        float(np.linalg.norm(seen[0] - np.roll(seen[0], -1, axis=0), axis=1).mean())
        for seen in markers.values()
        if len(seen) == 1
    ]


def _evenness(pyramid: Pyramid, markers: Mapping[int, Sequence[Points]]) -> float:
    """How much the paper's brightness falls off over the sheet, between the markers."""
    seen = [np.asarray(points[0], np.float64) for points in markers.values() if len(points) == 1]
    if len(seen) < ENOUGH_MARKERS:
        return 0.0
    scale = pyramid.scale_for(500)
    grey = pyramid.grey(scale)
    # Paper is what is brightest around: print and ink are thin.
    paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    hull = cv2.convexHull((np.concatenate(seen) * scale).astype(np.float32)).astype(np.int32)
    mask: NDArray[np.uint8] = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(mask, hull, 255)
    inside = np.asarray(paper)[mask > 0]
    low, high = np.percentile(inside, [10, 90])
    return float(low / max(high, 1.0))
