"""What a person gives as a class list, in whatever file: what is understood, and what it would change. No I/O."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import NamedTuple

from homework.errors import Phrase
from homework.oneroster import LeftOut, is_oneroster, read_oneroster
from homework.pasted_roster import Change, changes, merged, pasted_roster, with_known_ids
from homework.roster import MAX_PUPILS, Pupil, Roster, parse_roster
from ui.workbooks import as_pasted, rows_of

_MOST_CHARACTERS = 4 * 1024**2
_EXCEL = (b"PK", b"\xd0\xcf\x11\xe0")


class Given(NamedTuple):
    """A list as it was understood, with the ids that its pupils have here; what was left out; what to know of it."""

    roster: Roster
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[Phrase, ...] = ()


class ClassChange(NamedTuple):
    """What keeping a list would do to one class."""

    name: str
    pupils: tuple[tuple[Pupil, Change], ...]
    gone: tuple[Pupil, ...]
    """Who was in it and is in no class of the list."""
    moved_away: tuple[Pupil, ...]
    """Who was in it and is in another class of the list."""

    def how_many(self, change: Change) -> int:
        """How many pupils it changes so."""
        return sum(found is change for _, found in self.pupils)


def given_file(data: bytes, name: str, *, known: Roster, today: date, class_name: str = "", school: str = "") -> Given:
    """The class list of a file: a OneRoster zip, a workbook, or CSV as Excel and WPS save it.

    `class_name` is the class where a table does not say it, `school` the school of a zip that holds several; `today`
    decides which terms are over. Raises `BadFileError`.
    """
    if is_oneroster(data):
        found = read_oneroster(data, today=today, school=school, known=known)
        return Given(found.roster, found.left_out, found.notes)
    return given_text(as_pasted(rows_of(data, name=name, most_rows=MAX_PUPILS)), known=known, class_name=class_name)


def given_text(text: str, *, known: Roster, class_name: str = "") -> Given:
    """The class list of a table as it is pasted, or typed. Raises `BadFileError`."""
    found = pasted_roster(text, class_name=class_name, most_characters=_MOST_CHARACTERS)
    notes = []
    if found.numbered:
        notes.append(Phrase("The list has no seats: they were counted in its order. Look them over before you print."))
    if found.left_out:
        notes.append(Phrase("A column of what looks like national numbers was left out."))
    return Given(with_known_ids(found.roster, known), notes=tuple(notes))


def given_to_command(data: bytes, name: str, *, known: Roster, today: date, school: str = "") -> Given:
    """The same for a command: CSV has to have its header and its columns, so that nothing is guessed unseen."""
    if data.startswith(_EXCEL):
        return given_file(data, name, known=known, today=today, school=school)
    return Given(with_known_ids(parse_roster(data), known))


def class_changes(roster: Roster, known: Roster) -> tuple[ClassChange, ...]:
    """What keeping a list would do, class by class: those of the list, and those that a pupil would leave."""
    told, gone = changes(roster, known)
    by_class: dict[str, list[tuple[Pupil, Change]]] = defaultdict(list)
    for pupil, change in told:
        by_class[pupil.class_name].append((pupil, change))
    lost: dict[str, list[Pupil]] = defaultdict(list)
    for pupil in gone:
        lost[pupil.class_name].append(pupil)
    class_now = {pupil.pupil_id: pupil.class_name for pupil in roster.pupils}
    before = known.by_class()
    return tuple(
        ClassChange(
            name,
            tuple(by_class[name]),
            tuple(lost[name]),
            tuple(p for p in before.get(name, ()) if class_now.get(p.pupil_id, name) != name),
        )
        for name in merged(roster, known)
    )
