"""A page that is curled, seen through a bad lens or has lost two corners is proven by its own print, or refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from benchmarks._perturbations import Scene, photograph_and_map
from edge.frames import Capture, Image
from edge.registration.calibration import calibrate_lens
from edge.registration.geometry import corners_of
from edge.registration.lens import Lens, LensOn
from edge.registration.register import LayoutOf, register
from homework.errors import ClassboxError
from homework.layout import SheetLayout

WIDE_PX = 1200
PAGE_MM = (210.0, 297.0)


@pytest.fixture(scope="module")
def sheet(print_worksheet: Callable[..., Any]) -> Any:
    return print_worksheet()


@pytest.fixture(scope="module")
def paper(sheet: Any) -> Any:
    sheet.seat("07")
    sheet.write("1", "92")
    sheet.mark("5", "B")
    return sheet.paper()


@pytest.fixture(scope="module")
def layout_of(sheet: Any) -> LayoutOf:
    return knowing(sheet.layout)


def knowing(layout: SheetLayout) -> LayoutOf:
    return lambda name: layout if name == layout.sheet else None


def seen(paper: Image, scene: Scene, seed: int = 3) -> tuple[Capture, Any]:
    image, at_mm = photograph_and_map(paper, PAGE_MM, scene, np.random.default_rng(seed), code_corner=1)
    return Capture(image, "photo"), at_mm


def off_by_mm(page: Any, at_mm: Any) -> list[float]:
    """How far each field that is trusted is placed from where the picture truly shows it."""
    errors = []
    for field, shift in zip(page.page.fields, page.shifts_mm, strict=True):
        if shift is not None:
            corners = corners_of(field.hull_mm())
            px = page.to_px(corners + np.array(shift)).astype(np.float32)
            there = cv2.remap(at_mm, px[None, :, 0], px[None, :, 1], cv2.INTER_LINEAR)[0]
            errors.append(float(np.abs(there - corners).max()))
    return errors


@pytest.mark.parametrize("corners", [(0, 3), (0, 2), (2, 3)])
@pytest.mark.parametrize("turn_deg", [0, 137])
def test_two_corners_under_a_hand_do_not_hide_where_the_page_lies(
    paper: Image, layout_of: LayoutOf, corners: tuple[int, int], turn_deg: float
) -> None:
    capture, at_mm = seen(paper, Scene(wide_px=WIDE_PX, covered=corners, turn_deg=turn_deg))
    page = register(capture, layout_of)
    assert not page.refused
    assert [problem.code for problem in page.problems] == ["two-corners-missing"]
    assert None not in page.shifts_mm
    assert max(off_by_mm(page, at_mm)) < 0.25


def test_a_page_whose_bottom_lies_outside_the_picture_is_read_while_its_fields_lie_in_it(
    paper: Image, layout_of: LayoutOf
) -> None:
    capture, at_mm = seen(paper, Scene(wide_px=WIDE_PX, cut_mm=20, tilt_deg=15))
    page = register(capture, layout_of)
    assert not page.refused
    assert max(off_by_mm(page, at_mm)) < 0.25


def test_three_corners_under_hands_are_refused(paper: Image, layout_of: LayoutOf) -> None:
    page = register(seen(paper, Scene(wide_px=WIDE_PX, covered=(0, 2, 3)))[0], layout_of)
    assert page.refused
    assert page.problems[-1].code == "half-sheet"


@pytest.mark.parametrize("scene", [Scene(lift_mm=8), Scene(lift_mm=16), Scene(lift_mm=10, folded=True)], ids=str)
@pytest.mark.parametrize("seed", [3, 4])
def test_a_curled_page_is_followed_by_its_fields(paper: Image, layout_of: LayoutOf, scene: Scene, seed: int) -> None:
    capture, at_mm = seen(paper, _wide(scene), seed)
    page = register(capture, layout_of)
    assert not page.refused
    assert page.shifts_mm.count(None) <= 1
    assert max(off_by_mm(page, at_mm)) < 0.35


def _wide(scene: Scene) -> Scene:
    return replace(scene, wide_px=WIDE_PX)


@pytest.mark.parametrize("barrel", [-0.03, -0.08])
def test_a_lens_that_bends_is_told_from_one_picture(paper: Image, layout_of: LayoutOf, barrel: float) -> None:
    capture, at_mm = seen(paper, Scene(wide_px=WIDE_PX, barrel=barrel))
    page = register(capture, layout_of)
    assert not page.refused
    assert page.shifts_mm.count(None) <= 1
    assert max(off_by_mm(page, at_mm)) < 0.3


def test_frames_that_are_elsewhere_are_never_bent_into_place(paper: Image, sheet: Any) -> None:
    """The fields of another print run: no curl, lens or hand explains them away."""
    for dx, dy in ((0.0, 5.0), (7.0, 0.0), (-4.0, 4.0)):
        fields = tuple(
            msgspec.structs.replace(
                field,
                box_mm=None
                if field.box_mm is None
                else (field.box_mm[0] + dx, field.box_mm[1] + dy, *field.box_mm[2:]),
                bubbles=tuple(
                    msgspec.structs.replace(b, box_mm=(b.box_mm[0] + dx, b.box_mm[1] + dy, *b.box_mm[2:]))
                    for b in field.bubbles
                ),
            )
            for field in sheet.layout.pages[0].fields
        )
        first = msgspec.structs.replace(sheet.layout.pages[0], fields=fields)
        other = msgspec.structs.replace(sheet.layout, pages=(first, *sheet.layout.pages[1:]))
        for scene in (Scene(), Scene(lift_mm=12), Scene(covered=(0, 3)), Scene(barrel=-0.06)):
            assert register(seen(paper, _wide(scene))[0], knowing(other)).refused


def test_a_code_is_read_where_the_blur_is_as_wide_as_its_modules(paper: Image, layout_of: LayoutOf) -> None:
    page = register(seen(paper, Scene(wide_px=2000, blur=1.9))[0], layout_of)
    assert not page.refused


def test_a_lens_and_its_way_back_undo_each_other() -> None:
    lens = LensOn(-0.12, 0.02, (4000, 3000))
    points = np.random.default_rng(1).uniform((0, 0), (4000, 3000), (50, 2))
    assert np.allclose(lens.straightened(lens.bent(points)), points, atol=0.01)


def test_a_lens_learned_from_three_pictures_places_the_fields_of_a_fourth(paper: Image, layout_of: LayoutOf) -> None:
    """The error of the plane alone, without following each field, before and after."""
    scene = Scene(wide_px=WIDE_PX, barrel=-0.05)
    found = calibrate_lens([register(seen(paper, scene, seed)[0], layout_of) for seed in (11, 12, 13)])
    assert found.pages == 3
    assert found.after_mm < 0.1 < found.before_mm
    capture, at_mm = seen(paper, scene, 14)
    page = register(capture, layout_of, lens=found.lens)
    assert page.place is not None
    assert page.place.bend is None
    assert max(off_by_mm(page, at_mm)) < 0.15
    assert max(np.hypot(*shift) for shift in page.shifts_mm if shift is not None) < 0.3


def test_a_lens_of_another_camera_is_not_applied(paper: Image, layout_of: LayoutOf) -> None:
    capture, _ = seen(paper, Scene(wide_px=WIDE_PX))
    page = register(capture, layout_of, lens=Lens(-0.1, 0.0, 16 / 9))
    assert not page.refused
    assert page.place is None


def test_no_lens_is_learned_from_a_picture_without_a_sheet(layout_of: LayoutOf) -> None:
    nothing = register(Capture(np.full((900, 1200, 3), 200, np.uint8), "desk"), layout_of)
    with pytest.raises(ClassboxError):
        calibrate_lens([nothing])
