"""What confidences are worth, as small SVGs: silent errors against review, and said against true probability."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from models.evaluation.curves import Bin, Trade

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 44
LOWEST, HIGHEST = 1e-4, 0.3
"""Silent errors are drawn from 0.01 % (and fewer) to 30 %, by their logarithm."""

MOST_POINTS = 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind people tell apart."""


def curves_svg(title: str, curves: Mapping[str, Sequence[Trade]], thresholds: Mapping[str, float]) -> str:
    """An SVG of a line a name, with a dot at its threshold (0: none). x is the review rate, y the silent errors."""
    marks = _sheet(title)
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        marks.append(_line(_x(share), TOP, _x(share), HEIGHT - BOTTOM))
        marks.append(f'<text x="{_x(share)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{share:.0%}</text>')
    for rate in (1e-4, 1e-3, 1e-2, 1e-1):
        marks.append(_line(LEFT, _y(rate), WIDTH - RIGHT, _y(rate)))
        marks.append(f'<text x="{LEFT - 6}" y="{_y(rate) + 4}" text-anchor="end">{rate * 100:g}%</text>')
    marks += _axes("sent to review", "silent errors")
    for n, (name, trades) in enumerate(curves.items()):
        colour = COLOURS[n % len(COLOURS)]
        points = " ".join(f"{_x(one.review)},{_y(one.silent)}" for one in _thinned(trades))
        marks.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        marks.append(_legend(n, name, WIDTH - RIGHT - 6, "end"))
        threshold = thresholds.get(name, 0.0)
        here = next((one for one in trades if one.threshold >= threshold), None) if threshold else None
        if here is not None:
            marks.append(f'<circle cx="{_x(here.review)}" cy="{_y(here.silent)}" r="4" fill="{colour}"/>')
    return "\n".join([*marks, "</svg>", ""])


def reliability_svg(title: str, honest: Mapping[str, Sequence[Bin]]) -> str:
    """An SVG of a line a name: of answers said to be wrong so often (x), the share that is wrong, with 95 % bounds.

    Both axes are the doubt, one minus the confidence, by its logarithm: what matters lies between 0.9 and 1. Points
    above the dashed diagonal are surer than they may be.
    """
    marks = _sheet(title)
    for rate in (1e-4, 1e-3, 1e-2, 1e-1):
        marks.append(_line(_doubt_x(rate), TOP, _doubt_x(rate), HEIGHT - BOTTOM))
        here = f'x="{_doubt_x(rate)}" y="{HEIGHT - BOTTOM + 16}"'
        marks.append(f'<text {here} text-anchor="middle">{rate * 100:g}%</text>')
        marks.append(_line(LEFT, _doubt_y(rate), WIDTH - RIGHT, _doubt_y(rate)))
        marks.append(f'<text x="{LEFT - 6}" y="{_doubt_y(rate) + 4}" text-anchor="end">{rate * 100:g}%</text>')
    ends = [
        f'{axis}{n}="{at(rate)}"'
        for n, rate in ((1, LOWEST), (2, 1.0))
        for axis, at in (("x", _doubt_x), ("y", _doubt_y))
    ]
    marks.append(f'<line {" ".join(ends)} stroke="#888" stroke-dasharray="4 4"/>')
    marks += _axes("said to be wrong", "wrong")
    for n, (name, bins) in enumerate(honest.items()):
        colour = COLOURS[n % len(COLOURS)]
        places = [(_doubt_x(1 - one.said), one) for one in bins]
        points = " ".join(f"{x},{_doubt_y(1 - one.right)}" for x, one in places)
        marks.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, one in places:
            low, high = _doubt_y(1 - one.right_high), _doubt_y(1 - one.right_low)
            marks.append(f'<line x1="{x}" y1="{low}" x2="{x}" y2="{high}" stroke="{colour}" stroke-opacity="0.5"/>')
            marks.append(f'<circle cx="{x}" cy="{_doubt_y(1 - one.right)}" r="3" fill="{colour}"/>')
        marks.append(_legend(n, name, LEFT + 8, "start"))
    return "\n".join([*marks, "</svg>", ""])


def _sheet(title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]


def _axes(across: str, up: str) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{across}</text>',
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{up}</text>',
    ]


def _legend(n: int, name: str, x: float, anchor: str) -> str:
    at = f'x="{x}" y="{TOP + 16 + 16 * n}" text-anchor="{anchor}"'
    return f'<text {at} fill="{COLOURS[n % len(COLOURS)]}">{escape(name)}</text>'


def _thinned(trades: Sequence[Trade]) -> Sequence[Trade]:
    if len(trades) <= MOST_POINTS:
        return trades
    step = (len(trades) - 1) / (MOST_POINTS - 1)
    return [trades[round(k * step)] for k in range(MOST_POINTS)]


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(rate: float) -> float:
    low, high = math.log10(LOWEST), math.log10(HIGHEST)
    up = (math.log10(min(max(rate, LOWEST), HIGHEST)) - low) / (high - low)
    return round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1)


def _doubt_x(doubt: float) -> float:
    return round(LEFT + _decades(doubt) * (WIDTH - LEFT - RIGHT), 1)


def _doubt_y(doubt: float) -> float:
    return round(HEIGHT - BOTTOM - _decades(doubt) * (HEIGHT - TOP - BOTTOM), 1)


def _decades(doubt: float) -> float:
    """0 at `LOWEST` and below, 1 at certainty of being wrong."""
    return 1 - math.log10(min(max(doubt, LOWEST), 1.0)) / math.log10(LOWEST)


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="#ddd"/>'
