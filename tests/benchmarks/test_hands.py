"""Pages filled in by hands, without anybody's handwriting: the simulated classroom's prototypes stand in for it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._hands_page import SENSORS, PageResult, Writers, one_page
from benchmarks._hands_sheet import GRADES, SECTIONS, Sheet, answers_of, kind_of, print_sheet
from benchmarks.hands import rows_of
from homework.answers import is_readable
from models.evaluation.pages import read_crops
from models.recognisers import Recognisers
from models.simulation import glyphs
from models.simulation.desk import Desk
from models.simulation.strokes import spline
from models.training.hands import Glyph, Hand, Strokes

PAGES = 8


def a_hand(writer: str) -> Hand:
    signs = {"X": "×", **{sign: sign for sign in "0123456789.-/%ABCD><="}}
    found: dict[str, list[Glyph]] = {}
    for symbol, sign in signs.items():
        variant = glyphs.variants(sign)[0]
        found[symbol] = [Strokes(tuple(spline(control).astype(np.float32) for control in variant.strokes))]
    for unit in "cmkgtd":
        found[unit] = [Strokes((np.random.default_rng(ord(unit)).random((6, 2)).astype(np.float32),))]
    return Hand(writer, found)


@pytest.fixture(scope="module")
def sheets() -> list[Sheet]:
    return [print_sheet(grade) for grade in GRADES]


@pytest.fixture(scope="module")
def pages(sheets: list[Sheet]) -> list[PageResult]:
    return fill(sheets, seed=5)


def fill(sheets: list[Sheet], seed: int, count: int = PAGES) -> list[PageResult]:
    desks = {
        megapixels: Desk(page_mm=sheets[0].layout.page_mm, seed=seed, frame_px=frame)
        for megapixels, frame in SENSORS.items()
    }
    writers = Writers([a_hand("unipen-1"), a_hand("unipen-2")])
    recognisers = Recognisers.load()
    return [one_page(sheets, desks, writers, seed, number).read(recognisers) for number in range(1, count + 1)]


def test_every_field_of_a_page_that_was_read_is_answered(sheets: list[Sheet], pages: list[PageResult]):
    fields = {len(side.fields) for sheet in sheets for side in sheet.layout.pages}
    assert {len(page.answers) for page in pages} <= fields | {0}
    assert sum(bool(page.answers) for page in pages) >= PAGES - 1


def test_crops_carry_the_truth_of_the_field_that_they_were_cut_from(pages: list[PageResult]):
    crops = [crop for page in pages for crop in page.crops if crop.form != "unit"]
    assert {crop.kind for crop in crops} == {"number", "letter", "judge", "compare", "digit"}
    assert {"part", "seat", "integer", "decimal", "remainder"} <= {crop.form for crop in crops}
    # A truth shifted by one field would be right one time in ten.
    for form in ("integer", "part", "seat", "letter", "judge", "compare"):
        reads = [read.judged.same for read in read_crops(Recognisers.load(), [c for c in crops if c.form == form])]
        assert np.mean(reads) > 0.6, form


def test_the_same_seed_fills_in_the_same_pages(sheets: list[Sheet], pages: list[PageResult]):
    again = fill(sheets, seed=5, count=2)
    for page, twin in zip(pages, again, strict=False):
        assert (page.photo == twin.photo).all()
        assert page.answers == twin.answers
    assert (fill(sheets, seed=6, count=1)[0].photo[:64] != pages[0].photo[:64]).any()


@pytest.mark.parametrize("grade", GRADES)
def test_half_of_the_answers_are_wrong_and_all_could_be_read(grade: int):
    rng = np.random.default_rng(2)
    tasks = [task for _ in range(30) for task in answers_of(grade, rng)[1].values()]
    assert 0.4 < np.mean([task.right for task in tasks]) < 0.65
    assert {task.kind for task in tasks} == {kind_of(slot) for part in SECTIONS for slot in part}
    assert all(is_readable(task.kind, task.text) for task in tasks)
    assert all(task.right for task in tasks if task.text == task.key)


def test_rows_count_every_answer_of_a_kind_once(pages: list[PageResult]):
    answers = [answer for page in pages for answer in page.answers]
    rows = {row["name"]: row for row in rows_of(answers)}
    kinds = ("number", "letter", "judge (√ synthetic)", "compare")
    assert sum(rows[kind]["n"] for kind in kinds) == len(answers)
    assert rows["number"]["wrong"] + rows["number"]["right"] == rows["number"]["n"]
    assert rows["number, unipen"]["n"] == rows["number"]["n"]
