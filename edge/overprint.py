"""Where a printer puts what it is told to, measured on a test page that lies under the camera. Pure.

The rings of the test page are found by correlation with how one looks, to a fraction of a pixel; shift, turn and scale
are the similarity that fits them best (Umeyama 1991).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image, RegisteredPage
from edge.reading.crops import cut
from homework.errors import UsageError
from homework.layout import Point
from homework.sheets.overprint import RING_MM, Alignment, targets_mm

PX_PER_MM = 10.0
REACH_MM = 6.0
"""How far off a ring may be printed and still be found."""

LEAST_LIKE = 0.5
LEAST_RINGS = 3
MOST_RESIDUE_MM = 0.6
MOST_SCALE = 0.03
MOST_TURN = 0.05


@dataclass(frozen=True)
class Measured:
    """What a test page showed. `off_mm` is how far its rings lie from where they should be, on average.

    `residue_mm` is what no shift, turn and scale explains: the largest, over the rings.
    """

    alignment: Alignment
    off_mm: float
    residue_mm: float
    rings: int


def measure(page: RegisteredPage, used: Alignment) -> Measured:
    """How a printer printed the test page; `used` is the alignment that was reckoned with when it was made.

    Raises `UsageError` when too few rings are found, or they do not lie as one print can have put them.
    """
    assert page.layout is not None
    wanted = targets_mm(page.layout.page_mm)
    found = [(target, place) for target in wanted if (place := _find(page, target)) is not None]
    if len(found) < LEAST_RINGS:
        raise UsageError(
            "The rings of the test page were not found.",
            remedy="Print the test page onto a worksheet, lay that under the camera, all of it flat in the light.",
        )
    told = np.array([used.aimed(*target) for target, _ in found])
    landed = np.array([place for _, place in found])
    alignment = _fit(told, landed)
    residue = float(max(np.hypot(*(np.array(alignment.lands(*a)) - b)) for a, b in zip(told, landed, strict=True)))
    size, turn = float(np.hypot(alignment.a, alignment.b)), float(np.arctan2(alignment.b, alignment.a))
    if residue > MOST_RESIDUE_MM or abs(size - 1) > MOST_SCALE or abs(turn) > MOST_TURN:
        raise UsageError(
            "The rings of the test page do not lie as a printer puts them.",
            remedy="Print it once more, at 100 %, the paper straight in the tray.",
        )
    targets = np.array([target for target, _ in found])
    off = float(np.hypot(*(landed - targets).T).mean())
    return Measured(alignment, off, residue, len(found))


def _find(page: RegisteredPage, target: Point) -> Point | None:
    """The middle of the ring near a place, in mm of the page, or None."""
    reach = REACH_MM + 2 * RING_MM
    left, top = target[0] - reach, target[1] - reach
    seen = cut(page, (left, top, 2 * reach, 2 * reach), PX_PER_MM, all_channels=False)
    like = np.asarray(cv2.matchTemplate(seen, _ring(), cv2.TM_CCOEFF_NORMED), np.float32)
    _, best, _, (x, y) = cv2.minMaxLoc(like)
    if best < LEAST_LIKE:
        return None
    half = (_ring().shape[0] - 1) / 2
    dx, dy = _peak(like[y, :], x), _peak(like[:, x], y)
    return (left + (x + dx + half + 0.5) / PX_PER_MM, top + (y + dy + half + 0.5) / PX_PER_MM)


def _ring() -> Image:
    """How a ring of the test page looks, dark on paper."""
    supersampled = 4
    scale = PX_PER_MM * supersampled
    side = 2 * round(2 * RING_MM * PX_PER_MM) + 5
    picture = np.full((side * supersampled, side * supersampled), 255, np.uint8)
    middle = (side * supersampled - 1) // 2
    line = max(round(0.35 * scale), 1)
    cv2.circle(picture, (middle, middle), round(RING_MM * scale), (0,), line)
    reach = round(2 * RING_MM * scale)
    cv2.line(picture, (middle - reach, middle), (middle + reach, middle), (0,), line)
    cv2.line(picture, (middle, middle - reach), (middle, middle + reach), (0,), line)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2), np.uint8)


def _peak(line: NDArray[np.float32], at: int) -> float:
    """The offset of a parabola's top through the largest value and its neighbours."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(line[at + step]) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend else 0.0


def _fit(told: NDArray[np.float64], landed: NDArray[np.float64]) -> Alignment:
    """The similarity that takes `told` to `landed`, by least squares."""
    centre, to = told.mean(axis=0), landed.mean(axis=0)
    p, q = told - centre, landed - to
    size = float((p**2).sum())
    a = float((p * q).sum()) / size
    b = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / size
    return Alignment(a, b, float(to[0] - a * centre[0] + b * centre[1]), float(to[1] - b * centre[0] - a * centre[1]))
