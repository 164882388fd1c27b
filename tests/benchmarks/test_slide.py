"""The benchmark of sliding counts what the pipeline saw, on a clock that no machine's speed changes."""

import cv2
import pytest

from benchmarks.slide import Stack, on_its_own_clock


@pytest.fixture(scope="module")
def stack():
    cv2.setNumThreads(1)
    return Stack.of(4)


def test_a_sheet_a_second_is_captured_once_each(stack):
    row = on_its_own_clock(stack, pace_s=1.0, seed=11, frames_per_s=15, capture_s=0.1)
    assert (row["sheets"], row["captured"], row["missed"], row["twice"], row["refused"]) == (4, 4, 0, 0, 0)
    assert row["seconds"] == pytest.approx(4, abs=0.4)


def test_a_camera_that_is_too_slow_is_seen_to_miss_sheets(stack):
    row = on_its_own_clock(stack, pace_s=1.0, seed=11, frames_per_s=3, capture_s=0.6)
    assert row["missed"] + row["refused"] > 0
