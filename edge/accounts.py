"""The account of a class's homework, out of the box's ledger."""

from __future__ import annotations

from collections.abc import Collection

from edge.booking import Standing
from edge.documents import Documents
from edge.ledger import FiledPage, Ledger
from edge.stack import owner_of
from homework.accounts import Account, Fate, Slid, Way, account_of
from homework.layout import SheetLayout
from homework.results import PageStatus

_FATES = {
    Standing.DUPLICATE: Fate.TWICE,
    Standing.ASK: Fate.ASKED,
    Standing.NOT_GRADED: Fate.NOT_GRADED,
    Standing.WITHDRAWN: Fate.WITHDRAWN,
}
_WAYS = {"receipted": Way.SCHOOL, "held": Way.HELD}


def box_account(
    ledger: Ledger, documents: Documents, assignment: str, class_name: str | None, *, of_a_school: bool
) -> Account:
    """Where every sheet of `assignment` is (its id, or `sheet:ID` for one without a key), for one class.

    A page whose owner nobody knows may be of any class, and stands in the account of each.
    """
    layouts = [each for each in documents.layouts() if assignment in (each.assignment, f"sheet:{each.sheet}")]
    roster = documents.roster()
    pupils = roster.of_class(class_name) if class_name is not None else ()
    there = ledger.pages_of_sheets([each.sheet for each in layouts])
    ways = ledger.ways_to_school([page.digest for page in there]) if of_a_school else {}
    slid = []
    for page in there:
        owner = owner_of(page.record, roster, class_name) if page.record is not None else None
        if owner is not None and class_name is not None and owner.class_name != class_name:
            continue
        seat = owner.seat if owner is not None else page.record.who.seat if page.record is not None else None
        way = _WAYS.get(ways.get(page.digest) or "", Way.BOX) if of_a_school else None
        number = page.record.page if page.record is not None else None
        slid.append(Slid(page.capture, _fate(page), number, seat, way))
    if not pupils:
        return account_of(slid, None)
    away = ledger.absences(assignment)
    handed_in = {each.seat for each in slid if each.fate is Fate.COUNTS}
    expected = [
        (pupil.seat, page)
        for pupil in pupils
        if pupil.pupil_id not in away or pupil.seat in handed_in
        for page in _pages(layouts)
    ]
    return account_of(slid, expected)


def _fate(page: FiledPage) -> Fate:
    if page.standing is not Standing.COUNTS:
        return _FATES[page.standing]
    if page.status is not PageStatus.GRADED or page.record is None:
        return Fate.NOT_GRADED
    return Fate.CORRECTION if page.record.attempt > 1 else Fate.COUNTS


def _pages(layouts: Collection[SheetLayout]) -> range:
    return range(1, max((len(layout.pages) for layout in layouts), default=1) + 1)
