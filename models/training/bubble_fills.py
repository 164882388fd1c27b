"""A pupil's pen on a bubble, and how bubbles are filled: to and fro, in a spiral, in loops, as one blot.

Coordinates are pixels of a canvas; a *place* is one printed bubble on it. Cover is 0 none to 1 full, on a canvas of its
own. Everything is drawn from rules with wide variation; nobody's real bubbles are in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.hands import Strokes

Cover = NDArray[np.float32]
Mask = NDArray[np.bool_]
Path = NDArray[np.float64]
Shape = Literal["ellipse", "box", "round-box", "bracket"]

RADIUS_PX: Final = 26.0
"""A bubble's radius on the canvas (the geometric mean of its half sides): pens are some 3 to 16 px wide."""

ENOUGH_FILL: Final = 0.66
"""Cover from which a bubble is drawn as filled."""

LOOSE_FILL: Final = (0.42, 0.75)
"""Cover of a bubble that was filled in a hurry."""

_SHIFT = 4  # cv2 draws at sixteenths of a pixel


@dataclass(frozen=True)
class Place:
    """A printed bubble: its centre, half width and half height."""

    x: float
    y: float
    a: float
    b: float
    shape: Shape

    @property
    def radius(self) -> float:
        return float(np.sqrt(self.a * self.b))


@dataclass(frozen=True)
class BubblePen:
    """What the pupil marks with; `darkness` in 0..1 is that of one layer, `grain` the unevenness of it."""

    kind: Literal["pencil", "ballpoint", "gel", "felt"]
    width_px: float
    darkness: float
    grain: float


@dataclass(frozen=True)
class Borrowed:
    """Real pen strokes by people: crosses (X and x), and other letters and signs. Both may be empty."""

    crosses: Sequence[Strokes] = ()
    others: Sequence[Strokes] = ()


@dataclass(frozen=True)
class Drawing:
    """What all the marks of one pupil on one canvas share."""

    shape: tuple[int, int]
    pen: BubblePen
    rng: Generator
    borrowed: Borrowed


def a_pen(rng: Generator) -> BubblePen:
    """A pen from a pupil's box, as it looks through a camera's red channel."""
    kind = str(rng.choice(["pencil", "ballpoint", "gel", "felt"], p=[0.48, 0.2, 0.2, 0.12]))
    mm = RADIUS_PX / rng.uniform(1.4, 3.1)
    if kind == "pencil":
        return BubblePen("pencil", mm * rng.uniform(0.35, 1.0), rng.uniform(0.3, 0.82), rng.uniform(0.08, 0.32))
    if kind == "ballpoint":
        return BubblePen("ballpoint", mm * rng.uniform(0.22, 0.5), rng.uniform(0.45, 0.9), rng.uniform(0.03, 0.16))
    if kind == "gel":
        return BubblePen("gel", mm * rng.uniform(0.3, 0.65), rng.uniform(0.65, 0.97), rng.uniform(0.0, 0.06))
    return BubblePen("felt", mm * rng.uniform(0.7, 1.8), rng.uniform(0.5, 0.97), rng.uniform(0.0, 0.08))


def inside(shape: tuple[int, int], place: Place, scale: float = 1.0) -> Mask:
    """The inside of a bubble, scaled about its centre."""
    canvas = np.zeros(shape, np.uint8)
    centre = (_fix(place.x), _fix(place.y))
    a, b = place.a * scale, place.b * scale
    if place.shape == "ellipse":
        cv2.ellipse(canvas, centre, (_fix(a), _fix(b)), 0, 0, 360, 1, -1, cv2.LINE_8, _SHIFT)
    else:
        low, high = (_fix(place.x - a), _fix(place.y - b)), (_fix(place.x + a), _fix(place.y + b))
        cv2.rectangle(canvas, low, high, 1, -1, cv2.LINE_8, _SHIFT)
    return canvas > 0


def strokes_at(
    lines: Sequence[NDArray[np.floating]],
    centre: tuple[float, float],
    size: float,
    *,
    turn: float,
    width: float,
    shape: tuple[int, int],
) -> Cover:
    """Pen strokes whose longest side is 1, drawn `size` px long about `centre`, turned by `turn` radians."""
    every = np.concatenate(list(lines))
    middle = (every.min(0) + every.max(0)) / 2
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, -s], [s, c]]) * size
    return paths([(np.asarray(line, np.float64) - middle) @ matrix.T + centre for line in lines], width, shape)


def paths(lines: Sequence[Path], width: float, shape: tuple[int, int]) -> Cover:
    """Polylines in pixels, drawn with a round pen of that width."""
    canvas = np.zeros(shape, np.uint8)
    thick = max(round(width), 1)
    for line in lines:
        at = np.round(line * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)
        if len(at) == 1:
            cv2.circle(canvas, (int(at[0, 0, 0]), int(at[0, 0, 1])), thick * 8, 255, -1, cv2.LINE_AA, _SHIFT)
        else:
            cv2.polylines(canvas, [at], False, 255, thick, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / np.float32(255)


def fill(place: Place, by: Drawing) -> Cover | None:
    """A bubble filled to and fro, in a spiral, in loops, or as one blot; 66 to 100 %, now and then over the edge.

    One in five is a quick scribble all over it, with white between the lines.
    """
    pen, shape, rng = by.pen, by.shape, by.rng
    if rng.random() < 0.2:
        return _loose(place, by)
    within = inside(shape, place, 0.88)
    cover = np.zeros(shape, np.float32)
    how = rng.choice(["zigzag", "spiral", "loops", "blot"], p=[0.45, 0.15, 0.15, 0.25])
    for _ in range(4):
        if how == "zigzag":
            layer = paths([_zigzag(place, pen.width_px * rng.uniform(0.6, 1.25), rng)], pen.width_px, shape)
        elif how == "spiral":
            layer = paths([_spiral(place, pen.width_px, rng)], pen.width_px, shape)
        elif how == "loops":
            layer = paths(_loops(place, rng), pen.width_px, shape)
        else:
            layer = _blot(place, rng, shape)
        cover = np.maximum(cover, layer)
        # Not one place but the whole: white gaps between the rows count as not covered.
        if float((cover[within] > 0.4).mean()) >= ENOUGH_FILL:
            break
        how = rng.choice(["zigzag", "loops", "blot"])
    else:
        return None
    return cover if float(cover[~inside(shape, place, 1.5)].sum()) < 0.06 * within.sum() else None


def _loose(place: Place, by: Drawing) -> Cover | None:
    """Rows or loops that leave white between them and yet are all over the bubble: in every quarter of it."""
    pen, shape, rng = by.pen, by.shape, by.rng
    if rng.random() < 0.75:
        # Several rows: three are a Z, two a V, one a bar; the outermost are short.
        step = min(pen.width_px * rng.uniform(1.3, 2.6), 0.28 * min(place.a, place.b))
        if pen.width_px > 0.28 * place.radius:
            return None
        cover = paths([_zigzag(place, step, rng, reach=(0.75, 1.0))], pen.width_px, shape)
    else:
        cover = paths(_loops(place, rng), pen.width_px, shape)
    within = inside(shape, place, 0.85)
    inked = cover > 0.4
    if not LOOSE_FILL[0] <= float(inked[within].mean()) <= LOOSE_FILL[1]:
        return None
    ys, xs = np.nonzero(within)
    quarter = 2 * (ys > place.y) + (xs > place.x)
    least = min(float(inked[ys[quarter == k], xs[quarter == k]].mean()) for k in range(4))
    return cover if least >= 0.25 else None


def way_out(place: Place, by: Drawing) -> Cover:
    """A short stroke out of a fill, where the pen left it."""
    pen, rng = by.pen, by.rng
    angle = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    edge = float(edge_of(place, np.array([angle]))[0])
    at = np.array([place.x, place.y])
    end = at + (edge + rng.uniform(0.15, 0.6) * place.radius) * way + rng.normal(0, 0.08, 2) * place.radius
    return paths([np.stack([at + 0.5 * edge * way, end])], min(pen.width_px, 0.3 * place.radius), by.shape)


def _zigzag(place: Place, step: float, rng: Generator, *, reach: tuple[float, float] = (0.82, 1.1)) -> Path:
    angle = rng.uniform(-0.5, 0.5) + float(rng.choice([0.0, 0.8, np.pi / 2, -0.8], p=[0.4, 0.3, 0.1, 0.2]))
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    far = rng.uniform(*reach)
    high = float(edge_of(place, np.array([angle + np.pi / 2]))[0]) * far
    rows = max(int(2 * high / max(step, 1.2)), 3)
    wobble = rng.uniform(0.02, 0.12) * place.radius
    points = []
    for k, level in enumerate(np.linspace(-high, high, rows)):
        t = np.linspace(-2.5, 2.5, 81) * max(place.a, place.b)
        at = np.outer(t, along) + level * across
        if place.shape == "ellipse":
            keep = np.hypot(at[:, 0] / place.a, at[:, 1] / place.b) <= far
        else:
            keep = (np.abs(at[:, 0]) <= place.a * far) & (np.abs(at[:, 1]) <= place.b * far)
        if not keep.any():
            continue
        half = t[keep].min() if k % 2 else t[keep].max()
        points.append(half * along + level * across + rng.normal(0, wobble, 2))
    path = np.array(points) + np.array([place.x, place.y])
    return _dense(path) if rng.random() < 0.5 else path


def _spiral(place: Place, width: float, rng: Generator) -> Path:
    turns = max(place.radius / max(width * rng.uniform(0.6, 1.0), 1.0), 2.0)
    angle = np.linspace(0, 2 * np.pi * turns, int(28 * turns)) * rng.choice([-1, 1]) + rng.uniform(0, 6)
    reach = np.linspace(0.02, rng.uniform(0.85, 1.08), len(angle)) + rng.normal(0, 0.02, len(angle))
    radius = edge_of(place, angle) * reach
    return np.stack([place.x + radius * np.cos(angle), place.y + radius * np.sin(angle)], 1)


def _loops(place: Place, rng: Generator) -> list[Path]:
    n = int(rng.integers(9, 26))
    angle = np.linspace(0, 2 * np.pi * n, 20 * n)
    lean = rng.uniform(0, np.pi)
    size = rng.uniform(0.3, 0.6)
    drift = np.stack([np.cumsum(rng.normal(0, 0.07, 20 * n)), np.cumsum(rng.normal(0, 0.07, 20 * n))], 1)
    drift = 0.42 * np.tanh(drift - drift.mean(0))
    x, y = size * np.cos(angle), size * rng.uniform(0.5, 1.0) * np.sin(angle + 0.3)
    turned = np.stack([np.cos(lean) * x - np.sin(lean) * y, np.sin(lean) * x + np.cos(lean) * y], 1) + drift
    return [turned * (place.a, place.b) * 1.02 + (place.x, place.y)]


def _blot(place: Place, rng: Generator, shape: tuple[int, int]) -> Cover:
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    wave = np.zeros(72)
    for k in range(1, 6):
        wave += rng.normal(0, 0.06 / k**0.5) * np.cos(k * angle + rng.uniform(0, 6))
    radius = edge_of(place, angle) * np.clip(rng.uniform(0.84, 1.1) + wave, 0.6, 1.25)
    points = np.stack([place.x + radius * np.cos(angle), place.y + radius * np.sin(angle)], 1)
    points += rng.normal(0, 0.03, 2) * place.radius
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [np.round(points * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / np.float32(255)


def edge_of(place: Place, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the outline is from the centre, along each angle."""
    c, s = np.abs(np.cos(angle)) / place.a, np.abs(np.sin(angle)) / place.b
    if place.shape == "ellipse":
        return np.asarray(1 / np.hypot(c, s))
    return np.asarray(1 / np.maximum(c, s))


def _dense(path: Path) -> Path:
    """The corners of a to-and-fro rounded."""
    repeated = np.repeat(path, 4, axis=0)
    padded = np.pad(repeated, ((2, 2), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, k], np.full(5, 0.2), mode="valid") for k in (0, 1)], 1)


def _fix(value: float) -> int:
    return round(value * (1 << _SHIFT))


def bent(lines: Sequence[NDArray[np.float32]], rng: Generator) -> list[Path]:
    """A writer's own slant and width."""
    shear = np.array([[np.exp(rng.normal(0, 0.15)), rng.normal(0, 0.15)], [0.0, 1.0]])
    return [np.asarray(line, np.float64) @ shear.T for line in lines]
