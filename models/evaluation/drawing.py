"""The curve of silent errors against review, as a small SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from models.evaluation.curves import Trade

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 44
LOWEST, HIGHEST = 1e-4, 0.3
"""Silent errors are drawn from 0.01 % (and fewer) to 30 %, by their logarithm."""

MOST_POINTS = 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind people tell apart."""


def curves_svg(title: str, curves: Mapping[str, Sequence[Trade]], thresholds: Mapping[str, float]) -> str:
    """An SVG of a line a name, with a dot at its threshold (0: none). x is the review rate, y the silent errors."""
    marks = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        marks.append(_line(_x(share), TOP, _x(share), HEIGHT - BOTTOM))
        marks.append(f'<text x="{_x(share)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{share:.0%}</text>')
    for rate in (1e-4, 1e-3, 1e-2, 1e-1):
        marks.append(_line(LEFT, _y(rate), WIDTH - RIGHT, _y(rate)))
        marks.append(f'<text x="{LEFT - 6}" y="{_y(rate) + 4}" text-anchor="end">{rate * 100:g}%</text>')
    marks.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">sent to review</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    marks.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">silent errors</text>'
    )
    for n, (name, trades) in enumerate(curves.items()):
        colour = COLOURS[n % len(COLOURS)]
        points = " ".join(f"{_x(one.review)},{_y(one.silent)}" for one in _thinned(trades))
        marks.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = f'x="{WIDTH - RIGHT - 6}" y="{TOP + 16 + 16 * n}"'
        marks.append(f'<text {at} text-anchor="end" fill="{colour}">{escape(name)}</text>')
        threshold = thresholds.get(name, 0.0)
        here = next((one for one in trades if one.threshold >= threshold), None) if threshold else None
        if here is not None:
            marks.append(f'<circle cx="{_x(here.review)}" cy="{_y(here.silent)}" r="4" fill="{colour}"/>')
    return "\n".join([*marks, "</svg>", ""])


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


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="#ddd"/>'
