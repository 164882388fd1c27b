"""Whose page it is, as far as it tells by itself: what the seat cells say, and what the class list makes of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.frames import Capture
from edge.reading.recogniser import Recognition
from edge.reading.seats import NO_DIGIT, SURE_SEAT, Seat, merged, read_cell, seat_of_cells, sure_seat
from edge.reading.who import SeatCrops, crop_seat, read_seat, who_wrote_it
from edge.registration.register import register
from homework.page_code import PageCode
from homework.results import Candidate
from homework.roster import Pupil, Roster
from models.recognisers import NOTHING

Printer = Callable[..., Any]
Photograph = Callable[..., Capture]
CLASS = range(1, 46)


def said(*candidates: tuple[str, float]) -> Recognition:
    return Recognition(*candidates[0], tuple(Candidate(*each) for each in candidates))


class Says:
    """Recognisers that read these digits cell by cell; the line reads `line` where it is given."""

    def __init__(self, *marks: Recognition, line: Sequence[Recognition] | None = None) -> None:
        self.marks, self.line = marks, line or marks
        self.shown: list[str] = []

    def read(self, kind: str, crops: Any) -> list[Recognition]:
        self.shown += [kind] * len(crops)
        return list(self.marks if kind == "digit" else self.line)[: len(crops)]

    def threshold(self, kind: str) -> float:
        return 0.9


SEVEN = said(("7", 0.998), ("1", 0.001))
ZERO = said(("0", 0.999))
ONE_OR_SEVEN = said(("7", 0.7), ("1", 0.299))


def page_of(capture: Capture, sheet: Any) -> Any:
    page = register(capture, lambda _: sheet.layout)
    assert not page.refused
    return page


def read(sheet: Any, capture: Capture, says: Any) -> Seat:
    page, pupil = page_of(capture, sheet), sheet.layout.pages[0].pupil
    return read_seat(page, pupil, crop_seat(page, pupil), says)


def test_both_recognisers_look_at_every_cell(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    sheet.seat("07")
    says = Says(ZERO, SEVEN)
    seat = read(sheet, photograph(sheet.paper()), says)
    assert says.shown == ["digit", "digit", "number", "number"]
    assert (seat.likeliest, seat.agreed) == ((7, pytest.approx(0.997, abs=0.002)), True)
    assert sure_seat(seat, CLASS)[0] == 7


@pytest.mark.parametrize("line", [ONE_OR_SEVEN, said(("1", 0.998)), said(("11", 0.99)), NOTHING])
def test_recognisers_that_do_not_agree_leave_a_doubt(
    print_worksheet: Printer, photograph: Photograph, line: Recognition
):
    sheet = print_worksheet()
    sheet.seat("07")
    seat = read(sheet, photograph(sheet.paper()), Says(ZERO, SEVEN, line=[ZERO, line]))
    assert sure_seat(seat, CLASS)[0] is None


def test_empty_cells_and_black_cells_say_nothing(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet()
    assert read(sheet, photograph(sheet.paper()), Says(ZERO, SEVEN)) == Seat()
    black = Says(NOTHING, NOTHING)
    paper = sheet.paper()
    for x, y, w, h in sheet.layout.pages[0].pupil.boxes_mm:
        x0, y0, x1, y1 = (round(v * sheet.px_per_mm) for v in (x, y, x + w, y + h))
        paper[y0:y1, x0:x1] = 25
    assert sure_seat(read(sheet, photograph(paper), black), CLASS) == (None, 0.0)


def test_a_single_digit_in_the_last_cell_is_sure_and_in_the_first_is_not(
    print_worksheet: Printer, photograph: Photograph
):
    for cell, number in ((1, 7), (0, None)):
        sheet = print_worksheet()
        sheet.write_at("7", sheet.layout.pages[0].pupil.boxes_mm[cell])
        seat = read(sheet, photograph(sheet.paper()), Says(SEVEN))
        assert seat.likeliest is not None
        assert seat.likeliest[0] == 7
        assert sure_seat(seat, CLASS)[0] == number


def test_a_cell_whose_frame_is_hidden_is_cut_beside_its_neighbour_and_never_sure(
    print_worksheet: Printer, photograph: Photograph
):
    sheet = print_worksheet()
    x, y, w, h = sheet.layout.pages[0].pupil.boxes_mm[0]
    paper = sheet.paper()
    x0, y0, x1, y1 = (round(v * sheet.px_per_mm) for v in (x - 0.8, y - 0.8, x + w + 0.8, y + h + 0.8))
    paper[y0:y1, x0:x1] = 243
    sheet.image, sheet.strokes = paper, []
    sheet.seat("07")
    capture = photograph(sheet.paper())
    page, pupil = page_of(capture, sheet), sheet.layout.pages[0].pupil
    cut = crop_seat(page, pupil)
    assert (len(cut.crops), cut.found) == (2, False)
    seat = read_seat(page, pupil, cut, Says(ZERO, SEVEN))
    assert (seat.likeliest, sure_seat(seat, CLASS)[0]) == ((7, pytest.approx(0.997, abs=0.002)), None)
    assert read_seat(page, pupil, SeatCrops(), Says(ZERO, SEVEN)) == Seat()


@pytest.mark.parametrize("seat", ["07", "23", "40"])
def test_a_seat_marked_in_bubbles_is_read(print_worksheet: Printer, photograph: Photograph, seat: str):
    sheet = print_worksheet("bubbles")
    sheet.seat(seat)
    found = read(sheet, photograph(sheet.paper(), turn_deg=180), Says(ZERO))
    assert sure_seat(found, CLASS)[0] == int(seat)


def test_a_seat_column_with_two_marks_is_no_seat(print_worksheet: Printer, photograph: Photograph):
    sheet = print_worksheet("bubbles")
    sheet.seat("23")
    sheet.seat("24")
    assert read(sheet, photograph(sheet.paper()), Says(ZERO)) == Seat()


# What the numbers are worth


@st.composite
def recognitions(draw: st.DrawFn) -> Recognition:
    texts = draw(st.lists(st.sampled_from([*"0123456789", "11", "-1"]), max_size=4, unique=True))
    if not texts:
        return NOTHING
    parts = sorted((draw(st.floats(0.001, 1)) for _ in texts), reverse=True)
    total = sum(parts) + draw(st.floats(0, 1))
    return said(*((text, part / total) for text, part in zip(texts, parts, strict=True)))


@settings(deadline=None)
@given(recognitions(), recognitions())
def test_a_cell_is_a_probability_and_neither_recogniser_counts_for_more(one: Recognition, other: Recognition) -> None:
    cell = read_cell(one, other)
    assert cell.sum() == pytest.approx(1)
    assert (cell >= 0).all()
    assert np.allclose(cell, read_cell(other, one))


@settings(deadline=None)
@given(st.lists(st.tuples(recognitions(), recognitions()), min_size=1, max_size=2), st.integers(0, 1))
def test_the_shares_of_all_seats_never_add_up_to_more_than_everything(
    cells: list[tuple[Recognition, Recognition]], empty_after: int
) -> None:
    seat = seat_of_cells(
        [read_cell(*both) for both in cells], agreed=True, empty_after=min(empty_after, 2 - len(cells))
    )
    assert sum(share for _, share in seat.shares) <= 1 + 1e-6
    assert [share for _, share in seat.shares] == sorted((share for _, share in seat.shares), reverse=True)
    assert all(1 <= number <= 99 for number, _ in seat.shares)
    assert seat.outside(CLASS) >= 0


@settings(deadline=None)
@given(recognitions())
def test_one_recogniser_alone_books_nothing(other: Recognition) -> None:
    agreed = other.text == "7"
    seat = seat_of_cells([read_cell(SEVEN, other)], agreed=agreed)
    number, confidence = sure_seat(seat, CLASS)
    assert number is None or (agreed and number == 7 and confidence >= SURE_SEAT)


def test_the_class_list_rules_out_what_nobody_has_and_keeps_the_stranger() -> None:
    forty_or_ninety = Seat(((41, 0.6), (91, 0.39)), agreed=True)
    assert sure_seat(forty_or_ninety, ())[0] is None
    assert sure_seat(Seat(((41, 0.6), (91, 0.3999)), agreed=True), CLASS)[0] == 41
    assert sure_seat(Seat(((91, 0.99), (41, 0.0099)), agreed=True), CLASS)[0] is None
    scribble = Seat(((41, 0.05),), agreed=True)
    assert sure_seat(scribble, CLASS) == (None, pytest.approx(0.05 / (0.05 + 0.95 * NO_DIGIT)))


def test_photos_of_one_paper_are_not_two_witnesses() -> None:
    photo = Seat(((19, 0.8), (14, 0.19)), agreed=True)
    assert merged([photo, photo]) == Seat(((19, pytest.approx(0.8)), (14, pytest.approx(0.19))), agreed=True)
    assert merged([photo, Seat()]).share_of(19) == pytest.approx(0.4)


# The class list


ROSTER = Roster((Pupil("3-1", 7, "学生07", "S007"), Pupil("3-1", 8, "学生08", "S008")))
TWO_CLASSES = Roster((*ROSTER.pupils, Pupil("3-2", 7, "学生57", "S057")))
MASTER = PageCode("ABCD1234", 1)
READ = Seat.plain(7, 0.995)


def test_the_only_class_of_a_roster_is_the_class() -> None:
    owner = who_wrote_it(MASTER, READ, ROSTER, None)
    assert (owner.who.class_name, owner.who.seat, owner.who.pupil, owner.problems) == ("3-1", 7, "S007", ())


def test_of_two_classes_one_must_be_chosen() -> None:
    owner = who_wrote_it(MASTER, READ, TWO_CLASSES, None)
    assert (owner.who.pupil, [p.code for p in owner.problems]) == (None, ["class-unknown"])
    assert who_wrote_it(MASTER, READ, TWO_CLASSES, "3-2").who.pupil == "S057"


def test_a_seat_at_which_nobody_sits_is_nobodys() -> None:
    owner = who_wrote_it(MASTER, Seat.plain(44, 0.995), ROSTER, None)
    assert (owner.who.seat, owner.who.pupil, [p.code for p in owner.problems]) == (44, None, ["who-unknown"])


@pytest.mark.parametrize("seat", [Seat(), Seat(((7, 0.9), (8, 0.09)), agreed=True), Seat(((7, 0.995),), agreed=False)])
@pytest.mark.parametrize("roster", [None, Roster(()), ROSTER])
def test_a_doubtful_seat_names_nobody_with_or_without_a_class_list(seat: Seat, roster: Roster | None) -> None:
    owner = who_wrote_it(MASTER, seat, roster, "3-1")
    assert owner.who.pupil is None
    assert [p.code for p in owner.problems] == ["who-unknown"]


@pytest.mark.parametrize("roster", [None, Roster(())])
def test_without_a_class_list_a_sure_seat_is_said_all_the_same(roster: Roster | None) -> None:
    owner = who_wrote_it(MASTER, READ, roster, "3-1")
    assert (owner.who.seat, owner.who.pupil, [p.code for p in owner.problems]) == (7, None, ["who-unknown"])


def test_a_printed_name_outranks_everything() -> None:
    code = PageCode("ABCD1234", 1, "3-2", "S057")
    owner = who_wrote_it(code, READ, TWO_CLASSES, "3-1")
    assert (owner.who.class_name, owner.who.seat, owner.who.pupil, owner.who.confidence) == ("3-2", 7, "S057", 1.0)
    assert [p.code for p in owner.problems] == ["other-class"]
    assert [p.code for p in who_wrote_it(code, READ, ROSTER, None).problems] == ["not-on-roster"]
