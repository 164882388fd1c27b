from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.reading.frame_line import upright_on_frame, without_frame

PX_PER_MM = 8.0
BOX = (10, 12, 200, 72)
PAPER = 210


def framed(*, slant_px: float = 0.0, line_px: int = 2, blur: float = 0.8) -> np.ndarray:
    """A crop with a printed frame round `BOX`, its sides falling by `slant_px` from one end to the other."""
    crop = np.full((96, 220), PAPER, np.uint8)
    x, y, w, h = BOX
    corners = np.array([[x, y], [x + w, y + slant_px], [x + w, y + h + slant_px], [x, y + h]]) - 1
    cv2.polylines(crop, [np.round(corners).astype(np.int32)], True, 40, line_px, cv2.LINE_AA)
    return cv2.GaussianBlur(crop, (0, 0), blur)


def ink_of(crop: np.ndarray) -> np.ndarray:
    return crop < PAPER - 35


@pytest.mark.parametrize("slant_px", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("line_px", [1, 2, 3])
def test_the_frame_goes_even_when_it_is_slanted_or_thick(slant_px: float, line_px: int):
    clean = without_frame(framed(slant_px=slant_px, line_px=line_px), BOX, PX_PER_MM)
    x, y, w, h = BOX
    inside = np.s_[y + 8 : y + h - 8, x + 8 : x + w - 8]
    assert (clean[inside] == PAPER).all()
    assert np.count_nonzero(ink_of(clean)) < 0.04 * np.count_nonzero(ink_of(framed(slant_px=slant_px)))


def test_the_bar_of_a_seven_just_under_the_line_stays():
    _, y, _, _ = BOX
    seven = framed()
    cv2.polylines(seven, [np.array([[60, y + 4], [90, y + 4], [72, y + 44]], np.int32)], False, 60, 4, cv2.LINE_AA)
    clean = without_frame(seven, BOX, PX_PER_MM)
    bar = ink_of(clean)[y + 2 : y + 7, 62:88]
    assert bar.any(axis=0).mean() > 0.95


def test_a_stroke_across_the_line_is_not_cut():
    _, y, _, h = BOX
    one = framed()
    cv2.line(one, (100, y + 20), (96, y + h + 9), 60, 4, cv2.LINE_AA)
    clean = ink_of(without_frame(one, BOX, PX_PER_MM))
    assert clean[y + 24 : y + h + 7].any(axis=1).all()


def test_of_a_stroke_along_the_line_what_is_thicker_than_it_stays():
    _, y, _, h = BOX
    foot = framed()
    cv2.line(foot, (60, y + h - 1), (85, y + h - 1), 60, 7, cv2.LINE_AA)
    clean = ink_of(without_frame(foot, BOX, PX_PER_MM))
    assert clean[y + h - 5 : y + h + 5, 62:83].any(axis=0).mean() > 0.95


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("off_px", [-3, 0, 3])
def test_a_one_on_the_frame_is_noticed(side: str, off_px: int):
    x, y, w, _ = BOX
    line = x - 1 if side == "left" else x + w - 1
    one = framed()
    cv2.line(one, (line + off_px + 2, y + 14), (line + off_px - 1, y + 52), 60, 4, cv2.LINE_AA)
    assert upright_on_frame(one, BOX, PX_PER_MM)


@pytest.mark.parametrize("slant_px", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("line_px", [1, 2, 3])
def test_an_empty_frame_holds_nothing_upright(slant_px: float, line_px: int):
    assert not upright_on_frame(framed(slant_px=slant_px, line_px=line_px), BOX, PX_PER_MM)


def test_digits_beside_the_frame_and_strokes_across_it_are_not_on_it():
    x, y, w, _ = BOX
    crop = framed()
    cv2.line(crop, (x + 12, y + 14), (x + 9, y + 52), 60, 4, cv2.LINE_AA)
    cv2.line(crop, (x + w - 30, y + 20), (x + w + 8, y + 30), 60, 4, cv2.LINE_AA)
    assert not upright_on_frame(crop, BOX, PX_PER_MM)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_writing_without_any_frame_round_it_is_left_as_it_is(seed: int):
    rng = np.random.default_rng(seed)
    crop = np.full((96, 220), PAPER, np.uint8)
    for _ in range(4):
        ends = rng.integers((25, 25), (195, 70), (2, 2))
        cv2.line(crop, ends[0].tolist(), ends[1].tolist(), 60, 4, cv2.LINE_AA)
    assert np.array_equal(without_frame(crop, BOX, PX_PER_MM), crop)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.tuples(*[st.integers(-40, 80)] * 4), st.integers(0, 255))
def test_any_box_on_any_crop_gives_a_crop_of_the_same_size(
    height: int, width: int, box: tuple[int, int, int, int], level: int
):
    x, y, w, h = box
    crop = np.full((height, width), level, np.uint8)
    clean = without_frame(crop, (x, y, abs(w), abs(h)), PX_PER_MM)
    assert clean.shape == crop.shape
    assert (clean == level).all()
    assert not upright_on_frame(crop, (x, y, abs(w), abs(h)), PX_PER_MM)
