"""What pupils do to a bubble, drawn: fills, ticks, crosses, cancellings, and the marks that are hardly any.

Crosses and letters are partly the pens of UNIPEN's writers; everything else is drawn from rules.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.random import Generator

from models.bubbles import Shown
from models.training import pens
from models.training.bubble_fills import (
    RADIUS_PX,
    Cover,
    Drawing,
    Place,
    bent,
    edge_of,
    fill,
    inside,
    paths,
    strokes_at,
    way_out,
)

CLASS_OF: Final[dict[str, Shown]] = {
    "nothing": "empty",
    "fill": "filled",
    "tick": "ticked",
    "cross": "crossed",
    "fill-crossed": "cancelled",
    "fill-struck": "cancelled",
    "fill-scribbled": "cancelled",
    "tick-cancelled": "cancelled",
    "scribbled": "cancelled",
    "half": "smudged",
    "faint": "smudged",
    "rubbed": "smudged",
    "dot": "smudged",
    "stroke": "smudged",
    "ring": "smudged",
    "letter": "smudged",
    "beside": "smudged",
}
"""The marks that can be drawn, with what the network should say of each."""

_HALF_FILL = (0.13, 0.46)
"""Cover of what is only half filled; between that and a fill nothing is drawn: nobody could say which it is."""


def draw_mark(mark: str, place: Place, by: Drawing) -> list[tuple[Cover, float]] | None:
    """Layers of (cover, darkness) of a mark on a canvas of `shape`; None when this try did not become what it should.

    A mark must show what it is: a cancelling stroke leaves the fill that it cancels, a tick has ink in its bubble.
    """
    pen, shape, rng = by.pen, by.shape, by.rng
    d = pen.darkness
    within = inside(shape, place, 0.9)
    if mark == "nothing":
        return []
    if mark == "fill":
        cover = fill(place, by)
        if cover is not None and rng.random() < 0.12:
            cover = np.maximum(cover, way_out(place, by))
        return [(cover, d)] if cover is not None else None
    if mark in ("tick", "cross"):
        cover = _mark_of_strokes(mark, place, by)
        ink = float(cover[within].sum()) / pen.width_px
        least = (0.7 if mark == "tick" else 0.9) * place.radius
        filled = float((cover[within] > 0.4).mean())
        return [(cover, d)] if ink >= least and filled < 0.62 else None
    if CLASS_OF[mark] == "cancelled":
        return _cancelled(mark, place, by)
    return _smudge(mark, place, by)


def _mark_of_strokes(mark: str, place: Place, by: Drawing) -> Cover:
    """A tick or cross laid over a bubble: from within it to well beyond. No pen is so thick that it makes a blot."""
    shape, rng, borrowed = by.shape, by.rng, by.borrowed
    r = place.radius
    width = min(by.pen.width_px, 0.42 * r) * rng.uniform(0.9, 1.1)
    if mark == "cross":
        taken = borrowed.crosses and rng.random() < 0.6
        glyph = borrowed.crosses[int(rng.integers(len(borrowed.crosses)))] if taken else pens.cross(rng)
        centre = (place.x + rng.normal(0, 0.17) * r, place.y + rng.normal(0, 0.17) * r)
        return strokes_at(
            bent(glyph.lines, rng),
            centre,
            rng.uniform(1.1, 3.1) * r,
            turn=rng.normal(0, 0.12),
            width=width,
            shape=shape,
        )
    glyph = pens.tick(rng)
    size = rng.uniform(1.1, 3.4) * r
    lines = [np.asarray(line, np.float64) * size for line in glyph.lines]
    every = np.concatenate(lines)
    low = every[np.argmax(every[:, 1])]
    # The corner lies in the bubble's lower half, or the whole tick about its middle.
    corner = np.array([place.x + rng.normal(-0.1, 0.25) * r, place.y + rng.normal(0.35, 0.25) * r])
    middle = np.array([place.x, place.y]) + rng.normal(0, 0.2, 2) * r + low - (every.min(0) + every.max(0)) / 2
    to = corner if rng.random() < 0.6 else middle
    return paths([line - low + to for line in lines], width, shape)


def _cancelled(mark: str, place: Place, by: Drawing) -> list[tuple[Cover, float]] | None:
    """A mark with another over it that leaves its bubble on two sides at least: what stays within nobody sees."""
    pen, shape, rng, borrowed = by.pen, by.shape, by.rng, by.borrowed
    under: Cover | None = np.zeros(shape, np.float32)
    if mark.startswith("fill"):
        under = fill(place, by)
    elif mark == "tick-cancelled":
        under = _mark_of_strokes(str(rng.choice(["tick", "cross"])), place, by)
    if under is None:
        return None
    r = place.radius
    centre = (place.x + rng.normal(0, 0.15) * r, place.y + rng.normal(0, 0.15) * r)
    wide = max(place.a, place.b)
    width = pen.width_px * rng.uniform(0.9, 1.3)
    if mark == "fill-crossed":
        taken = borrowed.crosses and rng.random() < 0.4
        glyph = borrowed.crosses[int(rng.integers(len(borrowed.crosses)))] if taken else pens.cross(rng)
        over = strokes_at(
            bent(glyph.lines, rng), centre, rng.uniform(2.5, 4.2) * wide, turn=0.0, width=width, shape=shape
        )
    elif mark == "fill-struck" or (mark == "tick-cancelled" and rng.random() < 0.4):
        over = _strikes(centre, rng.uniform(2.9, 4.6) * wide, width, shape, rng)
    else:
        glyph = pens.scribble(rng)
        size, turn = rng.uniform(2.3, 3.8) * wide, rng.uniform(-0.6, 0.6)
        over = strokes_at(glyph.lines, centre, size, turn=turn, width=width, shape=shape)
        if mark == "scribbled" and float((over[inside(shape, place)] > 0.4).mean()) < 0.4:
            return None
    ring = inside(shape, place, 2.1) & ~inside(shape, place, 1.28)
    ys, xs = np.nonzero(ring & (over > 0.5))
    if len(ys) < 0.5 * r * width * 0.5 or len(ys) == 0:
        return None
    sectors = {int(s) for s in (np.arctan2(ys - place.y, xs - place.x) + np.pi) / (np.pi / 3)}
    if len(sectors) < 2:
        return None
    return [(under, pen.darkness), (over, min(pen.darkness * rng.uniform(0.95, 1.25), 0.97))]


def _strikes(centre: tuple[float, float], length: float, width: float, shape: tuple[int, int], rng: Generator) -> Cover:
    """One to three lines through, level or aslant."""
    lines = []
    turn = rng.normal(0, 0.2) + float(rng.choice([0.0, -0.7, 0.7], p=[0.5, 0.35, 0.15]))
    for k in range(int(rng.integers(1, 4))):
        angle = turn + rng.normal(0, 0.08)
        half = length / 2 * rng.uniform(0.85, 1.1) * np.array([np.cos(angle), np.sin(angle)])
        at = np.array(centre) + rng.normal(0, 0.22 * RADIUS_PX, 2) * (k > 0)
        bow = np.array([-half[1], half[0]]) * rng.normal(0, 0.06)
        lines.append(np.stack([at - half, at + bow, at + half]))
    return paths(lines, width, shape)


def _smudge(mark: str, place: Place, by: Drawing) -> list[tuple[Cover, float]] | None:
    """What is hardly a mark, or no mark of a bubble: for a person to look at."""
    pen, shape, rng, borrowed = by.pen, by.shape, by.rng, by.borrowed
    r, d = place.radius, pen.darkness
    within = inside(shape, place, 0.9)
    at = np.array([place.x, place.y])
    cover: Cover | None = None
    if mark == "half":
        cover = fill(place, by)
        if cover is not None:
            angle, level = rng.uniform(0, 2 * np.pi), rng.uniform(-0.1, 0.6) * r
            ys, xs = np.mgrid[: shape[0], : shape[1]]
            cover = cover * ((xs - at[0]) * np.cos(angle) + (ys - at[1]) * np.sin(angle) > level).astype(np.float32)
            if not _HALF_FILL[0] <= float((cover[within] > 0.4).mean()) <= _HALF_FILL[1]:
                cover = None
    elif mark == "faint":
        cover, d = fill(place, by), float(rng.uniform(0.09, 0.21))
    elif mark == "rubbed":
        cover, d = _rubbed(place, by), float(rng.uniform(0.09, 0.26))
    elif mark == "dot":
        spots = [at + rng.uniform(-0.55, 0.55, 2) * r for _ in range(int(rng.integers(1, 3)))]
        lines = [np.stack([p, p + rng.normal(0, 0.12, 2) * r]) for p in spots]
        cover = paths(lines, rng.uniform(0.16, 0.6) * r, shape)
    elif mark == "stroke":
        angle, half = rng.uniform(0, np.pi), rng.uniform(0.45, 1.7) * r
        way = half * np.array([np.cos(angle), np.sin(angle)])
        middle = at + rng.normal(0, 0.25, 2) * r
        bow = np.array([-way[1], way[0]]) * rng.normal(0, 0.12)
        cover = paths([np.stack([middle - way, middle + bow, middle + way])], pen.width_px, shape)
    elif mark == "ring":
        turn = np.linspace(0, 2 * np.pi * rng.uniform(0.85, 1.25), 60) + rng.uniform(0, 6)
        reach = rng.uniform(1.05, 1.75) + rng.normal(0, 0.06) * np.sin(turn * 2)
        cover = paths([np.stack([at[0] + place.a * reach * np.cos(turn), at[1] + place.b * reach * np.sin(turn)], 1)],
                      pen.width_px, shape)  # fmt: skip
        return [(cover, d)]
    elif mark == "letter":
        if not borrowed.others or pen.width_px > 0.36 * r:
            return None
        glyph = borrowed.others[int(rng.integers(len(borrowed.others)))]
        middle = at + rng.normal(0, 0.2, 2) * r
        centre = (float(middle[0]), float(middle[1]))
        lines = bent(glyph.lines, rng)
        cover = strokes_at(lines, centre, rng.uniform(1.2, 2.6) * r, turn=0.0, width=pen.width_px, shape=shape)
    elif mark == "beside":
        return _beside(place, by)
    if cover is None or float(cover[within].sum()) < 0.03 * within.sum():
        return None
    # What was rubbed out is all that is meant to be pale, and still it must be there.
    if mark == "rubbed" and float(cover[within].mean()) * d < 0.03:
        return None
    return [(cover, d)]


def _rubbed(place: Place, by: Drawing) -> Cover | None:
    """A fill, tick or cross after the rubber: pale, smeared along its way, here and there more than elsewhere."""
    shape, rng = by.shape, by.rng
    kind = str(rng.choice(["fill", "tick", "cross"], p=[0.6, 0.25, 0.15]))
    cover = fill(place, by) if kind == "fill" else _mark_of_strokes(kind, place, by)
    if cover is None:
        return None
    patch = rng.random((5, 5)).astype(np.float32) * np.float32(rng.uniform(0.2, 0.9))
    cover = cover * (1 - cv2.resize(patch, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)).astype(np.float32)
    length = int(rng.integers(3, 22))
    smear = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = np.array([length / 2 - 0.5 - half, length / 2 - 0.5 + half])
    cv2.line(smear, (round(ends[0][0]), round(ends[0][1])), (round(ends[1][0]), round(ends[1][1])), 1.0)
    smeared = cv2.filter2D(cover, -1, smear / max(float(smear.sum()), 1.0))
    return np.asarray(np.clip(0.6 * cover + 0.6 * smeared, 0, 1), np.float32)


def _beside(place: Place, by: Drawing) -> list[tuple[Cover, float]] | None:
    """A tick, cross or blot next to its bubble: hardly any of it within, and much of it close by."""
    pen, shape, rng = by.pen, by.shape, by.rng
    angle = rng.uniform(0, 2 * np.pi)
    edge = float(edge_of(place, np.array([angle]))[0])
    away = edge + rng.uniform(0.3, 0.85) * place.radius
    moved = Place(place.x + away * np.cos(angle), place.y + away * np.sin(angle), place.a, place.b, place.shape)
    kind = str(rng.choice(["tick", "cross", "dot"], p=[0.55, 0.35, 0.1]))
    if kind == "dot":
        spot = np.array([moved.x, moved.y])
        cover = paths([np.stack([spot, spot + rng.normal(0, 3, 2)])], rng.uniform(0.25, 0.6) * place.radius, shape)
    else:
        cover = _mark_of_strokes(kind, moved, by)
    near = inside(shape, place, 1.85)
    if float(cover[inside(shape, place, 0.8)].sum()) > 0.02 * place.radius**2:
        return None
    return [(cover, pen.darkness)] if float(cover[near].sum()) > 0.9 * place.radius * pen.width_px else None
