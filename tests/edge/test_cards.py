"""Photographed answer cards: found in any turn, read bubble by bubble, and never read where they do not lie."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from benchmarks._cards import (
    PX_PER_MM,
    DrawnCard,
    Look,
    camera_card,
    draw_card,
    drawn_box,
    exam_card,
    fill_card,
    sheet_of,
    small_card,
)
from benchmarks._perturbations import Scene, photograph
from edge.frames import Capture, Image
from edge.omrchecker import all_bubbles
from edge.pipeline import Books, GradedPage, grade_capture
from edge.reading.bubbles import joined
from edge.registration.card import register_card
from edge.registration.geometry import to_px
from edge.registration.lattice import CardPoints
from edge.registration.markers import Pyramid
from edge.registration.outlines import find_bubbles
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.results import Doubt, Reading
from models.recognisers import Recognition
from models.simulation.ink import draw_strokes
from models.simulation.pen import Writer


class Deaf:
    """A recogniser for pages on which nobody writes words."""

    def read(self, kind: str, crops: object) -> list[Recognition]:
        return []

    def threshold(self, kind: str) -> float:
        return 0.9


@cache
def card_of(name: str) -> tuple[DrawnCard, UnmarkedSheet]:
    look: Look = {"camera": camera_card, "exam": exam_card, "small": small_card}[name]()
    return draw_card(look), sheet_of(look)


def taken(card: DrawnCard, paper: Image, scene: Scene) -> Capture:
    picture = photograph(paper, card.paper_mm, replace(scene, wide_px=1500), np.random.default_rng(4))
    return Capture(picture, "card.jpg")


def graded(capture: Capture, *sheets: UnmarkedSheet) -> GradedPage:
    books = Books(layout_of=lambda _: None, assignment_of=lambda _: None, unmarked=lambda: sheets)
    return grade_capture(capture, books, Deaf())


def marked(card: DrawnCard, marks: dict[str, list[str]], style: str = "fill") -> Image:
    """The card with these bubbles of each item marked, a label for each column."""
    rng = np.random.default_rng(8)
    writer = Writer.random(11)
    paper = card.paper.copy()
    for field in card.layout.pages[0].fields:
        for column, label in zip(field.columns(), marks.get(field.item, []), strict=False):
            for bubble in column:
                if bubble.label in label:
                    strokes = writer.mark_bubble(drawn_box(bubble.box_mm, card.look), rng, style=style)  # type: ignore[arg-type]
                    draw_strokes(paper, strokes, PX_PER_MM)
    return paper


@pytest.mark.parametrize("turn", [0, 10, 90, 137, 180, 270])
@pytest.mark.parametrize("name", ["camera", "exam"])
def test_a_card_is_found_in_any_turn_and_every_bubble_lies_where_it_is_printed(name: str, turn: float) -> None:
    card, sheet = card_of(name)
    scene = Scene(turn_deg=turn, noise=0)
    capture = taken(card, card.paper, scene)
    page = register_card(capture, sheet, Pyramid(capture.image))
    assert page is not None
    assert not page.refused, page.problems
    assert page.mm_to_px is not None
    assert page.page is not None
    # Turned back by what was asked for, the page's x axis points right: no other turn passes for it.
    right = np.diff(to_px(page.mm_to_px, np.array([[0.0, 0.0], [10.0, 0.0]])), axis=0)[0]
    seen = np.degrees(np.arctan2(right[1], right[0]))
    assert abs((seen - turn + 180) % 360 - 180) < 3
    boxes = tuple(bubble.box_mm for field in page.page.fields for bubble in field.bubbles)
    outlines = find_bubbles(capture.image, page.to_px, boxes)
    assert np.mean([outline.found for outline in outlines]) > 0.9
    off = [float(np.hypot(*outline.shift_mm)) for outline in outlines if outline.found]
    assert np.percentile(off, 95) < 0.6  # of bubbles 5 mm wide


@pytest.mark.parametrize(
    "scene",
    [
        Scene(tilt_deg=20),
        Scene(light=0.4),
        Scene(shadow=0.4),
        Scene(desk=210),
        Scene(desk=240),
        Scene(lift_mm=8),
        Scene(brightness=0.4),
    ],
    ids=["tilt", "light", "shadow", "light desk", "white desk", "curl", "dark"],
)
def test_no_edge_of_the_paper_and_no_even_light_is_needed(scene: Scene) -> None:
    card, sheet = card_of("camera")
    page = graded(taken(card, marked(card, {"q1": ["B"], "q9": ["D"]}), scene), sheet)
    assert page.record is not None, page.problems
    readings = {item.item: item.reading for item in page.record.items}
    wrong = {
        item: reading.text
        for item, reading in readings.items()
        if reading.doubt is None and reading.text != {"q1": "B", "q9": "D"}.get(item, "")
    }
    assert not wrong
    assert sum(reading.doubt is None for reading in readings.values()) > 0.5 * len(readings)


def test_an_empty_card_is_blank_and_never_everything() -> None:
    card, sheet = card_of("exam")
    page = graded(taken(card, card.paper, Scene()), sheet)
    assert page.record is not None
    assert not [item for item in page.record.items if item.reading.text]
    assert sum(item.reading.doubt is None for item in page.record.items) > 0.9 * len(page.record.items)


def test_columns_are_read_as_one_in_the_order_of_the_label() -> None:
    card, sheet = card_of("camera")
    roll = ["E", *"40719263"]
    page = graded(taken(card, marked(card, {"Roll": roll, "q5": ["0", "7"], "q2": ["C"]}), Scene()), sheet)
    assert page.record is not None
    read = {item.item: item.reading.text for item in page.record.items}
    assert read["Roll"] == "E40719263"
    assert read["q5"] == "07"
    assert read["q2"] == "C"


def test_two_marks_are_both_told_and_asked() -> None:
    card, sheet = card_of("exam")
    page = graded(taken(card, marked(card, {"q7": ["BD"]}), Scene()), sheet)
    assert page.record is not None
    reading = next(item.reading for item in page.record.items if item.item == "q7")
    assert (reading.text, reading.doubt) == ("BD", Doubt.TWO_MARKS)


@pytest.mark.parametrize("turn", [0, 180])
def test_a_card_that_looks_the_same_upside_down_is_told_by_its_paper(turn: float) -> None:
    card, sheet = card_of("small")
    marks = {"q1": ["A"], "q2": ["D"], "q5": ["B"]}
    page = graded(taken(card, marked(card, marks), Scene(turn_deg=turn)), sheet)
    assert page.record is not None, page.problems
    sure = {item.item: item.reading.text for item in page.record.items if item.reading.doubt is None}
    assert sure == {item: "".join(marks.get(item, [""])) for item in sure}
    assert sure


def test_it_is_sent_back_where_no_edge_of_paper_is_seen() -> None:
    card, sheet = card_of("small")
    page = graded(taken(card, card.paper, Scene(desk=243)), sheet)
    assert page.record is None
    assert page.problems[-1].code == "turn-unclear"


def test_another_card_is_not_taken_for_this_one() -> None:
    card, _ = card_of("exam")
    _, other = card_of("camera")
    capture = taken(card, card.paper, Scene())
    page = register_card(capture, other, Pyramid(capture.image))
    assert page is None or page.refused


def test_of_several_cards_the_right_one_is_known() -> None:
    card, sheet = card_of("exam")
    _, other = card_of("camera")
    page = graded(taken(card, card.paper, Scene()), other, sheet)
    assert page.registered.layout is sheet.layout
    assert page.record is not None


def test_no_filled_card_is_read_otherwise_than_it_was_filled() -> None:
    for name, seed in (("camera", 31), ("exam", 32)):
        card, sheet = card_of(name)
        paper, truth = fill_card(card, seed)
        page = graded(taken(card, paper, Scene(turn_deg=90, shadow=0.6)), sheet)
        assert page.record is not None, page.problems
        sure = {item.item: item.reading.text for item in page.record.items if item.reading.doubt is None}
        assert sure == {item: truth[item] for item in sure}


SURE = 0.99


@pytest.mark.parametrize(
    ("texts", "leading", "expected"),
    [
        (["0", "7"], True, ("07", None)),
        (["", "7"], True, ("7", None)),
        (["", "7"], False, ("7", Doubt.UNSURE)),
        (["7", ""], True, ("7", Doubt.UNSURE)),
        (["", ""], True, ("", None)),
        (["1", "23"], True, ("123", Doubt.TWO_MARKS)),
    ],
)
def test_what_columns_say_together(texts: list[str], leading: bool, expected: tuple[str, Doubt | None]) -> None:
    readings = [Reading(text, SURE, Doubt.TWO_MARKS if len(text) > 1 else None) for text in texts]
    reading = joined(readings, empty="", leading_may_be_empty=leading)
    assert (reading.text, reading.doubt) == expected


@pytest.mark.parametrize("name", ["camera", "exam", "small"])
def test_a_step_in_every_direction_is_known_as_a_place_where_a_card_might_lie(name: str) -> None:
    card, _ = card_of(name)
    points = CardPoints([bubble.box_mm for bubble in all_bubbles(card.layout.pages[0])])
    steps = [other[:2, 2] for other in points.others if np.allclose(other[:2, :2], np.eye(2))]
    for way in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        along = [step @ way for step in steps if abs(step[0] * way[1] - step[1] * way[0]) < 1]
        assert any(4 < far < 14 for far in along), way


@pytest.mark.parametrize("seed", [5000, 5001])
def test_a_slanted_card_is_not_taken_for_one_a_column_aside(seed: int) -> None:
    card, sheet = card_of("exam")
    paper, truth = fill_card(card, seed)
    picture = photograph(paper, card.paper_mm, Scene(tilt_deg=30), np.random.default_rng([5, seed - 5000, 0xBAD]))
    page = graded(Capture(picture, "card.jpg"), sheet)
    assert page.record is not None, page.problems
    sure = {item.item: item.reading.text for item in page.record.items if item.reading.doubt is None}
    assert sure == {item: truth[item] for item in sure}
    assert len(sure) > 0.7 * len(truth)


def greyed(card: DrawnCard, grey: int) -> tuple[Image, dict[str, str]]:
    """The card with one bubble of each question as grey as that, and which."""
    paper, truth = card.paper.copy(), {}
    for n, field in enumerate(card.layout.pages[0].fields):
        if field.item.startswith("q") and not field.groups:
            bubble = field.bubbles[n % len(field.bubbles)]
            x, y, w, h = (round(v * PX_PER_MM) for v in drawn_box(bubble.box_mm, card.look))
            part = paper[y + h // 6 : y + h - h // 6, x + w // 6 : x + w - w // 6]
            np.minimum(part, grey, out=part)
            truth[field.item] = bubble.label
    return paper, truth


@pytest.mark.parametrize("grey", [140, 165, 185])
def test_a_mark_as_pale_as_the_printed_letter_is_never_taken_for_it(grey: int) -> None:
    card, sheet = card_of("exam")
    paper, truth = greyed(card, grey)
    page = graded(taken(card, paper, Scene()), sheet)
    assert page.record is not None, page.problems
    sure = {item.item: item.reading.text for item in page.record.items if item.reading.doubt is None}
    assert {item: text for item, text in sure.items() if item in truth} == {
        item: truth[item] for item in sure if item in truth
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_glare_pales_is_asked(seed: int) -> None:
    card, sheet = card_of("camera")
    paper, truth = greyed(card, 150)
    picture = photograph(paper, card.paper_mm, Scene(glare=0.75), np.random.default_rng(seed))
    page = graded(Capture(picture, "card.jpg"), sheet)
    assert page.record is not None, page.problems
    sure = {item.item: item.reading.text for item in page.record.items if item.reading.doubt is None}
    assert sure == {item: truth.get(item, "") for item in sure}
    assert len(sure) < len(page.record.items)
