"""What a box has of a class is told to the school once it has changed, and only then."""

from pathlib import Path

from edge.deeds import By
from edge.documents import Documents
from edge.ledger import Ledger
from edge.tallies import Tallies
from homework.absences import Absence
from homework.results import WhoWroteIt
from homework.roster import Pupil, Roster
from sync.clock import SystemClock
from sync.envelope import Erased
from sync.lanes import Lane
from sync.records import Tally, decode_record
from tests.edge.filing import CLOCK, file, graded
from tests.edge.test_accounts import ASSIGNMENT, data
from tests.edge.test_backup import Line, slide

__all__ = ["data"]


def tallies(data: Path, ledger: Ledger) -> Tallies:
    return Tallies(ledger, Documents(data), SystemClock(), on_news=lambda: None)


def look(one: Tallies) -> None:
    one.look(lambda: False)


def told(ledger: Ledger) -> list[Tally | None]:
    """Every tally in the outbox; None for one whose content went when a later one came."""
    with ledger.outbox() as outbox:
        entries = [entry for _, entry in outbox.waiting(Lane.HEALTH, 100)]
    found: list[Tally | None] = []
    for entry in entries:
        record = None if isinstance(entry, Erased) else decode_record(entry)
        assert record is None or isinstance(record, Tally)
        found.append(record)
    return found


def test_the_school_is_told_which_places_count_and_how_many_wait(data: Path) -> None:
    ledger = Ledger(data)
    slide(data, ledger, 1, 3)
    file(ledger, graded(None, seed=8), 902)
    look(tallies(data, ledger))
    (tally,) = told(ledger)
    ledger.close()

    assert tally is not None
    assert (tally.assignment, tally.class_name, tally.expected) == (ASSIGNMENT, "3-1", 5)
    assert tally.places == ((1, 1), (3, 1))
    assert (tally.slid, tally.asked, tally.twice) == (3, 1, 0)


def test_nothing_is_told_twice_also_after_a_start(data: Path) -> None:
    ledger = Ledger(data)
    slide(data, ledger, 1)
    one = tallies(data, ledger)
    look(one)
    look(one)
    look(tallies(data, ledger))

    assert len(told(ledger)) == 1
    ledger.close()


def test_what_changes_is_told_and_what_it_replaces_need_not_travel(data: Path) -> None:
    ledger = Ledger(data)
    one = tallies(data, ledger)
    slide(data, ledger, 1)
    look(one)
    slide(data, ledger, 2)
    look(one)
    newest = ledger.newest_page()
    assert newest is not None
    ledger.withdraw(newest.capture)
    look(one)
    found = told(ledger)
    ledger.close()

    assert [each.places if each is not None else None for each in found] == [None, None, ((1, 1),)]


def test_whoever_need_not_hand_in_is_not_expected_any_more_and_that_is_told(data: Path) -> None:
    ledger = Ledger(data)
    one = tallies(data, ledger)
    ledger.set_absence(ASSIGNMENT, "S004", Absence.EXEMPT, by=By("teacher", CLOCK))
    look(one)
    assert told(ledger) == [], "nothing of the class has come"
    slide(data, ledger, 1)
    look(one)
    ledger.set_absence(ASSIGNMENT, "S005", Absence.EXCUSED, by=By("teacher", CLOCK))
    look(one)
    look(one)
    ledger.undo(ledger.newest_deeds()[0].number, by=By("teacher", CLOCK))
    look(tallies(data, ledger))
    assert [tally and tally.expected for tally in told(ledger)] == [None, None, 4]
    ledger.close()


def test_each_class_has_a_tally_of_its_own_and_none_without_a_sheet(data: Path) -> None:
    documents = Documents(data)
    others = tuple(Pupil("3-2", n, f"学生{50 + n}", f"S{50 + n:03}") for n in range(1, 4))
    documents.put_roster(Roster((*documents.roster().pupils, *others)))
    ledger = Ledger(data)
    slide(data, ledger, 1)
    one = tallies(data, ledger)
    look(one)
    assert [each.class_name for each in told(ledger) if each is not None] == ["3-1"]
    slide(data, ledger, 52)
    look(one)
    assert {each.class_name for each in told(ledger) if each is not None} == {"3-1", "3-2"}
    ledger.close()


def test_a_class_whose_only_sheet_was_somebody_elses_is_told_that_it_has_none(data: Path) -> None:
    documents = Documents(data)
    documents.put_roster(Roster((*documents.roster().pupils, Pupil("3-2", 1, "学生51", "S051"))))
    ledger = Ledger(data)
    slide(data, ledger, 1)
    one = tallies(data, ledger)
    look(one)
    newest = ledger.newest_page()
    assert newest is not None
    ledger.say_whose(newest.capture, WhoWroteIt("3-2", 1, "S051", 1.0), pupil="S051", by=By("teacher", CLOCK))
    look(one)
    found = {each.class_name: each.places for each in told(ledger) if each is not None}
    ledger.close()

    assert found == {"3-1": (), "3-2": ((1, 1),)}


def test_a_tally_reaches_the_school_and_the_outbox_comes_to_rest(data: Path) -> None:
    ledger, line = Ledger(data), Line()
    one = tallies(data, ledger)
    for number in (1, 2, 3):
        slide(data, ledger, number)
        look(one)
    line.talk(ledger)

    assert sum(lane.waiting for lane in ledger.outbox_counts().values()) == 0
    ledger.close()
