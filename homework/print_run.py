"""What `classbox print` writes into one folder, or a layout that was learned or imported: checked as one. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from homework.assignment import Assignment, parse_assignment
from homework.errors import BadFileError
from homework.layout import SheetLayout, layout_from_json
from homework.roster import Roster, parse_roster

LAYOUT, ASSIGNMENT, ROSTER = "layout.json", "assignment.toml", "roster.csv"
Read = Callable[[str], bytes | None]
"""The bytes of the file of that name, or None when there is none. Raises `BadFileError` when it cannot be read."""


@dataclass(frozen=True)
class PrintRun:
    """One print run, or one layout with what goes with it. `reference` is the file of the picture that it names."""

    layout: SheetLayout
    assignment: Assignment | None
    roster: Roster | None
    reference: bytes | None = None

    def by_digest(self) -> PrintRun:
        """The same, and the layout names its picture by what is in it, as it is kept everywhere."""
        if self.reference is None:
            return self
        name = named_by_digest(self.reference, self.layout.reference or "")
        return replace(self, layout=msgspec.structs.replace(self.layout, reference=name))


def named_by_digest(picture: bytes, name: str) -> str:
    """What the file of a layout's picture is called where it is kept; `name` tells what kind of file it is."""
    return hashlib.blake2b(picture, digest_size=16).hexdigest() + Path(name).suffix


def reference_of(layout: SheetLayout) -> str | None:
    """The name of the picture that a layout needs; None when it needs none. Raises `BadFileError` for no plain name."""
    if layout.reference is None or layout.register not in ("print", "marker-image"):
        return None
    if Path(layout.reference).name != layout.reference:
        raise BadFileError(
            "The layout names a picture outside its folder: {name}.",
            remedy="Keep the picture beside the layout and name it alone.",
            name=layout.reference,
        )
    return layout.reference


def parse_print_run(read: Read, *, where: str, layout_name: str = LAYOUT, roster: bytes | None = None) -> PrintRun:
    """What `classbox print` wrote in one folder, or (another `layout_name`) a layout alone with its picture.

    `roster` outranks the folder's. The picture itself is not looked at. Raises `BadFileError`, also for a folder
    without a layout.
    """
    alone = layout_name != LAYOUT
    layout = layout_from_json(_needed(read, layout_name, where))
    assignment = None
    key = None if alone and layout.register != "markers" else read(ASSIGNMENT)
    if key is not None or layout.register == "markers":  # what we did not print may be learned before its key is known
        key = key if key is not None else _needed(read, ASSIGNMENT, where)
        assignment = parse_assignment(key.decode("utf-8", errors="replace"))
    list_of_pupils = roster if roster is not None or alone else read(ROSTER)
    pupils = parse_roster(list_of_pupils) if list_of_pupils is not None else None
    if assignment is not None and layout.assignment != assignment.id:
        raise BadFileError(
            "The layout in {path} belongs to another assignment.", remedy="Print the worksheets again.", path=where
        )
    named = reference_of(layout)
    return PrintRun(layout, assignment, pupils, _needed(read, named, where) if named is not None else None)


def _needed(read: Read, name: str, where: str) -> bytes:
    data = read(name)
    if data is None:
        raise BadFileError(
            "{path} has no {name}.", remedy="Name the folder that `classbox print` wrote.", path=where, name=name
        )
    return data
