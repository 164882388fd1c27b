"""For each sheet the teacher sees whether it is on the box alone or at the school, and never too early."""

from pathlib import Path

from edge.documents import Documents
from edge.ledger import Ledger
from edge.web.live import live_view
from tests.edge.test_backup import Line, box, slide

__all__ = ["box"]


def at_school(box: Path, ledger: Ledger, *, of_a_school: bool = True) -> bool | None:
    view = live_view(ledger, Documents(box), class_name="3-1", belongs_to_school=of_a_school)
    assert view.sheet is not None
    return view.sheet.at_school


def test_a_sheet_is_at_the_school_once_the_school_has_said_so_and_not_before(box: Path) -> None:
    ledger, line = Ledger(box), Line()
    slide(box, ledger, 10)
    assert at_school(box, ledger) is False
    line.talk(ledger)
    assert at_school(box, ledger) is True
    ledger.close()


def test_what_a_person_says_of_it_afterwards_is_on_the_box_first(box: Path) -> None:
    ledger, line = Ledger(box), Line()
    slide(box, ledger, 10)
    line.talk(ledger)
    newest = ledger.newest_page()
    assert newest is not None
    ledger.withdraw(newest.capture)
    assert at_school(box, ledger) is False
    line.talk(ledger)
    assert at_school(box, ledger) is True
    ledger.close()


def test_a_box_of_no_school_says_nothing_of_it(box: Path) -> None:
    ledger = Ledger(box)
    assert at_school(box, ledger, of_a_school=False) is None
    ledger.close()
