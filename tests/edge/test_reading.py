"""What stands in a field is read as it stands; what is in doubt is asked, and blank means blank."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest

from edge.frames import Capture
from edge.reading.crops import crop_field
from edge.reading.fields import crop_fields, read_fields
from edge.reading.ink import field_ink
from edge.reading.recogniser import Recognition
from edge.reading.red import part_inks
from edge.reading.signature import ink_signature, same_ink
from edge.reading.stacked import find_stacked
from edge.registration.register import register
from homework.results import Doubt
from models.simulation.strokes import Stroke

Printer = Callable[..., Any]
Photograph = Callable[..., Capture]


class Says:
    """A recogniser that says the same of everything, and remembers what it was shown."""

    def __init__(self, text: str | None = "7", confidence: float = 0.99) -> None:
        self.text, self.confidence = text, confidence
        self.shown = []

    def read(self, kind: str, crops: Any):
        self.shown += [(kind, crop) for crop in crops]
        return [Recognition(self.text, self.confidence) for _ in crops]

    def threshold(self, kind: str):
        return 0.9


def page_of(capture: Capture, sheet: Any):
    page = register(capture, lambda _: sheet.layout)
    assert not page.refused
    return page


def readings(capture: Capture, sheet: Any, recogniser: Any = None):
    page = page_of(capture, sheet)
    read = read_fields(page, crop_fields(page), recogniser or Says())
    return {(one.field.item, one.field.blank): one.reading for one in read}


def line_of(points: Any, colour: Any = (60, 58, 56), width_mm: float = 0.5):
    at = np.array(points, float)
    steps = np.concatenate([np.linspace(a, b, 40) for a, b in pairwise(at)])
    return Stroke(steps, width_mm, 0.95, np.ones(len(steps)), colour, "gel")


HARD = [
    {"size_px": (3024, 4032)},
    {"size_px": (960, 1280), "quality": 40},
    {"falloff": 0.7, "turn_deg": 95, "noise": 4},
    {"brightness": 0.4, "turn_deg": 181, "tilt": 0.1, "fill": 0.85},
    {"grey": True, "blur_px": 0.8},
]


@pytest.mark.parametrize("how", HARD)
def test_an_empty_page_is_blank_everywhere(print_worksheet: Printer, photograph: Photograph, how: dict[str, Any]):
    sheet = print_worksheet()
    found = readings(photograph(sheet.paper(), **how), sheet)
    assert {reading.text for reading in found.values()} == {""}
    assert {reading.doubt for reading in found.values()} == {None}


@pytest.mark.parametrize("how", HARD)
def test_every_written_field_is_seen_and_nothing_else(
    print_worksheet: Printer, photograph: Photograph, how: dict[str, Any]
):
    sheet = print_worksheet(seed=11)
    for item, text in {"1": "92", "4": "8……1", "7": "√", "9": "<"}.items():
        sheet.write(item, text)
    found = readings(photograph(sheet.paper(), **how), sheet)
    assert {key for key, reading in found.items() if reading.text == "7"} == {("1", 1), ("4", 1), ("7", 1), ("9", 1)}
    assert all(reading.text == "" for key, reading in found.items() if key[0] not in "1479")


def test_the_faintest_pencil_is_not_blank(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    box = sheet.field("1").box_mm
    sheet.strokes += sheet.writer.write("92", box, sheet.rng, faint=True)
    assert readings(photograph(sheet.paper()), sheet)["1", 1].text != ""


def test_the_recogniser_sees_the_writing_without_the_frame(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    sheet.write("1", "92")
    says = Says()
    readings(photograph(sheet.paper(), size_px=(3024, 4032)), sheet, says)
    [(kind, crop)] = says.shown
    assert kind == "number"
    assert crop.dtype == np.uint8
    _, _, width_mm, height_mm = sheet.field("1").box_mm
    assert crop.shape == pytest.approx((8 * (height_mm + 2), 8 * (width_mm + 2)), abs=2)  # a millimetre on every side
    paper = np.median(crop)
    edges = np.concatenate([crop[:12].ravel(), crop[-12:].ravel(), crop[:, :12].ravel(), crop[:, -12:].ravel()])
    assert edges.min() > 0.85 * paper
    assert crop.min() < 0.6 * paper


def test_strokes_that_leave_the_frame_belong_to_the_answer(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    x, y, _, h = sheet.field("2").box_mm
    sheet.strokes.append(line_of([(x + 5, y + 3), (x + 8, y + h + 2)]))
    page = page_of(photograph(sheet.paper(), size_px=(3024, 4032)), sheet)
    ink = field_ink(crop_fields(page)[1])
    assert (ink.inside, ink.beside) == (True, False)
    assert ink.writing_mm[1] + ink.writing_mm[3] > y + h + 2


def test_ink_beside_an_empty_box_is_not_blank(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    x, y, w, h = sheet.field("1").box_mm
    sheet.write_at("92", (x + w + 1.5, y, 8, h))
    reading = readings(photograph(sheet.paper()), sheet)["1", 1]
    assert (reading.text, reading.doubt) == (None, Doubt.INK_BESIDE)


def test_ink_beside_a_written_box_is_asked_about(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    x, y, w, h = sheet.field("1").box_mm
    sheet.write("1", "92")
    sheet.write_at("5", (x + w + 1.5, y, 6, h))
    reading = readings(photograph(sheet.paper()), sheet)["1", 1]
    assert (reading.text, reading.doubt) == ("7", Doubt.INK_BESIDE)


def test_a_one_on_the_frames_side_is_asked_about(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    x, y, w, h = sheet.field("1").box_mm
    sheet.write("1", "9")
    sheet.strokes.append(line_of([(x + w + 0.4, y + 1.5), (x + w + 0.1, y + h - 2)], width_mm=0.8))
    reading = readings(photograph(sheet.paper(), size_px=(3024, 4032)), sheet)["1", 1]
    assert (reading.text, reading.doubt) == ("7", Doubt.INK_BESIDE)


def test_the_teachers_red_pen_vanishes(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    sheet.write("2", "48")
    red = (45, 40, 205)
    strokes = []
    for item in ("1", "2", "3"):
        x, y, w, _ = sheet.field(item).box_mm
        strokes.append(line_of([(x + 2, y + 5), (x + 5, y + 9), (x + w + 4, y - 1)], red, 0.7))
    strokes.append(line_of([(20, 140), (60, 150), (120, 135)], red, 0.8))
    found = readings(photograph(sheet.over(strokes), size_px=(3024, 4032), quality=85), sheet)
    assert {key: r.text for key, r in found.items() if r.text != ""} == {("2", 1): "7"}
    assert all(r.doubt is None for r in found.values())


def test_warm_light_is_not_red_ink():
    rng = np.random.default_rng(2)
    paper = np.clip(np.array([150, 190, 235]) + rng.normal(0, 2, (80, 200, 3)), 0, 255).astype(np.uint8)
    cv2.putText(paper, "92", (40, 60), cv2.FONT_HERSHEY_SIMPLEX, 2, (60, 75, 95), 6)
    parted = part_inks(paper, 8.0)
    assert not parted.any_red
    assert np.array_equal(parted.grey, paper[..., 2])


def test_below_its_threshold_a_reading_is_asked_about(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    sheet.write("1", "92")
    capture = photograph(sheet.paper())
    assert readings(capture, sheet, Says(confidence=0.89))["1", 1].doubt is Doubt.UNSURE
    assert readings(capture, sheet, Says(confidence=0.91))["1", 1].doubt is None
    assert readings(capture, sheet, Says(text=None, confidence=0.0))["1", 1].doubt is Doubt.NOT_A_NUMBER


def test_a_field_whose_frame_is_hidden_is_never_certain(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    paper = sheet.paper()
    x, y, w, h = (int(v * sheet.px_per_mm) for v in sheet.field("8").box_mm)
    cv2.rectangle(paper, (x - 60, y - 25), (x + w + 60, y + h + 25), (150, 170, 205), -1)
    reading = readings(photograph(paper), sheet)["8", 1]
    assert reading.text is None
    assert reading.doubt is not None


# Stacked fractions


@pytest.mark.parametrize(("text", "parts"), [("3/4", 2), ("1 3/4", 3), ("12/25", 2), ("5/8", 2)])
def test_a_stacked_fraction_comes_apart_at_its_bar(
    print_worksheet: Printer, photograph: Photograph, text: str, parts: int
):
    sheet = print_worksheet(seed=3)
    sheet.write("3", text)
    says = Says(text="5", confidence=0.98)
    reading = readings(photograph(sheet.paper(), size_px=(3024, 4032)), sheet, says)["3", 1]
    assert len(says.shown) == parts
    assert reading.text == ("5/5" if parts == 2 else "5 5/5")
    assert reading.confidence == pytest.approx(0.98**parts)


def test_numbers_are_no_fractions(print_worksheet: Printer, photograph: Photograph):
    for seed in range(6):
        sheet = print_worksheet(seed=seed)
        sheet.write("1", "44")
        sheet.write("2", "-275")
        sheet.write("4", "7……3")
        says = Says(text="5")
        found = readings(photograph(sheet.paper(), size_px=(3024, 4032)), sheet, says)
        assert {found[item, 1].text for item in ("1", "2", "4")} == {"5"}, seed
        assert len(says.shown) == 3


# The same ink


def signature(capture: Capture, sheet: Any):
    return ink_signature(crop_fields(page_of(capture, sheet)))


def filled_by(print_worksheet: Printer, seed: int, answers: Any = "plain"):
    sheet = print_worksheet(seed=seed)
    texts = {"1": "92", "2": "48", "4": "8……1", "7": "√", "8": "C", "9": "<"}
    for item, text in texts.items():
        sheet.write(item, text if answers == "plain" else text[::-1])
    sheet.mark("5", "B")
    sheet.mark("6", "A")
    return sheet


def test_photos_of_one_sheet_show_the_same_ink(print_worksheet: Printer, photograph: Photograph):
    for seed in range(2):
        sheet = filled_by(print_worksheet, seed)
        plain = signature(photograph(sheet.paper(), size_px=(3024, 4032)), sheet)
        for how in HARD:
            assert same_ink(plain, signature(photograph(sheet.paper(), seed=9, **how), sheet)), (seed, how)


def test_two_pupils_copies_show_different_ink(print_worksheet: Printer, photograph: Photograph):
    """Both wrote the same answers; a copyist's sheet is another sheet."""
    pupils = [filled_by(print_worksheet, seed) for seed in range(6)]
    marks = [signature(photograph(sheet.paper(), seed=n), sheet) for n, sheet in enumerate(pupils)]
    for a in range(6):
        for b in range(a):
            assert not same_ink(marks[a], marks[b]), (a, b)


def test_empty_pages_are_not_the_same_ink(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    one = signature(photograph(sheet.paper()), sheet)
    assert not same_ink(one, signature(photograph(sheet.paper(), seed=4), sheet))
    assert not same_ink(one, b"")


def test_a_crop_is_the_field_wherever_the_page_lies(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    sheet.write("1", "92")
    straight = page_of(photograph(sheet.paper(), size_px=(2016, 2016)), sheet)
    turned = page_of(photograph(sheet.paper(), size_px=(2016, 2016), turn_deg=180), sheet)
    one, other = (crop_field(page, sheet.field("1")).image.astype(float) for page in (straight, turned))
    assert np.abs(one - other).mean() < 4


def test_grey_frames_are_read_like_colour(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    sheet.mark("5", "B")
    capture = photograph(sheet.paper())
    grey = Capture(cv2.cvtColor(capture.image, cv2.COLOR_BGR2GRAY), "y plane")
    assert readings(grey, sheet)["5", 1].text == "B"


def test_a_large_five_is_no_fraction_though_its_middle_stroke_is_as_flat_as_a_bar():
    five = np.full((96, 80), 215, np.uint8)
    for stroke in ([(22, 10), (48, 10)], [(22, 10), (18, 44), (42, 44), (48, 58), (42, 76), (22, 78)]):
        cv2.polylines(five, [np.array(stroke, np.int32)], False, 60, 4, cv2.LINE_AA)
    assert find_stacked(five) is None
    apart = five.copy()
    apart[38:42] = 215  # what stands over the bar, and under it, apart from it
    apart[48:52] = 215
    assert find_stacked(apart) is not None
