"""The worker lets later sheets say whose the earlier ones are, and says that they have changed."""

import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edge.booking import Standing
from edge.documents import Documents
from edge.frames import Capture, RegisteredPage
from edge.ledger import Ledger, NamedBy
from edge.pictures import Pictures
from edge.pipeline import GradedPage
from edge.reading.seats import Seat
from edge.reading.signature import GRID
from edge.reading.who import UNREAD
from edge.worker import Shown, Worker
from homework.errors import ClassboxError
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Pupil, Roster
from models.recognisers import Recognisers
from sync.clock import SystemClock

ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))
SEATS = {
    "doubtful": Seat(((19, 0.8), (14, 0.199)), agreed=True),
    "fourteen": 14,
    "twenty": 20,
    "illegible": Seat(),
}
PATIENCE_S = 20


def graded(capture: Capture, *_: object) -> GradedPage:
    """What grading makes of a picture whose source says what stands in its seat cells."""
    seat = SEATS[capture.source]
    who = WhoWroteIt("3-1", seat, f"S{seat:03}", 1.0) if isinstance(seat, int) else WhoWroteIt("3-1")
    record = PageRecord(
        sheet="ABCD1234", assignment="g3", page=1, who=who, items=(), score_hundredths=0, max_score_hundredths=0,
        pending=0, problems=() if isinstance(seat, int) else (UNREAD,),
    )  # fmt: skip
    rng = np.random.default_rng(sorted(SEATS).index(capture.source))
    ink = rng.integers(0, 255, 10 * GRID[0] * GRID[1]) * (rng.random(10 * GRID[0] * GRID[1]) > 0.6)
    registered = RegisteredPage(capture, None, None, None, np.eye(3), 8.0, 0.1)
    read = seat if isinstance(seat, Seat) else Seat.plain(seat, 0.999)
    return GradedPage(
        PageStatus.GRADED, registered, record, record.problems, ink=ink.astype(np.uint8).tobytes(), seat=read
    )


@dataclass
class Box:
    """A worker on a real ledger, and what it says."""

    worker: Worker
    ledger: Ledger
    shown: queue.Queue[Shown] = field(default_factory=queue.Queue)
    changes: queue.Queue[None] = field(default_factory=queue.Queue)
    troubles: list[str] = field(default_factory=list)

    def slide(self, what: str) -> Shown:
        level = 40 * (1 + sorted(SEATS).index(what))
        assert self.worker.put(Capture(np.full((8, 8, 3), level, np.uint8), what))
        return self.shown.get(timeout=PATIENCE_S)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr("edge.worker.grade_capture", graded)
    ledger, documents = Ledger(tmp_path), Documents(tmp_path)
    documents.put_roster(ROSTER)

    def trouble(about: str, error: ClassboxError | None) -> None:
        if error is not None:
            made.troubles.append(f"{about}: {error}")

    def show(shown: Shown) -> None:
        made.shown.put(shown)

    worker = Worker(
        ledger=ledger,
        documents=documents,
        pictures=Pictures(tmp_path / "pictures"),
        recogniser=Recognisers.load(),
        clock=SystemClock(),
        class_name="3-1",
        on_page=show,
        on_change=lambda: made.changes.put(None),
        on_trouble=trouble,
    )
    made = Box(worker, ledger)
    worker.start()
    yield made
    worker.stop()
    ledger.close()
    assert made.troubles == []


def test_a_later_sheet_names_an_earlier_one_before_it_is_shown_itself(box: Box) -> None:
    first = box.slide("doubtful")
    assert first.filed.standing is Standing.ASK
    box.slide("fourteen")
    named = box.ledger.page(first.filed.capture)
    assert named is not None
    assert (named.pupil, named.standing, named.named_by) == ("S019", Standing.COUNTS, NamedBy.STACK)


def test_a_sheet_that_the_earlier_ones_make_clear_is_shown_under_its_name_at_once(box: Box) -> None:
    box.slide("fourteen")
    shown = box.slide("doubtful")
    assert (shown.filed.pupil, shown.filed.standing) == ("S019", Standing.COUNTS)


def test_a_person_who_names_one_sheet_makes_another_clear_without_a_new_one_coming(box: Box) -> None:
    doubtful, illegible = box.slide("doubtful"), box.slide("illegible")
    box.ledger.say_whose(illegible.filed.capture, WhoWroteIt("3-1", 14, "S014", 1.0), pupil="S014")
    box.changes.get(timeout=PATIENCE_S)
    named = box.ledger.page(doubtful.filed.capture)
    assert named is not None
    assert named.pupil == "S019"


def test_a_disk_that_takes_no_names_stops_no_sheet(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Roster) -> bool:
        raise ClassboxError("The disk is full.", remedy="Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(box.ledger, "clear_up", full)
        assert box.slide("fourteen").filed.pupil == "S014"
        assert box.slide("twenty").filed.pupil == "S020"
    assert any("The disk is full." in trouble for trouble in box.troubles)
    box.troubles.clear()
