"""D13, 补交: what may be called late where only an interval is known in which a sheet was slid."""

from hypothesis import given
from hypothesis import strategies as st

from homework.lateness import SITTING, Span, Timing, due_ms, pupil_timing, timings

DUE = 1_796_083_200_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
IN_TIME, LATE, UNKNOWN = Timing.IN_TIME, Timing.LATE, Timing.UNKNOWN
OFFSETS = st.integers(-3 * DAY, 3 * DAY)


def at(*offsets_ms: int) -> dict[int, Span]:
    return {number: Span(DUE + offset, DUE + offset) for number, offset in enumerate(offsets_ms, start=1)}


def late(spans: dict[int, Span]) -> set[int]:
    return {number for number, timing in timings(spans, DUE).items() if timing is LATE}


def test_the_two_who_come_the_next_day_are_late() -> None:
    assert late(at(*[-HOUR] * 43, DAY, DAY + MINUTE)) == {44, 45}


def test_a_pile_that_is_slid_after_it_was_due_is_in_time_and_the_next_days_sheets_are_late() -> None:
    pile = [20 * MINUTE + n * 1000 for n in range(43)]
    assert late(at(*pile)) == set()
    assert late(at(*pile, DAY, DAY + MINUTE)) == {44, 45}


def test_a_lesson_in_between_does_not_part_a_pile() -> None:
    assert late(at(*[10 * MINUTE] * 20, *[65 * MINUTE] * 23, DAY)) == {44}


def test_the_moment_it_is_due_is_in_time() -> None:
    assert timings(at(-1, 0, 1), DUE) == {1: IN_TIME, 2: IN_TIME, 3: LATE}


def test_without_a_due_time_nothing_is_said() -> None:
    assert timings(at(DAY), None) == {}
    assert pupil_timing([]) is None


def test_late_is_only_what_is_after_it_as_a_whole_and_in_time_what_is_before_as_a_whole() -> None:
    spans = {**at(-HOUR, -HOUR, -HOUR), 4: Span(DUE - 5, DUE), 5: Span(DUE - 5, DUE + 1), 6: Span(DUE + 1, DUE + DAY)}
    assert timings(spans, DUE) == {1: IN_TIME, 2: IN_TIME, 3: IN_TIME, 4: IN_TIME, 5: UNKNOWN, 6: LATE}


def test_sheets_of_which_nothing_is_known_have_no_say_in_what_the_class_did() -> None:
    nothing = {100 + n: Span(0, DUE + 30 * DAY) for n in range(40)}
    assert timings({**at(-HOUR, -HOUR, DAY), **nothing}, DUE)[3] is LATE
    assert set(timings(nothing, DUE).values()) == {UNKNOWN}


def test_a_class_that_was_slid_some_time_after_it_was_due_is_not_late_as_a_whole() -> None:
    weeks = {n: Span(DUE + 1, DUE + 20 * DAY) for n in range(40)}
    assert set(timings(weeks, DUE).values()) == {UNKNOWN}


def test_what_may_lie_in_the_sitting_of_the_pile_is_not_late() -> None:
    spans = {**at(*[10 * MINUTE] * 20), 21: Span(DUE - DAY, DUE + 10 * MINUTE), 22: Span(DUE + 1, DUE + DAY)}
    assert timings(spans, DUE)[21] is IN_TIME
    assert timings(spans, DUE)[22] is UNKNOWN


def test_a_pupil_is_late_with_any_page_and_in_time_with_all() -> None:
    assert pupil_timing([IN_TIME, UNKNOWN, LATE]) is LATE
    assert pupil_timing([IN_TIME, UNKNOWN]) is UNKNOWN
    assert pupil_timing([IN_TIME, None, IN_TIME]) is IN_TIME


def test_a_due_time_means_the_same_moment_everywhere() -> None:
    assert due_ms("2026-12-01T08:00:00+08:00") == due_ms("2026-12-01T00:00:00+00:00")
    assert due_ms(None) is None


@given(st.lists(OFFSETS, max_size=50))
def test_nobody_is_late_who_came_before_it_was_due_or_before_one_in_time(offsets: list[int]) -> None:
    found = late(at(*offsets))
    assert all(offsets[number - 1] > 0 for number in found)
    latest = max((offset for number, offset in enumerate(offsets, start=1) if number not in found), default=0)
    assert all(offsets[number - 1] >= latest for number in found if latest > 0)


@given(st.lists(st.integers(1, int(SITTING.total_seconds() * 1000)), min_size=1, max_size=50))
def test_one_pile_is_never_late_as_a_whole(offsets: list[int]) -> None:
    assert late(at(*offsets)) == set()


@given(st.lists(st.tuples(OFFSETS, st.integers(0, 4 * DAY)), max_size=20))
def test_it_is_never_late_what_may_have_come_before_it_was_due(found: list[tuple[int, int]]) -> None:
    spans = {n: Span(DUE + offset, DUE + offset + width) for n, (offset, width) in enumerate(found)}
    told = timings(spans, DUE)
    assert told.keys() == spans.keys()
    for n, span in spans.items():
        assert told[n] is not LATE or span.earliest_ms > DUE
        assert span.latest_ms > DUE or told[n] is IN_TIME
