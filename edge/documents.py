"""The box's documents: rosters, assignments, sheet layouts, settings. Few, small, readable, replaceable.

TinyDB over a file that cannot be torn and mends itself (`document_file.py`). Results live in the ledger, never here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from tinydb import TinyDB, where
from tinydb.storages import Storage

from edge.document_file import DAMAGE_SETTING, Damage, DocumentFile, DocumentsError, Tables
from edge.references import unmarked_sheet
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.assignment import Assignment
from homework.errors import ClassboxError
from homework.layout import SheetLayout
from homework.print_run import named_by_digest
from homework.roster import Pupil, Roster
from sync.whole_files import write_whole

T = TypeVar("T")
log = logging.getLogger(__name__)
FILE_NAME = "documents.json"
REFERENCES = "references"
"""The folder beside it for the pictures that layouts name: files called by their digests."""

_NOBODY = Roster(pupils=())


@dataclass(frozen=True)
class _Shelf:
    """Everything in the file, parsed."""

    stamp: object
    assignments: dict[str, Assignment] = field(default_factory=dict)
    layouts: dict[str, SheetLayout] = field(default_factory=dict)
    roster: Roster = _NOBODY
    settings: dict[str, str] = field(default_factory=dict)


class Documents:
    """What was loaded into the box. Cheap to ask: everything is parsed once for each change of the file."""

    def __init__(self, folder: Path) -> None:
        """Raises `DocumentsError` when `folder` can be neither made nor read."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DocumentsError(
                "{path} cannot be made: {reason}.",
                remedy="Choose another folder with --data.",
                path=folder,
                reason=error.strerror,
            ) from error
        self._references = folder / REFERENCES
        self._unmarked: dict[str, UnmarkedSheet] = {}
        self._file = DocumentFile(folder / FILE_NAME)
        self._shelf = _Shelf(stamp=object())
        # msgspec (0.22) works a type out at its first use; two threads that do so at once crash the process.
        for kind in (tuple[Pupil, ...], Assignment, SheetLayout):
            msgspec.json.Decoder(kind)

    def stamp(self) -> object:
        """Differs from an earlier stamp when any process has written since, be it only the picture of a layout."""
        try:
            pictures = self._references.stat().st_mtime_ns
        except OSError:
            pictures = 0
        return (self._file.stamp(), pictures)

    def assignment(self, assignment_id: str) -> Assignment | None:
        """The assignment of that id, or None."""
        return self._current().assignments.get(assignment_id)

    def assignments(self) -> tuple[Assignment, ...]:
        """All assignments, the one loaded last at the end."""
        return tuple(self._current().assignments.values())

    def layout(self, sheet: str) -> SheetLayout | None:
        """The layout of that print run, or None."""
        return self._current().layouts.get(sheet)

    def layouts(self) -> tuple[SheetLayout, ...]:
        """All layouts, the one loaded last at the end."""
        return tuple(self._current().layouts.values())

    def unmarked(self) -> tuple[UnmarkedSheet, ...]:
        """The sheets without our markers, with their pictures; one whose picture is gone or damaged is left out."""
        known, kept = self._unmarked, dict[str, UnmarkedSheet]()
        for layout in self.layouts():
            if layout.register == "markers":
                continue
            sheet = known.get(layout.sheet)
            if sheet is None or sheet.layout != layout:
                try:
                    sheet = unmarked_sheet(layout, self.reference(layout))
                except ClassboxError as error:
                    log.warning("%s: %s", layout.sheet, error)
                    continue
            kept[layout.sheet] = sheet
        self._unmarked = kept
        return tuple(kept.values())

    def reference(self, layout: SheetLayout) -> bytes | None:
        """The file of the picture that a layout of ours names, or None."""
        return None if layout.reference is None else self.picture(layout.reference)

    def picture(self, name: str) -> bytes | None:
        """The file of a picture that lies here under that name, or None."""
        if Path(name).name != name:
            return None
        try:
            return (self._references / name).read_bytes()
        except OSError:
            return None

    def roster(self) -> Roster:
        """Every pupil that the box knows, of all classes."""
        return self._current().roster

    def setting(self, name: str) -> str | None:
        """A value that a person chose, such as the class of this stack."""
        return self._current().settings.get(name)

    def put_assignment(self, assignment: Assignment) -> None:
        """Add an assignment, or replace the one of its id."""
        self._put("assignments", assignment.id, msgspec.to_builtins(assignment))

    def put_layout(self, layout: SheetLayout, reference: bytes | None = None) -> None:
        """Add a layout, or replace the one of its sheet.

        `reference` is the file of the picture that it names; it is kept here, and the layout names it anew.
        """
        if reference is not None:
            name = named_by_digest(reference, layout.reference or "")
            self.put_reference(name, reference)
            layout = msgspec.structs.replace(layout, reference=name)
        self._put("layouts", layout.sheet, msgspec.to_builtins(layout))

    def put_reference(self, name: str, picture: bytes) -> None:
        """Keep the picture that a layout names, or will name. Raises `DocumentsError`."""
        path = self._references / name
        try:
            self._references.mkdir(exist_ok=True)
            write_whole(path, picture)
        except OSError as error:
            raise DocumentsError(
                "{path} cannot be written: {reason}.",
                remedy="Make room on the disk, or check who may write there.",
                path=path,
                reason=error.strerror,
            ) from error

    def put_roster(self, roster: Roster) -> None:
        """Replace the classes that `roster` names; other classes stay."""
        with self._writing() as db:
            table = db.table("rosters")
            for class_name in roster.classes():
                body = msgspec.to_builtins(roster.of_class(class_name))
                table.remove(where("id") == class_name)
                table.insert({"id": class_name, "body": body})

    def put_class(self, class_name: str, pupils: Sequence[Pupil]) -> None:
        """Replace one class; without pupils it is gone from the list. What its pupils handed in stays."""
        with self._writing() as db:
            table = db.table("rosters")
            table.remove(where("id") == class_name)
            if pupils:
                table.insert({"id": class_name, "body": msgspec.to_builtins(tuple(pupils))})

    def forget(self, is_theirs: Callable[[Pupil], bool]) -> None:
        """Take pupils out of the class lists, also where an older copy of these lies. Raises `DocumentsError`."""
        with self._writing() as db:
            table = db.table("rosters")
            for class_name in self.roster().classes():
                members = self.roster().of_class(class_name)
                left = tuple(pupil for pupil in members if not is_theirs(pupil))
                if left != members:
                    table.remove(where("id") == class_name)
                    if left:
                        table.insert({"id": class_name, "body": msgspec.to_builtins(left)})
        self._file.forget_older()

    def damage(self) -> Damage | None:
        """What was found damaged, until a person has seen to it (`damage_seen`)."""
        told = self.setting(DAMAGE_SETTING)
        try:
            return msgspec.json.decode(told, type=Damage) if told else self._file.unmended
        except msgspec.DecodeError:
            return None

    def trouble(self) -> ClassboxError | None:
        """The damage in words for a person, with what to do."""
        damage = self.damage()
        if damage is None:
            return None
        if damage.restored:
            return DocumentsError(
                "The file with class lists and homework was damaged; the copy before its last change is in use.",
                remedy="Look on the page “First steps” whether anything is missing, and load it again there.",
            )
        return DocumentsError(
            "The file with class lists and homework was damaged and no copy of it is left.",
            remedy="Load them again on the page “First steps”. What was handed in is safe.",
        )

    def damage_seen(self) -> None:
        """A person knows of the damage."""
        self.put_setting(DAMAGE_SETTING, "")

    def put_setting(self, name: str, value: str) -> None:
        """Remember a value."""
        if self.setting(name) == value:
            return
        self._put("settings", name, value)

    def _put(self, table_name: str, key: str, body: object) -> None:
        with self._writing() as db:
            table = db.table(table_name)
            table.remove(where("id") == key)
            table.insert({"id": key, "body": body})

    @contextmanager
    def _writing(self) -> Iterator[TinyDB]:
        """One writer at a time, over all processes; all its changes reach the file as one replacement."""
        with self._file.locked():
            db = TinyDB(storage=_Once, over=self._file)
            yield db
            db.close()

    def _current(self) -> _Shelf:
        """What the file holds now. The shelf is swapped whole, so that threads never see half of two."""
        stamp = self._file.stamp()
        if stamp != self._shelf.stamp:
            tables = self._file.read()
            while stamp != (now := self._file.stamp()):  # it was mended, or somebody was quicker
                stamp, tables = now, self._file.read()
            classes = _bodies(tables, "rosters", tuple[Pupil, ...])
            self._shelf = _Shelf(
                stamp=stamp,
                assignments={found.id: found for found in _bodies(tables, "assignments", Assignment)},
                layouts={found.sheet: found for found in _bodies(tables, "layouts", SheetLayout)},
                roster=Roster(pupils=tuple(pupil for pupils in classes for pupil in pupils)),
                settings={
                    row["id"]: row["body"]
                    for row in tables.get("settings", {}).values()
                    if isinstance(row.get("body"), str)
                },
            )
        return self._shelf


class _Once(Storage):
    """Holds what TinyDB writes until `close`, so that remove and insert reach the disk together or not at all."""

    def __init__(self, over: DocumentFile) -> None:
        super().__init__()
        self._over = over
        self._tables = over.read_locked()

    def read(self) -> Tables:
        return self._tables

    def write(self, data: Tables) -> None:
        self._tables = data

    def close(self) -> None:
        self._over.write(self._tables)


def _bodies(tables: dict[str, dict[str, Any]], name: str, kind: type[T]) -> list[T]:
    """The documents of one table. One that no longer fits (an older version's) is left out, not fatal."""
    found = []
    for row in tables.get(name, {}).values():
        try:
            found.append(msgspec.convert(row.get("body"), kind))
        except msgspec.ValidationError:
            continue
    return found
