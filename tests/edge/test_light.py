"""Ink is measured against the paper beside it: no shadow's edge, no lamp and no glare reads as an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge.frames import Capture, Image
from edge.reading.fields import crop_fields, read_fields
from edge.reading.paper import evened
from edge.registration.register import register
from models.recognisers import Recognisers

Printer = Callable[..., Any]
Photograph = Callable[..., Capture]


@pytest.fixture(scope="module")
def recognisers() -> Recognisers:
    return Recognisers.load()


def shadowed(
    capture: Capture, level: float, *, soft_px: float, angle_deg: float, through: tuple[float, float]
) -> Capture:
    """The picture with a shadow over one side of it; its edge, so soft, goes through that pixel."""
    height, width = capture.image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = np.deg2rad(angle_deg)
    away = (x - through[0]) * np.cos(angle) + (y - through[1]) * np.sin(angle)
    light = level + (1 - level) * np.clip(away / soft_px + 0.5, 0, 1)
    image = capture.image * (light[..., None] if capture.image.ndim == 3 else light)
    return Capture(np.asarray(image, np.float32).astype(np.uint8), capture.source)


def read(capture: Capture, sheet: Any, recognisers: Recognisers) -> dict[tuple[str, int], Any]:
    page = register(capture, lambda _: sheet.layout)
    assert not page.refused
    found = read_fields(page, crop_fields(page), recognisers)
    return {(one.field.item, one.field.blank): one.reading for one in found}


@pytest.mark.parametrize("level", [0.6, 0.4])
@pytest.mark.parametrize("how", [(3, 4), (12, 30), (12, 65), (40, 4)])
def test_the_edge_of_a_shadow_across_empty_fields_is_no_ink(
    print_worksheet: Printer, photograph: Photograph, recognisers: Recognisers, level: float, how: tuple[float, float]
):
    sheet = print_worksheet()
    x, y, w, h = sheet.field("1").box_mm
    capture = photograph(sheet.paper(), size_px=(2100, 2970), fill=1.0)  # 10 px a millimetre
    through = (10 * (x + w / 2), 10 * (y + h / 2))
    soft_px, angle_deg = how
    found = read(shadowed(capture, level, soft_px=soft_px, angle_deg=angle_deg, through=through), sheet, recognisers)
    bubbles = {("5", 1), ("6", 1)}
    assert {key: one.text for key, one in found.items() if one.text != "" and key not in bubbles} == {}
    assert {key: one.text for key, one in found.items() if one.text != "" and one.doubt is None} == {}


@pytest.mark.parametrize("level", [0.6, 0.4])
def test_an_answer_under_the_edge_of_a_shadow_is_read_or_asked_never_misread(
    print_worksheet: Printer, photograph: Photograph, recognisers: Recognisers, level: float
):
    sheet = print_worksheet(seed=4)
    sheet.write("1", "92")
    sheet.write("2", "48")
    right = {("1", 1): "92", ("2", 1): "48"}
    x, _, w, _ = sheet.field("1").box_mm
    capture = photograph(sheet.paper(), size_px=(2100, 2970), fill=1.0)
    for part in (0.1, 0.3, 0.5):
        through = (10 * (x + part * w), 0.0)
        found = read(shadowed(capture, level, soft_px=4, angle_deg=0, through=through), sheet, recognisers)
        wrong = {
            key: reading.text
            for key, reading in found.items()
            if reading.doubt is None and reading.text != right.get(key, "")
        }
        assert wrong == {}


def test_light_that_falls_off_leaves_every_reading_as_it_is(
    print_worksheet: Printer, photograph: Photograph, recognisers: Recognisers
):
    sheet = print_worksheet(seed=4)
    for item, text in {"1": "92", "2": "48", "7": "√", "9": "<"}.items():
        sheet.write(item, text)
    even = read(photograph(sheet.paper(), size_px=(2100, 2970)), sheet, recognisers)
    fallen = read(photograph(sheet.paper(), size_px=(2100, 2970), falloff=0.6), sheet, recognisers)
    assert {key: one.text for key, one in fallen.items()} == {key: one.text for key, one in even.items()}


def test_an_even_crop_is_left_as_it_is():
    crop: Image = np.clip(np.random.default_rng(3).normal(200, 4, (80, 160)), 0, 255).astype(np.uint8)
    assert evened(crop, 8.0) is crop


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75, 1.0])
def test_glare_over_an_answer_is_asked_about(
    print_worksheet: Printer, photograph: Photograph, recognisers: Recognisers, part: float
):
    sheet = print_worksheet(seed=4)
    sheet.write("1", "92")
    capture = photograph(sheet.paper(), size_px=(2100, 2970), fill=1.0)
    x, y, w, h = (v * 10 for v in sheet.field("1").box_mm)
    rows, columns = np.mgrid[0:2970, 0:2100].astype(np.float32)
    reach = np.hypot((columns - x - part * w) / (w / 2), (rows - y - h / 2) / (0.9 * h))
    glare = 420 * np.exp(-(reach**4))
    image = np.clip(capture.image.astype(np.float32) + glare[..., None], 0, 255).astype(np.uint8)
    reading = read(Capture(image, "glare"), sheet, recognisers)["1", 1]
    assert reading.doubt is not None or reading.text == "92"
    assert reading.text != ""
