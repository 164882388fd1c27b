"""Corrected sheets where the pupil is not known at once: seat order, a number that is hard to read; several pages;
what pupils and parents are given of a test; words of a person on either attempt.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.again import again_in_class
from edge.booking import Standing
from edge.calling import HERE_BEFORE, SlidClass
from edge.correcting import Change
from edge.deeds import By
from edge.documents import Documents
from edge.filed import FiledPage, NamedBy
from edge.ledger import Ledger
from edge.pipeline import GradedPage
from edge.reading.seats import Seat
from edge.reading.signature import GRID
from edge.reading.who import UNREAD
from edge.web.self_view import SelfState, self_view
from homework.again import AgainState, PupilAgain
from homework.assignment import Assignment, parse_assignment
from homework.corrections import Word
from homework.layout import Field, Page, PupilField, SheetLayout
from homework.results import Reading, VerdictKind, WhoWroteIt
from homework.roster import Pupil, Roster
from homework.slips import slips_of
from tests.edge.filing import CLOCK, file, graded

CLASS = tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 4))
ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))
BY = By("teacher", CLOCK)
KEY = """
[assignment]
id = "g3"
title = "练习"
pupil_id = "order"
mode = "{mode}"
[[item]]
kind = "number"
prompt = "23 × 4 ="
answer = "92"
explanation = "20×4=80, 3×4=12"
knowledge = ["两位数乘一位数"]
[[item]]
kind = "number"
prompt = "12 × 4 ="
answer = "48"
"""
LAYOUT = SheetLayout(
    "ABCD1234",
    "g3",
    (210.0, 297.0),
    tuple(
        Page(
            number,
            (),
            pupil=PupilField("order"),
            fields=(
                Field("1", 1, "number", box_mm=(20.0, 40.0, 30.0, 10.0)),
                Field("2", 1, "number", box_mm=(90.0, 40.0, 30.0, 10.0)),
            ),
        )
        for number in (1,)
    ),
)


def key(mode: str = "homework") -> Assignment:
    return parse_assignment(KEY.format(mode=mode))


def sheet(who: WhoWroteIt, hand: int, *, first: str, page: int = 1, better: bool = False) -> GradedPage:
    """A page on which item 1 says `first`, and item 2 the right 48; a better one has other ink in item 1."""
    made = graded(who.pupil, seed=hand, page=page)
    assert made.record is not None
    item = made.record.items[0]
    right = first == "92"
    kind = VerdictKind.CORRECT if right else VerdictKind.WRONG
    items = (
        msgspec.structs.replace(
            item,
            reading=Reading(first, 0.99),
            verdict=msgspec.structs.replace(item.verdict, kind=kind, score_hundredths=100 * right),
        ),
        msgspec.structs.replace(item, item="2", reading=Reading("48", 0.99)),
    )
    ink = bytearray(made.ink)
    if better:
        cells = GRID[0] * GRID[1]
        ink[:cells] = np.random.default_rng(900 + hand).integers(0, 255, cells).astype(np.uint8).tobytes()
    problems = () if who.pupil is not None or who.seat is not None else (UNREAD,)
    record = msgspec.structs.replace(
        made.record,
        who=who,
        items=items,
        score_hundredths=100 * right + 100,
        max_score_hundredths=200,
        problems=problems,
    )
    return replace(made, record=record, ink=bytes(ink), problems=problems)


def of(seat: int) -> WhoWroteIt:
    return WhoWroteIt("3-1", seat, f"S{seat:03}", 1.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, key_of=lambda _: key())
    yield opened
    opened.close()


# --- in seat order -----------------------------------------------------------------------------------------


def slide_in_order(ledger: Ledger, page: GradedPage, number: int, *, again: bool = False) -> FiledPage:
    slid = SlidClass(CLASS, LAYOUT, lambda name: LAYOUT if name == LAYOUT.sheet else None)
    filed: FiledPage = file(ledger, page, number, pupil=None, slid=slid, again=again)
    return filed


def called(ledger: Ledger) -> int | None:
    call = ledger.calling(SlidClass(CLASS, LAYOUT, lambda _: LAYOUT)).call
    return call.seat if call is not None else None


def test_in_seat_order_a_corrected_sheet_is_never_the_called_pupils_but_asked_and_then_attempt_2(
    ledger: Ledger,
) -> None:
    nobody = WhoWroteIt("3-1")
    first = slide_in_order(ledger, sheet(nobody, 1, first="91"), 1)
    slide_in_order(ledger, sheet(nobody, 2, first="92"), 2)
    assert called(ledger) == 3  # absent today: the corrected sheet of No. 1 must not become hers
    better = slide_in_order(ledger, sheet(nobody, 1, first="92", better=True), 3)
    assert (better.standing, better.pupil, better.linked) == (Standing.ASK, None, first.capture)
    assert [problem.message for problem in better.problems if problem.code == "who-unknown"][-1:] == [
        HERE_BEFORE.message
    ]
    assert called(ledger) == 3
    said = ledger.say_whose(better.capture, of(1), pupil="S001", in_order=True, by=BY)
    assert said is not None
    assert said.record is not None
    assert (said.standing, said.record.attempt) == (Standing.COUNTS, 2)
    assert called(ledger) == 3, "a corrected sheet is not in its turn"


def test_in_a_stack_of_corrections_in_seat_order_an_unknown_sheet_is_asked_too(ledger: Ledger) -> None:
    other = slide_in_order(ledger, sheet(WhoWroteIt("3-1"), 9, first="92"), 1, again=True)
    assert (other.standing, other.pupil) == (Standing.ASK, None)
    assert called(ledger) == 1


# --- a number that is hard to read -------------------------------------------------------------------------


def test_a_corrected_sheet_whose_number_is_hard_to_read_goes_to_its_own_pupil_not_to_the_free_seat(
    ledger: Ledger,
) -> None:
    """19 has not handed in, and 14 has: other ink at 14 would say 19. The ink of what was right says 14."""
    file(ledger, sheet(of(14), 14, first="91"), 1)
    doubtful = replace(
        sheet(WhoWroteIt("3-1"), 14, first="92", better=True), seat=Seat(((19, 0.7), (14, 0.299)), agreed=True)
    )
    better = file(ledger, doubtful, 2)
    ledger.clear_up(ROSTER)
    now = ledger.page(better.capture)
    assert now is not None
    assert now.record is not None
    assert (now.pupil, now.named_by, now.record.attempt) == ("S014", NamedBy.STACK, 2)
    assert not ledger.clear_up(ROSTER)
    again = ledger.page(better.capture)
    assert again is not None
    assert again.revision == now.revision, "a stack that is looked at again changes nothing"


# --- several pages -----------------------------------------------------------------------------------------


def test_each_page_has_attempts_of_its_own(ledger: Ledger) -> None:
    file(ledger, sheet(of(1), 1, first="91", page=1), 1)
    file(ledger, sheet(of(1), 5, first="90", page=2), 2)
    file(ledger, sheet(of(1), 5, first="92", page=2, better=True), 3)
    attempts = {
        (page.record.page, page.record.attempt) for page in ledger.pages_of_attempts("g3") if page.record is not None
    }
    assert attempts == {(1, 1), (2, 1), (2, 2)}
    [pupil] = again_in_class(ledger.pages_of_attempts("g3"), ROSTER, "3-1")
    assert pupil.state is AgainState.OWES


# --- a person's words --------------------------------------------------------------------------------------


def change(page: FiledPage, item: str, **word: Any) -> Change:
    return Change(page.capture, page.revision, (item, 1), Word(**word))


def newest(ledger: Ledger, page: FiledPage) -> FiledPage:
    found = ledger.page(page.capture)
    assert found is not None
    return found


def test_a_verdict_that_changes_on_the_first_sheet_changes_what_the_second_had_to_correct(ledger: Ledger) -> None:
    first = file(ledger, sheet(of(1), 1, first="91"), 1)
    second = file(ledger, sheet(of(1), 1, first="93", better=True), 2)
    assert [pupil.state for pupil in again_in_class(ledger.pages_of_attempts("g3"), ROSTER, "3-1")] == [
        AgainState.STILL_WRONG
    ]
    done = ledger.correct([change(first, "1", right=True)], by=BY)
    after = newest(ledger, second).record
    assert after is not None
    assert after.items[0].verdict.kind is VerdictKind.CORRECT
    assert [pupil.state for pupil in again_in_class(ledger.pages_of_attempts("g3"), ROSTER, "3-1")] == [
        AgainState.NOTHING
    ]
    assert done.deed is not None
    assert ledger.undo(done.deed, by=BY) is not None
    assert newest(ledger, second).record == second.record


def test_a_word_on_the_second_sheet_stands_whatever_becomes_of_the_first(ledger: Ledger) -> None:
    first = file(ledger, sheet(of(1), 1, first="91"), 1)
    second = file(ledger, sheet(of(1), 1, first="93", better=True), 2)
    ledger.correct([change(second, "1", right=True)], by=BY)
    ledger.correct([change(newest(ledger, second), "2", right=False)], by=BY)
    ledger.correct([change(first, "2", comment="看清楚")], by=BY)
    kinds = [item.verdict.kind for item in (newest(ledger, second).record or pytest.fail("no record")).items]
    assert kinds == [VerdictKind.CORRECT, VerdictKind.WRONG]
    assert [item.verdict.kind for item in (newest(ledger, first).record or pytest.fail("no record")).items] == [
        VerdictKind.WRONG,
        VerdictKind.CORRECT,
    ]


# --- slips -------------------------------------------------------------------------------------------------


def pupils(ledger: Ledger) -> tuple[PupilAgain[FiledPage], ...]:
    return again_in_class(ledger.pages_of_attempts("g3"), ROSTER, "3-1")


def test_a_slip_says_what_was_wrong_what_is_right_why_and_nothing_of_what_waits_for_a_look(ledger: Ledger) -> None:
    file(ledger, sheet(of(2), 2, first="91"), 1)
    file(ledger, sheet(of(1), 1, first="92"), 2)
    waits = sheet(of(3), 3, first="91")
    assert waits.record is not None
    asked = msgspec.structs.replace(
        waits.record.items[0], verdict=msgspec.structs.replace(waits.record.items[0].verdict, kind=VerdictKind.REVIEW)
    )
    record = msgspec.structs.replace(waits.record, items=(asked, waits.record.items[1]), pending=1)
    file(ledger, replace(waits, record=record), 3)
    [slip] = slips_of(pupils(ledger), key())
    assert (slip.seat, [(i.label, i.wrote, i.answer, i.why) for i in slip.items]) == (
        2,
        [("1", "91", "92", "20×4=80, 3×4=12")],
    )
    assert slip.knowledge == ("两位数乘一位数",)
    everybody = slips_of(pupils(ledger), key(), everybody=True)
    assert [(one.seat, len(one.items), one.review) for one in everybody] == [(1, 0, ()), (2, 1, ()), (3, 0, ("1",))]


def test_what_was_corrected_stands_on_no_slip_any_more(ledger: Ledger) -> None:
    file(ledger, sheet(of(2), 2, first="91"), 1)
    file(ledger, sheet(of(2), 2, first="92", better=True), 2)
    assert slips_of(pupils(ledger), key()) == []
    [slip] = slips_of(pupils(ledger), key(), everybody=True)
    assert slip.corrected


# --- pupils by themselves ----------------------------------------------------------------------------------


def later(seconds: float) -> Any:
    return msgspec.structs.replace(CLOCK, monotonic_ms=CLOCK.monotonic_ms + round(seconds * 1000))


def test_a_pupil_sees_her_crosses_for_twenty_seconds_and_nothing_from_before_the_room_was_open(
    ledger: Ledger, tmp_path: Path
) -> None:
    documents = Documents(tmp_path / "documents")
    documents.put_assignment(key())
    documents.put_layout(LAYOUT)
    file(ledger, sheet(of(2), 2, first="91"), 1)

    def seen(seconds: float, *, opened: float = -60) -> SelfState:
        return self_view(ledger, documents, now=later(seconds), opened=later(opened), class_name="3-1").state

    assert seen(3) is SelfState.WRONG
    assert seen(19.9) is SelfState.WRONG
    assert seen(20.1) is SelfState.WAITING
    assert seen(3, opened=1) is SelfState.WAITING
    view = self_view(ledger, documents, now=later(1), opened=later(-60), class_name="3-1")
    assert (view.wrong, view.score, len(view.marks)) == (1, "", 1)
    file(ledger, sheet(WhoWroteIt("3-1"), 7, first="92"), 2)
    assert seen(3) is SelfState.KEPT  # nobody's: its crosses are shown to nobody


def test_of_a_test_a_pupil_sees_nothing(ledger: Ledger, tmp_path: Path) -> None:
    documents = Documents(tmp_path / "documents")
    documents.put_assignment(key("test"))
    documents.put_layout(LAYOUT)
    file(ledger, sheet(of(2), 2, first="91"), 1)
    view = self_view(ledger, documents, now=later(1), opened=later(-60), class_name="3-1")
    assert (view.state, view.sheet, view.wrong) == (SelfState.TEST, None, 0)
