"""Pictures make room only when the school has them for certain, and no clock makes one old (docs/durability.md)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.frames import Capture
from edge.housekeeping import sweep
from edge.ledger import Ledger
from edge.pictures import Pictures, digest_of
from edge.retention import BELIEVED_MS, DAY_MS, LONGEST_STEP_MS, KeptPicture, Mark, Why, for_room, next_mark, too_old
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.receipts import Receipt
from tests.edge.filing import IMAGE, graded

START_MS = 1_790_000_000_000


def clock(
    *, uptime_ms: int = 60_000, wall_ms: int = START_MS, boot: int = 0, quality: ClockQuality = ClockQuality.SYNCED
) -> ClockReading:
    return ClockReading(monotonic_ms=uptime_ms, wall_ms=wall_ms, boot=bytes([boot]) * 16, quality=quality)


# --- time that is known to have passed -------------------------------------------------------------------


def test_within_one_boot_the_time_counts_that_passed_whatever_the_wall_clock_says() -> None:
    first = next_mark(None, clock(quality=ClockQuality.UNSET, wall_ms=0))
    later = next_mark(first, clock(uptime_ms=60_000 + 5 * DAY_MS, quality=ClockQuality.UNSET, wall_ms=1))
    assert later.counted_ms == 5 * DAY_MS


def test_over_a_weekend_switched_off_two_set_clocks_count_it() -> None:
    monday = next_mark(Mark(0, clock()), clock(boot=1, wall_ms=START_MS + 3 * DAY_MS))
    assert monday.counted_ms == 3 * DAY_MS


@pytest.mark.parametrize("wall_ms", [0, START_MS - DAY_MS, START_MS + BELIEVED_MS + 1, 4_080_000_000_000])
def test_a_clock_of_1970_or_2099_counts_only_the_time_since_power_came(wall_ms: int) -> None:
    assert next_mark(Mark(0, clock()), clock(boot=1, wall_ms=wall_ms)).counted_ms == 60_000


@pytest.mark.parametrize("quality", [ClockQuality.UNSET, ClockQuality.RESTORED])
def test_a_clock_that_no_server_has_set_counts_only_the_time_since_power_came(quality: ClockQuality) -> None:
    later = clock(boot=1, wall_ms=START_MS + 3 * DAY_MS, quality=quality)
    assert next_mark(Mark(0, clock()), later).counted_ms == 60_000
    assert next_mark(Mark(0, clock(quality=quality)), clock(boot=1, wall_ms=START_MS + DAY_MS)).counted_ms == 60_000


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 10**9), st.integers(0, 5 * 10**12), st.sampled_from(list(ClockQuality))
        ),
        max_size=8,
    )
)
def test_counted_time_never_runs_back_nor_jumps_by_more_than_a_week_over_a_restart(
    looks: list[tuple[int, int, int, ClockQuality]],
) -> None:
    mark = None
    for boot, uptime_ms, wall_ms, quality in looks:
        now = clock(boot=boot, uptime_ms=uptime_ms, wall_ms=wall_ms, quality=quality)
        after = next_mark(mark, now)
        if mark is not None:
            assert 0 <= after.counted_ms - mark.counted_ms <= max(LONGEST_STEP_MS, uptime_ms)
        mark = after


# --- which pictures --------------------------------------------------------------------------------------


def test_the_oldest_go_first_and_those_with_an_open_question_stay_or_go_last() -> None:
    mark = Mark(31 * DAY_MS, clock())
    pictures = [KeptPicture(3, "c", 0), KeptPicture(1, "a", 0, open_question=True), KeptPicture(2, "b", 0)]
    young = KeptPicture(4, "d", 2 * DAY_MS)
    assert [each.digest for each in too_old([*pictures, young], mark, days=30)] == ["b", "c"]
    assert [each.digest for each in for_room([*pictures, young])] == ["b", "c", "d", "a"]


# --- with the real ledger and real files -------------------------------------------------------------------


class Desk:
    """A ledger with pictures, a school that answers when it is told to, and a disk as big as a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder)
        self.pictures = Pictures(folder / "pictures")
        self.digests: list[str] = []

    def slide(self, count: int, **page: Any) -> None:
        for _ in range(count):
            number = len(self.digests)
            picture = f"picture {number}".encode() * 100
            digest = digest_of(picture)
            self.pictures.keep(digest, picture)
            self.digests.append(digest)
            self.ledger.file(
                Capture(IMAGE, "test"),
                graded(f"S{number:03}", seed=number, **page),
                pupil=f"S{number:03}",
                digest=digest,
                has_picture=True,
                clock=clock(),
            )

    def school_answers(self, *, up_to: int, held: tuple[tuple[int, int], ...] = ()) -> None:
        with self.ledger.outbox() as outbox:
            chain = outbox.chain_at(Lane.RESULTS, up_to)
            assert chain is not None
            outbox.accept(
                Receipt(
                    epoch=outbox.epoch,
                    lane=Lane.RESULTS,
                    incarnation=bytes(8),
                    challenge=outbox.challenge,
                    mark=up_to,
                    chain=chain,
                    held=held,
                )
            )

    def sweep(self, now: ClockReading, *, school: bool = True, short_bytes: int = 0) -> Any:
        return sweep(self.ledger, self.pictures, now=now, days=30, short_bytes=short_bytes, belongs_to_school=school)

    def there(self) -> list[int]:
        return [number for number, digest in enumerate(self.digests) if self.pictures.read(digest) is not None]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.ledger.close()


def in_days(days: float) -> ClockReading:
    return clock(uptime_ms=60_000 + round(days * DAY_MS), wall_ms=START_MS + round(days * DAY_MS))


def test_thirty_days_after_the_school_took_it_a_picture_goes_and_its_record_stays(desk: Desk) -> None:
    """D-B7."""
    desk.slide(4)
    desk.school_answers(up_to=2)
    assert desk.sweep(in_days(0)).old == 0
    assert desk.sweep(in_days(29.9)).old == 0
    assert desk.sweep(in_days(30)).old == 2
    assert desk.there() == [2, 3]
    pages = {page.digest: page for page in desk.ledger.all_current_pages()}
    gone, kept = pages[desk.digests[0]], pages[desk.digests[2]]
    assert (gone.has_picture, gone.picture_gone) == (False, Why.OLD)
    assert gone.record is not None
    assert (kept.has_picture, kept.picture_gone) == (True, None)
    assert desk.sweep(in_days(90)).old == 0


def test_what_the_school_holds_undecided_or_does_not_have_never_goes(desk: Desk) -> None:
    """D-B7."""
    desk.slide(3)
    desk.school_answers(up_to=2, held=((1, 1),))
    for days in (0, 40, 80):
        desk.sweep(in_days(days), short_bytes=1 << 60)
    assert desk.there() == [0, 2]


def test_a_box_without_a_school_keeps_every_picture_and_says_that_the_disk_is_short(desk: Desk) -> None:
    """D-B7."""
    desk.slide(2)
    desk.school_answers(up_to=2)
    for days in (0, 40, 400):
        assert desk.sweep(in_days(days), school=False, short_bytes=1 << 60).short
    assert desk.there() == [0, 1]


@pytest.mark.parametrize("wall_ms", [0, 4_080_000_000_000])
def test_a_wrong_clock_lets_nothing_go(desk: Desk, wall_ms: int) -> None:
    """D-B7."""
    desk.slide(2)
    desk.school_answers(up_to=2)
    desk.sweep(in_days(0))
    desk.sweep(in_days(29))
    assert desk.sweep(clock(boot=1, wall_ms=wall_ms)).old == 0
    assert desk.there() == [0, 1]


def test_a_new_word_on_a_sheet_keeps_its_picture_until_the_school_has_that_too(desk: Desk) -> None:
    desk.slide(2)
    desk.school_answers(up_to=2)
    desk.sweep(in_days(0))
    desk.ledger.withdraw(1)
    assert desk.sweep(in_days(31)).old == 1
    assert desk.there() == [0]
    desk.school_answers(up_to=3)
    assert desk.sweep(in_days(32)).old == 0
    assert desk.sweep(in_days(62)).old == 1


def test_a_sheet_with_an_open_question_keeps_its_picture_as_long_as_there_is_room(desk: Desk) -> None:
    desk.slide(1, pending=1)
    desk.slide(1)
    desk.school_answers(up_to=2)
    desk.sweep(in_days(0))
    assert desk.sweep(in_days(99)).old == 1
    assert desk.there() == [0]


def test_a_short_disk_lets_go_as_many_as_it_needs_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.slide(6)
    desk.school_answers(up_to=5)
    size = desk.pictures.size_bytes(desk.digests[0])
    free = used_disk(desk, capacity=8 * size)
    monkeypatch.setattr(desk.pictures, "free_bytes", free)
    swept = desk.sweep(in_days(0), short_bytes=4 * size)
    assert (swept.old, swept.for_room, swept.short) == (0, 2, False)
    assert desk.there() == [2, 3, 4, 5]
    swept = desk.sweep(in_days(0), short_bytes=8 * size)
    assert (swept.for_room, swept.short) == (3, True)
    assert desk.there() == [5]


def used_disk(desk: Desk, *, capacity: int) -> Callable[[], int]:
    return lambda: capacity - sum(desk.pictures.size_bytes(digest) for digest in desk.digests)


def test_a_kill_between_word_and_deed_leaves_only_what_the_start_removes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D-B7."""
    desk.slide(2)
    desk.school_answers(up_to=1)
    desk.sweep(in_days(0))

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(desk.pictures, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.sweep(in_days(30))
    assert desk.there() == [0, 1]
    assert desk.pictures.clean(desk.ledger.digests_of_pictures()) == 1
    assert desk.there() == [1]
    assert desk.ledger.knows(desk.digests[0])
