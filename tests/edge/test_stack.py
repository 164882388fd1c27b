"""How a class stands: missing, excused, exempt, late, and which pages are not there."""

from hypothesis import given
from hypothesis import strategies as st

from edge.booking import Standing
from edge.stack import NOTHING_IN, Arrived, SeatState, Stack, stack_of
from edge.tones import NOTE_S, NOTE_STEP_S, NOTES_HZ, Tone, tone_of
from homework.absences import Absence
from homework.lateness import Timing
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Pupil, Roster

ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 7)))

IN_TIME = Timing.IN_TIME


def page(seat: int, number: int = 1, *, pending: int = 0) -> PageRecord:
    return PageRecord(
        sheet="ABCD1234", assignment="g3", page=number, who=WhoWroteIt("3-1", seat, f"S{seat:03}", 1.0), items=(),
        score_hundredths=0, max_score_hundredths=0, pending=pending,
    )  # fmt: skip


def stand(*pages: Arrived, pages_a_pupil: int = 1, **absences: Absence) -> Stack:
    return stack_of(pages, roster=ROSTER, class_name="3-1", pages_a_pupil=pages_a_pupil, absences=absences)


def test_the_excused_and_the_exempt_are_not_missing_and_not_expected() -> None:
    stack = stand(Arrived(page(1)), S003=Absence.EXCUSED, S005=Absence.EXEMPT)
    assert (stack.handed_in, stack.total) == (1, 4)
    assert (stack.missing, stack.excused, stack.exempt) == ((2, 4, 6), (3,), (5,))


def test_an_excused_pupil_who_hands_in_is_late_and_an_exempt_one_is_not() -> None:
    stack = stand(Arrived(page(3)), Arrived(page(5)), S003=Absence.EXCUSED, S005=Absence.EXEMPT)
    assert (stack.handed_in, stack.total, stack.late) == (2, 6, (3,))
    assert (stack.excused, stack.exempt) == ((), ())


def test_one_late_page_makes_the_pupil_late() -> None:
    stack = stand(
        Arrived(page(2, 1), 7, IN_TIME), Arrived(page(2, 2), 9, Timing.LATE), Arrived(page(4), 3, Timing.UNKNOWN),
        Arrived(page(5), 1, IN_TIME), Arrived(page(6), 2, Timing.UNKNOWN),
        pages_a_pupil=2, S006=Absence.EXCUSED,
    )  # fmt: skip
    assert (stack.late, stack.untimed) == ((2, 6), (4,))
    two, four = stack.seats[1], stack.seats[3]
    assert (two.state, two.capture, two.missing_pages) == (SeatState.DONE, 9, ())
    assert (four.state, four.missing_pages) == (SeatState.PART, (2,))


def test_without_a_class_list_nobody_is_missing_or_excused() -> None:
    stack = stack_of([Arrived(page(9))], roster=Roster(()), class_name=None, absences={"S009": Absence.EXCUSED})
    assert (stack.handed_in, stack.total, stack.missing, stack.excused) == (1, None, (), ())
    assert stack.seats[0].pupil is None


@given(
    pages=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 2), st.sampled_from(Timing)), max_size=12),
    absences=st.dictionaries(st.sampled_from([f"S{n:03}" for n in range(1, 7)]), st.sampled_from(Absence)),
)
def test_every_seat_is_in_exactly_one_state_and_the_counts_add_up(
    pages: list[tuple[int, int, Timing]], absences: dict[str, Absence]
) -> None:
    arrived = [Arrived(page(seat, number), timing=timing) for seat, number, timing in pages]
    stack = stack_of(arrived, roster=ROSTER, class_name="3-1", pages_a_pupil=2, absences=absences)
    assert stack.handed_in + len(stack.missing) + len(stack.excused) + len(stack.exempt) == 6
    assert stack.total == stack.handed_in + len(stack.missing)
    assert {seat for seat, _, _ in pages} == {s.seat for s in stack.seats if s.state not in NOTHING_IN}
    assert {s.seat for s in stack.seats if s.missing_pages} <= {s.seat for s in stack.seats if s.state == "part"}
    assert stack == stack_of(arrived[::-1], roster=ROSTER, class_name="3-1", pages_a_pupil=2, absences=absences)


def test_each_outcome_has_one_tone_and_a_test_does_not_tell_what_is_to_be_looked_at() -> None:
    asked = page(1, pending=2)
    assert tone_of(PageStatus.GRADED, Standing.COUNTS, page(1)) is Tone.GRADED
    assert tone_of(PageStatus.GRADED, Standing.COUNTS, asked) is Tone.ASK
    assert tone_of(PageStatus.GRADED, Standing.COUNTS, asked, held_back=True) is Tone.GRADED
    assert tone_of(PageStatus.GRADED, Standing.ASK, asked, held_back=True) is Tone.ASK
    assert tone_of(PageStatus.GRADED, Standing.DUPLICATE, page(1)) is Tone.DUPLICATE
    assert tone_of(PageStatus.UNKNOWN_SHEET, Standing.NOT_GRADED, None) is Tone.WRONG
    assert tone_of(PageStatus.WRONG_ASSIGNMENT, Standing.NOT_GRADED, page(1)) is Tone.WRONG
    assert tone_of(PageStatus.NOT_A_SHEET, Standing.NOT_GRADED, None) is Tone.NOT_OURS
    assert len(set(NOTES_HZ.values())) == len(Tone)
    assert all(NOTE_STEP_S * (len(notes) - 1) + NOTE_S < 0.3 for notes in NOTES_HZ.values())
