"""Bubbles on real printed sheets: plain marks are read, everything that could be meant otherwise is asked about."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.frames import Capture, FieldCrop
from edge.reading.bubbles import CERTAIN, Fill, Mark, agreed, interpret, judge, read_bubbles
from edge.reading.fields import crop_fields, read_fields
from edge.registration.register import register
from homework.errors import UsageError
from homework.layout import Bubble, Field
from homework.results import Doubt, Reading
from models.bubbles import SHOWN, Look, Shown
from models.recognisers import Recognition
from models.simulation.strokes import Stroke

Printer = Callable[..., Any]
Photograph = Callable[..., Capture]

CONDITIONS = [
    {"size_px": (3024, 4032)},
    {"size_px": (960, 1280), "quality": 40},
    {"falloff": 0.7, "turn_deg": 95, "noise": 4},
    {"brightness": 0.4, "turn_deg": 181, "tilt": 0.1, "fill": 0.85},
    {"grey": True, "blur_px": 0.8},
]


class Deaf:
    """A recogniser for pages on which nobody wrote."""

    def read(self, kind: str, crops: Any) -> list[Recognition]:
        return [Recognition(None, 0.0) for _ in crops]

    def threshold(self, kind: str) -> float:
        return 0.9


def bubbles_of(capture: Capture, sheet: Any) -> dict[str, Reading]:
    page = register(capture, lambda _: sheet.layout)
    assert not page.refused
    read = read_fields(page, crop_fields(page), Deaf())
    return {one.field.item: one.reading for one in read if one.field.bubbles}


def lines_through(sheet: Any, item: str, label: str, *, beyond_mm: float = 1.6, width_mm: float = 0.7) -> None:
    """Two lines across a bubble, in a black pen."""
    x, y, w, h = next(b.box_mm for b in sheet.field(item).bubbles if b.label == label)
    left, top, right, bottom = x - beyond_mm, y - beyond_mm, x + w + beyond_mm, y + h + beyond_mm
    for ends in ([(left, top), (right, bottom)], [(right, top), (left, bottom)]):
        draw(sheet, ends, width_mm)


def draw(sheet: Any, points: list[tuple[float, float]], width_mm: float = 0.5) -> None:
    steps = np.concatenate([np.linspace(a, b, 40) for a, b in pairwise(np.array(points))])
    sheet.strokes.append(Stroke(steps, width_mm, 0.95, np.ones(len(steps)), (60, 58, 56), "gel"))


@pytest.mark.parametrize(("label", "how"), list(zip("ADBCA", CONDITIONS, strict=True)))
def test_a_fill_is_read_under_every_light(
    print_worksheet: Printer, photograph: Photograph, label: str, how: dict[str, Any]
):
    sheet = print_worksheet(seed=8)
    sheet.mark("5", label)
    sheet.mark("6", "B")
    sheet.mark("6", "D")
    found = bubbles_of(photograph(sheet.paper(), **how), sheet)
    assert (found["5"].text, found["5"].doubt) == (label, None)
    assert (found["6"].text, found["6"].doubt) == ("BD", None)


@pytest.mark.parametrize("style", ["tick", "cross"])
def test_one_tick_or_cross_among_empty_bubbles_is_read(print_worksheet: Printer, photograph: Photograph, style: str):
    read = []
    for seed in range(6):
        sheet = print_worksheet(seed=seed)
        sheet.mark("5", "C", style)
        reading = bubbles_of(photograph(sheet.paper()), sheet)["5"]
        assert reading.text == "C"
        assert reading.doubt in {None, Doubt.FAINT_MARK, Doubt.INK_BESIDE}
        read.append(reading.doubt is None)
    assert sum(read) >= 3


def test_two_marks_on_a_choice_are_both_read_and_asked_about(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    sheet.mark("5", "D")
    sheet.mark("5", "B")
    reading = bubbles_of(photograph(sheet.paper()), sheet)["5"]
    assert (reading.text, reading.doubt) == ("BD", Doubt.TWO_MARKS)


@pytest.mark.parametrize("second", ["tick", "cross"])
def test_a_fill_beside_a_tick_or_cross_is_asked_about(print_worksheet: Printer, photograph: Photograph, second: str):
    """The other mark may take something back; the fill is the first that a person is offered."""
    for seed in range(3):
        sheet = print_worksheet(seed=seed)
        sheet.mark("5", "B")
        sheet.mark("5", "C", second)
        reading = bubbles_of(photograph(sheet.paper()), sheet)["5"]
        assert reading.doubt is not None
        assert "B" in reading.candidates[0].text


def test_a_fill_that_was_crossed_out_is_known_and_the_other_offered_first(
    print_worksheet: Printer, photograph: Photograph
):
    for seed in range(4):
        sheet = print_worksheet(seed=seed)
        sheet.mark("5", "A")
        lines_through(sheet, "5", "A")
        sheet.mark("5", "B")
        reading = bubbles_of(photograph(sheet.paper()), sheet)["5"]
        assert reading.doubt is Doubt.CANCELLED
        assert (reading.text, reading.candidates[0].text) == ("B", "B")


def test_a_tick_beside_its_bubble_is_no_blank(print_worksheet: Printer, photograph: Photograph):
    for seed in range(3):
        sheet = print_worksheet(seed=seed)
        x, y, _, h = sheet.field("5").bubbles[1].box_mm
        draw(sheet, [(x - 3.4, y + h / 2 - 0.5), (x - 2.4, y + h / 2 + 1), (x - 0.6, y + h / 2 - 2.2)])
        reading = bubbles_of(photograph(sheet.paper()), sheet)["5"]
        assert reading.doubt is not None


@pytest.mark.parametrize("style", ["faint", "dot"])
@pytest.mark.parametrize("how", CONDITIONS[1:3])
def test_what_is_hardly_a_mark_is_never_read(
    print_worksheet: Printer, photograph: Photograph, style: str, how: dict[str, Any]
):
    sheet = print_worksheet()
    sheet.mark("5", "C", style)
    sheet.mark("6", "A")
    sheet.mark("6", "C", style)
    found = bubbles_of(photograph(sheet.paper(), **how), sheet)
    assert found["5"].doubt is not None
    assert found["6"].doubt is not None


# Where the fill and the network differ


EMPTY, FULL = Fill(0.0, 0.0, 0.0), Fill(0.95, 0.6, 0.0)


def look(shown: Shown, *, sure: bool = True, marked: bool = False) -> Look:
    confidence = 0.998 if sure else 0.7
    rest = (1 - confidence) / (len(SHOWN) - 1)
    return Look(shown, confidence, sure, marked, tuple(confidence if name == shown else rest for name in SHOWN))


@given(st.sampled_from([Mark.EMPTY, Mark.FILLED, Mark.FAINT, Mark.CANCELLED]), st.sampled_from(SHOWN), st.booleans())
def test_only_what_both_say_passes_for_empty_or_full(measured: Mark, shown: Shown, sure: bool):
    mark = agreed(measured, look(shown, sure=sure))
    if mark in (Mark.EMPTY, Mark.FILLED):
        assert mark is measured
        assert shown == mark.value
        assert sure
    assert mark is not Mark.MARKED
    if mark in (Mark.TICKED, Mark.CROSSED):
        assert shown == mark.value
        assert sure
        assert measured not in (Mark.EMPTY, Mark.FILLED)


@given(st.lists(st.sampled_from(list(Mark)), min_size=1, max_size=6), st.booleans())
def test_nothing_doubtful_is_read(marks: list[Mark], several: bool):
    reading = interpret("ABCDEF"[: len(marks)], marks, 0.99, several=several)
    doubtful = {Mark.FAINT, Mark.CANCELLED, Mark.BESIDE}
    marked = [mark for mark in marks if mark not in doubtful | {Mark.EMPTY}]
    if doubtful & set(marks) or len(set(marked)) > 1 or (len(marked) > 1 and not several):
        assert reading.doubt is not None
    if reading.doubt is None:
        expected = "".join(label for label, mark in zip("ABCDEF", marks, strict=False) if mark is not Mark.EMPTY)
        assert reading.text == expected
        assert reading.confidence == 0.99


def test_a_mark_of_whatever_kind_is_read_only_when_it_is_the_only_one():
    """A scribble may be a fill or a cross; alone it is an answer either way."""
    unsure = look("filled", sure=False, marked=True)
    assert [agreed(measured, unsure) for measured in (Mark.FILLED, Mark.FAINT)] == [Mark.MARKED] * 2
    assert agreed(Mark.EMPTY, unsure) is Mark.BESIDE
    assert agreed(Mark.CANCELLED, unsure) is Mark.CANCELLED
    assert interpret("ABC", [Mark.EMPTY, Mark.MARKED, Mark.EMPTY], 0.9, several=True) == Reading("B", 0.9)
    for other in (Mark.FILLED, Mark.MARKED, Mark.CROSSED):
        for several in (True, False):
            assert interpret("ABC", [other, Mark.MARKED, Mark.EMPTY], 0.9, several=several).doubt is not None


def test_several_fills_of_choices_are_read_and_those_of_a_choice_are_asked_about():
    marks = [Mark.FILLED, Mark.EMPTY, Mark.FILLED]
    assert interpret("ABC", marks, 0.99, several=True) == Reading("AC", 0.99)
    one = interpret("ABC", marks, 0.99, several=False)
    assert (one.text, one.doubt, one.candidates[0].text) == ("AC", Doubt.TWO_MARKS, "AC")


def test_a_cancelled_mark_offers_the_other_first_and_itself_last():
    reading = interpret("ABC", [Mark.CANCELLED, Mark.FILLED, Mark.EMPTY], 0.99, several=False)
    assert (reading.text, reading.doubt) == ("B", Doubt.CANCELLED)
    assert [one.text for one in reading.candidates] == ["B", "A"]
    alone = interpret("ABC", [Mark.CANCELLED, Mark.EMPTY, Mark.EMPTY], 0.99, several=False)
    assert (alone.text, alone.doubt) == ("", Doubt.CANCELLED)


def test_bubbles_are_judged_against_each_other():
    """A letter printed in every bubble darkens all of them alike and marks none."""
    printed = Fill(cover=0.25, dark=0.12, leak=0.0)
    assert judge([printed, printed, printed]) == [Mark.EMPTY] * 3
    assert judge([printed, FULL, printed]) == [Mark.EMPTY, Mark.FILLED, Mark.EMPTY]
    assert judge([FULL] * 3) == [Mark.FILLED] * 3
    assert judge([EMPTY]) == [Mark.EMPTY]


# Crops that show nothing


def bare(image: Any) -> FieldCrop:
    height, width = image.shape[:2]
    bubbles = tuple(Bubble(label, (1.0 + 8 * k, 1.0, 5.2, 5.2)) for k, label in enumerate("AB"))
    field = Field(item="1", blank=1, kind="choice", bubbles=bubbles)
    return FieldCrop(field, image, 4.0, (0.0, 0.0, width / 4, height / 4), (4, 4, 53, 21))


def read_bare(image: Any) -> Reading:
    crop = bare(image)
    return read_bubbles(crop, crop.field.bubbles, several=False)


def test_a_black_crop_is_asked_about():
    assert read_bare(np.zeros((30, 64), np.uint8)).doubt is Doubt.UNSURE
    assert read_bare(np.full((30, 64), 12, np.uint8)).doubt is Doubt.UNSURE


def test_a_white_crop_has_no_mark():
    reading = read_bare(np.full((30, 64), 255, np.uint8))
    assert reading.text in {"", None}
    assert reading.confidence <= CERTAIN


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 64)])
def test_a_crop_too_small_for_its_bubbles_is_asked_about(shape: tuple[int, int]):
    assert read_bare(np.full(shape, 200, np.uint8)).doubt is not None


def test_noise_is_not_read_as_a_mark():
    rng = np.random.default_rng(3)
    for _ in range(20):
        reading = read_bare(rng.integers(0, 256, (30, 64)).astype(np.uint8))
        assert reading.doubt is not None


@pytest.mark.parametrize("image", [np.full((30, 64), np.nan), np.zeros((0, 64), np.uint8)], ids=["NaN", "no pixels"])
def test_what_is_no_picture_is_refused_in_words(image: Any):
    with pytest.raises(UsageError, match="grey bytes"):
        read_bare(image)


def test_a_steep_shadow_without_bubbles_is_not_read_as_a_mark():
    slope = np.tile(np.linspace(90, 230, 64), (30, 1))
    reading = read_bare(np.asarray(cv2.GaussianBlur(slope, (0, 0), 2), np.uint8))
    assert reading.text == "" or reading.doubt is not None
