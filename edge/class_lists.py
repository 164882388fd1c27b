"""Class lists in the files that a person has: CSV, or the OneRoster zip of a school register."""

from __future__ import annotations

from datetime import datetime

from homework.oneroster import is_oneroster, read_oneroster
from homework.pasted_roster import PastedRoster, pasted_roster
from homework.roster import Roster, parse_roster
from ui.workbooks import as_pasted, rows_of

NOBODY = Roster(())


def class_list(data: bytes, *, known: Roster = NOBODY) -> Roster:
    """The class list of a CSV or of a OneRoster zip of one school. Raises `BadFileError`."""
    return _of_register(data, known).roster if is_oneroster(data) else parse_roster(data)


def sent_class_list(data: bytes, *, name: str, class_name: str, known: Roster) -> PastedRoster:
    """The same of a file from the page, where tables may be workbooks and need no header. Raises `BadFileError`."""
    if is_oneroster(data):
        return _of_register(data, known)
    return pasted_roster(as_pasted(rows_of(data, name=name)), class_name=class_name)


def _of_register(data: bytes, known: Roster) -> PastedRoster:
    # Terms that are over are left out. A clock that was never set thinks of none that they are.
    found = read_oneroster(data, today=datetime.now().astimezone().date(), known=known)
    return PastedRoster(found.roster, numbered=bool(found.counted))
