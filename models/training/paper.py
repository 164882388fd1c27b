"""From ink to a crop as the box cuts it: paper, light, pencil grain, frame remnants, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.pens import Ink


def photograph(ink: Ink, rng: Generator, *, margin_px: int) -> NDArray[np.uint8]:
    """A grey crop (paper bright) of a box whose ink is given, 0 none to 1 full.

    `margin_px` is how far the crop reaches beyond the printed frame: remnants of it lie about there.
    """
    height, width = ink.shape
    pencil = rng.random() < 0.5
    contrast = rng.uniform(0.17, 0.6) if pencil else rng.uniform(0.4, 0.92)
    if pencil:
        grain = rng.normal(0, rng.uniform(0.1, 0.35), (height, width)).astype(np.float32)
        ink = np.clip(ink * (1 + cv2.GaussianBlur(grain, (3, 3), 0) * 1.6), 0, 1)
    dark = ink * contrast
    dark = np.maximum(dark, _frame(height, width, margin_px, rng))
    if rng.random() < 0.25:
        _specks(dark, rng)
    picture = _light(height, width, rng) * (1 - dark)
    sigma = rng.uniform(0.0, 1.15)
    if sigma > 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    if rng.random() < 0.35:
        shrink = rng.uniform(0.55, 0.9)
        small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        picture = small if rng.random() < 0.4 else cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = picture + rng.normal(0, rng.uniform(0.5, 4.5), picture.shape).astype(np.float32)
    crop = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(45, 95))
        crop = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    return np.asarray(crop, np.uint8)


def _light(height: int, width: int, rng: Generator) -> NDArray[np.float32]:
    """Paper under uneven light: a slope, and now and then the edge of a shadow."""
    paper = rng.uniform(110, 245)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    light = 1 + x * rng.normal(0, 0.12) + y * rng.normal(0, 0.08)
    if rng.random() < 0.12:
        angle, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
        soft = rng.uniform(0.06, 0.3)
        side = (np.cos(angle) * x + np.sin(angle) * y - at) / soft
        light = light * (1 - rng.uniform(0.1, 0.4) / (1 + np.exp(-side * 4)))
    return np.asarray(np.clip(paper * light, 20, 255), np.float32)


def _frame(height: int, width: int, margin_px: int, rng: Generator) -> NDArray[np.float32]:
    """What the removal of the frame's lines left: pieces of them, on some sides, at the margin."""
    dark = np.zeros((height, width), np.float32)
    if margin_px < 2 or rng.random() < 0.6:
        return dark
    for side in range(4):
        if rng.random() < 0.5:
            continue
        length = width if side < 2 else height
        at = int(np.clip(rng.integers(0, max(margin_px - 1, 1)), 0, min(height, width) // 4))
        other = at + int(rng.integers(-1, 2))
        thick = int(rng.integers(1, 4))
        strength = rng.uniform(0.1, 0.75)
        whole = rng.random() < 0.1
        for _ in range(1 if whole else int(rng.integers(1, 4))):
            a = 0 if whole else int(rng.integers(0, length))
            b = length if whole else min(length, a + int(rng.integers(2, max(3, length // 3))))
            ends = {
                0: ((a, at), (b, other)),
                1: ((a, height - 1 - at), (b, height - 1 - other)),
                2: ((at, a), (other, b)),
                3: ((width - 1 - at, a), (width - 1 - other, b)),
            }[side]
            cv2.line(dark, ends[0], ends[1], strength, thick, cv2.LINE_AA)
    return dark


def _specks(dark: NDArray[np.float32], rng: Generator) -> None:
    """Dust and eraser crumbs, in place: smaller and paler than a decimal point."""
    height, width = dark.shape
    for _ in range(int(rng.integers(1, 5))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.circle(dark, centre, int(rng.integers(0, 2)), float(rng.uniform(0.05, 0.3)), -1, cv2.LINE_AA)
