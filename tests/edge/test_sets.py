"""Sheets of two pages: whose a back is by the order of the stack, and which pages are missing."""

from hypothesis import given
from hypothesis import strategies as st

from edge.batch import Batch
from edge.outcomes import Outcome
from edge.reading.seats import Seat
from edge.reading.who import NO_SEAT, UNREAD
from edge.sets import Side, missing_pages, order_of, told_by_order
from edge.stack import Arrived, SeatState, stack_of
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Pupil, Roster

ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))
PILES = ("1212", "1122 the same way", "1122 turned over")


def record(page: int, pupil: str | None) -> PageRecord:
    who = WhoWroteIt("3-1", int(pupil[1:]), pupil, 0.999) if pupil is not None else WhoWroteIt("3-1")
    return PageRecord(
        sheet="ABCD1234", assignment="g3", page=page, who=who, items=(), score_hundredths=0, max_score_hundredths=0,
        pending=0, problems=() if pupil is not None else (UNREAD,),
    )  # fmt: skip


def graded(place: int, page: int, pupil: str | None, seat: Seat | None = None) -> Outcome:
    made = record(page, pupil)
    return Outcome(
        source=f"{place}", page_of_source=1, status=PageStatus.GRADED, problems=made.problems, sheet=made.sheet,
        assignment="g3", page=page, record=made, quads_px=(), ink=b"", elapsed_ms=1.0,
        seat=seat or (Seat.plain(int(pupil[1:]), 0.999) if pupil is not None else NO_SEAT),
    )  # fmt: skip


def pile(how: str, pupils: list[str]) -> list[tuple[int, str]]:
    """(page, pupil) in the order in which the pages are seen."""
    if how == "1212":
        return [(page, pupil) for pupil in pupils for page in (1, 2)]
    backs = pupils if how.endswith("way") else pupils[::-1]
    return [(1, pupil) for pupil in pupils] + [(2, pupil) for pupil in backs]


@given(
    st.sampled_from(PILES),
    st.lists(st.integers(1, 45), min_size=5, max_size=20, unique=True),
    st.data(),
)
def test_in_an_unbroken_pile_a_doubtful_page_is_its_sheets(how: str, seats: list[int], data: st.DataObject) -> None:
    pupils = [f"S{seat:03}" for seat in seats]
    stack = pile(how, pupils)
    doubtful = set(data.draw(st.lists(st.sampled_from(pupils), max_size=len(pupils) - 3, unique=True)))
    sides = [
        Side(page, None if page == 2 and pupil in doubtful else pupil, Seat(((int(pupil[1:]), 0.6),), agreed=False))
        for page, pupil in stack
    ]
    told = told_by_order(sides, 2)
    assert {place: stack[place][1] for place in told} == told
    assert len(told) == len(doubtful)


@given(st.sampled_from(PILES), st.integers(0, 19))
def test_a_missing_page_breaks_the_order_and_nothing_is_concluded(how: str, gone: int) -> None:
    stack = pile(how, [f"S{seat:03}" for seat in range(1, 11)])
    sides = [Side(page, pupil if n % 7 else None) for n, (page, pupil) in enumerate(stack) if n != gone]
    assert order_of(sides, 2) is None
    assert told_by_order(sides, 2) == {}


@given(st.sampled_from(PILES), st.integers(0, 9), st.integers(0, 9))
def test_two_backs_that_changed_places_break_it(how: str, one: int, other: int) -> None:
    pupils = [f"S{seat:03}" for seat in range(1, 11)]
    stack = pile(how, pupils)
    backs = [n for n, (page, _) in enumerate(stack) if page == 2]
    a, b = backs[one], backs[other]
    stack[a], stack[b] = stack[b], stack[a]
    assert (order_of([Side(*side) for side in stack], 2) is None) == (one != other)


def named(batch: Batch) -> dict[str, str | None]:
    return {one.outcome.source: one.outcome.record.who.pupil for one in batch.named() if one.outcome.record is not None}


def duplex(batch: Batch, *, blank_back: int, seat: Seat = NO_SEAT, lost: bool = False) -> None:
    for seat_number in range(1, 7):
        pupil = f"S{seat_number:03}"
        batch.waits(graded(2 * seat_number, 1, pupil), ROSTER, 2)
        back = graded(2 * seat_number + 1, 2, None if seat_number == blank_back else pupil, seat)
        batch.waits(back, ROSTER, 2)
        if lost:
            batch.lost()


def test_a_back_without_a_number_is_its_fronts_where_whole_sheets_were_fed() -> None:
    batch = Batch()
    duplex(batch, blank_back=4)
    assert named(batch) == {"9": "S004"}


def test_a_back_that_says_another_number_is_asked() -> None:
    batch = Batch()
    duplex(batch, blank_back=4, seat=Seat(((38, 0.7),), agreed=False))
    assert named(batch) == {"9": None}


def test_after_a_page_that_could_not_be_read_the_order_says_nothing() -> None:
    batch = Batch()
    duplex(batch, blank_back=4, lost=True)
    assert named(batch) == {"9": None}


def test_the_pages_that_are_missing_are_told_by_page_and_pupil() -> None:
    there = [record(1, "S001"), record(2, "S001"), record(1, "S002"), record(2, "S003"), record(1, None)]
    assert missing_pages(there, {"ABCD1234": 2}) == {1: ["S003"], 2: ["S002"]}
    stack = stack_of(map(Arrived, there), roster=ROSTER, class_name="3-1", pages_a_pupil=2)
    part = {seat.seat: seat.missing_pages for seat in stack.seats if seat.state is SeatState.PART}
    assert part == {2: (2,), 3: (1,)}
