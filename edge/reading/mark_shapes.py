"""What shape a mark of a pen has, by the line that it is drawn with: ring, slash, dot, and what hangs on a tick.

A mark is thinned to its skeleton (Zhang and Suen 1984); the longest way along it is the stroke, and what lies beside
that on both sides at one place is a short stroke through it. Whether it is a √ or a ×, the recogniser says; a straight
line passes for a hasty √ with it, and a half tick now and then: these are told here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from homework.results import MarkKind

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

SIDE_PX = 48
"""The longer side of a mark's picture; lengths below are parts of it."""

BORDER_PX = 3
DOT_MM, DOT_FILL = 3.0, 0.5
LEAST_MM = 3.5
"""A smaller mark than this is a dot or nothing."""

STRAIGHT, BENT, WELL_BENT = 0.075, 0.11, 0.2
"""A straight line strays no more than this, a tick at least so much, in parts of its length; then its corner must be
where a tick's is, unless it strays so far that a slash never does."""

SLASH_DEG = (28.0, 80.0)
RING_MM = 6.5
RING_ROUND = 0.5
RING_OPEN, RING_TURNS_DEG = 0.45, 285.0
THROUGH, MOST_THROUGH = 0.07, 0.34
"""A stroke through a tick's arm stands out so far on each side, at least and at most."""


@dataclass(frozen=True)
class Shape:
    """What the line of a mark is.

    `kind`: DOT, RING or SLASH; HALF for a bent line with a short stroke through it; TICK for any other bent line;
    UNCLEAR for what is neither. `lowest` (x, y) is the lowest point of the line, in pixels of the mask.
    """

    kind: MarkKind
    lowest: tuple[float, float]


def shape_of(mask: Mask, px_per_mm: float) -> Shape:
    """The shape of a mark, cut tight, in a mask of its ink."""
    height, width = mask.shape
    size_mm = max(height, width) / px_per_mm
    columns = np.flatnonzero(mask[-1])
    lowest = (float(columns.mean()) if len(columns) else width / 2, float(height))
    if size_mm < LEAST_MM:
        is_dot = size_mm <= DOT_MM and min(height, width) >= 0.5 * max(height, width) and mask.mean() >= DOT_FILL
        return Shape(MarkKind.DOT if is_dot else MarkKind.UNCLEAR, lowest)
    picture = mark_picture(mask)
    if size_mm >= RING_MM and _is_closed(picture):
        return Shape(MarkKind.RING, lowest)
    path = _longest_way(_thinned(picture))
    if len(path) < SIDE_PX / 3:
        return Shape(MarkKind.UNCLEAR, lowest)
    scale = max(height, width) / SIDE_PX
    x, y = (path[path[:, 1].argmax()] - BORDER_PX) * scale
    return Shape(_line_kind(picture, path, size_mm), (float(x), float(y)))


def mark_picture(mask: Mask) -> Mask:
    """The mark with its longer side `SIDE_PX` and a border round it; a thin line stays whole."""
    height, width = mask.shape
    scale = SIDE_PX / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    # A section's tick would be thinner than a pixel.
    thicker = np.ones((max(round(0.8 / scale), 1),) * 2, np.uint8)
    ink = cv2.dilate(mask.astype(np.float32), thicker) if scale < 0.8 else mask.astype(np.float32)
    small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.pad(cv2.GaussianBlur(small, (3, 3), 0) > (0.3 if scale < 1 else 0.45), BORDER_PX)


def judge_picture(mask: Mask) -> Image:
    """The mark as the recogniser of √ and × looks at it: dark on paper, strokes as thick as a pen's on a small mark."""
    picture = mark_picture(mask).astype(np.uint8) * 255
    if _thickness(picture > 0) < 3:
        picture = np.asarray(cv2.dilate(picture, np.ones((2, 2), np.uint8)), np.uint8)
    large = cv2.resize(np.pad(picture, 8), None, fx=1.4, fy=1.4, interpolation=cv2.INTER_LINEAR)
    return np.asarray(235 - 0.75 * cv2.GaussianBlur(large, (5, 5), 0), np.float32).astype(np.uint8)


def _line_kind(picture: Mask, path: Points, size_mm: float) -> MarkKind:
    start, end = path[0], path[-1]
    chord = float(np.hypot(*(end - start)))
    if abs(_turned_deg(path)) >= RING_TURNS_DEG and chord <= RING_OPEN * SIDE_PX:
        return MarkKind.RING if size_mm >= RING_MM else MarkKind.UNCLEAR
    bend = _bend(picture)
    if bend <= STRAIGHT:
        left, right = (start, end) if start[0] <= end[0] else (end, start)
        angle = np.degrees(np.arctan2(left[1] - right[1], right[0] - left[0]))
        return MarkKind.SLASH if SLASH_DEG[0] <= angle <= SLASH_DEG[1] else MarkKind.UNCLEAR
    if _goes_through(_beside(picture, path), path):
        return MarkKind.HALF
    return MarkKind.TICK if bend >= BENT and (bend >= WELL_BENT or _has_corner(path)) else MarkKind.UNCLEAR


def _bend(picture: Mask) -> float:
    """How far a line strays from straight: the narrow side of its box less its own thickness, by the long side."""
    points = np.argwhere(picture)[:, ::-1].astype(np.float32)
    _, (one, other), _ = cv2.minAreaRect(points)
    thick = _thickness(picture)
    return (min(one, other) + 1 - thick) / max(max(one, other) + 1 - thick, 1.0)


def _has_corner(path: Points) -> bool:
    """Whether a nearly straight line hangs through near its lower left end, as a tick does and a slash does not."""
    way = path if path[0, 0] <= path[-1, 0] else path[::-1]
    away = _away(way, way[0], way[-1])
    corner = int(np.abs(away).argmax())
    return bool(away[corner] > 0 and corner <= 0.45 * len(way))


def _beside(picture: Mask, path: Points) -> list[Points]:
    """The ink that does not belong to the stroke along `path`: the points of each piece that stands out from it."""
    line = np.ones(picture.shape, np.uint8)
    line[path[:, 1].astype(int), path[:, 0].astype(int)] = 0
    distance = cv2.distanceTransform(line, cv2.DIST_L2, 5)
    pieces = picture & (distance > 0.5 * _thickness(picture) + 1.2)
    count, labels = cv2.connectedComponents(pieces.astype(np.uint8), connectivity=8)
    found = [np.argwhere(labels == n)[:, ::-1].astype(np.float64) for n in range(1, count)]
    least = THROUGH * SIDE_PX
    return [piece for piece in found if max(np.ptp(piece[:, 0]), np.ptp(piece[:, 1])) + 1 >= least - 1.2]


def _goes_through(beside: list[Points], path: Points) -> bool:
    """Whether what stands beside a line is one short stroke through its upper, longer arm."""
    if len(beside) != 2:
        return False
    roots, sides = [], []
    way = path if path[0, 0] <= path[-1, 0] else path[::-1]
    corner = int(way[:, 1].argmax())
    for piece in beside:
        if max(np.ptp(piece[:, 0]), np.ptp(piece[:, 1])) > MOST_THROUGH * SIDE_PX:
            return False
        distances = np.hypot(*(way[:, None] - piece[None]).transpose(2, 0, 1)).min(axis=1)
        root = int(distances.argmin())
        along = way[min(root + 3, len(way) - 1)] - way[max(root - 3, 0)]
        to = piece.mean(axis=0) - way[root]
        roots.append(root)
        sides.append(along[0] * to[1] - along[1] * to[0] > 0)
    near = abs(roots[0] - roots[1]) <= 0.25 * SIDE_PX
    upper = min(roots) > corner + 0.3 * (len(way) - corner) and len(way) - corner > 0.6 * len(way) - 4
    return bool(near and upper and sides[0] != sides[1])


def _is_closed(picture: Mask) -> bool:
    """Whether a mark is one closed line round most of its area, with no long ends hanging on it."""
    contours, tree = cv2.findContours(picture.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if tree is None:
        return False
    holes = [cv2.contourArea(contour) for contour, node in zip(contours, tree[0], strict=True) if node[3] >= 0]
    outer = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(cv2.convexHull(outer))
    _, _, w, h = cv2.boundingRect(outer)
    if not holes or min(w, h) < 0.35 * max(w, h):
        return False
    return max(holes) >= RING_ROUND * area and sum(holes) - max(holes) <= 0.06 * area


def _thickness(picture: Mask) -> float:
    """How thick the strokes of a mark mostly are."""
    distance = cv2.distanceTransform(picture.astype(np.uint8), cv2.DIST_L2, 5)
    ridge = distance[_thinned(picture)]
    return 2 * float(np.median(ridge)) if len(ridge) else 1.0


def _longest_way(skeleton: Mask) -> Points:
    """The longest of the shortest ways along a skeleton, as (x, y) points."""
    left = {(int(x), int(y)) for y, x in np.argwhere(skeleton)}
    if not left:
        return np.zeros((0, 2))
    far, _ = _walk(next(iter(left)), left)
    end, came = _walk(far, left)
    way = [end]
    while way[-1] != far:
        way.append(came[way[-1]])
    return np.array(way, np.float64)


def _walk(
    start: tuple[int, int], among: set[tuple[int, int]]
) -> tuple[tuple[int, int], dict[tuple[int, int], tuple[int, int]]]:
    """The pixel farthest from `start`, and from where each was reached (breadth first)."""
    came = {start: start}
    queue = deque([start])
    at = start
    while queue:
        at = x, y = queue.popleft()
        for dx, dy in _AROUND:
            near = (x + dx, y + dy)
            if near in among and near not in came:
                came[near] = at
                queue.append(near)
    return at, came


_AROUND = ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))


def _away(path: Points, start: Points, end: Points) -> Points:
    """How far each point lies to one side of the line from start to end."""
    along = end - start
    length = max(float(np.hypot(*along)), 1e-6)
    to = path - start
    return np.asarray((along[0] * to[:, 1] - along[1] * to[:, 0]) / length, np.float64)


def _turned_deg(path: Points) -> float:
    """How far a line turns on its way, in all; smoothed, so that a pixel's step is no turn."""
    if len(path) < 12:
        return 0.0
    kernel = np.ones(5) / 5
    smooth = np.stack([np.convolve(path[:, k], kernel, mode="valid") for k in (0, 1)], axis=1)[::3]
    steps = np.diff(smooth, axis=0)
    angles = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    return float(np.degrees(angles[-1] - angles[0]))


_WEIGHTS = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)
"""Each neighbour's bit, clockwise from above."""


@cache
def _erasable() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """For each pattern of neighbours whether its pixel goes, in the first and in the second half of a round."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    number = bits.sum(axis=1)
    changes = ((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(axis=1)
    north, east, south, west = bits[:, 0], bits[:, 2], bits[:, 4], bits[:, 6]
    border = (number >= 2) & (number <= 6) & (changes == 1)
    first = border & (north * east * south == 0) & (east * south * west == 0)
    second = border & (north * east * west == 0) & (north * south * west == 0)
    return (1 - first).astype(np.uint8), (1 - second).astype(np.uint8)


def _thinned(picture: Mask) -> Mask:
    """The skeleton of a mask with an empty border."""
    image = picture.astype(np.uint8)
    while True:
        before = cv2.countNonZero(image)
        for keeps in _erasable():
            around = cv2.filter2D(image, cv2.CV_8U, _WEIGHTS, borderType=cv2.BORDER_CONSTANT)
            image = np.asarray(cv2.min(image, cv2.LUT(around, keeps)), np.uint8)
        if cv2.countNonZero(image) == before:
            return np.asarray(image > 0, np.bool_)
