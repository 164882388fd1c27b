"""What a person gives as a class list, in whatever file: what is understood, and what it would change. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import msgspec

from homework.edited_lists import cells_of
from homework.errors import Phrase, UsageError
from homework.oneroster import LeftOut, is_oneroster, read_oneroster
from homework.pasted_roster import Change, changes, merged, pasted_roster, with_known_ids
from homework.roster import MAX_PUPILS, Pupil, Roster, parse_roster, roster_of, usable_text
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
    is_new: bool = False

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


class Wish(msgspec.Struct, frozen=True):
    """What a person wants to keep: pupils in their classes, and classes that nobody is in any more.

    `before` is the digest of the classes that it changes, as they were when the person looked.
    """

    pupils: tuple[Pupil, ...]
    emptied: tuple[str, ...] = ()
    before: str = ""

    def after(self, known: Roster) -> dict[str, tuple[Pupil, ...]]:
        """The classes that it names or takes a pupil from, as they are then; one without pupils goes. Others stay."""
        found = merged(Roster(self.pupils), known)
        return found | {name: () for name in self.emptied if name not in found or not found[name]}

    def looked_at(self, known: Roster) -> Wish:
        """The same, of a person who has seen `known`."""
        return msgspec.structs.replace(self, before=_digest(self.after(known), known))


def wish_of(classes: Mapping[str, tuple[Pupil, ...]]) -> Wish:
    """The wish that these classes be so."""
    everybody = tuple(pupil for pupils in classes.values() for pupil in pupils)
    return Wish(everybody, tuple(name for name, pupils in classes.items() if not pupils))


def sent_wish(body: str, known: Roster) -> Wish:
    """The wish of a page that was looked at. Raises `UsageError` for none, and where the classes have changed since."""
    try:
        wish = msgspec.json.decode(body, type=Wish)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UsageError("This page was sent in another form.", remedy="Load the page again.") from error
    if wish.pupils:
        wish = msgspec.structs.replace(wish, pupils=roster_of(enumerate(map(cells_of, wish.pupils), 1)).pupils)
    if not all(map(usable_text, wish.emptied)):
        raise UsageError("This page was sent in another form.", remedy="Load the page again.")
    if wish.before != _digest(wish.after(known), known):
        raise UsageError(
            "Somebody has changed these classes meanwhile. Nothing was kept.",
            remedy="Look at the lists, and bring yours in again.",
        )
    return wish


def class_changes(after: Mapping[str, tuple[Pupil, ...]], known: Roster) -> tuple[ClassChange, ...]:
    """What it would mean that these classes be so, class by class."""
    told, _ = changes(Roster(tuple(pupil for pupils in after.values() for pupil in pupils)), known)
    by_class: dict[str, list[tuple[Pupil, Change]]] = {name: [] for name in after}
    for pupil, change in told:
        by_class[pupil.class_name].append((pupil, change))
    class_now = {pupil.pupil_id: pupil.class_name for pupil, _ in told}
    before = known.by_class()
    found = []
    for name in after:
        left = [pupil for pupil in before.get(name, ()) if class_now.get(pupil.pupil_id) != name]
        gone = tuple(pupil for pupil in left if pupil.pupil_id not in class_now)
        away = tuple(pupil for pupil in left if pupil.pupil_id in class_now)
        found.append(ClassChange(name, tuple(by_class[name]), gone, away, name not in before))
    return tuple(found)


def _digest(after: Mapping[str, tuple[Pupil, ...]], known: Roster) -> str:
    """Of the classes that would change, as they are."""
    before = known.by_class()
    told = msgspec.json.encode([(name, before.get(name, ())) for name in sorted(after)])
    return hashlib.blake2b(told, digest_size=16).hexdigest()
