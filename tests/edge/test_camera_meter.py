"""The light and focus meter: what is wrong with a picture is told, most important first, and nothing else is."""

import cv2
import numpy as np
import pytest

from edge.camera.meter import meter


@pytest.fixture(scope="module")
def photo(print_worksheet, photograph):
    cv2.setNumThreads(1)
    paper = print_worksheet().paper()

    def take(**options):
        return meter(photograph(paper, size_px=(2592, 1944), **options).image)

    return take


def words(seen):
    return " ".join(seen.advice())


def test_a_good_picture_needs_no_advice(photo):
    seen = photo()
    assert seen.advice() == ()
    assert seen.markers == 4
    assert seen.sheet is not None


def test_resolution_is_told_in_pixels_a_millimetre(photo):
    # The page's 297 mm fill 94 % of 1944 pixels.
    assert photo().px_per_mm == pytest.approx(0.94 * 1944 / 297, rel=0.03)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"brightness": 0.22}, "dark"),
        ({"blur_px": 2.5}, "not sharp"),
        ({"fill": 0.6}, "small in the picture"),
        ({"fill": 0.34}, "too small"),
        ({"tilt": 0.35, "fill": 0.75}, "from the side"),
        ({"falloff": 0.85}, "from one side"),
        ({"centre": (0.5, 0.98), "fill": 0.9}, "part of a sheet"),
    ],
)
def test_what_is_wrong_is_told(photo, options, expected):
    assert expected in words(photo(**options))


def test_a_picture_at_the_sensor_s_limit_is_too_bright(print_worksheet, photograph):
    image = photograph(print_worksheet().paper()).image
    assert "too bright" in words(meter(np.clip(image.astype(int) * 2, 0, 255).astype(np.uint8)))


def test_without_a_sheet_only_the_light_and_the_sheet_are_spoken_of():
    seen = meter(np.full((1200, 1600, 3), 120, np.uint8))
    assert len(seen.advice()) == 1
    assert "No sheet" in words(seen)
    assert seen.px_per_mm == seen.slant == seen.evenness == 0


def test_sharpness_rises_while_the_lens_is_turned_towards_focus(photo):
    values = [photo(blur_px=blur).sharpness for blur in (4.0, 2.0, 1.0, 0.0)]
    assert values == sorted(values)
    assert values[-1] > 1.3 * values[0]
