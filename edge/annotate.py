"""Ticks and crosses drawn on the picture itself, beside each field, upright with the sheet.

The marks differ in shape and in colour, each with a pale rim, so that they can be told apart in black and white
and on any background.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image, Quad
from edge.pipeline import GradedPage
from homework.results import VerdictKind

Strokes = tuple[tuple[tuple[float, float], ...], ...]

_TICK: Strokes = (((0.08, 0.55), (0.38, 0.88), (0.92, 0.14)),)
_CROSS: Strokes = (((0.15, 0.15), (0.85, 0.85)), ((0.85, 0.15), (0.15, 0.85)))
_QUESTION: Strokes = (
    ((0.24, 0.30), (0.32, 0.14), (0.50, 0.08), (0.70, 0.16), (0.74, 0.32), (0.64, 0.46), (0.50, 0.54), (0.50, 0.68)),
    ((0.50, 0.90), (0.50, 0.92)),
)
_DASH: Strokes = (((0.15, 0.5), (0.85, 0.5)),)
_DOT: Strokes = (((0.5, 0.48), (0.5, 0.52)),)

_LOOKS: dict[VerdictKind, tuple[Strokes, tuple[int, int, int]]] = {
    VerdictKind.CORRECT: (_TICK, (0x4B, 0x7F, 0x1B)),
    VerdictKind.WRONG: (_CROSS, (0x22, 0x3B, 0xC2)),
    VerdictKind.REVIEW: (_QUESTION, (0x1F, 0x79, 0xB7)),
    VerdictKind.BLANK: (_DASH, (0x80, 0x72, 0x6B)),
    VerdictKind.READ: (_DOT, (0xD6, 0x56, 0x24)),
}
"""Shape and BGR colour (the pages' own)."""

PAPER = (247, 250, 251)


def annotate(image: Image, page: GradedPage) -> Image:
    """A BGR copy of the capture's picture with every field outlined and marked by its verdict."""
    drawn = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy(), np.uint8)
    if page.record is None:
        return drawn
    for result, place in zip(page.record.items, page.fields, strict=True):
        _mark(drawn, place.quad_px, result.verdict.kind)
    return drawn


def _mark(image: Image, quad: Quad, kind: VerdictKind) -> None:
    """Outline the field and set its mark over the right end of it, as tall as the field, within limits."""
    strokes, colour = _LOOKS[kind]
    corners = np.array(quad)
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    height = float(np.linalg.norm(down))
    page_scale = max(image.shape[:2]) / 300
    size = float(np.clip(height, 4 * page_scale, 9 * page_scale))
    x_axis, y_axis = right / max(float(np.linalg.norm(right)), 1e-6), down / max(height, 1e-6)
    origin = corners[1] + y_axis * (height - size) / 2 - x_axis * size * 0.45
    thick = max(round(size / 9), 2)
    cv2.polylines(image, [np.round(corners).astype(np.int32)], True, colour, max(thick // 3, 1), cv2.LINE_AA)
    lines = [_placed(stroke, origin, x_axis * size, y_axis * size) for stroke in strokes]
    for width, tone in ((thick * 2 + 1, PAPER), (thick, colour)):
        for line in lines:
            cv2.polylines(image, [line], False, tone, width, cv2.LINE_AA, 4)


def _placed(
    stroke: tuple[tuple[float, float], ...],
    origin: NDArray[np.float64],
    x_axis: NDArray[np.float64],
    y_axis: NDArray[np.float64],
) -> NDArray[np.int32]:
    points = np.array(stroke)
    at = origin + points[:, :1] * x_axis + points[:, 1:] * y_axis
    return np.round(at * 16).astype(np.int32)
