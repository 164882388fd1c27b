"""Ink on paper: strokes drawn into a picture, antialiased, with the grain that each pen leaves."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from models.simulation.strokes import Ink, Stroke

_FINE = 4
"""Strokes are drawn this many times larger and shrunk: OpenCV's lines are whole pixels wide."""


def draw_strokes(page: NDArray[np.uint8], strokes: Iterable[Stroke], px_per_mm: float) -> None:
    """Draw `strokes` into `page` (height, width, 3 BGR uint8), in place; what leaves the page is cut off."""
    for stroke in strokes:
        _draw(page, stroke, px_per_mm)


def _draw(page: NDArray[np.uint8], stroke: Stroke, px_per_mm: float) -> None:
    px = stroke.points_mm * px_per_mm
    pad = stroke.width_mm * px_per_mm + 2
    x0, y0 = np.maximum(np.floor(px.min(axis=0) - pad).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(px.max(axis=0) + pad).astype(int) + 1, (page.shape[1], page.shape[0]))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    cover = _coverage(px - (x0, y0), stroke, px_per_mm, (int(y1 - y0), int(x1 - x0)))
    lay_cover(page, cover / 255.0, (int(x0), int(y0)), darkness=stroke.darkness, colour=stroke.colour, ink=stroke.ink)


def lay_cover(
    page: NDArray[np.uint8],
    cover: NDArray[np.float32],
    at_px: tuple[int, int],
    *,
    darkness: float,
    colour: tuple[int, int, int],
    ink: Ink,
) -> None:
    """Lay ink on `page` (height, width, 3 BGR), in place, where `cover` (0..1) says; `at_px` is its top left corner.

    What leaves the page is cut off. `darkness` and `colour` are as in `Stroke`.
    """
    x0, y0 = max(at_px[0], 0), max(at_px[1], 0)
    cover = cover[y0 - at_px[1] : page.shape[0] - at_px[1], x0 - at_px[0] : page.shape[1] - at_px[0]]
    if not cover.size:
        return
    alpha = cover * np.float32(darkness)
    alpha *= (
        _grain(ink)[y0 % 256 : y0 % 256 + alpha.shape[0], x0 % 256 : x0 % 256 + alpha.shape[1]]
        if (max(alpha.shape) <= 768)
        else 0.9
    )
    np.minimum(alpha, 1.0, out=alpha)
    patch = page[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]]
    # Ink takes light away; it never makes print below it paler.
    loss = np.array([1 - c / 255.0 for c in colour], np.float32)
    patch[:] = (patch * (1.0 - alpha[..., None] * loss)).astype(np.uint8)


def _coverage(px: NDArray[np.float64], stroke: Stroke, px_per_mm: float, shape: tuple[int, int]) -> NDArray[np.float32]:
    """0..255: how much of each pixel lies under the stroke, times the pressure there."""
    fine = np.zeros((shape[0] * _FINE, shape[1] * _FINE), np.uint8)
    at = np.round(px * _FINE * 16).astype(np.int32)
    width = stroke.width_mm * px_per_mm * _FINE
    soft = stroke.ink == "pencil"
    n = len(at)
    for a in range(0, n - 1, 2):
        b = min(a + 3, n)
        press = float(stroke.pressure[a])
        thick = max(1, round(width * (0.55 + 0.45 * press)))
        level = int(255 * min(1.0, (0.35 + 0.65 * press) if soft else (0.8 + 0.2 * press)))
        cv2.polylines(fine, [at[a:b].reshape(-1, 1, 2)], False, level, thick, cv2.LINE_8, 4)
    small = cv2.resize(fine, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    if soft:
        small = cv2.GaussianBlur(small, (3, 3), 0.6)
    return small.astype(np.float32)


@cache
def _grain(ink: Ink) -> NDArray[np.float32]:
    """(1024, 1024) about 1: paper's tooth under a pencil, small skips of a ball, hardly anything of gel."""
    rng = np.random.default_rng(77)
    fine = cv2.GaussianBlur(rng.normal(size=(1024, 1024)).astype(np.float32), (0, 0), 0.9)
    coarse = cv2.GaussianBlur(rng.normal(size=(1024, 1024)).astype(np.float32), (0, 0), 3.0)
    both = fine / fine.std() + 0.35 * coarse / coarse.std()
    depth = {"pencil": 0.16, "ballpoint": 0.10, "gel": 0.03}[ink]
    return np.asarray(np.clip(1.0 + depth * both, 0.25, 1.25), np.float32)
