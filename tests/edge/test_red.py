"""Red ink is told from the pupil's by its colour, in any light, and what the pupil wrote under it survives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks._red_pen import COLOURS
from benchmarks.marks import LIGHTS
from edge.frames import Image
from edge.reading.ink import darkness, find_marks
from edge.reading.red import looks_red, part_inks, red_cover
from models.simulation.ink import draw_strokes
from models.simulation.strokes import Stroke

DRAWN = 12.0
"""Pixels a millimetre at which strokes are drawn."""

PENCIL = (60, 58, 56)


def stroke(
    start: tuple[float, float], end: tuple[float, float], colour: tuple[int, int, int], width_mm: float, dark: float
) -> Stroke:
    return Stroke(np.linspace(start, end, 80), width_mm, dark, np.ones(80), colour, "gel")


def crop(
    strokes: list[Stroke], *, light: str = "white", px_per_mm: float = 8.0, quality: int = 0, tint_edge: bool = False
) -> Image:
    """40 × 14 mm of paper with strokes on it, as a camera sees it."""
    page = np.full((int(14 * DRAWN), int(40 * DRAWN), 3), 243, np.uint8)
    draw_strokes(page, strokes, DRAWN)
    seen = page.astype(np.float32) * np.array(LIGHTS[light], np.float32)
    if tint_edge:
        seen[:, : int(20 * DRAWN)] *= np.array([0.62, 0.84, 1.0]) * 0.8
    seen = cv2.resize(seen, None, fx=px_per_mm / DRAWN, fy=px_per_mm / DRAWN, interpolation=cv2.INTER_AREA)
    seen = cv2.GaussianBlur(seen, (0, 0), 0.7) * 0.9 + np.random.default_rng(1).normal(0, 2, seen.shape)
    image = np.clip(seen, 0, 255).astype(np.uint8)
    if quality:
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image


def bars(colour: tuple[int, int, int]) -> list[Stroke]:
    """Slanted strokes right across the writing's height."""
    return [stroke((x, 12), (x + 4, 2), colour, 0.7, 0.95) for x in range(4, 36, 6)]


def rows(grey: Image, px_per_mm: float, low_mm: float, high_mm: float) -> Image:
    return grey[round(low_mm * px_per_mm) : round(high_mm * px_per_mm)] / np.percentile(grey, 80)


@pytest.mark.parametrize("pen", COLOURS)
@pytest.mark.parametrize("light", LIGHTS)
def test_a_red_pen_vanishes_whatever_its_red_and_the_light(pen: str, light: str):
    image = crop(bars(COLOURS[pen]), light=light)
    assert looks_red(image, 8.0)
    parted = part_inks(image, 8.0)
    assert parted.any_red
    assert rows(parted.grey, 8.0, 1, 13).min() > 0.87  # the palest pencil takes 0.13


@pytest.mark.parametrize("pen", COLOURS)
def test_a_pencils_stroke_under_the_red_pen_is_as_grey_as_beside_it(pen: str):
    line = stroke((2, 7), (38, 7), PENCIL, 0.5, 0.5)
    image = crop([line, *bars(COLOURS[pen])], px_per_mm=12.0)
    darkest = rows(part_inks(image, 12.0).grey, 12.0, 6.7, 7.3).min(axis=0)[30:-30]
    bare = rows(crop([line], px_per_mm=12.0)[..., 2], 12.0, 6.7, 7.3).min(axis=0)[30:-30]
    assert np.abs(darkest - bare).max() < 0.2
    assert darkest.max() < 0.75


@pytest.mark.parametrize("quality", [90, 75, 50])
def test_jpegs_coarse_colours_leave_no_rim(quality: int):
    image = crop(bars(COLOURS["red"]), quality=quality)
    _, ink = find_marks(darkness(part_inks(image, 8.0).grey, 8.0), 8.0)
    assert not ink.any()


@pytest.mark.parametrize("colour", [(165, 75, 40), (150, 40, 90), (38, 34, 34), (90, 150, 40)])
def test_blue_purple_black_and_green_are_the_pupils(colour: tuple[int, int, int]):
    image = crop(bars(colour))
    parted = part_inks(image, 8.0)
    assert not parted.any_red
    assert np.array_equal(parted.grey, image[..., 2])


def test_where_warm_light_meets_daylight_nothing_is_red():
    image = crop([stroke((2, 7), (38, 7), PENCIL, 0.5, 0.9)], tint_edge=True)
    assert not part_inks(image, 8.0).any_red


def test_where_pupils_correct_in_red_it_is_as_dark_as_any_ink():
    image = crop(bars(COLOURS["red"]))
    assert rows(part_inks(image, 8.0, red_is="pupil").grey, 8.0, 5, 9).min() < 0.4


def test_the_red_alone_shows_neither_black_nor_blue():
    black = [stroke((2, 4), (38, 4), PENCIL, 0.6, 0.95), stroke((2, 7), (38, 7), (165, 75, 40), 0.6, 0.95)]
    red = stroke((2, 10), (38, 10), COLOURS["red"], 0.6, 0.95)
    cover = red_cover(crop([*black, red]), 8.0)
    assert np.percentile(cover[round(9.8 * 8) : round(10.2 * 8)], 50) > 60
    assert cover[: round(8.5 * 8)].max() < 18
