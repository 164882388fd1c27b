"""Where the signs of an answer go: one line, with fractions stacked, as it is taught."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.simulation import glyphs

_PART = re.compile(r"\s*(?:(\d+)/(\d+)|(……|…)|(\S))")
_STACKED = 0.8
"""Digits of a stacked fraction, in heights of a digit that stands alone."""
_GAP_TO_BAR = 0.23


@dataclass(frozen=True)
class Placed:
    """A sign with its top left corner and its height, in digit heights. `stretch` lengthens it (a fraction's bar)."""

    sign: str
    variant: glyphs.Variant
    x: float
    y: float
    height: float
    stretch: float = 1.0


@dataclass(frozen=True)
class Phrase:
    """An answer laid out: the signs and the room that they take, in digit heights."""

    placed: tuple[Placed, ...]
    width: float
    height: float


def can_write(text: str) -> bool:
    """Whether every sign of `text` has been drawn."""
    return all(glyphs.known(sign) for sign in text if sign not in " …")


def compose(text: str, *, gap: float, pick: Callable[[str], glyphs.Variant]) -> Phrase:
    """Lay `text` out with `gap` digit heights between signs; `pick` chooses how each sign is drawn.

    Raises `ValueError` when it holds a sign that nobody drew.
    """
    parts = list(_PART.finditer(text))
    tall = any(m[1] for m in parts)
    height = 2 * _STACKED + 2 * _GAP_TO_BAR if tall else 1.0
    top = (height - 1.0) / 2
    placed: list[Placed] = []
    x = 0.0
    for match in parts:
        if match[1]:
            upper, lower = (_run(t, gap, pick) for t in (match[1], match[2]))
            wide = max(upper[1], lower[1])
            for signs, w, y in ((upper[0], upper[1], 0.0), (lower[0], lower[1], _STACKED + 2 * _GAP_TO_BAR)):
                shift = (wide - w) / 2 * _STACKED
                placed += [Placed(s, v, x + 0.1 + shift + at * _STACKED, y, _STACKED) for s, v, at in signs]
            bar = glyphs.Variant((np.array([[0.0, 0.5], [0.5, 0.49], [1.0, 0.5]]),), 1.0)
            length = wide * _STACKED + 0.2
            placed.append(Placed("-", bar, x, height / 2 - 0.5, 1.0, length))
            x += length + gap
        elif match[3]:
            for k in range(3 * len(match[3])):
                placed.append(Placed(".", glyphs.middle_dot(), x + 0.24 * k, top, 1.0))
            x += 0.24 * 3 * len(match[3]) + gap
        else:
            sign = match[4]
            if not glyphs.known(sign):
                raise ValueError(f"nobody drew {sign!r}")
            variant = pick(sign)
            placed.append(Placed(sign, variant, x, top, 1.0))
            x += _room(variant) + gap * (1.5 if tall else 1.0)
    return Phrase(tuple(placed), max(x - gap, 0.1), height)


def _run(
    digits: str, gap: float, pick: Callable[[str], glyphs.Variant]
) -> tuple[list[tuple[str, glyphs.Variant, float]], float]:
    x = 0.0
    out: list[tuple[str, glyphs.Variant, float]] = []
    for sign in digits:
        variant = pick(sign)
        out.append((sign, variant, x))
        x += _room(variant) + gap
    return out, x - gap


def _room(variant: glyphs.Variant) -> float:
    """The room that a sign takes along the line; a 1 or a point takes a little more than its stroke."""
    return max(variant.width, 0.14)
