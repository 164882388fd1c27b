"""The account of a class as the box's ledger has it, against a school that hears of it."""

from pathlib import Path

import pytest

from edge.accounts import box_account
from edge.deeds import By
from edge.documents import Documents
from edge.ledger import Ledger
from homework.absences import Absence
from homework.accounts import Account, Fate, Way
from homework.layout import Page, SheetLayout
from homework.roster import Pupil, Roster
from tests.edge.filing import CLOCK, file, graded
from tests.edge.test_backup import Line, slide

ASSIGNMENT = "g3"
SHEET = SheetLayout(
    sheet="ABCD1234",
    assignment=ASSIGNMENT,
    page_mm=(210.0, 297.0),
    register="markers",
    pages=(Page(page=1, markers=()),),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A box with a class of five and one worksheet of one page."""
    documents = Documents(tmp_path)
    documents.put_roster(Roster(tuple(Pupil("3-1", n, f"学生{n:02}", f"S{n:03}") for n in range(1, 6))))
    documents.put_layout(SHEET)
    return tmp_path


def account(data: Path, ledger: Ledger, *, of_a_school: bool = True) -> Account:
    return box_account(ledger, Documents(data), ASSIGNMENT, "3-1", of_a_school=of_a_school)


def test_who_slid_counts_who_did_not_is_missing_and_the_school_knows_of_nothing_yet(data: Path) -> None:
    ledger = Ledger(data)
    slide(data, ledger, 1, 2, 3)
    found = account(data, ledger)
    ledger.close()

    assert (found.expected, found.slid, found.fates[Fate.COUNTS]) == (5, 3, 3)
    assert [each.seat for each in found.missing] == [4, 5]
    assert found.ways == {Way.BOX: 3}
    assert [each.seat for each in found.under_way] == [1, 2, 3]


def test_what_the_school_has_is_no_longer_under_way_and_what_comes_later_is(data: Path) -> None:
    ledger, line = Ledger(data), Line()
    slide(data, ledger, 1, 2, 3)
    line.talk(ledger)
    slide(data, ledger, 4)
    found = account(data, ledger)
    ledger.close()

    assert found.ways == {Way.SCHOOL: 3, Way.BOX: 1}
    assert [each.seat for each in found.under_way] == [4]


def test_the_same_paper_twice_one_taken_back_and_one_of_nobody_are_all_accounted_for(data: Path) -> None:
    ledger = Ledger(data)
    slide(data, ledger, 1, 2)
    file(ledger, graded("S001", seed=1), 901)
    file(ledger, graded(None, seed=8), 902)
    newest = ledger.capture_of(f"{902:032x}")
    gone = next(page for page in ledger.all_current_pages() if page.pupil == "S002")
    ledger.withdraw(gone.capture)
    found = account(data, ledger)
    ledger.close()

    assert found.fates == {Fate.COUNTS: 1, Fate.WITHDRAWN: 1, Fate.TWICE: 1, Fate.ASKED: 1}
    assert found.slid == 4
    assert [each.capture for each in found.open] == [newest]
    assert 2 in [each.seat for each in found.missing]


def test_who_is_exempt_is_not_expected_unless_something_came(data: Path) -> None:
    ledger = Ledger(data)
    slide(data, ledger, 1)
    for pupil in ("S001", "S005"):
        ledger.set_absence(ASSIGNMENT, pupil, Absence.EXEMPT, by=By("teacher", CLOCK))
    found = account(data, ledger)
    ledger.close()

    assert found.expected == 4
    assert [each.seat for each in found.missing] == [2, 3, 4]


def test_a_box_of_no_school_has_nothing_under_way(data: Path) -> None:
    ledger = Ledger(data)
    slide(data, ledger, 1)
    found = account(data, ledger, of_a_school=False)
    ledger.close()

    assert found.ways == {}
    assert found.under_way == ()
