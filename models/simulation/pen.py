"""A hand that writes: each `Writer` has a manner of their own, and no two of their signs are quite alike.

The manner (slant, size, haste, wobble, pen, which of the ways to draw a 4) is drawn once from the writer's seed.
Every sign then starts from a prototype of `glyphs.py`, is bent by the writer's habit and by chance, smoothed by
haste, and laid into the box that was printed for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from homework.layout import Box
from models.simulation import glyphs
from models.simulation.phrases import Placed, compose
from models.simulation.strokes import Ink, Points, Stroke, corners, resample, soften, spline

BubbleStyle = Literal["fill", "scribble", "tick", "cross", "dot", "faint"]
_STEP = 0.02
"""Digit heights between two points of a drawn path."""


@dataclass(frozen=True)
class Pen:
    """What is in the hand. `colour` is BGR."""

    ink: Ink
    width_mm: float
    darkness: float
    colour: tuple[int, int, int]

    @staticmethod
    def random(rng: np.random.Generator) -> Pen:
        """A pen as found in a pupil's box: mostly pencils, then gel pens, then ballpoints."""
        kind = rng.choice(["pencil", "gel", "ballpoint"], p=[0.5, 0.35, 0.15])
        if kind == "pencil":
            grey = int(rng.integers(48, 78))
            return Pen("pencil", rng.uniform(0.42, 0.68), rng.uniform(0.62, 0.92), (grey + 4, grey + 1, grey))
        blue = rng.random() < (0.3 if kind == "gel" else 0.6)
        dark = (rng.integers(110, 165), rng.integers(45, 75), rng.integers(25, 48)) if blue else (38, 34, 34)
        colour = (int(dark[0]), int(dark[1]), int(dark[2]))
        if kind == "gel":
            return Pen("gel", rng.uniform(0.36, 0.56), rng.uniform(0.88, 0.98), colour)
        return Pen("ballpoint", rng.uniform(0.30, 0.44), rng.uniform(0.74, 0.92), colour)


@dataclass(frozen=True)
class Writer:
    """One person's way of writing. Lengths are in digit heights unless the name says mm.

    `slant` is the shear to the right (tangent), `aspect` widens, `haste` 0..1 rounds corners and lengthens ends,
    `wobble` and `variety` are how unsteady and how uneven the hand is, `drift` tilts the line of writing.
    """

    seed: int
    pen: Pen
    size_mm: float
    slant: float
    aspect: float
    haste: float
    wobble: float
    variety: float
    spacing: float
    drift: float
    fills: float

    @staticmethod
    def random(seed: int) -> Writer:
        """The writer of that seed, always the same one."""
        rng = np.random.default_rng([seed, 0x9E1])
        return Writer(
            seed=seed,
            pen=Pen.random(rng),
            size_mm=float(np.clip(rng.normal(5.6, 0.8), 4.0, 7.6)),
            slant=float(rng.normal(0.08, 0.11)),
            aspect=float(np.clip(rng.normal(1.02, 0.11), 0.78, 1.35)),
            haste=float(rng.beta(2.0, 3.0)),
            wobble=float(np.clip(rng.gamma(2.0, 0.003), 0.0, 0.014)),
            variety=float(rng.uniform(0.012, 0.032)),
            spacing=float(np.clip(rng.normal(0.22, 0.05), 0.12, 0.34)),
            drift=float(rng.normal(0.0, 0.025)),
            fills=float(rng.uniform(0.66, 0.9)),
        )

    def write(self, text: str, box_mm: Box, rng: np.random.Generator, *, faint: bool = False) -> list[Stroke]:
        """The strokes of `text` written into `box_mm`.

        Understands the canonical texts of answers: numbers, `3/4` and `1 3/4` (stacked), `75%`, `7……3`, signs,
        letters. Raises `ValueError` for a sign that nobody drew.
        """
        phrase = compose(text, gap=self.spacing, pick=lambda sign: self._favourite(sign, rng))
        if not phrase.placed:
            return []
        x, y, w, h = box_mm
        room = min(h * self.fills / phrase.height, 0.93 * w / (phrase.width * self.aspect + 0.1))
        size = min(self.size_mm * rng.normal(1.0, 0.05), room)
        wide, high = phrase.width * self.aspect * size, phrase.height * size
        # A long frame is begun near its left; in a cell or a circle one aims at the middle.
        start = rng.normal(0.5, 0.1) if w < 15 else rng.normal(0.36, 0.14)
        start = float(np.clip(start, 0.04, 0.9))
        left = x + start * max(w - wide, 0.0)
        top = y + (h - high) * float(np.clip(rng.normal(0.52, 0.16), 0.1, 0.9))
        strokes: list[Stroke] = []
        for placed in phrase.placed:
            at = (left + placed.x * self.aspect * size, top + placed.y * size)
            lift = (placed.x * self.drift + rng.normal(0.0, self.variety)) * size
            strokes += self._sign(placed, (at[0], at[1] + lift), size * placed.height, rng, faint=faint)
        return strokes

    def write_words(self, text: str, box_mm: Box, rng: np.random.Generator) -> list[Stroke]:
        """A line of words: signs that we have drawn are written, any other becomes strokes like a character's."""
        x, y, w, h = box_mm
        size = min(self.size_mm * 1.05, 0.86 * h, 0.95 * w / max(1, len(text)))
        at_x, top = x + min(1.0, 0.05 * w), y + 0.55 * (h - size)
        strokes: list[Stroke] = []
        for sign in text:
            if sign == " ":
                at_x += 0.4 * size
                continue
            if glyphs.known(sign):
                variant = self._favourite(sign, rng)
            else:
                variant = _some_character(np.random.default_rng([ord(sign), 5]))
            height = size * (0.85 if sign.isascii() else 1.0)
            placed = Placed(sign, variant, 0.0, 0.0, 1.0)
            lift = rng.normal(0.0, self.variety) * size
            strokes += self._sign(placed, (at_x, top + size - height + lift), height, rng)
            at_x += (variant.width * max(self.aspect, 1.0) + self.spacing) * height
        return strokes

    def mark_bubble(self, box_mm: Box, rng: np.random.Generator, *, style: BubbleStyle = "fill") -> list[Stroke]:
        """A mark on one bubble: filled to and fro (as asked), scribbled, ticked, crossed, dotted or hardly there."""
        x, y, w, h = box_mm
        if style in ("tick", "cross"):
            grown = (x - 0.15 * w, y - 0.2 * h, 1.3 * w, 1.4 * h)
            return self.write("√" if style == "tick" else "×", grown, rng)
        rows = {"fill": 7, "scribble": 4, "dot": 2, "faint": 6}[style]
        reach = {"fill": 0.92, "scribble": 0.8, "dot": 0.3, "faint": 0.86}[style]
        points: list[tuple[float, float]] = []
        for k in range(rows + 1):
            v = reach * (2 * k / rows - 1)
            half = reach * np.sqrt(max(0.05, 1 - (v * 0.96) ** 2))
            side = half if k % 2 else -half
            points.append((side + rng.normal(0, 0.05), v + rng.normal(0, 0.05)))
        path = np.array(points) * (w / 2, h / 2) + (x + w / 2, y + h / 2)
        pen = replace(self.pen, width_mm=max(self.pen.width_mm, 0.5) * (1.25 if style == "fill" else 1.0))
        if style == "faint":
            pen = replace(pen, darkness=0.28)
        drawn = resample(spline(path), 0.12)
        return [self._stroke(drawn, h / 2, pen, rng)]

    def cross_out(self, written: list[Stroke], rng: np.random.Generator) -> list[Stroke]:
        """Strokes that cancel what was written: one or two lines through it, an X, or a scribble over it."""
        points = np.concatenate([s.points_mm for s in written])
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        wide, high = max(x1 - x0, 2.0), max(y1 - y0, 2.0)
        middle = (y0 + y1) / 2
        # Nobody strikes a stacked fraction through along its bar, nor a 1 so that it becomes a plus.
        lines_do = high < 1.2 * self.size_mm and wide > 0.6 * high
        chances = [0.3, 0.25, 0.15, 0.3] if lines_do else [0.0, 0.0, 0.45, 0.55]
        style = rng.choice(["line", "double", "x", "scribble"], p=chances)

        def j() -> float:
            return float(rng.normal(0, 0.06) * high)

        paths: list[list[tuple[float, float]]] = []
        if style in ("line", "double"):
            levels = [middle] if style == "line" else [middle - 0.13 * high, middle + 0.13 * high]
            ends = (x0 - 0.8, (x0 + x1) / 2, x1 + 0.8)
            paths += [[(x, level + j()) for x in ends] for level in levels]
        elif style == "x":
            paths.append([(x0 - 0.4, y0 + j()), (x1 + 0.4, y1 + j())])
            paths.append([(x1 + 0.4, y0 + j()), (x0 - 0.4, y1 + j())])
        else:
            turns = int(4 + wide / 1.2)
            zigzag: list[tuple[float, float]] = []
            for k in range(turns + 1):
                u = x0 - 0.3 + (wide + 0.6) * k / turns
                zigzag.append((u + j(), (y0 + 0.12 * high if k % 2 else y1 - 0.12 * high) + j()))
            paths.append(zigzag)
        return [self._stroke(resample(spline(np.array(p)), 0.12), high, self.pen, rng) for p in paths]

    def _favourite(self, sign: str, rng: np.random.Generator) -> glyphs.Variant:
        """The way this writer draws `sign`; now and then another."""
        known = glyphs.variants(sign)
        weights = np.array([v.weight for v in known])
        habit = np.random.default_rng([self.seed, ord(sign), 11])
        mine = habit.choice(len(known), p=weights / weights.sum())
        if rng.random() < 0.08:
            mine = rng.choice(len(known), p=weights / weights.sum())
        return known[int(mine)]

    def _sign(
        self,
        placed: Placed,
        at_mm: tuple[float, float],
        height_mm: float,
        rng: np.random.Generator,
        *,
        faint: bool = False,
    ) -> list[Stroke]:
        habit = np.random.default_rng([self.seed, ord(placed.sign), 13])
        bend = _bend(habit, 0.9 * self.variety + 0.012)
        chance = _bend(rng, self.variety)
        tilt = rng.normal(0.0, 1.2 * self.variety)
        grow = rng.normal(1.0, 1.6 * self.variety, 2)
        pen = (
            replace(self.pen, darkness=0.3 * rng.uniform(0.85, 1.15), width_mm=self.pen.width_mm * 0.9)
            if faint
            else self.pen
        )
        strokes: list[Stroke] = []
        for control in placed.variant.strokes:
            wobbly = control + _near_shifts(control, rng, 0.6 * self.variety)
            path = resample(spline(wobbly), _STEP)
            path = path + bend(path) + chance(path)
            path = soften(path, (0.6 + 3.2 * self.haste))
            path = _run_on(path, 0.10 * self.haste * rng.random())
            path = path + _tremor(len(path), self.wobble, rng)
            x = (path[:, 0] * grow[0] * placed.stretch + tilt * (path[:, 1] - 0.5)) * self.aspect
            y = path[:, 1] * grow[1]
            x = x + self.slant * (0.6 - y)
            points = np.stack([at_mm[0] + x * height_mm, at_mm[1] + y * height_mm], axis=1)
            strokes.append(self._stroke(points, height_mm, pen, rng))
        return strokes

    def _stroke(self, points_mm: Points, height_mm: float, pen: Pen, rng: np.random.Generator) -> Stroke:
        n = len(points_mm)
        along = np.linspace(0.0, 1.0, n)
        touch = np.clip(0.72 + along * n * _STEP * 3.5, 0, 1)
        leave = np.clip(1.0 - self.haste * 0.75 * np.clip(1 - (1 - along) * n * _STEP * 2.8, 0, 1), 0.3, 1)
        slow = 1 + 0.12 * np.sin(2 * np.pi * (along * rng.uniform(0.5, 1.6) + rng.random()))
        # A pencil's point and a child's grip press harder downstrokes.
        down = np.gradient(points_mm[:, 1]) / (np.hypot(*np.gradient(points_mm, axis=0).T) + 1e-9)
        pressure = touch * leave * slow * (1 + 0.10 * down) * rng.normal(1.0, 0.05)
        return Stroke(
            points_mm,
            pen.width_mm,
            float(np.clip(pen.darkness, 0, 1)),
            np.clip(pressure, 0.25, 1.5),
            pen.colour,
            pen.ink,
        )


def _near_shifts(control: Points, rng: np.random.Generator, sigma: float) -> Points:
    """Small shifts of the control points; a corner's two copies move together."""
    shift = rng.normal(0.0, sigma, control.shape)
    again = corners(control)
    shift[again] = shift[again - 1]
    return shift


class _bend:  # noqa: N801  # a function with memory: called like one
    """A smooth displacement of the plane: the first terms of a Fourier series with random weights."""

    def __init__(self, rng: np.random.Generator, sigma: float) -> None:
        self._wave = rng.normal(0.0, 2.2, (4, 2))
        self._phase = rng.uniform(0, 2 * np.pi, 4)
        self._push = rng.normal(0.0, sigma, (4, 2))

    def __call__(self, points: Points) -> Points:
        return np.asarray(np.sin(points @ self._wave.T + self._phase) @ self._push)


def _run_on(path: Points, length: float) -> Points:
    """Let a quick stroke end a little later than it should, the way it was going."""
    if length < _STEP or len(path) < 6:
        return path
    way = path[-1] - path[-5]
    way = way / (np.hypot(*way) + 1e-9)
    steps = np.arange(1, int(length / _STEP) + 1)[:, None] * _STEP
    return np.concatenate([path, path[-1] + steps * way])


def _tremor(n: int, size: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """The unsteadiness of a young hand: slow waves along the path."""
    t = np.arange(n)[:, None] * _STEP
    waves = np.zeros((n, 2))
    for frequency in (0.8, 1.7, 3.1):
        waves += rng.normal(0, size, 2) / frequency * np.sin(2 * np.pi * (frequency * t + rng.random(2)))
    return waves


def _some_character(rng: np.random.Generator) -> glyphs.Variant:
    """Strokes that look like a Chinese character and say nothing: bars, verticals, falling strokes and dots."""
    strokes: list[Points] = []
    parts = [(0.0, 1.0)] if rng.random() < 0.4 else [(0.0, 0.42), (0.46, 0.96)]
    for left, right in parts:
        wide = right - left
        for level in sorted(rng.uniform(0.08, 0.92, int(rng.integers(2, 4)))):
            a, b = left + wide * rng.uniform(0, 0.2), right - wide * rng.uniform(0, 0.2)
            strokes.append(np.array([[a, level + 0.02], [(a + b) / 2, level], [b, level - 0.03]]))
        x = left + wide * rng.uniform(0.35, 0.65)
        strokes.append(np.array([[x, rng.uniform(0, 0.2)], [x, 0.5], [x, rng.uniform(0.8, 1.0)]]))
        if rng.random() < 0.7:
            strokes.append(np.array([[x, 0.5], [x - 0.2 * wide, 0.75], [left, 0.97]]))
            strokes.append(np.array([[x, 0.52], [x + 0.25 * wide, 0.78], [right, 0.96]]))
    return glyphs.Variant(tuple(strokes), 1.0)
