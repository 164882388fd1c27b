"""From ink to a crop as the box cuts it: paper, rules, red ink's traces, light, frame remnants, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training import pens
from models.training.pens import Ink

Dark = NDArray[np.float32]
"""How much light is taken away, 0..1, (height, width)."""


def photograph(ink: Ink, rng: Generator, *, margin_px: int) -> NDArray[np.uint8]:
    """A grey crop (paper bright) of a box whose ink is given, 0 none to 1 full.

    `margin_px` is how far the crop reaches beyond the printed frame: remnants of it lie about there.
    """
    height, width = ink.shape
    dark, contrast = _drawn_by_a_pen(ink, rng)
    dark = np.maximum(dark, _frame(height, width, margin_px, rng))
    chance = rng.random()
    if chance < 0.22:
        _specks(dark, rng)
    elif chance < 0.29:
        dark = np.maximum(dark, _rules(height, width, contrast, rng))
    elif chance < 0.35:
        dark = 1 - (1 - dark) * (1 - _show_through(ink, rng))
    elif chance < 0.43:
        dark = 1 - (1 - dark) * (1 - _traces_of_red(height, width, rng))
    if rng.random() < 0.3:
        dark = _askew(dark, rng)
    picture = _light(height, width, rng) * (1 - dark)
    if rng.random() < 0.07:
        picture = _photocopied(picture, rng)
    crop = _through_the_lens(picture, rng)
    if rng.random() < 0.5:
        quality = int(rng.integers(40, 95))
        coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return crop


def _drawn_by_a_pen(ink: Ink, rng: Generator) -> tuple[Dark, float]:
    """The ink's darkness and its contrast: a pencil's grain, a ball's skips, a hand that presses unevenly."""
    height, width = ink.shape
    pencil = rng.random() < 0.5
    contrast = rng.uniform(0.15, 0.6) if pencil else rng.uniform(0.4, 0.92)
    if pencil:
        grain = rng.normal(0, rng.uniform(0.1, 0.35), (height, width)).astype(np.float32)
        ink = np.clip(ink * (1 + cv2.GaussianBlur(grain, (3, 3), 0) * 1.6), 0, 1)
    if rng.random() < 0.4:
        coarse = rng.uniform(1 - rng.uniform(0.1, 0.55), 1.0, (3, 2 + width // 40)).astype(np.float32)
        ink = ink * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    if not pencil and rng.random() < 0.15:
        skips = rng.random((height // 3 + 1, width // 3 + 1)).astype(np.float32) > rng.uniform(0.03, 0.12)
        kept = cv2.resize(skips.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        ink = ink * np.maximum(kept, 0.35)
    return np.asarray(ink * contrast, np.float32), float(contrast)


def _through_the_lens(picture: Dark, rng: Generator) -> NDArray[np.uint8]:
    """Blur, motion, few pixels, noise."""
    height, width = picture.shape
    sigma = rng.uniform(0.0, 1.2)
    if sigma > 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
    if rng.random() < 0.06:
        kernel = np.zeros((5, 5), np.float32)
        reach = rng.uniform(1, 2.4) * np.array([np.cos(t := rng.uniform(0, np.pi)), np.sin(t)])
        a, b = np.round(2 - reach).astype(int), np.round(2 + reach).astype(int)
        cv2.line(kernel, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 1.0)
        picture = np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)
    noise = rng.uniform(0.5, 4.5)
    if rng.random() < 0.4:
        shrink = rng.uniform(0.38, 0.9)
        few = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        picture = np.asarray(few, np.float32)
        if rng.random() < 0.5:  # what the sensor adds is enlarged with the rest
            picture = picture + rng.normal(0, noise, picture.shape).astype(np.float32)
            noise = 0.5
        if shrink < 0.7 or rng.random() < 0.7:
            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    picture = picture + rng.normal(0, noise, picture.shape).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _light(height: int, width: int, rng: Generator) -> NDArray[np.float32]:
    """Paper under uneven light: a slope, and now and then the edge of a shadow."""
    paper = rng.uniform(90, 248)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    light = 1 + x * rng.normal(0, 0.12) + y * rng.normal(0, 0.08)
    if rng.random() < 0.12:
        angle, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
        soft = rng.uniform(0.06, 0.3)
        side = (np.cos(angle) * x + np.sin(angle) * y - at) / soft
        light = light * (1 - rng.uniform(0.1, 0.4) / (1 + np.exp(-side * 4)))
    return np.asarray(np.clip(paper * light, 20, 255), np.float32)


def _frame(height: int, width: int, margin_px: int, rng: Generator) -> Dark:
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


def _specks(dark: Dark, rng: Generator) -> None:
    """Dust and eraser crumbs, in place: smaller and paler than a decimal point."""
    height, width = dark.shape
    for _ in range(int(rng.integers(1, 5))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.circle(dark, centre, int(rng.integers(0, 2)), float(rng.uniform(0.05, 0.3)), -1, cv2.LINE_AA)


def _rules(height: int, width: int, contrast: float, rng: Generator) -> Dark:
    """Ruled or squared paper, 5 to 9 mm apart, as pale as such paper is."""
    dark = np.zeros((height, width), np.float32)
    pitch = float(rng.uniform(40, 74))
    strength = float(rng.uniform(0.04, min(0.3, 0.8 * contrast)))
    tilt = rng.normal(0, 0.006)
    for at in np.arange(rng.uniform(0, pitch), height, pitch):
        cv2.line(dark, (0, round(at)), (width, round(at + tilt * width)), strength, 1, cv2.LINE_AA)
    if rng.random() < 0.4:
        for at in np.arange(rng.uniform(0, pitch), width, pitch):
            cv2.line(dark, (round(at), 0), (round(at - tilt * height), height), strength, 1, cv2.LINE_AA)
    return dark


def _show_through(ink: Ink, rng: Generator) -> Dark:
    """What stands on the other side of the sheet: mirrored, moved, soft and pale."""
    other = np.roll(ink[:, ::-1], (int(rng.integers(-20, 21)), int(rng.integers(-60, 61))), axis=(0, 1))
    return np.asarray(cv2.GaussianBlur(other, (0, 0), rng.uniform(1.0, 2.5)) * rng.uniform(0.04, 0.14), np.float32)


def _traces_of_red(height: int, width: int, rng: Generator) -> Dark:
    """What is left of the teacher's pen after red was taken away: a tick, a cross, a ring or a stroke, pale."""
    marks = (pens.tick, pens.cross, pens.loop, pens.strike)
    glyph = marks[int(rng.integers(len(marks)))](rng)
    manner = pens.Manner(slant=0.0, stretch=1.0, pen_px=float(rng.uniform(3, 8)), jitter=0.5)
    drawn = pens.draw(glyph, float(rng.uniform(0.4, 1.1) * height), manner, rng)[:height, :width]
    dark = np.zeros((height, width), np.float32)
    y, x = int(rng.integers(0, height - len(drawn) + 1)), int(rng.integers(0, width - drawn.shape[1] + 1))
    # Mostly the edges of its strokes stay, where the colours of the picture are coarser than its grey.
    edges = np.maximum(drawn - cv2.erode(drawn, np.ones((3, 3), np.uint8)), 0.25 * drawn)
    dark[y : y + len(drawn), x : x + drawn.shape[1]] = edges * rng.uniform(0.03, 0.16)
    return dark


def _photocopied(picture: Dark, rng: Generator) -> Dark:
    """A copier's hard steps and its dirt: greys go to black or white, here and there a grain."""
    paper = float(np.percentile(picture, 80))
    at, gain = paper * rng.uniform(0.62, 0.85), rng.uniform(2.0, 5.0)
    picture = np.clip((picture - at) * gain + at, 0.12 * paper, paper)
    grains = rng.random(picture.shape) < rng.uniform(0.0002, 0.0015)
    return np.asarray(np.where(grains, paper * 0.4, picture), np.float32)


def _askew(dark: Dark, rng: Generator) -> Dark:
    """A little turned and sheared, as what registration leaves."""
    height, width = dark.shape
    matrix = np.eye(2) + rng.normal(0, 0.015, (2, 2))
    centre = np.array([width / 2, height / 2])
    affine = np.concatenate([matrix, (centre - matrix @ centre)[:, None]], 1)
    return np.asarray(cv2.warpAffine(dark, affine, (width, height), flags=cv2.INTER_LINEAR), np.float32)
