"""The desk shows what passes over it, the same in the small picture and in the large one."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Hand, Moment, Passing, Pose

A4 = (210.0, 297.0)


@pytest.fixture(scope="module")
def desk():
    return Desk(page_mm=A4, seed=3, frame_px=(1600, 1200))


@pytest.fixture(scope="module")
def sheet():
    page = np.full((1188, 840, 3), 240, np.uint8)
    cv2.rectangle(page, (60, 60), (200, 200), (20, 20, 20), -1)
    cv2.putText(page, "23 x 4 = 92", (150, 600), cv2.FONT_HERSHEY_SIMPLEX, 2.5, (30, 30, 30), 5)
    return Sheet.of(page, 4.0)


def resting(hands=()):
    return Moment(((0, Pose(2, -1, 1.5)),), hands, 0.0)


def test_both_pictures_show_the_same(desk, sheet):
    moment = resting(hands=(Hand(100, 40, 1),))
    small = desk.preview(moment, [sheet]).astype(float)
    large = cv2.cvtColor(desk.photograph(moment, [sheet]), cv2.COLOR_BGR2GRAY)
    shrunk = cv2.resize(large, (640, 480), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(cv2.blur(small, (5, 5)) - cv2.blur(shrunk, (5, 5))).mean() < 4


def test_the_whole_sheet_fits_the_picture(desk, sheet):
    bright = desk.preview(resting(), [sheet]) > 150
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    assert bright.mean() > 0.3
    assert border.mean() < 0.02


def test_two_looks_at_rest_differ_by_noise_alone(desk, sheet):
    one, other = (desk.preview(resting(), [sheet]).astype(float) for _ in range(2))
    assert not np.array_equal(one, other)
    assert np.abs(one - other).mean() < 6
    assert np.abs(cv2.blur(one, (9, 9)) - cv2.blur(other, (9, 9))).max() < 6


def test_a_moving_sheet_is_blurred_along_its_way(desk, sheet):
    def upright_edges(moment):
        picture = desk.photograph(moment, [sheet])
        return float(np.percentile(np.abs(cv2.Sobel(picture, cv2.CV_32F, 1, 0)), 99.5))

    moving = Moment(((0, Pose(2, -1, 1.5)),), (), 900.0)
    assert upright_edges(moving) < 0.75 * upright_edges(resting())


def test_light_falls_off(desk):
    empty = desk.preview(Moment((), (), 0.0), []).astype(float)
    corners = [empty[:80, :80].mean(), empty[:80, -80:].mean(), empty[-80:, :80].mean(), empty[-80:, -80:].mean()]
    assert max(corners) > 1.1 * min(corners)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.floats(0.5, 4), st.integers(0, 1000))
def test_every_sheet_rests_once_and_all_leave(count, pace_s, seed):
    passing = Passing(count, pace_s=pace_s, page_mm=A4, view_mm=(430, 324), seed=seed)
    rested = []
    for time_s in np.arange(0, passing.duration_s, pace_s / 20):
        index, moment = passing.resting(time_s), passing.at(time_s)
        if index is not None:
            rested.append(index)
            assert (index, passing.rest_of(index)) in moment.sheets
            assert moment.speed_mm_s == 0
    assert sorted(set(rested)) == list(range(count))
    assert rested == sorted(rested)
    assert not passing.at(passing.duration_s).sheets
    assert not passing.at(0).sheets


def test_a_sheet_comes_from_beyond_the_picture_and_goes_beyond_it():
    passing = Passing(3, pace_s=1.0, page_mm=A4, view_mm=(430, 324), seed=1)
    seen = [
        pose.x_mm
        for time_s in np.arange(0, passing.duration_s, 0.01)
        for k, pose in passing.at(time_s).sheets
        if k == 1
    ]
    assert max(seen) > (430 + 210) / 2
    assert min(seen) < -(430 + 210) / 2
