"""The ledger names doubtful pages with the help of the stack, as new revisions; what was certain stays."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.booking import Standing
from edge.filed import NamedBy
from edge.frames import Capture, RegisteredPage
from edge.ledger import FiledPage, Ledger
from edge.pipeline import GradedPage
from edge.reading.seats import Seat
from edge.reading.signature import GRID
from edge.reading.who import UNREAD
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Pupil, Roster
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.records import PageResult, decode_record

IMAGE = np.full((8, 8, 3), 200, np.uint8)
CLOCK = ClockReading(monotonic_ms=5, wall_ms=1_790_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)
ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))
NINETEEN_OR_FOURTEEN = Seat(((19, 0.8), (14, 0.199)), agreed=True)


def ink(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    cells = 10 * GRID[0] * GRID[1]
    return (rng.integers(0, 255, cells) * (rng.random(cells) > 0.6)).astype(np.uint8).tobytes()


INKS = [ink(n) for n in range(30)]


def slide(ledger: Ledger, number: int, who: int | Seat, *, paper: int | None = None, page: int = 1) -> FiledPage:
    """A page whose seat was read for certain, or in doubt. `number` names its picture, `paper` its ink."""
    certain = isinstance(who, int)
    named = WhoWroteIt("3-1", who, f"S{who:03}", 0.999) if isinstance(who, int) else WhoWroteIt("3-1")
    record = PageRecord(
        sheet="ABCD1234", assignment="g3", page=page, who=named, items=(), score_hundredths=0, max_score_hundredths=0,
        pending=0, problems=() if certain else (UNREAD,),
    )  # fmt: skip
    graded = GradedPage(
        PageStatus.GRADED,
        RegisteredPage(Capture(IMAGE, "test"), None, None, None, np.eye(3), 8.0, 0.1),
        record,
        record.problems,
        ink=INKS[number if paper is None else paper],
        seat=Seat.plain(who, 0.999) if isinstance(who, int) else who,
    )
    filed = ledger.file(
        Capture(IMAGE, "test"), graded, pupil=named.pupil, digest=f"{number:032x}", has_picture=True, clock=CLOCK
    )
    assert filed is not None
    return filed


def say(ledger: Ledger, page: FiledPage, seat: int) -> FiledPage:
    said = ledger.say_whose(page.capture, WhoWroteIt("3-1", seat, f"S{seat:03}", 1.0), pupil=f"S{seat:03}")
    assert said is not None
    return said


def now(ledger: Ledger, page: FiledPage) -> FiledPage:
    found = ledger.page(page.capture)
    assert found is not None
    return found


def sent(ledger: Ledger) -> list[PageResult]:
    with ledger.outbox() as outbox:
        return [decode_record(p) for _, p in outbox.waiting(Lane.RESULTS, 1000) if isinstance(p, bytes)]  # type: ignore[misc]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, check=True)
    yield opened
    opened.close()


def test_a_later_sheet_makes_an_earlier_one_clear(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    assert not ledger.clear_up(ROSTER)
    assert now(ledger, doubtful).standing is Standing.ASK
    slide(ledger, 2, 14)
    assert ledger.clear_up(ROSTER)
    clear = now(ledger, doubtful)
    assert (clear.standing, clear.pupil, clear.named_by, clear.revision) == (
        Standing.COUNTS, "S019", NamedBy.STACK, 2,
    )  # fmt: skip
    assert clear.record is not None
    assert (clear.record.who.seat, clear.problems, clear.record.problems) == (19, (), ())
    assert [(r.seat, r.revision) for r in sent(ledger)] == [(None, 1), (14, 1), (19, 2)]
    assert not ledger.clear_up(ROSTER)


def test_another_page_of_the_assignment_says_nothing_about_this_one(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    slide(ledger, 2, 14, page=2)
    assert not ledger.clear_up(ROSTER)
    assert now(ledger, doubtful).pupil is None


def test_a_person_who_says_whose_one_sheet_is_makes_another_clear(ledger: Ledger) -> None:
    doubtful, illegible = slide(ledger, 1, NINETEEN_OR_FOURTEEN), slide(ledger, 2, Seat())
    say(ledger, illegible, 14)
    assert ledger.clear_up(ROSTER)
    assert now(ledger, doubtful).pupil == "S019"


def test_the_persons_word_outranks_the_stack_for_ever(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    said = say(ledger, doubtful, 33)
    slide(ledger, 2, 14)
    ledger.clear_up(ROSTER)
    assert (now(ledger, doubtful).pupil, now(ledger, doubtful).revision) == ("S033", said.revision)


def test_a_person_corrects_a_name_that_the_stack_gave(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    slide(ledger, 2, 14)
    ledger.clear_up(ROSTER)
    say(ledger, doubtful, 33)
    slide(ledger, 3, 20)
    ledger.clear_up(ROSTER)
    assert (now(ledger, doubtful).pupil, now(ledger, doubtful).standing) == ("S033", Standing.COUNTS)


def test_a_name_that_the_stack_gave_gives_way_to_one_who_says_it_for_certain(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    slide(ledger, 2, 14)
    ledger.clear_up(ROSTER)
    sure = slide(ledger, 3, 19)
    assert sure.standing is Standing.ASK
    assert ledger.clear_up(ROSTER)
    assert (now(ledger, sure).standing, now(ledger, sure).pupil) == (Standing.COUNTS, "S019")
    back = now(ledger, doubtful)
    assert (back.standing, back.pupil, back.problems) == (Standing.ASK, None, (UNREAD,))


def test_a_sheet_that_is_sure_is_never_moved(ledger: Ledger) -> None:
    first, second = slide(ledger, 1, 14), slide(ledger, 2, 14)
    for number, seat in enumerate([NINETEEN_OR_FOURTEEN, Seat(((14, 0.97),), agreed=True)], start=3):
        slide(ledger, number, seat)
        ledger.clear_up(ROSTER)
    assert (now(ledger, first).standing, now(ledger, first).revision) == (Standing.COUNTS, 1)
    assert (now(ledger, second).standing, now(ledger, second).linked) == (Standing.ASK, first.capture)


def test_the_same_sheet_slid_twice_is_a_duplicate_and_not_a_neighbours(ledger: Ledger) -> None:
    first = slide(ledger, 1, 14)
    again = slide(ledger, 2, NINETEEN_OR_FOURTEEN, paper=1)
    assert ledger.clear_up(ROSTER)
    assert (now(ledger, again).standing, now(ledger, again).linked) == (Standing.DUPLICATE, first.capture)


def test_both_photos_of_a_doubtful_sheet_come_clear_and_count_once(ledger: Ledger) -> None:
    one, other = slide(ledger, 1, NINETEEN_OR_FOURTEEN), slide(ledger, 2, NINETEEN_OR_FOURTEEN, paper=1)
    slide(ledger, 3, 14)
    ledger.clear_up(ROSTER)
    assert [now(ledger, page).standing for page in (one, other)] == [Standing.COUNTS, Standing.DUPLICATE]
    assert now(ledger, other).linked == one.capture


def test_a_sheet_that_was_taken_back_frees_its_seat_and_stays_taken_back(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    fourteen = slide(ledger, 2, 14)
    ledger.clear_up(ROSTER)
    ledger.withdraw(doubtful.capture)
    ledger.withdraw(fourteen.capture)
    ledger.clear_up(ROSTER)
    assert now(ledger, doubtful).standing is Standing.WITHDRAWN
    ledger.restore(doubtful.capture)
    ledger.clear_up(ROSTER)
    assert (now(ledger, doubtful).standing, now(ledger, doubtful).pupil) == (Standing.ASK, None)


def test_what_was_open_when_the_box_stopped_is_cleared_when_it_starts(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    doubtful = slide(first, 1, NINETEEN_OR_FOURTEEN)
    slide(first, 2, 14)
    first.close()
    second = Ledger(tmp_path, check=True)
    assert second.clear_up(ROSTER)
    assert now(second, doubtful).pupil == "S019"
    second.close()


def test_without_a_class_list_nothing_is_cleared(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    slide(ledger, 2, 14)
    assert not ledger.clear_up(Roster(()))
    assert now(ledger, doubtful).pupil is None


SEATS = [
    NINETEEN_OR_FOURTEEN,
    Seat(((14, 0.8), (19, 0.199)), agreed=True),
    Seat(((14, 0.97), (11, 0.029)), agreed=True),
    Seat(((19, 0.9), (11, 0.09)), agreed=False),
    Seat(),
]


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from([14, 19, 11, *SEATS]), st.integers(0, 5), st.booleans()), max_size=9),
)
def test_however_they_come_each_pupil_counts_once_and_sure_sheets_stay(
    steps: list[tuple[Any, int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    sure: list[FiledPage] = []
    for number, (who, paper, look) in enumerate(steps):
        filed = slide(ledger, number, who, paper=paper)
        if isinstance(who, int) and filed.standing is Standing.COUNTS:
            sure.append(filed)
        if look:
            ledger.clear_up(ROSTER)
    ledger.clear_up(ROSTER)
    current = ledger.all_current_pages()
    assert len({page.pupil for page in current}) == len(current)
    assert {page.capture for page in current} >= {page.capture for page in sure}
    assert all(now(ledger, page).revision == page.revision for page in sure)
    assert not ledger.clear_up(ROSTER)
    ledger.close()


def test_of_two_looks_at_one_paper_the_one_that_says_its_number_for_certain_counts(ledger: Ledger) -> None:
    doubtful = slide(ledger, 1, NINETEEN_OR_FOURTEEN)
    slide(ledger, 2, 14)
    ledger.clear_up(ROSTER)
    assert (now(ledger, doubtful).pupil, now(ledger, doubtful).standing) == ("S019", Standing.COUNTS)
    sure = slide(ledger, 3, 19, paper=1)
    ledger.clear_up(ROSTER)
    assert now(ledger, sure).standing is Standing.COUNTS
    assert (now(ledger, doubtful).standing, now(ledger, doubtful).linked) == (Standing.DUPLICATE, sure.capture)


Steps = list[tuple[int | Seat, int]]


def outcome(steps: Steps, looks: list[bool], folder: Path) -> dict[int, tuple[Standing, str | None]]:
    """What each sheet counts as, and whose it is, when the stack was looked at after those that `looks` says."""
    ledger = Ledger(folder)
    filed = []
    for number, ((who, paper), look) in enumerate(zip(steps, looks, strict=True)):
        filed.append(slide(ledger, number, who, paper=paper))
        if look:
            ledger.clear_up(ROSTER)
    ledger.clear_up(ROSTER)
    found = {number: (now(ledger, page).standing, now(ledger, page).pupil) for number, page in enumerate(filed)}
    ledger.close()
    return found


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from([14, 19, 11, *SEATS]), st.integers(0, 4)), min_size=2, max_size=6),
    looks=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_what_counts_does_not_depend_on_when_the_stack_was_looked_at(
    steps: Steps, looks: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("looks")
    every = outcome(steps, [True] * len(steps), folder / "every")
    assert outcome(steps, looks[: len(steps)], folder / "some") == every
    assert outcome(steps, [False] * len(steps), folder / "once") == every


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(SEATS), st.integers(0, 4)), min_size=2, max_size=5),
    shuffled=st.randoms(use_true_random=False),
)
def test_whose_doubtful_sheets_are_does_not_depend_on_their_order_either(
    steps: Steps, shuffled: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    steps = [(14, 20), *steps]
    other = [steps[0], *shuffled.sample(steps[1:], len(steps) - 1)]
    looks = [True] * len(steps)
    one, two = outcome(steps, looks, folder / "one"), outcome(other, looks, folder / "two")

    def counted(found: dict[int, tuple[Standing, str | None]], these: Steps) -> list[tuple[int, str | None]]:
        """Each paper that was named: of two looks at it one counts, whichever came first."""
        return sorted({(these[number][1], pupil) for number, (_, pupil) in found.items() if pupil is not None})

    assert counted(one, steps) == counted(two, other)
