"""A teacher's red pen: strokes that nobody collected, drawn by rule in a hand of its own for each page."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from homework.layout import Box
from models.simulation.pen import Pen, Writer
from models.simulation.strokes import Points, Stroke, resample, spline

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (45, 40, 205),
    "dark red": (30, 25, 140),
    "pink": (180, 130, 245),
    "orange red": (30, 90, 230),
    "crimson": (70, 30, 190),
}
"""BGR of the inks of red pens."""


@dataclass(frozen=True)
class RedPen:
    """One teacher with one pen; `haste` 0 to 1 rounds corners and lengthens ends."""

    colour: tuple[int, int, int]
    width_mm: float
    haste: float
    writer: Writer

    @staticmethod
    def random(rng: Generator, colour: str | None = None) -> RedPen:
        """Some teacher's; of that colour, or of any."""
        name = colour or str(rng.choice(list(COLOURS)))
        width = float(rng.uniform(0.45, 0.9))
        pen = Pen("gel", width, float(rng.uniform(0.85, 0.98)), COLOURS[name])
        writer = replace(Writer.random(int(rng.integers(1 << 30))), pen=pen)
        return RedPen(COLOURS[name], width, float(rng.random()), writer)

    def tick(self, corner_mm: tuple[float, float], size_mm: float, rng: Generator) -> list[Stroke]:
        """√ with its corner there: a short way down, a longer one up to the right."""
        return [self.line(self._tick_path(corner_mm, size_mm, rng))]

    def over(self, section_mm: Box, rng: Generator) -> list[Stroke]:
        """One large √ over a section; over a tall, narrow one it is wider than that."""
        x, y, w, h = section_mm
        wide = max(w, 0.6 * h)
        corner = (x + wide * rng.uniform(0.25, 0.4), y + h + 1.0)
        start = (x - 1.0, y + h * rng.uniform(0.5, 0.7))
        return [self.line(np.array([start, corner, corner, (x + wide + 2.0, y - 2.0)]))]

    def half(self, corner_mm: tuple[float, float], size_mm: float, rng: Generator) -> list[Stroke]:
        """A tick with a short stroke through its long arm."""
        path = self._tick_path(corner_mm, size_mm, rng)
        rest = path[path[:, 1].argmax() :]
        at = rest[int(len(rest) * rng.uniform(0.5, 0.8))]
        along = rest[-1] - rest[0]
        way = float(np.arctan2(along[1], along[0]) + rng.uniform(1.2, 1.9))
        reach = size_mm * rng.uniform(0.16, 0.26) * np.array([np.cos(way), np.sin(way)])
        return [self.line(path), self.line(np.stack([at - reach, at + reach]))]

    def cross(self, at_mm: tuple[float, float], size_mm: float, rng: Generator) -> list[Stroke]:
        """× about that point."""
        half, lean = size_mm / 2, rng.normal(0, 0.08, 8) * size_mm
        x, y = at_mm
        one = np.array([[x - half + lean[0], y - half + lean[1]], [x + half + lean[2], y + half + lean[3]]])
        other = np.array([[x + half + lean[4], y - half + lean[5]], [x - half + lean[6], y + half + lean[7]]])
        return [self.line(self._bowed(line, rng)) for line in (one, other)]

    def slash(self, at_mm: tuple[float, float], size_mm: float, rng: Generator) -> list[Stroke]:
        """/ through that point."""
        angle = np.deg2rad(rng.uniform(42, 66))
        reach = size_mm / 2 * np.array([np.cos(angle), -np.sin(angle)])
        return [self.line(self._bowed(np.stack([at_mm - reach, at_mm + reach]), rng, 0.015))]

    def ring(self, round_mm: Box, rng: Generator) -> list[Stroke]:
        """○ round a box, begun anywhere, its ends overlapping or nearly meeting."""
        x, y, w, h = round_mm
        begin, turn = rng.uniform(0, 2 * np.pi), 2 * np.pi * rng.uniform(0.97, 1.08)
        angles = begin - np.linspace(0, turn, 14)
        radius = 1 + np.linspace(0, 1, 14) * rng.normal(0, 0.05) + rng.normal(0, 0.015, 14)
        points = np.stack(
            [x + w / 2 + (w / 2) * radius * np.cos(angles), y + h / 2 + (h / 2) * radius * np.sin(angles)], axis=1
        )
        return [self.line(points)]

    def dot(self, at_mm: tuple[float, float], rng: Generator) -> list[Stroke]:
        """· there, pressed."""
        points = np.array(at_mm) + rng.normal(0, 0.25, (5, 2))
        thick = replace(self, width_mm=float(rng.uniform(1.1, 1.6)))
        return [thick.line(points)]

    def number(self, text: str, box_mm: Box, rng: Generator) -> list[Stroke]:
        """A score, written into a box."""
        return self.writer.write(text, box_mm, rng)

    def _tick_path(self, corner_mm: tuple[float, float], size_mm: float, rng: Generator) -> Points:
        down, up = np.deg2rad(rng.uniform(110, 150)), np.deg2rad(rng.uniform(38, 62))
        short = size_mm * rng.uniform(0.25, 0.42)
        corner = np.array(corner_mm)
        start = corner + short * np.array([np.cos(down), -np.sin(down)])
        end = corner + size_mm * np.array([np.cos(up), -np.sin(up)])
        middle = (corner + end) / 2 + rng.normal(0, 0.03, 2) * size_mm
        points = np.array([start, corner, corner, middle, end])
        if self.haste > 0.6:  # a quick hand goes round the corner
            points = np.array([start, [corner[0] + 0.03 * size_mm, corner[1]], middle, end])
        return points

    def _bowed(self, line: Points, rng: Generator, bow: float = 0.04) -> Points:
        along = line[1] - line[0]
        middle = line.mean(axis=0) + rng.normal(0, bow) * np.array([-along[1], along[0]])
        return np.stack([line[0], middle, line[1]])

    def line(self, control: Points) -> Stroke:
        """A stroke through those points (mm); a point given twice is a corner."""
        path = resample(spline(control), 0.12)
        pressure = np.clip(1.05 - 0.35 * self.haste * np.linspace(0, 1, len(path)) ** 3, 0.3, 1.5)
        return Stroke(path, self.width_mm, 0.94, pressure, self.colour, "gel")
