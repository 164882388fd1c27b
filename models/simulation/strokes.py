"""Strokes of a pen on paper, in millimetres, and the curves that they are made from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ink = Literal["pencil", "ballpoint", "gel"]
Points = NDArray[np.float64]
"""(n, 2): x right, y down."""

_PER_SPAN = 14
"""Points between two control points."""


@dataclass(frozen=True)
class Stroke:
    """One pull of the pen, from touching the paper to leaving it.

    `points_mm` is (n, 2) in the page's millimetres; `pressure` (n,) scales width and darkness along the way and
    is about 1; `width_mm` is the nib's; `darkness` in 0..1 is how much of `colour` (BGR) the ink brings.
    """

    points_mm: Points
    width_mm: float
    darkness: float
    pressure: NDArray[np.float64]
    colour: tuple[int, int, int] = (60, 58, 56)
    ink: Ink = "pencil"


def spline(control: Points) -> Points:
    """A centripetal Catmull-Rom curve through `control`; a point given twice is a sharp corner.

    The points are dense, not evenly spaced: `resample` what comes out. Source: Barry and Goldman, 1988, in the
    centripetal form of Yuksel et al., 2011, which makes neither cusps nor loops of its own.
    """
    pieces: list[Points] = []
    for piece in _between_corners(control):
        drawn = _smooth(piece)
        pieces.append(drawn if not pieces else drawn[1:])
    return np.concatenate(pieces)


def resample(points: Points, step: float) -> Points:
    """The same path with points about `step` apart along its length (both ends kept)."""
    along = _lengths(points)
    count = max(2, round(float(along[-1]) / step) + 1)
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, k]) for k in (0, 1)], axis=1)


def soften(points: Points, sigma: float) -> Points:
    """Round what a quick hand rounds: a Gaussian of `sigma` samples along the path, ends kept in place."""
    if sigma < 0.3 or len(points) < 4:
        return points
    reach = min(int(3 * sigma) + 1, len(points) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    # Mirroring through the end points keeps the ends where they are, and their direction too.
    head = 2 * points[0] - points[reach:0:-1]
    tail = 2 * points[-1] - points[-2 : -2 - reach : -1]
    padded = np.concatenate([head, points, tail])
    return np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in (0, 1)], axis=1)


def _lengths(points: Points) -> NDArray[np.float64]:
    steps = np.hypot(*np.diff(points, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-9))])


def corners(control: Points) -> NDArray[np.intp]:
    """Indices of the second copy of every corner."""
    return np.flatnonzero((control[1:] == control[:-1]).all(axis=1)) + 1


def _between_corners(control: Points) -> list[Points]:
    edges = [0, *corners(control), len(control)]
    return [control[a:b] for a, b in pairwise(edges) if b - a >= 2]


def _smooth(p: Points) -> Points:
    if len(p) == 2:
        return np.asarray(np.linspace(p[0], p[1], _PER_SPAN))
    ext = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(np.maximum(np.hypot(*np.diff(ext, axis=0).T), 1e-6)))])
    p0, p1, p2, p3 = (ext[k : len(ext) - 3 + k, None, :] for k in range(4))
    t0, t1, t2, t3 = (knots[k : len(ext) - 3 + k, None, None] for k in range(4))
    t = t1 + (t2 - t1) * np.linspace(0.0, 1.0, _PER_SPAN)[None, :, None]
    a1 = (t1 - t) / (t1 - t0) * p0 + (t - t0) / (t1 - t0) * p1
    a2 = (t2 - t) / (t2 - t1) * p1 + (t - t1) / (t2 - t1) * p2
    a3 = (t3 - t) / (t3 - t2) * p2 + (t - t2) / (t3 - t2) * p3
    b1 = (t2 - t) / (t2 - t0) * a1 + (t - t0) / (t2 - t0) * a2
    b2 = (t3 - t) / (t3 - t1) * a2 + (t - t1) / (t3 - t1) * a3
    drawn = (t2 - t) / (t2 - t1) * b1 + (t - t1) / (t2 - t1) * b2
    return np.concatenate([drawn[:, :-1].reshape(-1, 2), p[-1:]])
