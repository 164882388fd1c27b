"""A batch without a ledger: the pages in doubt wait for the others, and take the names that those leave them."""

import numpy as np
import pytest

from edge.batch import Batch
from edge.outcomes import Outcome
from edge.reading.seats import Seat
from edge.reading.signature import GRID
from edge.reading.who import UNREAD
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Pupil, Roster

ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))
NINETEEN_OR_FOURTEEN = Seat(((19, 0.8), (14, 0.199)), agreed=True)


def graded(number: int, who: int | Seat, *, page: int = 1) -> Outcome:
    named = WhoWroteIt("3-1", who, f"S{who:03}", 0.999) if isinstance(who, int) else WhoWroteIt("3-1")
    record = PageRecord(
        sheet="ABCD1234", assignment="g3", page=page, who=named, items=(), score_hundredths=0, max_score_hundredths=0,
        pending=0, problems=() if isinstance(who, int) else (UNREAD,),
    )  # fmt: skip
    rng = np.random.default_rng(number)
    ink = rng.integers(0, 255, 10 * GRID[0] * GRID[1]) * (rng.random(10 * GRID[0] * GRID[1]) > 0.6)
    return Outcome(
        source=f"{number}.jpg",
        page_of_source=1,
        status=PageStatus.GRADED,
        problems=record.problems,
        sheet=record.sheet,
        assignment=record.assignment,
        page=page,
        record=record,
        quads_px=(),
        ink=ink.astype(np.uint8).tobytes(),
        seat=Seat.plain(who, 0.999) if isinstance(who, int) else who,
        elapsed_ms=1.0,
    )


def run(batch: Batch, *pages: Outcome, roster: Roster | None = ROSTER) -> list[bool]:
    return [batch.waits(page, roster) for page in pages]


def names(batch: Batch) -> list[tuple[str, str | None, list[str]]]:
    found = []
    for waiting in batch.named():
        assert waiting.outcome.record is not None
        problems = [problem.code for problem in waiting.outcome.problems]
        found.append((waiting.outcome.source, waiting.outcome.record.who.pupil, problems))
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
