"""订正 on real pixels: a corrected sheet is the pupil's next attempt, the same sheet is not, and another's never is."""

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.again import again_in_class
from edge.attempts import Likeness, Look, likeness
from edge.booking import Standing
from edge.deeds import By
from edge.filed import FiledPage
from edge.frames import Image
from edge.ledger import Ledger
from edge.pipeline import Books, GradedPage, grade_capture
from homework.again import AgainState, owing
from homework.results import Doubt, PageRecord, VerdictKind
from homework.roster import Pupil, Roster
from models.recognisers import Recognisers
from models.simulation.ink import draw_strokes
from models.simulation.pen import Writer
from models.simulation.strokes import Stroke
from tests.edge.conftest import Photograph, Worksheet
from tests.edge.filing import CLOCK

ROSTER = Roster((Pupil("3-1", 7, "学生07", "S007"), Pupil("3-1", 8, "学生08", "S008")))
LIGHT = (
    {"seed": 1},
    {"seed": 2, "turn_deg": 4.0, "falloff": 0.4, "brightness": 0.8},
    {"seed": 3, "tilt": 0.06, "blur_px": 0.7, "quality": 80},
    {"seed": 4, "fill": 0.88, "noise": 4.0},
)
ANSWERS = (("1", "92"), ("2", "46"), ("3", "3/4"), ("4", "8……1"), ("7", "√"), ("8", "C"), ("9", "<"))

Grade = Callable[..., GradedPage]


@pytest.fixture(scope="module")
def grade(print_worksheet: Callable[..., Worksheet], photograph: Photograph) -> Grade:
    cv2.setNumThreads(1)
    known = print_worksheet()
    recogniser = Recognisers.load()
    books = Books(
        layout_of=lambda sheet: known.layout if sheet == known.layout.sheet else None,
        assignment_of=lambda _: known.assignment,
        roster=ROSTER,
        class_name="3-1",
    )

    def graded(paper: Image, light: int = 0) -> GradedPage:
        return grade_capture(photograph(paper, size_px=(2592, 1944), **LIGHT[light]), books, recogniser)

    return graded


@pytest.fixture
def written(print_worksheet: Callable[..., Worksheet]) -> Worksheet:
    """A sheet of No. 7 with item 2 (46, not 48) and item 5 (A, not B) wrong and one blank empty."""
    sheet = print_worksheet(seed=2)
    sheet.seat("07")
    for item, text in ANSWERS:
        sheet.write(item, text)
    sheet.mark("5", "A")
    sheet.mark("6", "A")
    sheet.mark("6", "C")
    sheet.write("10", "2", blank=1)
    return sheet


def corrected(sheet: Worksheet, how: str = "erased") -> Image:
    """The same paper with item 2 put right."""
    box = sheet.field("2").box_mm
    assert box is not None
    x, y, width, height = box
    paper = sheet.paper()
    if how == "erased":
        scale = sheet.px_per_mm
        rows, columns = (
            slice(int((y + 0.5) * scale), int((y + height - 0.5) * scale)),
            slice(int((x + 0.5) * scale), int((x + width - 0.5) * scale)),
        )
        paper[rows, columns] = cv2.addWeighted(
            paper[rows, columns], 0.08, np.full_like(paper[rows, columns], 243), 0.92, 0
        )
        strokes = sheet.writer.write("48", box, sheet.rng)
    else:
        old = sheet.writer.write("46", (x, y, width / 2, height), np.random.default_rng(3))
        strokes = [*sheet.writer.cross_out(old, sheet.rng)]
        place = (x + width / 2, y, width / 2, height) if how == "crossed out" else _beside(sheet)
        strokes += sheet.writer.write("48", place, sheet.rng)
        if how == "only beside":
            strokes = sheet.writer.write("48", place, sheet.rng)
    kept = list(sheet.strokes)
    sheet.strokes = strokes
    draw_strokes(paper, strokes, sheet.px_per_mm)
    sheet.strokes = kept
    return paper


def _beside(sheet: Worksheet, item: str = "2") -> tuple[float, float, float, float]:
    field = sheet.field(item)
    assert field.around_mm is not None
    assert field.box_mm is not None
    x, y, width, _ = field.box_mm
    ay = field.around_mm[1]
    return (x, ay + 0.5, width, y - ay - 2.0)


def cross_out(sheet: Worksheet, item: str) -> None:
    """A pen over an answer that was right."""
    sheet.strokes += sheet.writer.cross_out(_strokes_in(sheet, item), sheet.rng)


def _strokes_in(sheet: Worksheet, item: str) -> list[Stroke]:
    box = sheet.field(item).box_mm
    assert box is not None
    x, y, width, height = box
    return [s for s in sheet.strokes if x <= s.points_mm[0][0] <= x + width and y <= s.points_mm[0][1] <= y + height]


def look(page: GradedPage) -> Look:
    assert page.record is not None
    return Look(page.record, page.ink, page.around)


def items(record: PageRecord | None) -> dict[tuple[str, int], VerdictKind]:
    assert record is not None
    return {(item.item, item.blank): item.verdict.kind for item in record.items}


@pytest.mark.parametrize("light", [1, 2, 3])
def test_the_same_sheet_in_other_light_is_the_same(grade: Grade, written: Worksheet, light: int) -> None:
    paper = written.paper()
    assert likeness(look(grade(paper)), look(grade(paper, light))) is Likeness.SAME


@pytest.mark.parametrize("how", ["erased", "crossed out", "beside", "only beside"])
@pytest.mark.parametrize("light", [1, 3])
def test_a_corrected_sheet_is_told_however_it_was_corrected(
    grade: Grade, written: Worksheet, how: str, light: int
) -> None:
    first = look(grade(written.paper()))
    assert likeness(first, look(grade(corrected(written, how), light))) is Likeness.CORRECTED


def test_a_changed_right_answer_makes_it_no_correction(grade: Grade, written: Worksheet) -> None:
    first = look(grade(written.paper()))
    cross_out(written, "1")
    assert likeness(first, look(grade(corrected(written), 1))) is Likeness.OTHER


@pytest.mark.parametrize("hand", range(6, 16))
def test_another_pupils_sheet_with_the_same_answers_is_no_correction(
    grade: Grade, written: Worksheet, print_worksheet: Callable[..., Worksheet], hand: int
) -> None:
    other = print_worksheet(seed=hand)
    other.writer = Writer.random(100 + hand)
    other.seat("07")
    for item, text in ANSWERS:
        other.write(item, "48" if item == "2" else text)
    other.mark("5", "B")
    other.mark("6", "A")
    other.mark("6", "C")
    other.write("10", "2", blank=1)
    assert likeness(look(grade(written.paper())), look(grade(other.paper()))) is Likeness.OTHER


# --- in the ledger -----------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path, print_worksheet: Callable[..., Worksheet]) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, check=True, key_of=lambda _: print_worksheet().assignment)
    yield opened
    opened.close()


def slide(ledger: Ledger, page: GradedPage, number: int, *, again: bool = False) -> FiledPage:
    assert page.record is not None
    filed = ledger.file(
        page.registered.capture,
        page,
        pupil=page.record.who.pupil,
        digest=f"{number:032x}",
        has_picture=True,
        clock=CLOCK,
        again=again,
    )
    assert filed is not None
    return filed


def test_attempt_2_takes_over_what_was_right_and_the_first_score_stands(
    grade: Grade, written: Worksheet, ledger: Ledger
) -> None:
    first = slide(ledger, grade(written.paper()), 1)
    second = slide(ledger, grade(corrected(written), 1), 2)
    assert first.pupil == "S007"
    assert second.record is not None
    assert first.record is not None
    assert (second.standing, second.record.attempt, second.linked) == (Standing.COUNTS, 2, first.capture)
    assert items(second.record)["2", 1] is VerdictKind.CORRECT
    assert items(second.record)["5", 1] is VerdictKind.WRONG
    assert second.record.score_hundredths == (first.record.score_hundredths or 0) + 100
    assert second.record.max_score_hundredths == first.record.max_score_hundredths
    assert [page.capture for page in ledger.current_pages("page-tests")] == [first.capture]
    assert {second.record.items[place].item for place in second.taken}.isdisjoint({"2", "5"})


def test_what_was_right_comes_into_no_new_doubt(grade: Grade, written: Worksheet, ledger: Ledger) -> None:
    slide(ledger, grade(written.paper()), 1)
    paper = corrected(written)
    written.strokes = written.writer.write("7", _beside(written, "1"), written.rng)
    draw_strokes(paper, written.strokes, written.px_per_mm)
    page = grade(paper, 1)
    assert page.record is not None
    alone = next(item for item in page.record.items if item.item == "1")
    assert alone.reading.doubt is Doubt.INK_BESIDE
    second = slide(ledger, page, 2)
    assert second.record is not None
    assert second.record.attempt == 2
    assert items(second.record)["1", 1] is VerdictKind.CORRECT


def test_written_beside_the_box_is_looked_at_with_both_pictures(
    grade: Grade, written: Worksheet, ledger: Ledger
) -> None:
    slide(ledger, grade(written.paper()), 1)
    slide(ledger, grade(corrected(written, "only beside"), 1), 2)
    [pupil] = again_in_class(ledger.pages_of_attempts("page-tests"), ROSTER, "3-1")
    item = next(one for one in pupil.items if one.item == "2")
    assert item.newest.verdict.kind is VerdictKind.REVIEW
    assert (item.first_page.capture, item.now_page and item.now_page.capture) == (1, 2)


def test_any_order_of_slides_ends_with_each_attempt_booked_once(
    grade: Grade, written: Worksheet, tmp_path: Path, print_worksheet: Callable[..., Worksheet]
) -> None:
    paper, better = written.paper(), corrected(written)
    pages = {
        "first": grade(paper),
        "first again": grade(paper, 1),
        "corrected": grade(better, 2),
        "corrected again": grade(better, 3),
    }
    for count, order in enumerate(permutations(pages)):
        ledger = Ledger(tmp_path / str(count), key_of=lambda _: print_worksheet().assignment)
        for number, name in enumerate(order, start=1):
            slide(ledger, pages[name], number)
        booked = {
            page.record.attempt: order[page.capture - 1]
            for page in ledger.pages_of_attempts("page-tests")
            if page.record
        }
        assert {attempt: name.split()[0] for attempt, name in booked.items()} == {1: "first", 2: "corrected"}, order
        assert ledger.counts().duplicates == 2, order
        ledger.close()


def test_attempt_3_rests_on_attempt_2(grade: Grade, written: Worksheet, ledger: Ledger) -> None:
    slide(ledger, grade(written.paper()), 1)
    better = corrected(written)
    slide(ledger, grade(better, 1), 2)
    written.strokes = []
    written.write("10", "3", blank=2)
    draw_strokes(better, written.strokes, written.px_per_mm)
    third = slide(ledger, grade(better, 2), 3)
    assert third.record is not None
    assert (third.record.attempt, third.linked) == (3, 2)
    assert items(third.record)["10", 2] is VerdictKind.CORRECT
    assert items(third.record)["2", 1] is VerdictKind.CORRECT


def test_taking_the_first_sheet_back_makes_the_second_the_first_and_undo_puts_both_back(
    grade: Grade, written: Worksheet, ledger: Ledger
) -> None:
    by = By("teacher", CLOCK)
    first = slide(ledger, grade(written.paper()), 1)
    second = slide(ledger, grade(corrected(written), 1), 2)
    ledger.withdraw(first.capture, by=by)
    alone = ledger.page(second.capture)
    assert alone is not None
    assert alone.record is not None
    assert (alone.standing, alone.record.attempt, alone.taken) == (Standing.COUNTS, 1, ())
    ledger.undo(ledger.newest_deeds()[0].number, by=by)
    again = ledger.page(second.capture)
    assert again is not None
    assert (again.record, again.linked) == (second.record, first.capture)
    assert [page.record.attempt for page in ledger.pages_of_attempts("page-tests") if page.record] == [1, 2]


def test_restoring_the_first_sheet_is_where_it_began(grade: Grade, written: Worksheet, ledger: Ledger) -> None:
    first = slide(ledger, grade(written.paper()), 1)
    second = slide(ledger, grade(corrected(written), 1), 2)
    ledger.withdraw(first.capture)
    ledger.restore(first.capture)
    attempts = {page.capture: page.record.attempt for page in ledger.pages_of_attempts("page-tests") if page.record}
    assert attempts == {first.capture: 1, second.capture: 2}


def test_other_ink_is_asked_until_a_person_calls_it_the_correction_and_undo_asks_again(
    grade: Grade, written: Worksheet, ledger: Ledger
) -> None:
    by = By("teacher", CLOCK)
    first = slide(ledger, grade(written.paper()), 1)
    cross_out(written, "1")
    other = slide(ledger, grade(corrected(written), 1), 2)
    assert (other.standing, other.linked) == (Standing.ASK, first.capture)
    said = ledger.say_again(other.capture, by=by)
    assert said is not None
    assert said.record is not None
    assert (said.standing, said.record.attempt) == (Standing.COUNTS, 2)
    assert items(said.record)["1", 1] is VerdictKind.CORRECT
    ledger.undo(ledger.newest_deeds()[0].number, by=by)
    asked = ledger.page(other.capture)
    assert asked is not None
    assert asked.standing is Standing.ASK


def test_in_a_stack_of_corrections_a_fresh_copy_is_one_and_the_same_ink_is_not(
    grade: Grade, written: Worksheet, ledger: Ledger, print_worksheet: Callable[..., Worksheet]
) -> None:
    page = grade(written.paper())
    assert page.record is not None
    slide(ledger, page, 1, again=True)
    assert slide(ledger, grade(written.paper(), 1), 2, again=True).standing is Standing.DUPLICATE
    fresh = print_worksheet(seed=9)
    fresh.seat("07")
    fresh.write("2", "48")
    second = slide(ledger, grade(fresh.paper(), 1), 3, again=True)
    assert second.record is not None
    assert (second.standing, second.record.attempt) == (Standing.COUNTS, 2)
    assert items(second.record)["2", 1] is VerdictKind.CORRECT
    assert items(second.record)["1", 1] is VerdictKind.CORRECT  # taken over: it is empty on the copy


def test_the_states_of_a_class(grade: Grade, written: Worksheet, ledger: Ledger) -> None:
    slide(ledger, grade(written.paper()), 1)

    def state() -> AgainState:
        [pupil] = again_in_class(ledger.pages_of_attempts("page-tests"), ROSTER, "3-1")
        return pupil.state

    assert state() is AgainState.OWES
    slide(ledger, grade(corrected(written), 1), 2)
    assert state() is AgainState.STILL_WRONG
    pupils = again_in_class(ledger.pages_of_attempts("page-tests"), ROSTER, "3-1")
    assert [one.pupil.seat for one in owing(pupils)] == [7]
