"""A virtual class answers like one, and its truth is what stands on the paper."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homework.answers import normalise
from homework.assignment import parse_assignment
from homework.errors import BadFileError, UsageError
from homework.sheets import make_sheets
from models.simulation.classroom import Classroom, made_up_roster
from models.simulation.ink import draw_strokes
from models.simulation.mistakes import plausible_mistake
from models.simulation.pupil import Habits, PageTruth, fill_class

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml"
SCALE = 4.0


@pytest.fixture(scope="module")
def printed():
    return make_sheets(parse_assignment(EXAMPLE.read_text(encoding="utf-8")), class_name="3-1")


@pytest.fixture(scope="module")
def pages(printed):
    return fill_class(printed.assignment, printed.layout, made_up_roster(16), class_name="3-1", seed=5)


def ink_of(page, layout):
    w, h = layout.page_mm
    paper = np.full((int(h * SCALE), int(w * SCALE), 3), 255, np.uint8)
    draw_strokes(paper, page.strokes, SCALE)
    return paper.min(axis=2) < 215


def ink_in(ink, box):
    x, y, w, h = (round(v * SCALE) for v in box)
    return int(ink[y : y + h, x : x + w].sum())


def fields_of(page, layout):
    truths = {(t.item, t.blank): t for t in page.truth.fields}
    return [(f, truths[f.item, f.blank]) for f in layout.page(page.page).fields]


def test_everybody_hands_in_every_page(pages, printed):
    assert len(pages) == 16 * len(printed.layout.pages)
    assert {p.truth.seat for p in pages} == set(range(1, 17))


def test_the_same_seed_makes_the_same_class(printed, pages):
    again = fill_class(printed.assignment, printed.layout, made_up_roster(16), class_name="3-1", seed=5)
    assert [p.truth for p in again] == [p.truth for p in pages]
    assert np.array_equal(again[3].strokes[-1].points_mm, pages[3].strokes[-1].points_mm)


def test_another_seed_makes_another_class(printed, pages):
    other = fill_class(printed.assignment, printed.layout, made_up_roster(16), class_name="3-1", seed=6)
    assert [p.truth for p in other] != [p.truth for p in pages]


def test_a_blank_field_holds_no_ink_and_any_other_does(pages, printed):
    for page in pages:
        ink = ink_of(page, printed.layout)
        for field, truth in fields_of(page, printed.layout):
            inside = ink_in(ink, field.hull_mm())
            if truth.how == "blank":
                assert truth.text == ""
                assert inside == 0
            elif truth.how == "beside":
                assert ink_in(ink, field.around_mm) > inside
            else:
                assert inside > 0, (truth, page.truth.seat)


def test_the_class_is_neither_perfect_nor_lost(pages, printed):
    right = wrong = 0
    for page in pages:
        for truth in page.truth.fields:
            accepted = printed.assignment.item(truth.item).rule.accepted
            if truth.text and accepted and truth.blank <= len(accepted):
                if truth.text in accepted[truth.blank - 1]:
                    right += 1
                else:
                    wrong += 1
    assert 0.6 < right / (right + wrong) < 0.97


def test_unusual_ways_of_answering_happen(printed):
    habits = Habits(rewritten=0.1, overwritten=0.1, beside=0.1, two_marks=0.15, changed=0.15, faint_pupil=0.3)
    pages = fill_class(printed.assignment, printed.layout, made_up_roster(24), class_name="3-1", seed=1, habits=habits)
    seen = {t.how for p in pages for t in p.truth.fields}
    assert seen >= {"plain", "faint", "rewritten", "overwritten", "beside", "blank", "two-marks", "changed"}
    for page in pages:
        assert all(len(t.text) == 2 for t in page.truth.fields if t.how == "two-marks")


def test_a_tidy_class_writes_everything_once_in_its_place(printed):
    pages = fill_class(
        printed.assignment, printed.layout, made_up_roster(8), class_name="3-1", seed=2, habits=Habits.tidy()
    )
    assert {t.how for p in pages for t in p.truth.fields} == {"plain"}


def test_the_seat_is_written_with_leading_zeros(pages):
    assert all(p.truth.seat_text == f"{p.truth.seat:02d}" for p in pages)


def test_truth_survives_json(pages):
    line = msgspec.json.encode(pages[0].truth)
    assert msgspec.json.decode(line, type=PageTruth) == pages[0].truth


NUMBERS = st.one_of(
    st.integers(-999, 9999).map(str),
    st.tuples(st.integers(1, 30), st.integers(2, 30)).map(lambda f: f"{f[0]}/{f[1]}"),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(2, 9)).map(lambda f: f"{f[0]} {f[1]}/{f[2]}"),
    st.tuples(st.integers(1, 99), st.integers(1, 9)).map(lambda f: f"{f[0]}……{f[1]}"),
    st.decimals("0.01", 99, places=2).map(str),
    st.integers(1, 200).map(lambda n: f"{n}%"),
)


@settings(max_examples=200, deadline=None)
@given(NUMBERS, st.integers(0, 10_000))
def test_a_mistake_is_a_number_and_never_the_right_one(printed, right, seed):
    item = next(i for i in printed.assignment.items if i.kind == "number")
    wrong = plausible_mistake(item, right, np.random.default_rng(seed))
    assert wrong != right
    assert normalise("number", wrong) is not None


def test_a_mistake_of_each_kind_is_one_that_can_be_written(printed):
    rng = np.random.default_rng(1)
    for item in printed.assignment.items:
        if item.kind in ("open", "text"):
            continue
        right = item.rule.accepted[0][0]
        assert plausible_mistake(item, right, rng) != right


@pytest.fixture(scope="module")
def classroom(printed):
    return Classroom(
        printed.assignment, printed.layout, made_up_roster(6), printed.worksheets_pdf, class_name="3-1", seed=3, dpi=80
    )


def test_a_stack_holds_each_pupils_pages_together(classroom, printed):
    order = [(classroom.truth(k).seat, classroom.truth(k).page) for k in range(len(classroom))]
    pages = len(printed.layout.pages)
    assert len(order) == 6 * pages
    for start in range(0, len(order), pages):
        assert len({seat for seat, _ in order[start : start + pages]}) == 1
        assert [page for _, page in order[start : start + pages]] == list(range(1, pages + 1))


def test_paper_shows_the_print_and_the_ink(classroom, printed):
    sheet = classroom.sheet(0)
    w, h = printed.layout.page_mm
    assert sheet.image.shape[1] == pytest.approx(w * sheet.px_per_mm, abs=2)
    assert sheet.image.shape[0] == pytest.approx(h * sheet.px_per_mm, abs=2)
    x, y = (round(v * sheet.px_per_mm) for v in np.mean(printed.layout.pages[0].markers[0].corners_mm, axis=0))
    assert sheet.image[y - 8 : y + 8, x - 8 : x + 8].min() < 60
    assert np.median(sheet.image) > 200


def test_sheets_printed_for_each_pupil_go_to_that_pupil(printed):
    personal = msgspec.structs.replace(printed.assignment, pupil_id="printed")
    roster = made_up_roster(3)
    sheets = make_sheets(personal, roster=roster, class_name="3-1")
    stack = Classroom(
        sheets.assignment, sheets.layout, roster, sheets.worksheets_pdf, class_name="3-1", seed=4, dpi=150
    )
    zxing = pytest.importorskip("zxingcpp")
    for k in range(len(stack)):
        texts = [found.text for found in zxing.read_barcodes(stack.sheet(k).image)]
        assert any(text.endswith(f"/{stack.truth(k).pupil}") for text in texts), texts


def test_a_pdf_of_another_class_is_refused(printed):
    personal = msgspec.structs.replace(printed.assignment, pupil_id="printed")
    sheets = make_sheets(personal, roster=made_up_roster(3), class_name="3-1")
    with pytest.raises(BadFileError, match="does not fit"):
        Classroom(sheets.assignment, sheets.layout, made_up_roster(5), sheets.worksheets_pdf, class_name="3-1", seed=4)


def test_a_class_that_is_not_there_is_refused(printed):
    with pytest.raises(UsageError):
        Classroom(
            printed.assignment, printed.layout, made_up_roster(5), printed.worksheets_pdf, class_name="9-9", seed=4
        )


def test_something_that_is_no_pdf_is_refused(printed):
    with pytest.raises(BadFileError):
        Classroom(printed.assignment, printed.layout, made_up_roster(5), b"no pdf", class_name="3-1", seed=4)
