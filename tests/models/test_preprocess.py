from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.preprocess import (
    GLYPH_SIDE_PX,
    LINE_HEIGHT_PX,
    LINE_WIDTHS_PX,
    CropError,
    find_ink,
    glyph_picture,
    line_picture,
)


def paper(height: int = 100, width: int = 260, level: float = 210.0, noise: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(7)
    return np.clip(rng.normal(level, noise, (height, width)), 0, 255).astype(np.uint8)


def with_stroke(crop: np.ndarray, dark: int, thick: int = 4) -> np.ndarray:
    return cv2.line(crop.copy(), (120, 30), (100, 70), dark, thick, cv2.LINE_AA)


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0, 9.0])
@pytest.mark.parametrize("level", [90.0, 160.0, 240.0])
def test_clean_paper_holds_no_ink_however_noisy(level: float, noise: float):
    assert find_ink(paper(level=level, noise=noise)) is None


@pytest.mark.parametrize("dark", [20, 110, 165])
def test_a_stroke_from_pen_to_faint_pencil_is_found_where_it_stands(dark: int):
    ink = find_ink(with_stroke(paper(), dark))
    assert ink is not None
    x, y, w, h = ink.box_px
    assert abs(x - 98) <= 4
    assert abs(y - 28) <= 4
    assert abs(x + w - 123) <= 4
    assert abs(y + h - 73) <= 4
    assert ink.image.max() == 255


def test_a_shadow_across_the_box_is_not_ink():
    crop = paper().astype(np.float32)
    crop *= 1 - 0.4 / (1 + np.exp(-(np.arange(260) - 130) / 8))[None]
    assert find_ink(crop.astype(np.uint8)) is None


def test_remnants_of_the_frame_are_left_out():
    crop = with_stroke(paper(), 60)
    cv2.line(crop, (0, 6), (259, 6), 40, 3)
    cv2.line(crop, (5, 20), (5, 50), 40, 3)
    cv2.line(crop, (180, 93), (230, 94), 40, 2)
    ink = find_ink(crop)
    assert ink is not None
    assert abs(ink.box_px[0] - 98) <= 4
    assert ink.box_px[0] + ink.box_px[2] <= 128


def test_pencil_beside_a_dark_frame_remnant_is_still_found():
    crop = with_stroke(paper(), 175)
    cv2.line(crop, (0, 5), (259, 5), 10, 4)
    ink = find_ink(crop)
    assert ink is not None
    assert abs(ink.box_px[0] - 98) <= 4


def test_a_one_that_stands_near_the_left_frame_is_kept():
    crop = paper()
    cv2.line(crop, (17, 30), (15, 70), 60, 4, cv2.LINE_AA)
    ink = find_ink(crop)
    assert ink is not None
    assert ink.box_px[3] > 35


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 150), st.integers(1, 500), st.integers(0, 2**32 - 1))
def test_any_crop_of_any_size_gives_pictures_of_the_networks_size(height: int, width: int, seed: int):
    rng = np.random.default_rng(seed)
    crop = rng.integers(0, 256, (height, width), dtype=np.uint8)
    crop = cv2.blur(crop, (5, 5)) if seed % 2 else crop
    ink = find_ink(crop)
    if ink is not None:
        picture = line_picture(ink)
        assert picture.shape[0] == LINE_HEIGHT_PX
        assert picture.shape[1] in LINE_WIDTHS_PX
        assert glyph_picture(ink).shape == (GLYPH_SIDE_PX, GLYPH_SIDE_PX)


def test_the_same_writing_under_half_the_light_gives_nearly_the_same_picture():
    bright = with_stroke(paper(noise=0.0), 70)
    dim = (bright.astype(np.float32) * 0.5).astype(np.uint8)
    one, other = find_ink(bright), find_ink(dim)
    assert one is not None
    assert other is not None
    assert np.abs(line_picture(one).astype(int) - line_picture(other).astype(int)).mean() < 2.0


def test_a_sign_that_hangs_on_a_remnant_of_the_frame_is_cut_free_not_lost():
    crop = paper()
    cv2.line(crop, (0, 95), (259, 95), 40, 3)
    cv2.ellipse(crop, (130, 70), (14, 26), 0, 0, 360, 60, 4, cv2.LINE_AA)
    ink = find_ink(crop)
    assert ink is not None
    assert ink.box_px[0] >= 110
    assert ink.box_px[2] < 40
    assert ink.box_px[3] > 35


@pytest.mark.parametrize("down", [False, True])
def test_a_ruled_line_across_the_whole_box_is_the_papers_and_the_stroke_across_it_stays(down: bool):
    crop = with_stroke(paper(), 60)
    cv2.line(crop, *(((115, 0), (115, 99)) if down else ((0, 50), (259, 50))), 120, 1)
    ink = find_ink(crop)
    assert ink is not None
    x, y, w, h = ink.box_px
    assert abs(x - 98) <= 5
    assert abs(y - 28) <= 5
    assert w <= 32
    assert abs(h - 45) <= 8


def test_a_bar_that_ends_inside_the_box_is_the_pupils():
    crop = paper()
    cv2.line(crop, (60, 50), (200, 52), 60, 4, cv2.LINE_AA)
    ink = find_ink(crop)
    assert ink is not None
    assert ink.box_px[2] > 130


@pytest.mark.parametrize(
    "crop",
    [np.full((60, 60), np.nan), np.full((60, 60), 0.5, np.float32), np.zeros((60, 60, 4), np.uint8), np.uint8([1, 2])],
)
def test_what_is_no_picture_is_refused_in_words_and_with_a_remedy(crop: np.ndarray):
    with pytest.raises(CropError) as caught:
        find_ink(crop)
    assert "no picture" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("shape", [(0, 0), (0, 80), (80, 0), (1, 1), (3, 200)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_crop_without_room_for_ink_or_of_one_grey_holds_none(shape: tuple[int, int], level: int):
    assert find_ink(np.full(shape, level, np.uint8)) is None
    assert find_ink(np.full((*shape, 3), level, np.uint8)) is None
    assert find_ink(np.full((90, 200), level, np.uint8)) is None
