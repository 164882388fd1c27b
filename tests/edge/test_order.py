"""Sheets in seat order: whose turn it is, from the steps alone, and as the ledger keeps it beside real pages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.booking import Standing
from edge.calling import SlidClass
from edge.documents import Documents
from edge.filed import NamedBy
from edge.frames import Capture, RegisteredPage
from edge.ledger import FiledPage, Ledger
from edge.order import Call, Row, Step, StepKind, absent, call_of
from edge.pipeline import Books, GradedPage, grade_capture
from edge.reading.signature import GRID
from edge.web.calling import call_view, slid_class
from homework.layout import Page, PupilField, SheetLayout
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Pupil, Roster
from models.recognisers import Recognisers
from sync.clock import ClockQuality, ClockReading

CLOCK = ClockReading(monotonic_ms=5, wall_ms=1_790_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)
CLASS = tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 9))


@dataclass
class Stack:
    """A class of eight as it would be slid: `slide` gives a page to whoever is called."""

    pages: int = 1
    steps: list[Step] = field(default_factory=list)
    held: dict[int, set[int]] = field(default_factory=dict)

    @property
    def call(self) -> Call | None:
        seats = tuple(pupil.seat for pupil in CLASS)
        return call_of(self.steps, Row(seats, tuple(range(1, self.pages + 1)), self.held))

    def slide(self, page: int = 1) -> int | None:
        seat = self.call.seat_for(page) if self.call is not None else None
        if seat is not None:
            self.add(StepKind.TAKEN, seat, page)
            self.held.setdefault(seat, set()).add(page)
        return seat

    def add(self, kind: StepKind, seat: int = 0, page: int = 0) -> None:
        self.steps.append(Step(len(self.steps) + 1, kind, "A", seat, page))

    def skip(self) -> None:
        assert self.call is not None
        self.add(StepKind.SKIPPED, self.call.seat)


def test_the_nth_sheet_is_the_nth_seats_and_then_nobody_is_called() -> None:
    stack = Stack()
    assert [stack.slide() for _ in range(9)] == [*range(1, 9), None]


def test_who_is_absent_is_passed_over_until_those_missing_are_called_anew() -> None:
    stack = Stack()
    stack.slide()
    stack.skip()
    assert [stack.slide() for _ in range(7)] == [3, 4, 5, 6, 7, 8, None]
    assert absent(stack.steps) == {2}
    stack.add(StepKind.RESTARTED)
    assert absent(stack.steps) == frozenset()
    assert [stack.slide(), stack.slide()] == [2, None]


def test_a_number_that_is_jumped_to_is_next_and_the_calling_goes_on_behind_it() -> None:
    stack = Stack()
    stack.slide()
    stack.add(StepKind.CALLED, 6)
    assert [stack.slide(), stack.slide(), stack.slide(), stack.slide()] == [6, 7, 8, None]
    stack.add(StepKind.CALLED, 2)
    assert [stack.slide(), stack.slide()] == [2, 3]


def test_who_has_handed_in_otherwise_is_not_called() -> None:
    stack = Stack(held={2: {1}, 3: {1}})
    assert [stack.slide() for _ in range(3)] == [1, 4, 5]


def test_two_sides_pupil_by_pupil_whichever_side_comes_first() -> None:
    stack = Stack(pages=2)
    taken = [(page, stack.slide(page)) for page in (1, 2, 2, 1, 1, 2)]
    assert taken == [(1, 1), (2, 1), (2, 2), (1, 2), (1, 3), (2, 3)]


def test_a_back_that_is_missing_breaks_the_order_and_the_next_front_is_nobodys() -> None:
    stack = Stack(pages=2)
    for page in (1, 2, 1):
        stack.slide(page)
    assert stack.slide(1) is None
    assert stack.call == Call(2, (2,))
    stack.skip()
    assert stack.slide(1) == 3


def test_all_fronts_and_then_all_backs() -> None:
    stack = Stack(pages=2)
    assert [stack.slide(1) for _ in range(3)] == [1, 2, 3]
    assert stack.slide(2) is None, "a back among the fronts"
    stack.skip()
    assert [stack.slide(1) for _ in range(4)] == [5, 6, 7, 8]
    assert stack.call == Call(1, (2,))
    assert [stack.slide(2) for _ in range(8)] == [1, 2, 3, 5, 6, 7, 8, None]


def test_the_second_page_of_a_stack_says_how_it_lies() -> None:
    stack = Stack(pages=2)
    stack.slide(1)
    assert stack.call == Call(1, (2,), 2, 1)


@given(
    st.lists(st.sampled_from(["slide", "skip", "jump", "back", "anew"]), max_size=60),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_no_page_of_a_seat_is_ever_taken_twice_but_where_a_person_called_it(
    acts: list[str], pages: int, chance: Any
) -> None:
    stack = Stack(pages=pages)
    for act in acts:
        if act == "slide":
            page = chance.randint(1, pages)
            seat = stack.call.seat_for(page) if stack.call is not None else None
            called = bool(stack.steps) and stack.steps[-1].kind is StepKind.CALLED
            assert called or seat is None or page not in stack.held.get(seat, ())
            stack.slide(page)
        elif act == "skip" and stack.call is not None:
            away = stack.call.seat
            stack.skip()
            assert stack.call is None or stack.call.seat != away
        elif act == "jump":
            stack.add(StepKind.CALLED, chance.randint(1, 8))
            assert stack.call is not None
            assert stack.call.seat == stack.steps[-1].seat
        elif act == "anew":
            stack.add(StepKind.RESTARTED)
        elif act == "back" and stack.steps:
            before = list(stack.steps)
            last = stack.steps.pop()
            if last.kind is StepKind.TAKEN and not any(
                (s.seat, s.page, s.kind) == (last.seat, last.page, last.kind) for s in stack.steps
            ):
                stack.held.get(last.seat, set()).discard(last.page)
                assert stack.call is not None, before
                assert stack.call.seat_for(last.page) == last.seat, before


# --- in the ledger, with real pages ------------------------------------------------------------------------


@dataclass
class Box:
    """A ledger, its class, and real worksheets that name nobody; every seat has its own hand and answers."""

    ledger: Ledger
    folder: Path
    print_worksheet: Callable[..., Any]
    photograph: Callable[..., Capture]
    number: int = 0

    def page(self, hand: int, how: int = 0) -> GradedPage:
        sheet = self.print_worksheet("order", seed=60 + hand)
        sheet.write("1", str(10 + 7 * hand))
        sheet.write("2", str(90 - 3 * hand))
        sheet.mark("5", "ABCD"[hand % 4])
        self.sheet = sheet
        books = Books(lambda _: sheet.layout, lambda _: sheet.assignment, Roster(CLASS), "3-1")
        photo = self.photograph(sheet.paper(), turn_deg=how)
        return grade_capture(photo, books, Recognisers.load())

    @property
    def slid(self) -> SlidClass:
        layout = self.print_worksheet("order").layout
        return SlidClass(CLASS, layout, lambda sheet: layout if sheet == layout.sheet else None)

    def slide(self, hand: int, how: int = 0) -> FiledPage:
        page = self.page(hand, how)
        assert page.record is not None
        self.number += 1
        filed = self.ledger.file(
            page.registered.capture,
            page,
            pupil=page.record.who.pupil,
            digest=f"{self.number:032x}",
            has_picture=True,
            clock=CLOCK,
            slid=self.slid,
        )
        assert filed is not None
        return filed

    def called(self) -> int | None:
        call = self.ledger.calling(self.slid).call
        return call.seat if call is not None else None

    def undo(self) -> None:
        last = self.ledger.calling(self.slid).last
        assert last is not None
        assert self.ledger.undo_step(self.slid, last.number)


@pytest.fixture
def box(tmp_path: Path, print_worksheet: Callable[..., Any], photograph: Callable[..., Capture]) -> Iterator[Box]:
    ledger = Ledger(tmp_path)
    yield Box(ledger, tmp_path, print_worksheet, photograph)
    ledger.close()


def now(box: Box, filed: FiledPage) -> FiledPage:
    found = box.ledger.page(filed.capture)
    assert found is not None
    return found


def test_a_sheet_without_a_name_is_the_called_pupils(box: Box) -> None:
    first, second = box.slide(1), box.slide(2)
    assert [(one.pupil, one.standing, one.named_by) for one in (first, second)] == [
        ("S001", Standing.COUNTS, NamedBy.ORDER),
        ("S002", Standing.COUNTS, NamedBy.ORDER),
    ]
    assert second.record is not None
    assert second.record.who.seat == 2
    assert box.called() == 3


def test_the_same_paper_seen_again_is_asked_and_the_call_stays(box: Box) -> None:
    first = box.slide(1)
    again = box.slide(1, how=3)
    assert (again.pupil, again.standing, again.linked) == (None, Standing.ASK, first.capture)
    assert box.called() == 2
    box.ledger.withdraw(again.capture)
    assert box.called() == 2
    assert box.slide(2).pupil == "S002"


def test_undo_takes_the_sheet_back_and_calls_its_number_again(box: Box) -> None:
    box.slide(1)
    second = box.slide(2)
    last = box.ledger.calling(box.slid).last
    assert last is not None
    box.undo()
    assert not box.ledger.undo_step(box.slid, last.number), "a second tap undoes no other sheet"
    assert now(box, second).standing is Standing.WITHDRAWN
    assert box.called() == 2
    assert box.slide(3).pupil == "S002"


def test_undo_of_a_skip_calls_the_pupil_who_came_late(box: Box) -> None:
    box.slide(1)
    assert box.ledger.skip(box.slid, 2)
    assert not box.ledger.skip(box.slid, 2), "a second tap skips nobody else"
    assert box.called() == 3
    box.undo()
    assert box.called() == 2


def test_another_sheet_at_a_seat_that_handed_in_is_asked_and_both_are_kept(box: Box) -> None:
    first = box.slide(1)
    box.slide(2)
    assert box.ledger.call_seat(box.slid, 1)
    other = box.slide(3)
    assert (other.standing, other.pupil, other.linked) == (Standing.ASK, "S001", first.capture)
    assert now(box, first).standing is Standing.COUNTS
    assert box.called() == 3


def test_the_same_sheet_at_the_seat_that_handed_it_in_is_a_duplicate(box: Box) -> None:
    first = box.slide(1)
    assert box.ledger.call_seat(box.slid, 1)
    again = box.slide(1, how=4)
    assert (again.standing, again.linked) == (Standing.DUPLICATE, first.capture)
    assert box.called() == 2


def test_nobody_sits_at_a_number_that_is_not_on_the_list(box: Box) -> None:
    assert not box.ledger.call_seat(box.slid, 44)
    assert box.called() == 1


def test_the_calling_goes_on_behind_the_pupil_whom_a_person_names(box: Box) -> None:
    box.slide(1)
    again = box.slide(1, how=3)
    assert again.standing is Standing.ASK
    named = box.ledger.say_whose(again.capture, WhoWroteIt("3-1", 4, "S004", 1.0), pupil="S004", in_order=True)
    assert named is not None
    assert (named.pupil, named.standing) == ("S004", Standing.COUNTS)
    assert box.called() == 5


def test_after_everybody_was_called_a_sheet_is_asked(box: Box) -> None:
    box.ledger.call_seat(box.slid, 8)
    box.slide(1)
    assert box.called() is None
    stray = box.slide(2)
    assert (stray.standing, stray.pupil) == (Standing.ASK, None)
    box.ledger.call_anew(box.slid)
    assert box.called() == 1


def test_a_ledger_that_is_opened_anew_calls_the_same_number(box: Box) -> None:
    for hand in (1, 2):
        box.slide(hand)
    box.ledger.skip(box.slid, 3)
    box.ledger.close()
    box.ledger = Ledger(box.folder, check=True)
    assert box.called() == 4
    assert box.ledger.calling(box.slid).absent == {3}
    assert box.slide(4).pupil == "S004"


def test_a_page_and_its_step_are_durable_together_or_not_at_all(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """D-B6"""
    box.slide(1)

    def cut(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr("edge.ledger_calling.add_step", cut)
        with pytest.raises(RuntimeError):
            box.slide(2)
    assert box.ledger.counts().captured == 1
    assert box.called() == 2


# --- facing pages and other worksheets: what the ledger makes of them ---------------------------------------


def nameless(ledger: Ledger, layout: SheetLayout, number: int, beside: int | None = None) -> FiledPage:
    layouts = {one.sheet: one for one in (LEFT, RIGHT)}
    record = PageRecord(
        sheet=layout.sheet, assignment=None, page=1, who=WhoWroteIt("3-1"), items=(), score_hundredths=None,
        max_score_hundredths=None, pending=0,
    )  # fmt: skip
    image = np.full((8, 8, 3), 200, np.uint8)
    rng = np.random.default_rng(number)
    cells = 4 * GRID[0] * GRID[1]
    ink = (rng.integers(0, 255, cells) * (rng.random(cells) > 0.6)).astype(np.uint8).tobytes()
    capture = Capture(image, "test")
    registered = RegisteredPage(capture, layout, layout.pages[0], None, np.eye(3), 8.0, 0.1)
    page = GradedPage(PageStatus.GRADED, registered, record, (), ink=ink)
    slid = SlidClass(CLASS, layout, layouts.get, beside)
    filed = ledger.file(capture, page, pupil=None, digest=f"{number:032x}", has_picture=True, clock=CLOCK, slid=slid)
    assert filed is not None
    return filed


def workbook(name: str) -> SheetLayout:
    return SheetLayout(name, None, (184.0, 260.0), (Page(1, (), pupil=PupilField("order")),), "print")


LEFT, RIGHT = workbook("page12"), workbook("page13")


def test_facing_pages_are_one_pupils_and_go_back_together(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    slid = SlidClass(CLASS, RIGHT, {one.sheet: one for one in (LEFT, RIGHT)}.get)
    for pair in range(3):
        left = nameless(ledger, LEFT, 2 * pair)
        right = nameless(ledger, RIGHT, 2 * pair + 1, beside=left.capture)
        assert left.pupil == right.pupil == f"S{pair + 1:03}"
    now = ledger.calling(slid)
    assert now.sheet == "page12"
    assert now.call == Call(4, (1,))
    assert ledger.skip(slid, 4)
    left = nameless(ledger, LEFT, 20)
    right = nameless(ledger, RIGHT, 21, beside=left.capture)
    assert (left.pupil, right.pupil) == ("S005", "S005")
    last = ledger.calling(slid).last
    assert last is not None
    assert ledger.undo_step(slid, last.number)
    found = [ledger.page(one.capture) for one in (left, right)]
    assert [one.standing for one in found if one is not None] == [Standing.WITHDRAWN] * 2
    ledger.close()


def test_a_page_of_another_worksheet_in_the_middle_of_a_stack_is_asked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    nameless(ledger, LEFT, 1)
    stray = nameless(ledger, RIGHT, 2)
    assert (stray.pupil, stray.standing) == (None, Standing.ASK)
    assert nameless(ledger, LEFT, 3).pupil == "S002"
    ledger.say_whose(stray.capture, WhoWroteIt("3-1", 1, "S001", 1.0), pupil="S001", in_order=True)
    assert nameless(ledger, RIGHT, 4).pupil == "S002", "the calling went on there"
    ledger.close()


def test_documents_and_ledger_need_nothing_else_to_call(tmp_path: Path) -> None:
    """The call of a fresh box: the layout that was loaded last, the class that is chosen."""
    ledger, documents = Ledger(tmp_path), Documents(tmp_path)
    documents.put_roster(Roster(CLASS))
    assert slid_class(documents, "3-1", None) is None
    documents.put_layout(LEFT)
    slid = slid_class(documents, "3-1", None)
    assert slid is not None
    view = call_view(ledger.calling(slid), slid, documents)
    assert (view.seat, view.name, view.undo) == (1, "学生01", None)
    assert slid_class(documents, None, None) is None
    ledger.close()
