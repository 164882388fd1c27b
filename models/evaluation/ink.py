"""Real hands on a printed page: glyphs of one writer laid out as an answer, and put down with a pen."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from homework.layout import Box
from models.simulation.ink import draw_strokes, lay_cover
from models.simulation.pen import Pen
from models.simulation.strokes import Points, Stroke, resample, soften
from models.training.hands import Bitmap, Glyph
from models.training.scans import with_pen

Page = NDArray[np.uint8]
Pick = Callable[[str], Glyph]
"""A glyph of the writer for a symbol."""

PENS = {"faint pencil": 0.15, "pencil": 0.33, "ballpoint": 0.17, "gel": 0.25, "felt": 0.10}
"""What children write with, and how many of them."""

MODERATE = ("pencil", "ballpoint", "gel")
OVER_THE_FRAME = 0.07
_STEP_MM = 0.12
_FINE = 2
_PART = re.compile(r"……|.")

# Heights in heights of a digit, and how far below the line of writing a sign reaches.
_HEIGHT: dict[str, tuple[float, float]] = {
    "/": (0.95, 1.35), "%": (0.8, 1.1), "<": (0.6, 0.9), ">": (0.6, 0.9), "√": (0.8, 1.2), "×": (0.6, 0.95),
    **dict.fromkeys("cmsnrx", (0.5, 0.68)), "g": (0.75, 0.95), **dict.fromkeys("kdlthL", (0.85, 1.05)),
}  # fmt: skip
_WIDTH: dict[str, tuple[float, float]] = {"-": (0.35, 0.75), "=": (0.6, 0.95)}
_BELOW = {"g": 0.3, "/": 0.12, "√": 0.05}


@dataclass(frozen=True)
class Manner:
    """How one page is written. Lengths are in digit heights unless the name says mm; `pen` is one of `PENS`."""

    pen: str
    tool: Pen
    size_mm: float
    slant: float
    stretch: float
    spacing: float
    drift: float
    unevenness: float

    @staticmethod
    def random(rng: Generator, pens: Sequence[str] = tuple(PENS)) -> Manner:
        """A child's manner: digits of 4 to 7 mm, more or less upright, more or less on the line."""
        shares = np.array([PENS[pen] for pen in pens])
        pen = str(rng.choice(pens, p=shares / shares.sum()))
        return Manner(
            pen=pen,
            tool=_tool(pen, rng),
            size_mm=float(np.clip(rng.normal(5.3, 0.75), 3.8, 7.2)),
            slant=float(np.clip(rng.normal(0.05, 0.13), -0.35, 0.45)),
            stretch=float(np.clip(rng.lognormal(0.0, 0.1), 0.78, 1.3)),
            spacing=float(np.clip(rng.normal(0.13, 0.07), 0.02, 0.36)),
            drift=float(rng.normal(0.0, 0.03)),
            unevenness=float(rng.uniform(0.01, 0.05)),
        )


@dataclass(frozen=True)
class Placed:
    """A glyph on the page: `shape` (2, 2) takes its own coordinates to mm, `at_mm` is the top left of its extent."""

    glyph: Glyph
    shape: NDArray[np.float64]
    at_mm: tuple[float, float]
    size_mm: tuple[float, float]


def lay_out(
    text: str,
    box_mm: Box,
    manner: Manner,
    pick: Pick,
    *,
    rng: Generator,
    stacked: bool = False,
    over: float = OVER_THE_FRAME,
) -> list[Placed]:
    """`text` in the writer's glyphs, somewhere in the box as children write: small, large, off the middle, and, one
    answer in so many as `over` says, beyond the frame. With `stacked` a fraction stands one number above the other.
    """
    grow = float(rng.choice([rng.normal(1.0, 0.07), 0.72, 1.22], p=[0.88, 0.07, 0.05]))
    size = manner.size_mm * grow
    placed = _stacked(text, size, manner, pick, rng) if stacked else _line(text, size, manner, pick, rng)
    x, y, width, height = box_mm
    left, top, right, bottom = _bounds(placed)
    wide, high = right - left, bottom - top
    fit = min(1.0, (width - 0.8) / wide, rng.uniform(0.88, 1.0) * height / high)
    wide, high = wide * fit, high * fit
    to_x = x + float(np.clip(rng.normal(0.36, 0.2), 0.0, 1.0)) * max(width - wide, 0.0)
    to_y = y + float(np.clip(rng.normal(0.52, 0.22), 0.0, 1.0)) * max(height - high, 0.0)
    if not stacked and rng.random() < over:
        out = rng.uniform(0.3, 1.3)
        side = rng.choice(["right", "top", "bottom"])
        to_x = x + width - wide + out if side == "right" else to_x
        to_y = y + height - high + out if side == "bottom" else y - out if side == "top" else to_y
    return [
        replace(
            one,
            shape=one.shape * fit,
            at_mm=(to_x + (one.at_mm[0] - left) * fit, to_y + (one.at_mm[1] - top) * fit),
            size_mm=(one.size_mm[0] * fit, one.size_mm[1] * fit),
        )
        for one in placed
    ]


def beyond_mm(placed: Sequence[Placed], box_mm: Box) -> float:
    """How far an answer's strokes go beyond the box at the most; 0 when they stay in it."""
    x, y, width, height = box_mm
    left, top, right, bottom = _bounds(placed)
    return max(x - left, y - top, right - x - width, bottom - y - height, 0.0)


def write(page: Page, placed: list[Placed], manner: Manner, px_per_mm: float, rng: Generator) -> None:
    """Put the glyphs down on `page` (height, width, 3 BGR), in place, with the writer's pen."""
    for one in placed:
        if isinstance(one.glyph, Bitmap):
            _press(page, one, manner.tool, px_per_mm, rng)
        else:
            draw_strokes(page, _strokes(one, manner.tool, rng), px_per_mm)


def _tool(pen: str, rng: Generator) -> Pen:
    grey = int(rng.integers(48, 80))
    pencil = (grey + 4, grey + 1, grey)
    blue = (int(rng.integers(110, 165)), int(rng.integers(45, 75)), int(rng.integers(25, 48)))
    ink = blue if rng.random() < 0.4 else (38, 34, 34)
    if pen == "faint pencil":
        return Pen("pencil", rng.uniform(0.32, 0.52), rng.uniform(0.27, 0.42), pencil)
    if pen == "pencil":
        return Pen("pencil", rng.uniform(0.40, 0.66), rng.uniform(0.55, 0.9), pencil)
    if pen == "ballpoint":
        return Pen("ballpoint", rng.uniform(0.28, 0.44), rng.uniform(0.70, 0.92), ink)
    if pen == "gel":
        return Pen("gel", rng.uniform(0.36, 0.58), rng.uniform(0.86, 0.98), ink)
    return Pen("gel", rng.uniform(0.70, 1.05), rng.uniform(0.90, 1.0), ink)


def _line(text: str, size: float, manner: Manner, pick: Pick, rng: Generator) -> list[Placed]:
    """Glyphs side by side; y is measured from the line of writing."""
    placed: list[Placed] = []
    x, gap = 0.0, 0.0
    spacing = rng.normal(-0.02, 0.04) if rng.random() < 0.12 else manner.spacing  # here and there digits touch
    for sign in _PART.findall(text):
        if sign == " ":
            x, gap = x + size * rng.uniform(0.35, 0.8), 0.0
            continue
        if sign == "……":
            level = -size * rng.choice([rng.uniform(0.0, 0.12), rng.uniform(0.35, 0.55)])
            x += size * rng.uniform(0.05, 0.2)
            for _ in range(6 if rng.random() < 0.75 else 3):
                x += size * rng.uniform(0.1, 0.24)
                placed.append(_dot(pick("."), x, level + size * rng.normal(0, 0.02), size, rng))
                x += placed[-1].size_mm[0]
            x, gap = x + size * rng.uniform(0.1, 0.3), 0.0
            continue
        x += gap
        lift = size * rng.normal(0.0, manner.unevenness) + manner.drift * x
        if sign == ".":
            # Nobody could read a point that runs into the digit before it.
            x += max(size * abs(rng.normal(0.14, 0.06)) + 0.7 * manner.tool.width_mm - gap, 0.0) if placed else 0.0
            one = _dot(pick("."), x, lift + size * abs(rng.normal(0, 0.03)), size, rng)
        else:
            one = _sign(sign, pick(sign), size, manner, rng)
            low = size * rng.uniform(0.35, 0.6) - one.size_mm[1] / 2 if sign in _WIDTH else -size * _BELOW.get(sign, 0)
            one = replace(one, at_mm=(x, lift - low - one.size_mm[1]))
            if placed and gap:
                nearer = min(_room_between(placed[-1], one, 0.12 * size), 0.4 * size)
                one = replace(one, at_mm=(x - nearer, one.at_mm[1]))
        placed.append(one)
        x = one.at_mm[0] + one.size_mm[0]
        gap = size * max(spacing + rng.normal(0, 0.04), -0.09)
        if sign == ".":
            gap = size * abs(rng.normal(0.12, 0.06))
        gap += 0.7 * manner.tool.width_mm  # paths are measured along the middle of the pen
    return placed


def _stacked(text: str, size: float, manner: Manner, pick: Pick, rng: Generator) -> list[Placed]:
    whole, _, rest = text.rpartition(" ")
    upper, lower = rest.split("/")
    small = size * rng.uniform(0.68, 0.88)
    above, below = (_line(part, small, manner, pick, rng) for part in (upper, lower))
    extents = [_bounds(above), _bounds(below)]
    length = max(e[2] - e[0] for e in extents) + size * rng.uniform(0.15, 0.5)
    bar = _scaled(pick("-"), length, Manner.random(rng), rng, by_width=True)
    # Drawn longer, a dash does not swing wider.
    flat = min(1.0, 0.12 * size / max(bar.size_mm[1], 1e-6))
    bar = replace(bar, shape=np.diag([1.0, flat]) @ bar.shape, size_mm=(bar.size_mm[0], bar.size_mm[1] * flat))
    bar = replace(bar, at_mm=(0.0, -bar.size_mm[1] / 2))
    placed = [bar]
    for part, extent, up in ((above, extents[0], True), (below, extents[1], False)):
        room = size * rng.uniform(0.08, 0.22) + bar.size_mm[1] / 2
        dx = (length - (extent[2] - extent[0])) / 2 + size * rng.normal(0, 0.06) - extent[0]
        dy = -room - extent[3] if up else room - extent[1]
        placed += _moved(part, dx, dy)
    if whole:
        first = _line(whole, size, manner, pick, rng)
        extent = _bounds(first)
        dx = -size * rng.uniform(0.12, 0.35) - extent[2]
        placed += _moved(first, dx, -(extent[1] + extent[3]) / 2)
    return placed


def _room_between(left: Placed, right: Placed, bin_mm: float) -> float:
    """How much nearer than their boxes two neighbours may stand before they touch: the least room in any row."""
    edges: list[dict[int, float]] = []
    for one, side in ((left, 1.0), (right, -1.0)):
        points = _corners(one.glyph) @ one.shape.T
        points = points - points.min(axis=0) + one.at_mm
        outer = one.at_mm[0] + one.size_mm[0] if side > 0 else one.at_mm[0]
        edge: dict[int, float] = {}
        for row, room in zip(np.floor(points[:, 1] / bin_mm), side * (outer - points[:, 0]), strict=True):
            for near in (int(row) - 1, int(row), int(row) + 1):
                edge[near] = min(edge.get(near, np.inf), float(room))
        edges.append(edge)
    shared = edges[0].keys() & edges[1].keys()
    return max(min((edges[0][row] + edges[1][row] for row in shared), default=0.0), 0.0)


def _sign(sign: str, glyph: Glyph, size: float, manner: Manner, rng: Generator) -> Placed:
    jitter = float(np.exp(rng.normal(0, 0.04)))
    if sign in _WIDTH:
        return _scaled(glyph, size * rng.uniform(*_WIDTH[sign]) * jitter, manner, rng, by_width=True)
    return _scaled(glyph, size * rng.uniform(*_HEIGHT.get(sign, (1.0, 1.0))) * jitter, manner, rng)


def _dot(glyph: Glyph, x: float, y: float, size: float, rng: Generator) -> Placed:
    """A point: a touch of the pen, as large as that writer's points are shaped, never as large as a digit."""
    side = size * rng.uniform(0.03, 0.13)
    corners = _corners(glyph)
    extent = np.ptp(corners, axis=0)
    shape = np.eye(2) * side / max(float(extent.max()), 1e-6)
    wide, high = extent * shape[0, 0]
    return Placed(glyph, shape, (x, y - float(high)), (float(wide), float(high)))


def _scaled(glyph: Glyph, size: float, manner: Manner, rng: Generator, *, by_width: bool = False) -> Placed:
    """The glyph `size` mm tall (or wide), slanted and stretched as the writer does it, at the origin."""
    turn = rng.normal(0, 0.03)
    c, s = np.cos(turn), np.sin(turn)
    stretch = manner.stretch * np.exp(rng.normal(0, 0.04))
    slant = 0.0 if by_width else manner.slant + rng.normal(0, 0.03)
    shape = np.array([[c, -s], [s, c]]) @ np.array([[stretch, -slant], [0.0, 1.0]])
    extent = np.ptp(_corners(glyph) @ shape.T, axis=0)
    side = float(extent[0] if by_width else extent[1])
    # A flat 2 is not written as tall as a 1.
    shape = shape * size / max(side, (0.3 if by_width else 0.75) * float(extent.max()), 1e-6)
    wide, high = np.ptp(_corners(glyph) @ shape.T, axis=0)
    return Placed(glyph, np.asarray(shape, np.float64), (0.0, 0.0), (float(wide), float(high)))


def _corners(glyph: Glyph) -> Points:
    """Points whose extent is the glyph's, in its own coordinates."""
    if isinstance(glyph, Bitmap):
        ys, xs = np.nonzero(glyph.image > 90)
        if not len(ys):
            ys, xs = np.array([0, glyph.image.shape[0] - 1]), np.array([0, glyph.image.shape[1] - 1])
        return np.stack([xs, ys], axis=1).astype(np.float64)
    return np.concatenate(glyph.lines).astype(np.float64)


def _strokes(one: Placed, pen: Pen, rng: Generator) -> list[Stroke]:
    assert not isinstance(one.glyph, Bitmap)
    turned = [line.astype(np.float64) @ one.shape.T for line in one.glyph.lines]
    low = np.concatenate(turned).min(axis=0)
    strokes = []
    for line in turned:
        path = line - low + one.at_mm
        if np.ptp(path, axis=0).max() < 0.1:
            path = path.mean(axis=0) + np.array([[-0.06, 0.0], [0.06, 0.03]])  # a touch leaves a dot
        path = soften(resample(path, _STEP_MM), 0.8)  # coarse digitisers leave steps
        along = np.linspace(0.0, 1.0, len(path))
        slow = 1 + 0.15 * np.sin(2 * np.pi * (along * rng.uniform(0.5, 1.6) + rng.random()))
        pressure = np.clip(slow * rng.normal(1.0, 0.06) * np.minimum(1.0, 1.25 - 0.45 * along**6), 0.3, 1.5)
        strokes.append(Stroke(path, pen.width_mm, min(pen.darkness, 1.0), pressure, pen.colour, pen.ink))
    return strokes


def _press(page: Page, one: Placed, pen: Pen, px_per_mm: float, rng: Generator) -> None:
    """A scanned glyph as ink, its strokes as wide as the pen's."""
    assert isinstance(one.glyph, Bitmap)
    fine = px_per_mm * _FINE
    matrix = one.shape * fine
    low = (_corners(one.glyph) @ matrix.T).min(axis=0)
    pad = (2 + np.ceil(pen.width_mm * fine / _FINE)) * _FINE
    at_px = np.floor(np.array(one.at_mm) * px_per_mm) - pad / _FINE
    offset = np.array(one.at_mm) * fine - at_px * _FINE - low
    size = np.ceil((np.array(one.size_mm) * fine + 2 * pad + 2) / _FINE).astype(int) * _FINE
    affine = np.concatenate([matrix, offset[:, None]], axis=1)
    big = cv2.warpAffine(one.glyph.image, affine, (int(size[0]), int(size[1])), flags=cv2.INTER_CUBIC)
    grain_px = float(np.sqrt(abs(np.linalg.det(matrix))))  # a pixel of the scan, in ours
    cover = with_pen(np.asarray(big, np.uint8), pen.width_mm * fine, grain_px)
    cover = np.asarray(cv2.resize(cover, None, fx=1 / _FINE, fy=1 / _FINE, interpolation=cv2.INTER_AREA), np.float32)
    press = cv2.resize(rng.normal(1.0, 0.1, (3, 3)).astype(np.float32), (cover.shape[1], cover.shape[0]))
    cover = np.asarray(np.clip(cover * press, 0, 1), np.float32)
    if pen.ink == "pencil":
        cover = np.asarray(cv2.GaussianBlur(cover, (3, 3), 0.6), np.float32)
    at = (int(at_px[0]), int(at_px[1]))
    lay_cover(page, cover, at, darkness=min(pen.darkness, 1.0), colour=pen.colour, ink=pen.ink)


def _bounds(placed: Sequence[Placed]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of some glyphs together."""
    return (
        min(one.at_mm[0] for one in placed),
        min(one.at_mm[1] for one in placed),
        max(one.at_mm[0] + one.size_mm[0] for one in placed),
        max(one.at_mm[1] + one.size_mm[1] for one in placed),
    )


def _moved(placed: list[Placed], dx: float, dy: float) -> list[Placed]:
    return [replace(one, at_mm=(one.at_mm[0] + dx, one.at_mm[1] + dy)) for one in placed]
