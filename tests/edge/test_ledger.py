"""The ledger counts each page once, forgets nothing, and says what the disk cannot do."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.attempts import Likeness
from edge.booking import Rival, Standing, decide, pupil_key
from edge.database import DatabaseError
from edge.ledger import Ledger
from edge.reading.signature import same_ink
from homework.errors import ClassboxError
from homework.results import WhoWroteIt
from homework.roster import Pupil, Roster
from sync.lanes import Lane
from sync.records import PageResult, decode_record
from tests.edge.filing import file, graded, ink, unknown


def sent(ledger: Ledger) -> list[PageResult]:
    with ledger.outbox() as outbox:
        records = [decode_record(p) for _, p in outbox.waiting(Lane.RESULTS, 1000) if isinstance(p, bytes)]
    assert all(isinstance(record, PageResult) for record in records)
    return records  # type: ignore[return-value]


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    opened = Ledger(tmp_path, check=True)
    yield opened
    opened.close()


def test_a_page_its_booking_and_its_record_come_together(ledger: Ledger) -> None:
    filed = file(ledger, graded(), 1)
    assert filed.standing is Standing.COUNTS
    assert [p.pupil for p in ledger.all_current_pages()] == ["S001"]
    assert [(r.capture.hex(), r.seat, r.revision) for r in sent(ledger)] == [(f"{1:032x}", 1, 1)]


def test_the_same_picture_is_filed_once(ledger: Ledger) -> None:
    assert file(ledger, graded(), 1) is not None
    assert file(ledger, graded(), 1) is None
    assert ledger.counts().captured == 1
    assert len(sent(ledger)) == 1


def test_the_same_pupil_and_ink_is_a_duplicate_that_counts_nowhere(ledger: Ledger) -> None:
    first = file(ledger, graded(seed=3), 1)
    again = file(ledger, graded(seed=3), 2)
    assert (again.standing, again.linked) == (Standing.DUPLICATE, first.capture)
    assert [p.capture for p in ledger.current_pages("g3")] == [first.capture]
    assert sent(ledger)[1].duplicate_of == bytes.fromhex(f"{1:032x}")


def test_the_same_pupil_with_other_ink_is_asked_and_nobody_is_overwritten(ledger: Ledger) -> None:
    first = file(ledger, graded(seed=3), 1)
    other = file(ledger, graded(seed=4), 2)
    assert (other.standing, other.linked) == (Standing.ASK, first.capture)
    assert [p.capture for p in ledger.current_pages("g3")] == [first.capture]
    assert (sent(ledger)[1].seat, sent(ledger)[1].pseudonym) == (None, None)


def test_a_third_look_at_the_asked_sheet_is_its_duplicate(ledger: Ledger) -> None:
    file(ledger, graded(seed=3), 1)
    other = file(ledger, graded(seed=4), 2)
    third = file(ledger, graded(seed=4), 3)
    assert (third.standing, third.linked) == (Standing.DUPLICATE, other.capture)


def test_a_sheet_of_nobody_is_asked_however_alike_its_ink(ledger: Ledger) -> None:
    file(ledger, graded(seed=3), 1)
    assert file(ledger, graded(None, seed=3), 2).standing is Standing.ASK


def test_another_page_of_the_same_pupil_counts_too(ledger: Ledger) -> None:
    file(ledger, graded(page=1), 1)
    assert file(ledger, graded(page=2), 2).standing is Standing.COUNTS


def test_a_person_says_whose_sheet_it_is(ledger: Ledger) -> None:
    asked = file(ledger, graded(None, seed=3), 1)
    said = ledger.say_whose(asked.capture, WhoWroteIt("3-1", 7, "S007", 1.0), pupil="S007")
    assert said is not None
    assert (said.standing, said.pupil, said.revision) == (Standing.COUNTS, "S007", 2)
    assert [(r.revision, r.seat) for r in sent(ledger)] == [(1, None), (2, 7)]


def test_taking_a_sheet_back_and_restoring_it_is_where_it_began(ledger: Ledger) -> None:
    filed = file(ledger, graded(), 1)
    withdrawn = ledger.withdraw(filed.capture)
    assert withdrawn is not None
    assert withdrawn.standing is Standing.WITHDRAWN
    assert ledger.current_pages("g3") == []
    restored = ledger.restore(filed.capture)
    assert restored is not None
    assert restored.standing is Standing.COUNTS
    assert [r.seat for r in sent(ledger)] == [1, None, 1]


def test_a_sheet_slid_again_after_it_was_taken_back_counts(ledger: Ledger) -> None:
    filed = file(ledger, graded(seed=3), 1)
    ledger.withdraw(filed.capture)
    again = file(ledger, graded(seed=3), 2)
    assert again.standing is Standing.COUNTS
    restored = ledger.restore(filed.capture)
    assert restored is not None
    assert (restored.standing, restored.linked) == (Standing.DUPLICATE, again.capture)


def test_a_page_of_an_unknown_sheet_waits_and_is_graded_later(ledger: Ledger) -> None:
    filed = file(ledger, unknown(), 1)
    assert filed.standing is Standing.NOT_GRADED
    assert [p.capture for p in ledger.waiting_for_documents()] == [filed.capture]
    assert sent(ledger) == []
    regraded = ledger.regrade(filed.capture, graded(), pupil="S001")
    assert (regraded.standing, regraded.revision) == (Standing.COUNTS, 2)
    assert ledger.waiting_for_documents() == []
    assert len(sent(ledger)) == 1


def test_nothing_of_the_past_is_changed_by_a_new_revision(ledger: Ledger, tmp_path: Path) -> None:
    filed = file(ledger, graded(None, seed=3), 1)
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    before = db.execute("SELECT * FROM page").fetchall()
    ledger.say_whose(filed.capture, WhoWroteIt("3-1", 7, "S007", 1.0), pupil="S007")
    assert db.execute("SELECT * FROM page WHERE revision = 1").fetchall() == before
    db.close()


def test_it_is_all_there_after_closing_and_opening(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    filed = file(first, graded(pending=1), 1)
    first.close()
    second = Ledger(tmp_path, check=True)
    found = second.page(filed.capture)
    assert found is not None
    assert found.record == filed.record
    assert np.array_equal(found.mm_to_px, filed.mm_to_px)
    assert second.counts().review == 1
    second.close()


def test_an_error_in_the_middle_leaves_nothing_behind(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> bytes:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("edge.ledger.encode_record", no_room)
        with pytest.raises(DatabaseError, match="disk is full"):
            file(ledger, graded(), 1)
    assert ledger.counts().captured == 0
    assert ledger.current_pages("g3") == []
    assert file(ledger, graded(), 1).standing is Standing.COUNTS


def test_a_damaged_ledger_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    opened = Ledger(tmp_path)
    for n in range(60):
        file(opened, graded(f"S{n:03}", seed=n), n)
    opened.close()
    path = tmp_path / "ledger.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xee" * 8192 + whole[16384:])
    damaged = path.read_bytes()
    with pytest.raises(ClassboxError, match="damaged"):
        Ledger(tmp_path, check=True)
    assert path.read_bytes() == damaged


def test_a_ledger_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ClassboxError, match="newer"):
        Ledger(tmp_path)


def test_without_a_class_list_a_seat_is_somebody_and_with_one_it_is_not() -> None:
    seen = WhoWroteIt("3-1", 12, None, 0.99)
    assert pupil_key(seen, Roster(())) == "3-1#12"
    assert pupil_key(seen, Roster((Pupil("3-1", 1, "学生01", "S001"),))) is None
    assert pupil_key(WhoWroteIt(), Roster(())) is None


@given(
    pupil=st.none() | st.just("S001"),
    rivals=st.lists(
        st.builds(
            Rival,
            capture=st.integers(1, 9),
            attempt=st.none() | st.integers(1, 4),
            likeness=st.sampled_from(Likeness),
            after=st.booleans(),
        ),
        unique_by=lambda rival: rival.attempt if rival.attempt is not None else f"asked {rival.capture}",
    ),
    again=st.booleans(),
)
def test_a_page_counts_only_where_nobody_else_does_or_as_a_correction(
    pupil: str | None, rivals: list[Rival], again: bool
) -> None:
    place = decide(pupil, rivals, again=again)
    booked = sorted((r for r in rivals if r.attempt is not None), key=lambda r: r.attempt or 0)
    if place.standing is Standing.COUNTS:
        assert pupil is not None
        first = not booked
        before_another = any(r.after and r.attempt == place.attempt for r in booked)
        corrected = bool(booked) and (again or booked[-1].likeness is Likeness.CORRECTED)
        assert first or before_another or corrected
        assert before_another or not any(r.likeness is Likeness.SAME for r in rivals)
    if place.standing is Standing.DUPLICATE:
        assert any(r.capture == place.linked and r.likeness is Likeness.SAME for r in rivals)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["S001", "S002", None]), st.integers(1, 3)), max_size=8))
def test_however_sheets_come_each_pupil_counts_once_and_none_is_dropped(
    steps: list[tuple[str | None, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    try:
        for number, (pupil, seed) in enumerate(steps):
            file(ledger, graded(pupil, seed=seed), number)
        counts = ledger.counts()
        assert counts.captured == len(steps)
        assert counts.graded + counts.duplicates + counts.asked == len(steps)
        assert sorted(p.pupil or "" for p in ledger.all_current_pages()) == sorted({p for p, _ in steps if p})
        assert len(sent(ledger)) == len(steps)
    finally:
        ledger.close()


def test_the_inks_of_these_tests_are_told_apart() -> None:
    assert same_ink(ink(3), ink(3))
    assert not any(same_ink(ink(a), ink(b)) for a in range(1, 5) for b in range(1, a))
