"""A ledger of every older version is opened with all that is in it. `ledgers/vN.sql` were dumped by the programs of
their time: five sheets, of which three count, one is a duplicate and one was taken back.
"""

import sqlite3
from pathlib import Path

import pytest

from edge.booking import Standing
from edge.ledger import Ledger
from sync.lanes import Lane
from sync.receipts import Accept, LaneState, standing
from tests.edge.filing import file, graded

DUMPS = sorted((Path(__file__).parent / "ledgers").glob("v*.sql"))
_NEWEST = """
    SELECT capture, revision, status, standing, linked, sheet, page, pupil, pending, in_doubt, assignment FROM page
    WHERE revision = (SELECT max(revision) FROM page AS later WHERE later.capture = page.capture) ORDER BY capture
"""


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    db.executescript(request.param.read_text(encoding="utf-8"))
    db.close()
    return tmp_path


def test_every_older_version_is_there() -> None:
    assert [path.stem for path in DUMPS] == ["v1", "v2", "v3", "v4"]


def test_an_older_ledger_keeps_its_sheets(old: Path) -> None:
    ledger = Ledger(old, check=True)
    try:
        counts = ledger.counts()
        assert (counts.captured, counts.graded, counts.duplicates, counts.withdrawn, counts.review) == (5, 3, 1, 1, 1)
        assert [page.pupil for page in ledger.current_pages("g3")] == ["S001", "S002", "S007"]
        first, third, fifth = (ledger.page(number) for number in (1, 3, 5))
        assert first is not None
        assert first.record is not None
        assert first.record.items[0].reading.text == "92"
        assert first.has_picture
        assert first.mm_to_px is not None
        assert third is not None
        assert (third.standing, third.linked) == (Standing.DUPLICATE, 1)
        assert fifth is not None
        assert fifth.standing is Standing.WITHDRAWN
    finally:
        ledger.close()


def test_an_older_ledger_goes_on_and_its_numbers_for_the_school_do_too(old: Path) -> None:
    ledger = Ledger(old)
    try:
        with ledger.outbox() as outbox:
            epoch, last = outbox.epoch, max(stream.last_seq for stream in outbox.streams())
        assert file(ledger, graded("S009", seed=9), 99).standing is Standing.COUNTS
        withdrawn = ledger.withdraw(1)
        assert withdrawn is not None
        assert withdrawn.standing is Standing.WITHDRAWN
        with ledger.outbox() as outbox:
            assert outbox.epoch == epoch
            assert max(stream.last_seq for stream in outbox.streams()) == last + 2
    finally:
        ledger.close()


def test_the_heads_of_an_older_ledger_are_those_of_its_pages_and_stay_so(old: Path) -> None:
    ledger = Ledger(old)
    ledger.withdraw(1)
    ledger.restore(5)
    file(ledger, graded("S009", seed=9), 99)
    ledger.close()
    db = sqlite3.connect(old / "ledger.sqlite")
    heads = db.execute(
        "SELECT capture, revision, status, standing, linked, sheet, page, pupil, pending, in_doubt, assignment "
        "FROM head ORDER BY capture"
    ).fetchall()
    assert heads == db.execute(_NEWEST).fetchall()
    assert len(heads) == 6
    db.close()


def test_opening_an_older_ledger_twice_changes_nothing_more(old: Path) -> None:
    Ledger(old).close()
    db = sqlite3.connect(old / "ledger.sqlite")
    before = list(db.iterdump())
    db.close()
    Ledger(old).close()
    db = sqlite3.connect(old / "ledger.sqlite")
    assert list(db.iterdump()) == before
    db.close()


def test_an_older_ledger_still_knows_the_question_that_it_asked_the_school(old: Path) -> None:
    """D7: an answer to it is on the way, perhaps, and must count."""
    db = sqlite3.connect(old / "ledger.sqlite")
    ((asked,),) = db.execute("SELECT challenge FROM outbox_challenge").fetchall()
    db.close()
    ledger = Ledger(old)
    with ledger.outbox() as outbox:
        assert outbox.challenge == asked
        stream = next(s for s in outbox.streams() if s.lane is Lane.RESULTS)
        chain = outbox.chain_at(Lane.RESULTS, stream.last_seq)
        assert chain is not None
        state = LaneState(stream.last_seq, chain)
        answer = standing(state, epoch=stream.epoch, lane=Lane.RESULTS, incarnation=bytes(8), challenge=asked)
        assert isinstance(outbox.accept(answer), Accept)
    ledger.close()
    again = Ledger(old)
    with again.outbox() as outbox:
        assert outbox.challenge == asked
        assert outbox.counts()[Lane.RESULTS].waiting == 0
    again.close()
