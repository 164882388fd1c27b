"""What the teacher's red pen says is read, of the field that it is meant for; in doubt she is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks._red_pen import COLOURS, RedPen
from benchmarks.marks import assignment_to_mark, photographed
from edge.frames import Capture
from edge.pipeline import Books, GradedPage, grade_capture
from homework.layout import Field
from homework.marks import MARKS_DIFFER
from homework.results import ItemResult, MarkKind, VerdictKind
from homework.sheets import make_sheets
from models.recognisers import Recognisers
from models.simulation.desk import Desk, Sheet
from models.simulation.motion import Pose
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pen import Pen, Writer
from models.simulation.strokes import Stroke


class Marked:
    """A printed page that a pupil and a teacher write on. The first item's answer is 36, the second's 52."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self.assignment = assignment_to_mark()
        sheets = make_sheets(self.assignment)
        self.layout = sheets.layout
        self.printed = PrintedPages(sheets.worksheets_pdf, dpi=230)
        self.desk = Desk(page_mm=sheets.layout.page_mm, seed=1)
        self.recognisers = Recognisers.load()
        pen = Pen("gel", 0.45, 0.93, (38, 34, 34))
        self.pupil = replace(Writer.random(8), pen=pen, haste=0.1, wobble=0.002)
        self.red = RedPen(COLOURS["red"], 0.6, 0.2, replace(Writer.random(8), pen=replace(pen, colour=COLOURS["red"])))

    def page_of(self, item: str) -> int:
        return next(page.page for page in self.layout.pages for field in page.fields if field.item == item)

    def field(self, item: str) -> Field:
        return next(field for page in self.layout.pages for field in page.fields if field.item == item)

    def answers(self, rng: np.random.Generator, **texts: str) -> list[Stroke]:
        return [
            stroke
            for item, text in texts.items()
            for stroke in self.pupil.write(text, self.field(item[1:]).hull_mm(), rng)
        ]

    def grade(self, strokes: list[Stroke], *, page: int = 1, grey: bool = False, **books: Any) -> GradedPage:
        paper = written_page(self.printed.page(page), strokes, self.printed.px_per_mm)
        photo = photographed(self.desk, Sheet.of(paper, self.printed.px_per_mm), "white", 90, Pose(0, 0, 0.5))
        if grey:
            photo = np.asarray(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), np.uint8)
        known = Books(lambda _: self.layout, lambda _: self.assignment, **books)
        graded = grade_capture(Capture(photo, "photo"), known, self.recognisers)
        assert graded.record is not None
        return graded


@pytest.fixture(scope="module")
def sheet() -> Marked:
    return Marked()


def item_of(graded: GradedPage, item: str) -> ItemResult:
    assert graded.record is not None
    return next(one for one in graded.record.items if one.item == item)


def at(field: Field, across: float, down: float) -> tuple[float, float]:
    x, y, w, h = field.hull_mm()
    return (x + across * w, y + down * h)


def test_a_tick_and_a_cross_count_and_where_the_box_says_otherwise_it_is_shown(sheet: Marked):
    rng = np.random.default_rng(3)
    strokes = sheet.answers(rng, _1="37", _2="52", _3="70", _4="91")
    strokes += sheet.red.tick(at(sheet.field("1"), 0.8, 0.7), 11, rng)
    strokes += sheet.red.cross(at(sheet.field("2"), 0.8, 0.5), 7, rng)
    strokes += sheet.red.tick(at(sheet.field("3"), 0.8, 0.7), 11, rng)
    graded = sheet.grade(strokes)
    found = {item: item_of(graded, item) for item in "1234"}
    assert {k: (v.reading.text, v.reading.doubt) for k, v in found.items()} == {
        "1": ("37", None),
        "2": ("52", None),
        "3": ("70", None),
        "4": ("91", None),
    }
    assert [found[k].verdict.kind for k in "1234"] == [
        VerdictKind.CORRECT,
        VerdictKind.WRONG,
        VerdictKind.CORRECT,
        VerdictKind.WRONG,
    ]
    assert [found[k].own for k in "1234"] == [VerdictKind.WRONG, VerdictKind.CORRECT, None, None]
    assert found["4"].mark is None
    assert MARKS_DIFFER in [problem.code for problem in graded.problems]


def test_open_items_are_marked_by_her_pen(sheet: Marked):
    rng = np.random.default_rng(2)
    page, open_items = sheet.page_of("19"), ("19", "20")
    assert sheet.page_of("20") == page
    strokes = [s for k in open_items for s in sheet.pupil.write("3+4=7", sheet.field(k).hull_mm(), rng)]
    strokes += sheet.red.tick(at(sheet.field("19"), 0.6, 0.6), 14, rng)
    box = sheet.field("20").score_box_mm
    assert box is not None
    strokes += sheet.red.number("4", box, rng)
    graded = sheet.grade(strokes, page=page)
    ticked, scored = (item_of(graded, k) for k in open_items)
    assert (ticked.verdict.kind, ticked.verdict.score_hundredths) == (VerdictKind.CORRECT, 600)
    assert scored.mark is not None
    assert (scored.mark.kind, scored.verdict.score_hundredths) == (MarkKind.SCORE, 400)


def test_an_open_item_without_a_mark_and_one_scored_in_the_pupils_ink_wait_for_her(sheet: Marked):
    rng = np.random.default_rng(3)
    page = sheet.page_of("19")
    strokes = [s for k in ("19", "20") for s in sheet.pupil.write("3+4=7", sheet.field(k).hull_mm(), rng)]
    box = sheet.field("20").score_box_mm
    assert box is not None
    strokes += sheet.pupil.write("6", box, rng)
    graded = sheet.grade(strokes, page=page)
    assert [item_of(graded, k).verdict.kind for k in ("19", "20")] == [VerdictKind.REVIEW] * 2
    assert item_of(graded, "20").mark is not None


def test_a_ring_a_slash_and_a_dot_mean_wrong_where_ticks_show_what_right_looks_like(sheet: Marked):
    rng = np.random.default_rng(4)
    strokes = sheet.answers(rng, _1="36", _3="70", _5="112", _7="162")
    x, y, w, h = sheet.field("1").hull_mm()
    marks = sheet.red.ring((x + 1, y + 0.5, min(w - 2, 20), h - 1), rng)
    marks += sheet.red.slash(at(sheet.field("3"), 0.7, 0.5), 10, rng)
    marks += sheet.red.dot(at(sheet.field("5"), 0.85, 0.5), rng)
    alone = sheet.grade(strokes + marks)
    assert [item_of(alone, k).verdict.kind for k in "135"] == [VerdictKind.REVIEW] * 3
    tick = sheet.red.tick(at(sheet.field("7"), 0.8, 0.7), 11, rng)
    beside = sheet.grade(strokes + marks + tick)
    kinds = [item_of(beside, k).mark for k in "135"]
    assert [mark.kind for mark in kinds if mark is not None] == [MarkKind.RING, MarkKind.SLASH, MarkKind.DOT]
    assert [item_of(beside, k).verdict.kind for k in "135"] == [VerdictKind.WRONG] * 3


def test_a_mark_between_two_fields_changes_neither_verdict_into_another(sheet: Marked):
    rng = np.random.default_rng(5)
    strokes = sheet.answers(rng, _1="36", _2="53")
    (x, y, _, h), (_, below, _, _) = sheet.field("1").hull_mm(), sheet.field("2").hull_mm()
    strokes += sheet.red.cross((x + 15, (y + h + below) / 2), 5, rng)
    graded = sheet.grade(strokes)
    assert item_of(graded, "1").verdict.kind is VerdictKind.REVIEW
    assert item_of(graded, "2").verdict.kind is not VerdictKind.CORRECT


def test_what_is_no_mark_is_asked_and_the_reading_stands(sheet: Marked):
    rng = np.random.default_rng(6)
    strokes = sheet.answers(rng, _1="36", _2="52")
    x, y, w, h = sheet.field("1").hull_mm()
    strokes += sheet.red.writer.write("63", (x + w - 9, y, 9, h), rng)
    graded = sheet.grade(strokes)
    one, other = item_of(graded, "1"), item_of(graded, "2")
    assert (one.reading.text, one.verdict.kind) == ("36", VerdictKind.REVIEW)
    assert (other.verdict.kind, other.mark) == (VerdictKind.CORRECT, None)


def test_an_answer_in_red_is_never_blank_in_silence(sheet: Marked):
    rng = np.random.default_rng(7)
    strokes = sheet.red.writer.write("52", sheet.field("2").hull_mm(), rng)
    assert item_of(sheet.grade(strokes), "2").verdict.kind is VerdictKind.REVIEW


def test_where_pupils_correct_in_red_it_is_read_as_theirs(sheet: Marked):
    rng = np.random.default_rng(7)
    strokes = sheet.red.writer.write("52", sheet.field("2").hull_mm(), rng)
    graded = sheet.grade(strokes, red_is="pupil")
    found = item_of(graded, "2")
    assert (found.reading.text, found.verdict.kind, found.mark) == ("52", VerdictKind.CORRECT, None)


def test_one_large_tick_stands_for_the_whole_section(sheet: Marked):
    rng = np.random.default_rng(8)
    fields = [field for field in sheet.layout.pages[0].fields if field.kind == "number"]
    right = {f"_{n + 1}": str((n + 3) * (n + 12)) for n in range(len(fields))}
    boxes = np.array([field.hull_mm() for field in fields])
    x, y = boxes[:, :2].min(axis=0)
    w, h = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) - (x, y)
    big = sheet.red.over((x, y, w, h), rng)
    graded = sheet.grade(sheet.answers(rng, **right) + big)
    marks = [item_of(graded, field.item).mark for field in fields]
    assert {(mark.kind, mark.sure, mark.stroke) for mark in marks if mark is not None} == {(MarkKind.TICK, True, 1)}
    assert None not in marks
    wrong = sheet.grade(sheet.answers(rng, **{**right, "_1": "35"}) + big)
    assert item_of(wrong, "1").verdict.kind is VerdictKind.REVIEW


def test_a_page_without_red_ink_has_no_marks(sheet: Marked):
    graded = sheet.grade(sheet.answers(np.random.default_rng(9), _1="36", _2="52"))
    assert graded.record is not None
    assert [item.mark for item in graded.record.items if item.mark is not None] == []


def test_in_a_grey_scan_an_answer_is_asked_where_a_mark_may_be_part_of_it(sheet: Marked):
    rng = np.random.default_rng(13)
    strokes = sheet.answers(rng, _1="36", _2="52", _3="70", _5="36")
    plain = sheet.grade(strokes, grey=True)
    assert [item_of(plain, k).reading.doubt for k in "1235"] == [None] * 4
    ticks = [s for k in "123" for s in sheet.red.tick(at(sheet.field(k), 0.85, 0.75), 11, rng)]
    marked = sheet.grade(strokes + ticks, grey=True)
    assert all(item_of(marked, k).verdict.kind is VerdictKind.REVIEW for k in "123")
    assert item_of(marked, "4").reading.text == ""
