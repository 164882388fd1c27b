"""Drawing glyphs as a pen would: size, slant, thickness, wobble; and marks that no collection holds.

A drawn glyph is a float32 picture of ink, 0 none to 1 full, cut tight. Ticks, crosses, scribbles and rows of
dots are drawn from rules with wide variation, because no collection of real ones is free to learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.hands import Bitmap, Glyph, Strokes, cut_tight
from models.training.scans import with_pen

Ink = NDArray[np.float32]
_SHIFT = 4  # cv2 draws at sixteenths of a pixel


@dataclass(frozen=True)
class Manner:
    """How one writer writes one answer: constant through it, except for the jitter."""

    slant: float
    stretch: float
    pen_px: float
    jitter: float


def a_manner(rng: Generator, height_px: float) -> Manner:
    """A writer's manner for glyphs of about this height: pens from a hard pencil to a felt tip."""
    pen = float(np.clip(rng.lognormal(np.log(0.082), 0.38), 0.035, 0.19)) * height_px
    return Manner(
        slant=float(np.clip(rng.normal(0.0, 0.16), -0.5, 0.5)),
        stretch=float(np.clip(rng.lognormal(0.0, 0.14), 0.72, 1.45)),
        pen_px=max(pen, 1.6),
        jitter=float(rng.uniform(0.2, 1.0)),
    )


def draw(glyph: Glyph, height_px: float, manner: Manner, rng: Generator, *, by_width: bool = False) -> Ink:
    """A glyph drawn `height_px` tall (or wide, with `by_width`), give or take the writer's jitter."""
    size = height_px * float(np.exp(rng.normal(0, 0.05) * manner.jitter))
    shape = _shape(manner, rng)
    if isinstance(glyph, Bitmap):
        return _draw_bitmap(glyph.image, size, shape, manner, rng, by_width=by_width)
    return draw_lines(_bend(glyph.lines, manner, rng), size, shape, manner, by_width=by_width)


def draw_lines(
    lines: tuple[NDArray[np.float32], ...],
    size: float,
    shape: NDArray[np.float32],
    manner: Manner,
    *,
    by_width: bool = False,
) -> Ink:
    """Pen strokes after the 2 × 2 `shape`, scaled to `size` px in height (or width), as ink."""
    turned = [line @ shape.T for line in lines]
    every = np.concatenate(turned)
    low, high = every.min(0), every.max(0)
    extent = high - low
    side = extent[0] if by_width else extent[1]
    # A flat mark has no height to scale by; its width is then the measure.
    scale = (size - manner.pen_px) / max(float(side), 0.3 * float(extent.max()), 1e-3)
    scale = max(scale, 0.5)
    pad = manner.pen_px / 2 + 1
    width, height = (np.ceil(extent * scale + 2 * pad + 1)).astype(int)
    canvas = np.zeros((int(height), int(width)), np.uint8)
    thick = max(round(manner.pen_px), 1)
    for line in turned:
        path = np.round(((line - low) * scale + pad) * (1 << _SHIFT)).astype(np.int32)
        if len(path) == 1:
            centre = (int(path[0, 0]), int(path[0, 1]))
            cv2.circle(canvas, centre, int(thick * 0.6 * (1 << _SHIFT)), 255, -1, cv2.LINE_AA, _SHIFT)
        else:
            cv2.polylines(canvas, [path.reshape(-1, 1, 2)], False, 255, thick, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / 255.0


def tick(rng: Generator) -> Strokes:
    """A tick (√): a short way down, a long way up; hooked, curved, steep or flat, sometimes almost a line."""
    bottom = np.array([0.0, 0.0])
    short = rng.uniform(0.12, 0.5)
    down = np.deg2rad(rng.uniform(95, 165))  # where the short arm starts, seen from the bottom
    up = np.deg2rad(rng.uniform(22, 72))
    start = bottom + short * np.array([np.cos(down), -np.sin(down)])
    end = bottom + np.array([np.cos(up), -np.sin(up)])
    first = _curve(start, bottom, rng.normal(0, 0.10), 8)
    second = _curve(bottom, end, rng.normal(0.0, 0.10), 16)
    path = np.concatenate([first, second])
    if rng.random() < 0.45:  # a quick hand rounds the corner
        path = _smooth(path, int(rng.integers(1, 4)))
    lines = [path]
    if rng.random() < 0.12:  # lifted at the corner
        lines = [first, second + rng.normal(0, 0.02, 2)]
    if rng.random() < 0.15:  # a hook where the pen lands
        hook = start + rng.uniform(0.03, 0.12) * np.array([np.cos(t := rng.uniform(2.2, 4.4)), -np.sin(t)])
        lines[0] = np.concatenate([hook[None], lines[0]])
    return _strokes(lines)


def half_tick(rng: Generator) -> Strokes:
    """A tick with a stroke through its long arm: half right, a teacher's mark, and no answer."""
    lines = list(tick(rng).lines)
    long_arm = lines[-1]
    middle = long_arm[int(len(long_arm) * rng.uniform(0.55, 0.9))]
    angle = rng.uniform(0.4, 1.3)
    reach = rng.uniform(0.1, 0.28) * np.array([np.cos(angle), np.sin(angle)])
    lines.append(np.stack([middle - reach, middle + reach]).astype(np.float32))
    return Strokes(tuple(lines))


def cross(rng: Generator) -> Strokes:
    """A cross (×): two strokes that cross near their middles, now and then in one go."""
    lines = []
    for base in (45.0, 135.0):
        angle = np.deg2rad(base + rng.normal(0, 9))
        length = rng.uniform(0.7, 1.1)
        centre = rng.normal(0, 0.07, 2)
        reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
        lines.append(_curve(centre - reach, centre + reach, rng.normal(0, 0.06), 10))
    if rng.random() < 0.12:
        return _strokes([_smooth(np.concatenate([lines[0], lines[1][::-1]]), 1)])
    return _strokes(lines)


def scribble(rng: Generator) -> Strokes:
    """A to-and-fro or a tangle, as over a mistake."""
    n = int(rng.integers(4, 24))
    if rng.random() < 0.5:
        x = np.linspace(0, 1, n) + rng.normal(0, 0.05, n)
        y = np.where(np.arange(n) % 2 == 0, 0.0, 1.0) * rng.uniform(0.4, 1.2) + rng.normal(0, 0.08, n)
    else:
        x, y = rng.random(n), rng.random(n)
    path = np.repeat(np.stack([x, y], 1), 6, axis=0)
    return _strokes([_smooth(path, int(rng.integers(1, 6)))])


def character(rng: Generator) -> Strokes:
    """Bars, falls and hooks in a square, as in a script that no field asks for."""
    lines = []
    for _ in range(int(rng.integers(3, 10))):
        a = rng.uniform(0.0, 1.0, 2)
        angle = np.deg2rad(rng.choice([0.0, 90.0, 60.0, 125.0, 45.0]) + rng.normal(0, 7))
        b = a + rng.uniform(0.15, 0.9) * np.array([np.cos(angle), np.sin(angle)])
        line = _curve(a, b, rng.normal(0, 0.06), 8)
        if rng.random() < 0.3:
            turn = b + rng.uniform(0.08, 0.5) * np.array([np.cos(t := rng.uniform(0, 2 * np.pi)), np.sin(t)])
            line = np.concatenate([line, _curve(b, turn, rng.normal(0, 0.1), 6)])
        lines.append(np.clip(line, -0.1, 1.1))
    return _strokes(lines)


def loop(rng: Generator) -> Strokes:
    """A ring that is round or not, closed or not: what a teacher draws round a mistake."""
    t = np.linspace(0, rng.uniform(1.75, 2.25) * np.pi, 40) + rng.uniform(0, 2 * np.pi)
    wave = 1 + rng.normal(0, 0.06) * np.cos(2 * t + rng.uniform(0, 6))
    return _strokes([np.stack([np.cos(t) * wave, np.sin(t) * wave * rng.uniform(0.5, 1.1)], 1)])


def stain(rng: Generator, height_px: float) -> Ink:
    """A blot, hard or soft at its edge, about `height_px` tall: nothing that a pen wrote."""
    size = max(round(height_px), 6)
    coarse = rng.normal(0, 0.35, (4, 4)).astype(np.float32)
    bumps = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    depth = 0.7 - np.hypot(x * rng.uniform(0.6, 1.6), y) + bumps * 0.5
    ink = np.clip(depth * rng.uniform(1.5, 20.0), 0, 1).astype(np.float32)
    rows, columns = np.flatnonzero(ink.max(1) > 0.2), np.flatnonzero(ink.max(0) > 0.2)
    if len(rows) < 3 or len(columns) < 3:
        return np.ones((size, size), np.float32)
    return np.asarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.float32)


def bar(rng: Generator) -> Strokes:
    """A line from left to right."""
    return _strokes([_curve(np.array([0.0, 0.0]), np.array([1.0, rng.normal(0, 0.06)]), rng.normal(0, 0.03), 10)])


def strike(rng: Generator) -> Strokes:
    """One or two lines through what was written before."""
    lines = []
    for _ in range(int(rng.integers(1, 3))):
        a = np.array([0.0, rng.uniform(0.1, 0.9)])
        b = np.array([1.0, rng.uniform(0.1, 0.9)])
        lines.append(_curve(a, b, rng.normal(0, 0.05), 10))
    return _strokes(lines)


def dots(rng: Generator, count: int) -> Strokes:
    """A row of dots (……), each a touch or a short dash of the pen."""
    lines = []
    gap = 1.0 / count
    for i in range(count):
        at = np.array([i * gap + rng.normal(0, 0.12 * gap), rng.normal(0, 0.03)])
        if rng.random() < 0.5:
            lines.append(at[None])
        else:
            lines.append(np.stack([at, at + rng.normal(0, 0.12 * gap, 2)]))
    return _strokes(lines)


def _shape(manner: Manner, rng: Generator) -> NDArray[np.float32]:
    """Slant, stretch and a small turn as one 2 × 2 matrix."""
    slant = manner.slant + rng.normal(0, 0.06) * manner.jitter
    turn = rng.normal(0, 0.06) * manner.jitter
    stretch = manner.stretch * np.exp(rng.normal(0, 0.06) * manner.jitter)
    shear = np.array([[stretch, -slant], [0.0, 1.0]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(rotation @ shear, np.float32)


def _bend(lines: tuple[NDArray[np.float32], ...], manner: Manner, rng: Generator) -> tuple[NDArray[np.float32], ...]:
    """A slow wave through the plane, and smoothing of coarse digitisers' steps."""
    amplitude = 0.05 * manner.jitter
    waves = rng.normal(0, amplitude, (2, 2))
    phase = rng.uniform(0, 2 * np.pi, (2, 2))
    smooth = rng.random() < 0.6
    bent = []
    for line in lines:
        path = _smooth(line, 1) if smooth and len(line) > 5 else line
        move = waves * np.sin(2.2 * np.pi * path[:, None, ::-1] * rng.uniform(0.7, 1.0) + phase)
        bent.append((path + move.sum(1)).astype(np.float32))
    return tuple(bent)


def _draw_bitmap(
    image: NDArray[np.uint8],
    size: float,
    shape: NDArray[np.float32],
    manner: Manner,
    rng: Generator,
    *,
    by_width: bool,
) -> Ink:
    image = _warped(image, manner, rng)
    height, width = image.shape
    scale = size / max(width if by_width else height, 0.45 * max(width, height))
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
    matrix = shape * scale
    turned = corners @ matrix.T
    low = turned.min(0)
    out_w, out_h = np.ceil(turned.max(0) - low + 3).astype(int)
    affine = np.concatenate([matrix, (1.5 - low)[:, None]], 1)
    big = cv2.warpAffine(image, affine, (int(out_w), int(out_h)), flags=cv2.INTER_CUBIC)
    if rng.random() < 0.25:  # the scan's own pen, pressing as it did
        ink = np.asarray(np.clip((big / 255 - rng.uniform(0.3, 0.6)) * 5.0 + 0.5, 0, 1), np.float32)
    else:
        ink = with_pen(np.asarray(big, np.uint8), manner.pen_px, float(np.sqrt(abs(np.linalg.det(matrix)))))
    rows, columns = np.flatnonzero(ink.max(1) > 0.3), np.flatnonzero(ink.max(0) > 0.3)
    if len(rows) == 0 or len(columns) == 0:
        return np.asarray(big.astype(np.float32) / 255, np.float32)
    return np.asarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.float32)


def _warped(image: NDArray[np.uint8], manner: Manner, rng: Generator) -> NDArray[np.uint8]:
    """The scan with its strokes moved smoothly, by up to a twentieth of its size (Simard et al. 2003)."""
    if rng.random() < 0.3:
        return image
    height, width = image.shape
    reach = 0.05 * manner.jitter * max(height, width)
    coarse = rng.normal(0, reach, (2, 4, 4)).astype(np.float32)
    moves = [cv2.resize(c, (width + 4, height + 4), interpolation=cv2.INTER_CUBIC) for c in coarse]
    x, y = np.meshgrid(np.arange(-2, width + 2, dtype=np.float32), np.arange(-2, height + 2, dtype=np.float32))
    moved = cv2.remap(image, x + moves[0], y + moves[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return cut_tight(np.asarray(moved, np.uint8))


def _curve(a: NDArray[np.float64], b: NDArray[np.float64], bow: float, n: int) -> NDArray[np.float64]:
    """Points from a to b, bowed sideways by `bow` of the distance."""
    t = np.linspace(0, 1, n)[:, None]
    side = np.array([-(b - a)[1], (b - a)[0]])
    path: NDArray[np.float64] = a + (b - a) * t + side * bow * 4 * t * (1 - t)
    return path


def _smooth(path: NDArray[np.floating], reach: int) -> NDArray[np.float64]:
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in range(2)], 1)


def _strokes(lines: Sequence[NDArray[np.floating]]) -> Strokes:
    every = np.concatenate(lines)
    low = every.min(0)
    side = max(float((every.max(0) - low).max()), 1e-3)
    return Strokes(tuple(((line - low) / side).astype(np.float32) for line in lines))
