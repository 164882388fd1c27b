"""What people do is written down with its sheets, and can be taken back as long as nobody did more."""

from pathlib import Path

import pytest

from edge.booking import Standing
from edge.deeds import By, DeedKind
from edge.ledger import Ledger
from homework.absences import Absence
from homework.results import WhoWroteIt
from tests.edge.filing import CLOCK, file, graded

MISS = By("teacher", CLOCK)
OTHER = By("substitute", CLOCK)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, check=True)


def test_what_a_person_does_is_written_down_with_its_revision(ledger: Ledger) -> None:
    filed = file(ledger, graded(), 1)
    ledger.withdraw(filed.capture, by=MISS)
    ledger.restore(filed.capture, by=OTHER)
    newest, first = ledger.newest_deeds()
    assert (first.kind, first.person, first.pages) == (DeedKind.WITHDRAWN, "teacher", ((filed.capture, 2),))
    assert (newest.kind, newest.person, newest.pages) == (DeedKind.RESTORED, "substitute", ((filed.capture, 3),))
    assert ledger.deeds_on(filed.capture) == [newest, first]


def test_what_the_box_does_by_itself_is_no_deed(ledger: Ledger) -> None:
    filed = file(ledger, graded(), 1)
    ledger.withdraw(filed.capture)
    assert ledger.newest_deeds() == []


def test_an_owner_named_by_hand_is_taken_back_and_the_sheet_asks_again(ledger: Ledger) -> None:
    asked = file(ledger, graded(None), 1)
    ledger.say_whose(asked.capture, WhoWroteIt("3-1", 7, "S007", 1.0), pupil="S007", by=MISS)
    named = ledger.page(asked.capture)
    assert named is not None
    assert (named.standing, named.pupil) == (Standing.COUNTS, "S007")
    deed = ledger.newest_deeds()[0]
    undoing = ledger.undo(deed.number, by=OTHER)
    assert undoing is not None
    assert (undoing.kind, undoing.undoes, undoing.person) == (DeedKind.UNDONE, deed.number, "substitute")
    again = ledger.page(asked.capture)
    assert again is not None
    assert (again.standing, again.pupil, again.revision) == (Standing.ASK, None, 3)
    assert ledger.newest_deeds()[1].undone


def test_a_deed_is_undone_once_and_never_over_what_somebody_did_since(ledger: Ledger) -> None:
    filed = file(ledger, graded(), 1)
    ledger.withdraw(filed.capture, by=MISS)
    withdrawn = ledger.newest_deeds()[0]
    ledger.restore(filed.capture, by=OTHER)
    assert ledger.undo(withdrawn.number, by=MISS) is None
    restored = ledger.newest_deeds()[0]
    assert ledger.undo(restored.number, by=MISS) is not None
    assert ledger.undo(restored.number, by=MISS) is None
    assert ledger.undo(999, by=MISS) is None
    page = ledger.page(filed.capture)
    assert page is not None
    assert page.standing is Standing.WITHDRAWN


def test_the_last_word_on_an_absence_counts_and_can_be_taken_back(ledger: Ledger) -> None:
    ledger.set_absence("g3", "S001", Absence.EXCUSED, by=MISS)
    ledger.set_absence("g3", "S002", Absence.EXEMPT, by=MISS)
    ledger.set_absence("other", "S001", Absence.EXEMPT, by=MISS)
    ledger.set_absence("g3", "S001", Absence.EXEMPT, by=MISS)
    assert ledger.absences("g3") == {"S001": Absence.EXEMPT, "S002": Absence.EXEMPT}
    ledger.undo(ledger.newest_deeds()[0].number, by=MISS)
    assert ledger.absences("g3") == {"S001": Absence.EXCUSED, "S002": Absence.EXEMPT}
    ledger.set_absence("g3", "S001", None, by=MISS)
    assert ledger.absences("g3") == {"S002": Absence.EXEMPT}


def test_saying_an_absence_twice_is_one_deed(ledger: Ledger) -> None:
    ledger.set_absence("g3", "S001", Absence.EXCUSED, by=MISS)
    ledger.set_absence("g3", "S001", Absence.EXCUSED, by=MISS)
    assert len(ledger.newest_deeds()) == 1


def test_deeds_are_read_page_by_page(ledger: Ledger) -> None:
    for seat in range(1, 8):
        ledger.set_absence("g3", f"S{seat:03}", Absence.EXCUSED, by=MISS)
    first = ledger.newest_deeds(limit=5)
    rest = ledger.newest_deeds(before=first[-1].number, limit=5)
    assert [deed.number for deed in (*first, *rest)] == [7, 6, 5, 4, 3, 2, 1]
