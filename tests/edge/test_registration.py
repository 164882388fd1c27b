"""A page is found and proven from any side, or refused with a reason; never half."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.frames import Capture, Image
from edge.registration.geometry import corners_of, fit, px_per_mm_at, to_px
from edge.registration.register import LayoutOf, register
from homework.layout import SheetLayout

Printer = Callable[..., Any]
Photograph = Callable[..., Capture]


def reason(page: Any):
    return page.problems[-1].code if page.refused else None


@pytest.fixture(scope="module")
def sheet(print_worksheet: Printer):
    return print_worksheet()


@pytest.fixture(scope="module")
def paper(sheet: Any):
    sheet.seat("07")
    sheet.write("1", "92")
    sheet.mark("5", "B")
    return sheet.paper()


@pytest.fixture(scope="module")
def layout_of(sheet: Any):
    def find(name: str) -> SheetLayout | None:
        return sheet.layout if name == sheet.layout.sheet else None

    return find


def off_by_mm(page: Any, sheet: Any, true_mm_to_px: Any):
    """How far fields are placed from where they truly are, in mm, at most."""
    assert page.mm_to_px is not None
    corners = np.concatenate([corners_of(f.hull_mm()) for f in sheet.layout.pages[0].fields])
    found = to_px(page.mm_to_px, corners)
    return float(np.abs(to_px(np.linalg.inv(true_mm_to_px), found) - corners).max())


@pytest.mark.parametrize("turn_deg", [*range(0, 360, 45), 7, 173])
def test_a_page_is_found_in_any_rotation(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, sheet: Any, turn_deg: float
):
    page = register(photograph(paper, turn_deg=turn_deg), layout_of)
    assert not page.refused
    assert page.code is not None
    assert (page.code.sheet, page.code.page) == (sheet.layout.sheet, 1)
    assert page.error_mm < 0.1
    assert None not in page.shifts_mm
    assert np.abs(np.array(page.shifts_mm)).max() < 0.2


def test_fields_are_placed_where_they_are_to_a_tenth_of_a_millimetre(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, sheet: Any
):
    page = register(photograph(paper, size_px=(1512, 2016), fill=1.0, turn_deg=180), layout_of)
    scale = min(1512 / paper.shape[1], 2016 / paper.shape[0]) * sheet.px_per_mm
    width_mm, height_mm = paper.shape[1] / sheet.px_per_mm, paper.shape[0] / sheet.px_per_mm
    turned = np.array(
        [
            [-scale, 0, 1512 / 2 + scale * width_mm / 2],
            [0, -scale, 2016 / 2 + scale * height_mm / 2],
            [0, 0, 1],
        ]
    )
    assert off_by_mm(page, sheet, turned) < 0.1


@pytest.mark.parametrize("tilt", [0.15, 0.3, 0.5])
def test_a_slanted_camera_does_no_harm(paper: Image, photograph: Photograph, layout_of: LayoutOf, tilt: float):
    page = register(photograph(paper, tilt=tilt, fill=0.72, size_px=(2400, 2400)), layout_of)
    assert not page.refused
    assert page.error_mm < 0.15


@pytest.mark.parametrize("size_px", [(768, 1024), (1280, 960), (1512, 2016), (4000, 3000)])
def test_pictures_from_one_to_twelve_megapixels_are_read(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, size_px: tuple[int, int]
):
    assert not register(photograph(paper, size_px=size_px), layout_of).refused


@pytest.mark.parametrize("size_px", [(640, 853), (600, 800), (1024, 768)])
def test_small_pictures_are_read_while_their_fields_have_pixels_enough(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, size_px: tuple[int, int]
):
    assert not register(photograph(paper, size_px=size_px), layout_of).refused


@pytest.mark.parametrize("size_px", [(640, 480), (480, 640), (800, 600)])
def test_a_picture_too_small_to_read_handwriting_in_says_so(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, size_px: tuple[int, int]
):
    assert reason(register(photograph(paper, size_px=size_px), layout_of)) == "too-small"


@pytest.mark.parametrize("corner", range(4))
def test_three_markers_are_enough_and_the_fourth_is_reported(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, sheet: Any, corner: int
):
    covered = paper.copy()
    x, y = (np.array(sheet.layout.pages[0].markers[corner].corners_mm).min(axis=0) * sheet.px_per_mm).astype(int)
    side = int(9.6 * sheet.px_per_mm)
    covered[y : y + side, x : x + side // 2] = (128, 158, 205)
    page = register(photograph(covered), layout_of)
    assert not page.refused
    assert [problem.code for problem in page.problems] == ["corner-missing"]
    assert np.abs(np.array(page.shifts_mm)).max() < 0.3


@pytest.mark.parametrize("centre", [(0.1, 0.5), (0.9, 0.5), (0.5, 0.05), (0.5, 0.95)])
def test_half_a_sheet_is_refused(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, centre: tuple[float, float]
):
    assert reason(register(photograph(paper, centre=centre, fill=1.0), layout_of)) == "half-sheet"


def test_a_mirrored_picture_is_refused(paper: Image, photograph: Photograph, layout_of: LayoutOf):
    image = np.ascontiguousarray(photograph(paper).image[:, ::-1])
    assert reason(register(Capture(image, "mirror"), layout_of)) == "mirrored"


@pytest.mark.parametrize("falloff", [0.3, 0.6, 0.8])
def test_light_that_falls_off_does_no_harm(paper: Image, photograph: Photograph, layout_of: LayoutOf, falloff: float):
    assert not register(photograph(paper, falloff=falloff), layout_of).refused


def test_a_page_in_the_dark_is_refused(paper: Image, photograph: Photograph, layout_of: LayoutOf):
    for brightness in (0.15, 0.06, 0.02):
        assert reason(register(photograph(paper, brightness=brightness), layout_of)) == "too-dark"


def test_a_washed_out_page_is_refused(paper: Image, photograph: Photograph, layout_of: LayoutOf):
    assert reason(register(photograph(paper, brightness=4.0), layout_of)) == "too-bright"


@pytest.mark.parametrize("blur_px", [4.0, 6.0, 9.0])
def test_a_blurred_page_is_refused_not_misread(
    paper: Image, photograph: Photograph, layout_of: LayoutOf, blur_px: float
):
    assert reason(register(photograph(paper, blur_px=blur_px), layout_of)) == "blurred"


def test_a_jpeg_of_quality_40_and_a_grey_picture_are_read(paper: Image, photograph: Photograph, layout_of: LayoutOf):
    assert not register(photograph(paper, quality=40), layout_of).refused
    assert not register(photograph(paper, grey=True), layout_of).refused


def test_a_covered_code_is_named_as_such(paper: Image, photograph: Photograph, layout_of: LayoutOf, sheet: Any):
    covered = paper.copy()
    assert sheet.layout.pages[0].code is not None
    x, y, w, h = (int(v * sheet.px_per_mm) for v in sheet.layout.pages[0].code.box_mm)
    covered[y : y + h, x : x + w // 2] = 240
    assert reason(register(photograph(covered), layout_of)) == "code-unreadable"


def test_a_sheet_that_nobody_loaded_is_unknown_and_still_named(paper: Image, photograph: Photograph, sheet: Any):
    page = register(photograph(paper), lambda _: None)
    assert reason(page) == "unknown-sheet"
    assert page.code is not None
    assert page.code.sheet == sheet.layout.sheet


def test_pictures_of_anything_else_are_no_sheet(layout_of: LayoutOf):
    rng = np.random.default_rng(3)
    fur = np.repeat(np.repeat(rng.integers(0, 255, (150, 200, 3), dtype=np.uint8), 6, axis=0), 6, axis=1)
    for image in (fur, np.full((900, 1200, 3), 235, np.uint8), np.full((5, 5), 200, np.uint8), fur[:, :, 0].copy()):
        assert reason(register(Capture(image, "cat"), layout_of)) == "not-a-sheet"


def test_a_layout_whose_frames_are_not_on_the_paper_is_refused(photograph: Photograph, sheet: Any):
    """The same markers and code, but other fields: a layout of another print run under the same name."""
    empty = sheet.image.copy()
    low, high = int(45 * sheet.px_per_mm), int(275 * sheet.px_per_mm)
    empty[low:high] = 255
    page = register(photograph(empty), lambda _: sheet.layout)
    assert reason(page) == "not-flat"


def test_a_curled_page_is_followed_field_by_field_or_refused(paper: Image, photograph: Photograph, layout_of: LayoutOf):
    height, width = paper.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for bend_mm in (0.4, 0.8):
        bent = columns, rows + bend_mm * 11.8 * np.sin(columns / width * np.pi)
        page = register(photograph(remapped(paper, *bent)), layout_of)
        assert not page.refused
        middle = [s for s in page.shifts_mm if s is not None]
        assert min(dy for _, dy in middle) == pytest.approx(-bend_mm, abs=0.25)


def remapped(paper: Image, columns: Any, rows: Any):
    import cv2

    return cv2.remap(paper, columns, rows, cv2.INTER_LINEAR, borderValue=(120, 95, 70))


def test_of_two_sheets_in_a_picture_one_is_read_from_its_own_markers(
    paper: Image, photograph: Photograph, layout_of: LayoutOf
):
    both = np.full((paper.shape[0], paper.shape[1] * 2 + 60, 3), 90, np.uint8)
    both[:, : paper.shape[1]] = paper
    both[:, -paper.shape[1] :] = paper
    page = register(photograph(both, size_px=(4000, 3000)), layout_of)
    assert not page.refused
    assert page.error_mm < 0.1


@settings(deadline=None)
@given(
    st.lists(st.floats(-0.12, 0.12), min_size=8, max_size=8),
    st.floats(0, 360),
    st.floats(2, 20),
)
def test_fitting_undoes_any_projection(bends: Any, turn_deg: float, px_per_mm: float):
    square = np.array([[0.0, 0], [210, 0], [210, 297], [0, 297]])
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = (square + np.array(bends).reshape(4, 2) * 210) @ turn.T * px_per_mm + 500
    fitted = fit(square, target)
    assert fitted is not None
    matrix, error_mm = fitted
    assert error_mm < 1e-3
    assert np.allclose(to_px(matrix, square), target, atol=1e-3 * px_per_mm)
    assert (px_per_mm_at(matrix, square) > 0).all()


def test_a_projection_that_mirrors_is_not_fitted():
    square = np.array([[0.0, 0], [210, 0], [210, 297], [0, 297]])
    assert fit(square, square * [-1, 1] + 300) is None
