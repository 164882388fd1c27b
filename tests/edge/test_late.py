"""补交: what a box may call late that only sees when a sheet is slid."""

from hypothesis import given
from hypothesis import strategies as st

from edge.late import SITTING, late_captures
from sync.clock import ClockQuality, ClockReading

DUE = 1_796_083_200_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def at(*offsets_ms: int, quality: ClockQuality = ClockQuality.SYNCED) -> dict[int, ClockReading]:
    return {
        number: ClockReading(monotonic_ms=5, wall_ms=DUE + offset, boot=bytes(16), quality=quality)
        for number, offset in enumerate(offsets_ms, start=1)
    }


def test_the_two_who_come_the_next_day_are_late() -> None:
    assert late_captures(at(*[-HOUR] * 43, DAY, DAY + MINUTE), DUE) == {44, 45}


def test_a_pile_that_is_slid_after_it_was_due_is_on_time_and_the_next_days_sheets_are_late() -> None:
    pile = [20 * MINUTE + n * 1000 for n in range(43)]
    assert late_captures(at(*pile), DUE) == frozenset()
    assert late_captures(at(*pile, DAY, DAY + MINUTE), DUE) == {44, 45}


def test_a_lesson_in_between_does_not_part_a_pile() -> None:
    assert late_captures(at(*[10 * MINUTE] * 20, *[65 * MINUTE] * 23, DAY), DUE) == {44}


def test_the_moment_it_is_due_is_on_time() -> None:
    assert late_captures(at(-1, 0, 1), DUE) == {3}


def test_without_a_time_nobody_is_late() -> None:
    assert late_captures(at(DAY), None) == frozenset()


def test_a_clock_that_was_never_set_makes_nobody_late_and_nobody_else_early() -> None:
    unset = {100 + n: clock for n, clock in at(*[DAY] * 5, quality=ClockQuality.UNSET).items()}
    assert late_captures({**at(-HOUR, -HOUR, DAY), **unset}, DUE) == {3}
    assert late_captures(unset, DUE) == frozenset()


def test_a_clock_kept_over_a_power_cut_runs_behind_so_what_it_calls_late_is_late() -> None:
    assert late_captures({**at(-HOUR, -HOUR), 3: at(DAY, quality=ClockQuality.RESTORED)[1]}, DUE) == {3}


@given(st.lists(st.integers(-3 * DAY, 3 * DAY), max_size=50))
def test_nobody_is_late_who_came_before_it_was_due_or_before_one_on_time(offsets: list[int]) -> None:
    clocks = at(*offsets)
    late = late_captures(clocks, DUE)
    assert all(offsets[number - 1] > 0 for number in late)
    on_time = [offset for number, offset in enumerate(offsets, start=1) if number not in late]
    assert all(offsets[number - 1] >= max(on_time, default=-3 * DAY) for number in late if max(on_time, default=0) > 0)


@given(st.lists(st.integers(1, int(SITTING.total_seconds() * 1000)), min_size=1, max_size=50))
def test_one_pile_is_never_late_as_a_whole(offsets: list[int]) -> None:
    assert late_captures(at(*offsets), DUE) == frozenset()
