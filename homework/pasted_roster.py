"""The class list as it is pasted from Excel or WPS, or typed: with or without a header, with or without seats. Pure.

What the list does not say is worked out: a class name that stands outside of it, seats in the order of the lines.
A pupil who is on the box already keeps the id that she has there, so that a new list loses nobody's results.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from homework.errors import BadFileError
from homework.roster import (
    MAX_SEAT,
    Pupil,
    Roster,
    cells_by_column,
    column_of,
    looks_national,
    minted_pupil_id,
    names_of,
    roster_of,
    table_rows,
)

MOST_CHARACTERS = 100_000
_CLASS = re.compile(r"\S*(?:班|年级|级)\S*|(?:初|高|[一二三四五六])\S{0,3}|\d{1,4}\s?[-–.．(（]\s?\d{1,2}[)）]?")
_SPACED = re.compile(
    r"(?:(?P<class_name>\S*班|\d{1,4}[-.]\d{1,2})\s+)?(?P<seat>\d{1,3})\s*[号\s.．、:：]\s*(?P<name>\S.*)"
)
_NAMES_IN_A_LINE = re.compile(r"[、,，;；\s]+")
Row = tuple[int, list[str]]


class PastedRoster(msgspec.Struct, frozen=True, gc=False):
    """What was understood. `numbered`: the list had no seats; `left_out`: it had a column of national numbers."""

    roster: Roster
    numbered: bool = False
    left_out: bool = False


class Change(StrEnum):
    """What a new list means for one pupil."""

    NEW = "new"
    SAME = "same"
    MOVED = "moved"
    """Another seat or another class than before."""
    RENAMED = "renamed"


def pasted_roster(text: str, *, class_name: str = "", most_characters: int = MOST_CHARACTERS) -> PastedRoster:
    """The class list of a pasted text. `class_name` is the class where the list does not say it.

    Raises `BadFileError` that names the line; a number that looks national is never repeated.
    """
    if len(text) > most_characters:
        raise BadFileError("This is too long for a class list.", remedy="Paste one class at a time.")
    rows = _rows(text.replace("\ufeff", "").replace("\0", ""))
    if not rows:
        raise BadFileError("The list is empty.", remedy="Copy the class list in Excel or WPS and paste it here.")
    header = _header(rows[0][1])
    body = rows[1:] if header else rows
    if header and not body:
        raise BadFileError("The roster has no pupils.", remedy="Write one line for each pupil under the header.")
    columns = header or _guessed(body)
    if "name" not in columns:
        raise BadFileError(
            "No column of this list looks like names.",
            remedy="Paste the columns class, seat and name, best with their header line.",
        )
    left_out = _without_national(columns, body)
    numbered = "seat" not in columns
    found: list[tuple[int, dict[str, str]]] = []
    seats: Counter[str] = Counter()
    last_class = class_name.strip()
    for line, row in body:
        cells = cells_by_column(row, columns)
        # A merged cell of a spreadsheet is copied once, above the others.
        last_class = cells.get("class") or last_class
        if not last_class:
            raise BadFileError(
                "The list does not say which class it is.",
                remedy="Write the class in the field above the list, like 3-1.",
            )
        cells["class"] = last_class
        if numbered:
            seats[last_class] += 1
            cells["seat"] = str(seats[last_class])
        elif not cells["seat"] and not cells["name"]:
            continue
        cells["seat"] = re.sub(r"\s*号$", "", unicodedata.normalize("NFKC", cells["seat"]))
        cells["seat"] = re.sub(r"\.0+$", "", cells["seat"])
        found.append((line, cells))
    if not found:
        raise BadFileError("The roster has no pupils.", remedy="Write one line for each pupil under the header.")
    called = names_of(rows[0][1], header) if header else None
    return PastedRoster(roster_of(found, called=called), numbered, left_out)


def with_known_ids(roster: Roster, known: Roster) -> Roster:
    """The list with the ids that its pupils have already: same class and name, or same class, seat and name.

    An id that the list gives itself stays. Two of one name in a class are told apart by their seats.
    """
    old, new = _by_name(known), _by_name(roster)
    taken = {pupil.pupil_id for pupil in roster.pupils}

    def kept(pupil: Pupil) -> Pupil:
        place = (pupil.class_name, pupil.name)
        found = _with_known_id(pupil, new[place], old.get(place, ()))
        return pupil if found.pupil_id in taken else found

    return Roster(tuple(kept(pupil) for pupil in roster.pupils))


def with_ids_of_before(roster: Roster, known: Roster) -> Roster:
    """The list with the ids that its pupils have already, whatever ids it gives them itself.

    Who is known by the list's id keeps it; else one of the same class and name, where there is only one of that name,
    has the id that she had: another register numbers pupils otherwise, and must not part them from their results.
    """
    old, new = _by_name(known), _by_name(roster)
    taken = {pupil.pupil_id for pupil in roster.pupils}
    ids = {pupil.pupil_id for pupil in known.pupils}

    def kept(pupil: Pupil) -> Pupil:
        place = (pupil.class_name, pupil.name)
        same = old.get(place, ())
        if pupil.pupil_id in ids or len(same) != 1 or len(new[place]) != 1 or same[0].pupil_id in taken:
            return pupil
        return msgspec.structs.replace(pupil, pupil_id=same[0].pupil_id)

    return Roster(tuple(kept(pupil) for pupil in roster.pupils))


def changes(roster: Roster, known: Roster) -> tuple[tuple[tuple[Pupil, Change], ...], tuple[Pupil, ...]]:
    """What a list (with its known ids) changes: for each of its pupils, and who of its classes is not in it."""
    before = {pupil.pupil_id: pupil for pupil in known.pupils}
    told = tuple((pupil, _change(pupil, before.get(pupil.pupil_id))) for pupil in roster.pupils)
    ids = {pupil.pupil_id for pupil in roster.pupils}
    classes = set(roster.classes())
    gone = tuple(p for p in known.pupils if p.class_name in classes and p.pupil_id not in ids)
    return told, gone


def merged(roster: Roster, known: Roster) -> dict[str, tuple[Pupil, ...]]:
    """The classes to keep: those of the list, and those that a pupil left for one of them."""
    ids = {pupil.pupil_id for pupil in roster.pupils}
    kept = roster.by_class()
    for name, before in known.by_class().items():
        stay = tuple(pupil for pupil in before if pupil.pupil_id not in ids)
        if name not in kept and stay != before:
            kept[name] = stay
    return kept


def without_national(text: str) -> str:
    """A pasted text without the cells that look like national numbers, to show it again."""
    return "".join("" if looks_national(part) else part for part in re.split(r"([\t\n\r,;，；])", text))


def _rows(text: str) -> list[Row]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and "\t" not in lines[0] and not re.search(r"\d", lines[0]):
        names = [name for name in _NAMES_IN_A_LINE.split(lines[0].strip()) if name]
        if len(names) > 2 and not _header(names):
            return [(1, [name]) for name in names]
    rows = table_rows(text)
    # Typed rather than copied: `07 王小明`, the cells parted by spaces.
    if rows and all(len([cell for cell in row if cell]) == 1 for _, row in rows):
        spaced = [_SPACED.fullmatch(unicodedata.normalize("NFKC", next(filter(None, row)))) for _, row in rows]
        if sum(match is not None for match in spaced) * 2 > len(rows):
            return [
                (
                    line,
                    [match["class_name"] or "", match["seat"], match["name"]]
                    if match
                    else ["", "", *filter(None, row)],
                )
                for (line, row), match in zip(rows, spaced, strict=True)
                if match or not _header(re.split(r"\s+", " ".join(row).strip()))
            ]
    return rows


def _header(cells: Sequence[str]) -> dict[str, int]:
    """The columns that a first line names; none when it is no header."""
    columns: dict[str, int] = {}
    for index, cell in enumerate(cells):
        column = column_of(cell)
        if column is not None:
            columns.setdefault(column, index)
    return columns if "name" in columns else {}


def _guessed(rows: Sequence[Row]) -> dict[str, int]:
    """The columns of a list without header, by what stands in them."""
    columns: dict[str, int] = {}
    width = max(len(row) for _, row in rows)
    for index in range(width):
        cells = [row[index] for _, row in rows if index < len(row) and row[index]]
        if not cells or any(looks_national(cell) for cell in cells):
            continue
        if all(_is_seat(cell) for cell in cells):
            # Who counts the lines and who counts the seats mostly agree; a column of one number is a grade.
            if len(set(cells)) > 1 or len(cells) < 3:
                columns.setdefault("seat", index)
        elif all(_CLASS.fullmatch(cell) for cell in cells) and (len(set(cells)) < len(cells) or width > 2):
            columns.setdefault("class", index)
        elif sum(not re.search(r"[0-9]", cell) for cell in cells) * 2 > len(cells):
            columns.setdefault("name", index)
    return columns


def _is_seat(cell: str) -> bool:
    number = re.fullmatch(r"([0-9]{1,2})(?:\.0+)?\s*号?", unicodedata.normalize("NFKC", cell))
    return number is not None and 1 <= int(number[1]) <= MAX_SEAT


def _without_national(columns: dict[str, int], rows: Sequence[Row]) -> bool:
    """Forget the column of ids when national numbers stand in it. Says whether there was one."""
    at = columns.get("pupil_id")
    if at is not None and any(at < len(row) and looks_national(row[at]) for _, row in rows):
        del columns["pupil_id"]
        return True
    return any(looks_national(cell) for _, row in rows for i, cell in enumerate(row) if i not in columns.values())


def _by_name(roster: Roster) -> Mapping[tuple[str, str], Sequence[Pupil]]:
    """The pupils of each class and name."""
    found: dict[tuple[str, str], list[Pupil]] = {}
    for pupil in roster.pupils:
        found.setdefault((pupil.class_name, pupil.name), []).append(pupil)
    return found


def _with_known_id(pupil: Pupil, new: Sequence[Pupil], old: Sequence[Pupil]) -> Pupil:
    """`new` and `old`: who is called so in this class, in the list and until now."""
    if pupil.pupil_id != minted_pupil_id(pupil.class_name, pupil.seat, pupil.name):
        return pupil
    same = old if len(old) == len(new) == 1 else [p for p in old if p.seat == pupil.seat]
    return msgspec.structs.replace(pupil, pupil_id=same[0].pupil_id) if same else pupil


def _change(pupil: Pupil, before: Pupil | None) -> Change:
    if before is None:
        return Change.NEW
    if (before.class_name, before.seat) != (pupil.class_name, pupil.seat):
        return Change.MOVED
    return Change.SAME if before.name == pupil.name else Change.RENAMED
