"""A batch without a ledger: the pages in doubt wait for the others, and take the names that those leave them."""

import numpy as np
import pytest

from edge.batch import Batch
from edge.frames import Capture, RegisteredPage
from edge.pipeline import GradedPage
from edge.reading.seats import Seat
from edge.reading.signature import GRID
from edge.reading.who import UNREAD
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Pupil, Roster

ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))
NINETEEN_OR_FOURTEEN = Seat(((19, 0.8), (14, 0.199)), agreed=True)


def graded(number: int, who: int | Seat, *, page: int = 1) -> tuple[Capture, GradedPage]:
    named = WhoWroteIt("3-1", who, f"S{who:03}", 0.999) if isinstance(who, int) else WhoWroteIt("3-1")
    record = PageRecord(
        sheet="ABCD1234", assignment="g3", page=page, who=named, items=(), score_hundredths=0, max_score_hundredths=0,
        pending=0, problems=() if isinstance(who, int) else (UNREAD,),
    )  # fmt: skip
    capture = Capture(np.zeros((2000, 1500, 3), np.uint8), f"{number}.jpg", original=bytes(1000))
    rng = np.random.default_rng(number)
    ink = rng.integers(0, 255, 10 * GRID[0] * GRID[1]) * (rng.random(10 * GRID[0] * GRID[1]) > 0.6)
    seat = Seat.plain(who, 0.999) if isinstance(who, int) else who
    registered = RegisteredPage(capture, None, None, None, np.eye(3), 8.0, 0.1)
    page_read = GradedPage(
        PageStatus.GRADED, registered, record, record.problems, ink=ink.astype(np.uint8).tobytes(), seat=seat
    )
    return capture, page_read


def run(batch: Batch, *pages: tuple[Capture, GradedPage], roster: Roster | None = ROSTER) -> list[bool]:
    return [batch.waits(capture, page, roster) for capture, page in pages]


def names(batch: Batch) -> list[tuple[str, str | None, list[str]]]:
    found = []
    for waiting in batch.named():
        assert waiting.page.record is not None
        problems = [problem.code for problem in waiting.page.problems]
        found.append((waiting.capture.source, waiting.page.record.who.pupil, problems))
    return found


def test_a_page_in_doubt_waits_and_comes_clear_by_those_after_it() -> None:
    batch = Batch()
    assert run(batch, graded(1, NINETEEN_OR_FOURTEEN), graded(2, 14), graded(3, 20)) == [True, False, False]
    assert names(batch) == [("1.jpg", "S019", [])]


def test_what_stays_in_doubt_comes_as_it_was_in_the_order_of_the_batch() -> None:
    batch = Batch()
    run(batch, graded(1, NINETEEN_OR_FOURTEEN), graded(2, 14, page=2), graded(3, NINETEEN_OR_FOURTEEN))
    assert names(batch) == [("1.jpg", None, ["who-unknown"]), ("3.jpg", None, ["who-unknown"])]


@pytest.mark.parametrize("roster", [None, ROSTER])
def test_a_page_about_which_the_stack_can_say_nothing_does_not_wait(roster: Roster | None) -> None:
    assert run(Batch(), graded(1, Seat()), roster=roster) == [False]
    assert run(Batch(), graded(1, NINETEEN_OR_FOURTEEN), roster=None) == [False]


def test_waiting_pages_do_not_hold_their_pictures() -> None:
    batch = Batch()
    run(batch, graded(1, NINETEEN_OR_FOURTEEN))
    [waiting] = batch.named()
    assert waiting.capture.original is None
    assert max(waiting.capture.image.size, waiting.page.registered.capture.image.size) == 1
