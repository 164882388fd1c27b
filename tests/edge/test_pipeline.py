"""A capture goes in and a graded page comes out, whatever the picture shows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.frames import Capture
from edge.pipeline import Books, grade_capture
from edge.reading.recogniser import Recogniser
from edge.reading.signature import same_ink
from homework.results import PageStatus, VerdictKind
from homework.roster import Pupil, Roster
from models.recognisers import Recognisers

Printer = Callable[..., Any]
Photograph = Callable[..., Capture]
ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recognisers.load()


@pytest.fixture(scope="module")
def sheet(print_worksheet: Printer) -> Any:
    sheet = print_worksheet("bubbles", seed=31)
    sheet.seat("23")
    sheet.write("1", "92")
    sheet.mark("5", "A")
    return sheet


@pytest.fixture(scope="module")
def books(sheet: Any) -> Books:
    return Books(
        layout_of=lambda name: sheet.layout if name == sheet.layout.sheet else None,
        assignment_of=lambda name: sheet.assignment if name == sheet.assignment.id else None,
        roster=ROSTER,
    )


def test_a_page_is_booked_to_its_pupil_and_judged(
    sheet: Any, photograph: Photograph, books: Books, recogniser: Recogniser
):
    page = grade_capture(photograph(sheet.paper()), books, recogniser)
    assert page.status is PageStatus.GRADED
    assert page.record is not None
    assert (page.record.who.class_name, page.record.who.seat, page.record.who.pupil) == ("3-1", 23, "S023")
    verdicts = {(item.item, item.blank): item.verdict.kind for item in page.record.items}
    assert verdicts["5", 1] is VerdictKind.WRONG
    assert verdicts["6", 1] is VerdictKind.BLANK
    assert verdicts["1", 1] in {VerdictKind.CORRECT, VerdictKind.REVIEW}
    assert [(f.item, f.blank) for f in page.fields] == [(i.item, i.blank) for i in page.record.items]
    assert set(page.stages_ms) == {"register", "crop", "read", "marks", "who", "ink", "judge"}
    assert page.elapsed_ms >= sum(page.stages_ms.values()) * 0.99


def test_the_key_never_steers_the_reading(sheet: Any, photograph: Photograph, books: Books, recogniser: Recogniser):
    capture = photograph(sheet.paper())
    keyed = grade_capture(capture, books, recogniser)
    unkeyed = grade_capture(capture, replace(books, assignment_of=lambda _: None), recogniser)
    assert keyed.record is not None
    assert unkeyed.record is not None
    assert [item.reading for item in keyed.record.items] == [item.reading for item in unkeyed.record.items]
    assert unkeyed.record.score_hundredths is None
    assert {item.verdict.kind for item in unkeyed.record.items} <= {
        VerdictKind.READ,
        VerdictKind.BLANK,
        VerdictKind.REVIEW,
    }


def test_the_same_sheet_twice_is_told_from_anothers_copy(
    sheet: Any, print_worksheet: Printer, photograph: Photograph, books: Books, recogniser: Recogniser
):
    first = grade_capture(photograph(sheet.paper()), books, recogniser)
    again = grade_capture(photograph(sheet.paper(), turn_deg=93, falloff=0.5, quality=50, seed=5), books, recogniser)
    neighbour = print_worksheet("bubbles", seed=77)
    neighbour.seat("24")
    neighbour.write("1", "92")
    neighbour.mark("5", "B")
    other = grade_capture(photograph(neighbour.paper()), books, recogniser)
    assert same_ink(first.ink, again.ink)
    assert not same_ink(first.ink, other.ink)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"layout_of": lambda _: None}, PageStatus.UNKNOWN_SHEET),
        ({"only_assignment": "another"}, PageStatus.WRONG_ASSIGNMENT),
    ],
)
def test_a_page_that_does_not_belong_here_is_sent_back(
    sheet: Any,
    photograph: Photograph,
    books: Books,
    recogniser: Recogniser,
    *,
    change: dict[str, Any],
    status: PageStatus,
):
    page = grade_capture(photograph(sheet.paper()), replace(books, **change), recogniser)
    assert (page.status, page.record, page.fields, page.ink) == (status, None, (), b"")
    assert page.problems


@pytest.mark.parametrize("shape", [(1, 1), (2, 3000, 3), (40, 40, 3), (600, 800), (1500, 2000, 3)])
def test_no_picture_is_too_odd(books: Books, recogniser: Recogniser, shape: tuple[int, ...]):
    rng = np.random.default_rng(6)
    for image in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), rng.integers(0, 256, shape, np.uint8)):
        page = grade_capture(Capture(image, "odd"), books, recogniser)
        assert page.status in {PageStatus.NOT_A_SHEET, PageStatus.UNREADABLE}
        assert page.record is None
