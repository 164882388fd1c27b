"""A camera's lens from pictures of printed sheets: their markers and their fields' outlines are known points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.frames import RegisteredPage
from edge.registration.geometry import Points, corners_of
from edge.registration.lens import Lens, calibrate
from edge.registration.markers import Pyramid, find_markers
from homework.errors import ClassboxError

LEAST_POINTS = 24
MOST_LEFT_MM = 0.25
"""What a lens may leave, root mean square: more is paper that does not lie flat."""


@dataclass(frozen=True)
class Calibration:
    """A lens, from how many points of how many pages, and how far they were off without it and are with it (mm)."""

    lens: Lens
    pages: int
    points: int
    before_mm: float
    after_mm: float


def calibrate_lens(pages: Sequence[RegisteredPage]) -> Calibration:
    """The lens that fits all pages of one camera. Raises `ClassboxError` when they do not tell."""
    proven = [page for page in pages if not page.refused and page.page is not None and page.mm_to_px is not None]
    sizes = {page.capture.image.shape[:2] for page in proven}
    if not proven:
        raise ClassboxError(
            "No printed sheet is found in these pictures.", remedy="Lay a printed worksheet flat, filling the picture."
        )
    if len(sizes) > 1:
        raise ClassboxError(
            "These pictures are of several sizes.", remedy="Take all of them with one camera, set to one size."
        )
    given = [_known_points(page) for page in proven]
    count = sum(len(mm) for mm, _ in given)
    if min(len(mm) for mm, _ in given) < LEAST_POINTS:
        raise ClassboxError(
            "There is too little print on this sheet to tell the lens by.",
            remedy="Use a worksheet with ten fields or more, with all four corners in the picture.",
        )
    [(height, width)] = sizes
    starts = [page.mm_to_px for page in proven if page.mm_to_px is not None]
    found = calibrate(given, starts, (width, height))
    if found is None or found[2] > MOST_LEFT_MM:
        raise ClassboxError(
            "These pictures do not agree on one lens.", remedy="Smooth the sheet, and take three or more of it."
        )
    lens, before_mm, after_mm = found
    return Calibration(lens, len(proven), count, before_mm, after_mm)


def _known_points(page: RegisteredPage) -> tuple[Points, Points]:
    """The markers' corners and the middles of the fields found: where they are printed (mm) and seen (px)."""
    assert page.page is not None
    seen = find_markers(Pyramid(page.capture.image))
    markers = [marker for marker in page.page.markers if len(seen.get(marker.id, ())) == 1]
    middles = [corners_of(field.hull_mm()).mean(axis=0) for field in page.page.fields]
    found = [(at, shift) for at, shift in zip(middles, page.shifts_mm, strict=True) if shift is not None]
    points_mm = [np.array(marker.corners_mm, np.float64) for marker in markers]
    points_px = [seen[marker.id][0] for marker in markers]
    if found:
        points_mm.append(np.array([at for at, _ in found]))
        points_px.append(page.to_px(np.array([at + np.array(shift) for at, shift in found])))
    if not points_mm:
        return np.zeros((0, 2)), np.zeros((0, 2))
    return np.concatenate(points_mm), np.concatenate(points_px)
