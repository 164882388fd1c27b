"""Scanned glyphs drawn with another pen."""

import cv2
import numpy as np
import pytest

from models.training.scans import with_pen

GRAIN_PX = 3.0


def a_scan(*, upstroke: int = 2, pale: int = 255) -> np.ndarray:
    """A ring with a broad left and a thin right side, 28 × 28, enlarged."""
    small = np.zeros((28, 28), np.uint8)
    cv2.ellipse(small, (14, 14), (8, 10), 0, 90, 270, 255, 4)
    cv2.ellipse(small, (14, 14), (8, 10), 0, -90, 90, pale, upstroke)
    return cv2.resize(small, None, fx=GRAIN_PX, fy=GRAIN_PX, interpolation=cv2.INTER_CUBIC)


def holes(cover: np.ndarray) -> int:
    parts, _ = cv2.connectedComponents((cover < 0.5).astype(np.uint8), connectivity=4)
    return parts - 2  # the ink itself, and the paper round it


@pytest.mark.parametrize("pen_px", [2.0, 4.0, 8.0, 14.0])
@pytest.mark.parametrize("pale", [255, 190])
def test_no_pen_breaks_a_stroke_that_the_scan_has(pen_px: float, pale: int):
    assert holes(with_pen(a_scan(pale=pale), pen_px, GRAIN_PX)) == 1


@pytest.mark.parametrize("pen_px", [3.0, 6.0, 10.0])
def test_strokes_are_as_wide_as_the_pen(pen_px: float):
    cover = with_pen(a_scan(upstroke=4), pen_px, GRAIN_PX)
    middle = cover[round(14 * GRAIN_PX)]
    for side in (middle[: len(middle) // 2], middle[len(middle) // 2 :]):
        assert side.sum() == pytest.approx(pen_px, abs=1.5)


def test_what_had_run_together_stays_a_blot():
    scan = np.zeros((84, 84), np.uint8)
    cv2.circle(scan, (42, 42), 20, 255, -1)
    cv2.line(scan, (42, 42), (42, 4), 255, 6)
    cover = with_pen(scan, 3.0, GRAIN_PX)
    assert cover[42, 42] == 1
    assert cover.sum() > 0.5 * np.pi * 15**2


def test_an_empty_scan_leaves_nothing():
    assert not with_pen(np.zeros((40, 30), np.uint8), 4.0, GRAIN_PX).any()


def test_a_speck_of_the_scanner_does_not_become_a_point():
    scan = a_scan()
    scan[2:4, 2:4] = 255
    assert not with_pen(scan, 6.0, GRAIN_PX)[:8, :8].any()
