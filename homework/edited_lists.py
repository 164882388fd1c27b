"""Class lists as a person edits them: what a form says, and what is kept of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from homework.errors import BadFileError, UsageError
from homework.pasted_roster import Change, changes, merged, with_known_ids
from homework.roster import Pupil, Roster, roster_of

MOST_ROWS = 400
NEW_ROWS = 3
CHANGE_WORDS = {
    Change.NEW: "new",
    Change.SAME: "as before",
    Change.MOVED: "another seat",
    Change.RENAMED: "another name",
}


@dataclass(frozen=True)
class ListPreview:
    """A list before it is kept: its pupils and what changes for each, who leaves, and the list to send back."""

    pupils: tuple[tuple[Pupil, Change], ...]
    gone: tuple[Pupil, ...]
    classes: tuple[tuple[str, int], ...]
    body: str
    anew: bool
    """No class of the list was on the box."""


def preview_of(roster: Roster, known: Roster) -> ListPreview:
    """What keeping a list would do."""
    roster = with_known_ids(roster, known)
    told, gone = changes(roster, known)
    return ListPreview(
        pupils=told,
        gone=gone,
        classes=tuple((name, len(pupils)) for name, pupils in roster.by_class().items()),
        body=msgspec.json.encode(roster).decode(),
        anew=not set(roster.classes()) & set(known.classes()),
    )


def list_to_keep(body: str, known: Roster) -> dict[str, tuple[Pupil, ...]]:
    """The classes that a previewed list changes. Raises `BadFileError`, also for a body that no preview made."""
    try:
        sent = msgspec.json.decode(body, type=Roster)
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError("This page was sent in another form.", remedy="Load the page again.") from error
    return merged(roster_of(enumerate(map(cells_of, sent.pupils), 1)), known)


def edited_class(class_name: str, given: Mapping[str, str], known: Roster) -> dict[str, tuple[Pupil, ...]]:
    """The classes to keep after one was edited: names and seats changed, pupils moved, removed and added.

    Whoever is there keeps her id, so that her results stay hers. Raises `BadFileError` with the row.
    """
    rows: list[tuple[int, dict[str, str]]] = []
    moved: list[Pupil] = []
    for number in range(1, MOST_ROWS):
        if f"name-{number}" not in given:
            break
        pupil = known.by_id(given.get(f"pupil-{number}", ""))
        name, seat = given[f"name-{number}"].strip(), given.get(f"seat-{number}", "").strip()
        if f"remove-{number}" in given or (pupil is None and not name and not seat):
            continue
        to = given.get(f"class-{number}", "").strip() or class_name
        cells = {"class": to, "seat": seat, "name": name, "pupil_id": pupil.pupil_id if pupil is not None else ""}
        if to == class_name:
            rows.append((number, cells))
        else:
            moved += roster_of([(number, cells)]).pupils
    kept = {class_name: roster_of(rows).of_class(class_name) if rows else ()}
    for pupil in moved:
        others = kept.get(pupil.class_name, known.of_class(pupil.class_name))
        if any(other.seat == pupil.seat for other in others):
            raise BadFileError(
                "Seat {seat} of class {name} is taken.",
                remedy="Give {pupil} another seat there.",
                seat=pupil.seat,
                name=pupil.class_name,
                pupil=pupil.name,
            )
        joined = roster_of(enumerate(map(cells_of, (*others, pupil)), 1))
        kept[pupil.class_name] = joined.of_class(pupil.class_name)
    return kept


def rows_to_edit(pupils: Sequence[Pupil], given: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """The rows of the form: the pupils and some empty ones, or what a person has written there already."""
    if given is not None:
        numbers = [n for n in range(1, MOST_ROWS) if f"name-{n}" in given]
        keys = ("pupil", "seat", "name", "class", "remove")
        return [{key: given.get(f"{key}-{n}", "") for key in keys} for n in numbers]
    rows = [
        {"pupil": p.pupil_id, "seat": str(p.seat), "name": p.name, "class": p.class_name, "remove": ""} for p in pupils
    ]
    return rows + [{"pupil": "", "seat": "", "name": "", "class": "", "remove": ""} for _ in range(NEW_ROWS)]


def cells_of(pupil: Pupil) -> dict[str, str]:
    """A pupil as a row of a class list (`roster_of`)."""
    return {
        "class": pupil.class_name,
        "seat": str(pupil.seat),
        "name": pupil.name,
        "pupil_id": pupil.pupil_id,
    }
