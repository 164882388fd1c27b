"""D13, 补交 on the box: what it may call late by what it knows of its own boots."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.commands.export import exported_pages
from edge.late import timings_in_class
from edge.ledger import Ledger
from homework.lateness import Timing
from homework.roster import Roster
from sync.clock import ClockQuality, ClockReading
from tests.edge.filing import file, graded

DUE = "2026-12-01T08:00:00+08:00"
DUE_MS = 1_796_083_200_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
UNSET, RESTORED, SYNCED = ClockQuality.UNSET, ClockQuality.RESTORED, ClockQuality.SYNCED
IN_TIME, LATE, UNKNOWN = Timing.IN_TIME, Timing.LATE, Timing.UNKNOWN


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path)
    yield made
    made.close()


def clock(up_ms: int, wall_ms: int = 0, quality: ClockQuality = UNSET, *, boot: int = 1) -> ClockReading:
    return ClockReading(monotonic_ms=up_ms, wall_ms=wall_ms, boot=bytes([boot]) * 16, quality=quality)


def judged(ledger: Ledger, *clocks: ClockReading, due: str | None = DUE) -> list[Timing | None]:
    """A sheet for each of these looks at the clock, in their order, and how each stands."""
    for number, reading in enumerate(clocks, start=1):
        file(ledger, graded(f"S{number:03}", seed=number), number, clock=reading)
    return timing(ledger, due=due)


def timing(ledger: Ledger, *, due: str | None = DUE) -> list[Timing | None]:
    pages = ledger.current_pages("g3")
    found = timings_in_class(pages, Roster(()), None, due, ledger.box_times)
    return [found.get(page.capture) for page in sorted(pages, key=lambda page: page.capture)]


def test_a_clock_that_a_time_server_keeps_tells_in_time_from_late(ledger: Ledger) -> None:
    began_ms = DUE_MS - DAY
    times = [DUE_MS - HOUR, DUE_MS - HOUR, DUE_MS + DAY]
    assert judged(ledger, *(clock(at - began_ms, at, SYNCED) for at in times)) == [IN_TIME, IN_TIME, LATE]


def test_without_a_due_time_no_clock_is_asked(ledger: Ledger) -> None:
    assert judged(ledger, clock(MINUTE), due=None) == [None]


def test_sheets_of_1970_are_judged_when_the_clock_is_set_in_the_same_boot(ledger: Ledger) -> None:
    assert judged(ledger, clock(HOUR), clock(2 * HOUR), clock(5 * HOUR)) == [UNKNOWN] * 3
    assert ledger.note_clock(clock(6 * HOUR, DUE_MS + 3 * HOUR, SYNCED))
    assert timing(ledger) == [IN_TIME, IN_TIME, LATE]


def test_a_boot_that_was_never_set_is_in_time_when_the_next_one_began_before_it_was_due(ledger: Ledger) -> None:
    assert judged(ledger, clock(HOUR, boot=1), clock(HOUR, DUE_MS - MINUTE, SYNCED, boot=2)) == [IN_TIME, IN_TIME]


def test_a_box_that_never_had_a_time_server_goes_by_its_own_clock(ledger: Ledger) -> None:
    """A school without internet: somebody set the clock by hand, or a battery clock keeps it."""
    began_ms = DUE_MS - DAY
    times = [DUE_MS - HOUR, DUE_MS - HOUR, DUE_MS + DAY]
    assert judged(ledger, *(clock(at - began_ms, at, RESTORED) for at in times)) == [IN_TIME, IN_TIME, LATE]


def test_a_restored_clock_is_not_enough_where_a_time_server_shows_that_it_ran_behind(ledger: Ledger) -> None:
    """The box woke with the time of the evening before: what was slid after it was due looks as if it came before."""
    early = [clock(HOUR + n, DUE_MS - DAY, SYNCED, boot=1) for n in range(3)]
    behind = clock(MINUTE, DUE_MS - 10 * HOUR, RESTORED, boot=2)
    after = clock(HOUR, DUE_MS + DAY, SYNCED, boot=3)
    assert judged(ledger, *early, behind, after) == [IN_TIME, IN_TIME, IN_TIME, UNKNOWN, LATE]
    ledger.note_clock(clock(5 * MINUTE, DUE_MS + HOUR, SYNCED, boot=2))
    assert timing(ledger) == [IN_TIME, IN_TIME, IN_TIME, LATE, LATE]


def test_a_server_that_told_of_2099_and_was_corrected_makes_nobody_late(ledger: Ledger) -> None:
    false = clock(MINUTE, 4_070_908_800_000, SYNCED)
    right = clock(2 * MINUTE, DUE_MS - HOUR, SYNCED)
    assert judged(ledger, false, right) == [UNKNOWN, UNKNOWN]


def test_what_is_exported_has_the_time_that_was_found_out(ledger: Ledger, tmp_path: Path) -> None:
    judged(ledger, clock(HOUR))
    (page,) = exported_pages(tmp_path, class_name=None)
    assert page["captured_latest_ms"] is None
    ledger.note_clock(clock(3 * HOUR, DUE_MS, SYNCED))
    (page,) = exported_pages(tmp_path, class_name=None)
    assert page["captured_at_ms"] == DUE_MS - 2 * HOUR
    assert page["captured_earliest_ms"] < DUE_MS - 2 * HOUR < page["captured_latest_ms"] < DUE_MS - 119 * MINUTE


def test_a_clock_that_goes_on_well_is_noted_once_an_hour_and_a_jump_at_once(ledger: Ledger) -> None:
    noted = [
        ledger.note_clock(clock(up_ms, DUE_MS + up_ms + off_ms, quality))
        for up_ms, off_ms, quality in (
            (MINUTE, 0, RESTORED), (2 * MINUTE, 0, RESTORED), (3 * MINUTE, 0, SYNCED), (4 * MINUTE, 0, SYNCED),
            (4 * MINUTE + HOUR, 0, SYNCED), (5 * MINUTE + HOUR, DAY, SYNCED),
        )
    ]  # fmt: skip
    assert noted == [True, False, True, False, True, True]


def test_what_is_known_of_boots_lasts_over_a_restart_in_their_order(tmp_path: Path) -> None:
    for boot in (1, 2, 3):
        ledger = Ledger(tmp_path)
        ledger.note_clock(clock(HOUR, DUE_MS + boot * DAY, UNSET if boot == 2 else SYNCED, boot=boot))
        ledger.close()
    ledger = Ledger(tmp_path)
    placed = ledger.box_times().place(clock(HOUR, boot=2))
    ledger.close()
    assert DUE_MS + DAY < placed.earliest_ms < placed.latest_ms < DUE_MS + 3 * DAY
