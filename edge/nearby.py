"""Where `classbox grade` looks a sheet up: in the files that were named, beside the picture, among what was loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edge.class_lists import class_list
from edge.config import default_data_dir
from edge.documents import FILE_NAME, Documents
from edge.named_files import read_named
from edge.pipeline import Books
from edge.reading.red import RedIs
from edge.references import read_unmarked_sheet
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.assignment import Assignment, parse_assignment
from homework.errors import BadFileError, ClassboxError
from homework.layout import SheetLayout, layout_from_json
from homework.roster import Roster

T = TypeVar("T")


@dataclass(frozen=True)
class Folder:
    """What lies in one folder, and what of it could not be read."""

    layout: SheetLayout | None = None
    assignment: Assignment | None = None
    roster: Roster | None = None
    unmarked: UnmarkedSheet | None = None
    errors: tuple[ClassboxError, ...] = ()


@dataclass
class Shelves:
    """Books for pictures anywhere: each folder is read once, when its first picture comes."""

    layout: SheetLayout | None = None
    assignment: Assignment | None = None
    roster: Roster | None = None
    class_name: str | None = None
    loaded: Documents | None = None
    unmarked: UnmarkedSheet | None = None
    """The named layout with its pictures, where it has none of our markers."""
    red_is: RedIs = "teacher"
    _folders: dict[Path, Folder] = field(default_factory=dict)

    def folder(self, path: Path) -> Folder:
        """What lies beside the pictures of a folder."""
        if path not in self._folders:
            self._folders[path] = _look_into(path, want_layout=self.layout is None, shelves=self)
        return self._folders[path]

    def books(self, folder: Folder) -> Books:
        """Books for a picture beside `folder`: what was named outranks what lies there, and that what was loaded."""
        return Books(
            layout_of=lambda sheet: self._layout_of(sheet, folder),
            assignment_of=lambda wanted: self._assignment_of(wanted, folder),
            roster=self._roster(folder),
            class_name=self.class_name,
            only_assignment=self.assignment.id if self.assignment is not None else None,
            unmarked=lambda: self._unmarked(folder),
            red_is=self.red_is,
        )

    def _layout_of(self, sheet: str, folder: Folder) -> SheetLayout | None:
        if self.layout is not None:
            return self.layout if self.layout.sheet == sheet else None
        if folder.layout is not None and folder.layout.sheet == sheet:
            return folder.layout
        return self.loaded.layout(sheet) if self.loaded is not None else None

    def _unmarked(self, folder: Folder) -> Sequence[UnmarkedSheet]:
        """The sheets without our markers that a picture beside `folder` may show: the named one, or all there are."""
        if self.layout is not None:
            return (self.unmarked,) if self.unmarked is not None else ()
        loaded = self.loaded.unmarked() if self.loaded is not None else ()
        if folder.unmarked is None:
            return loaded
        return (folder.unmarked, *(one for one in loaded if one.layout.sheet != folder.unmarked.layout.sheet))

    def _assignment_of(self, wanted: str, folder: Folder) -> Assignment | None:
        for known in (self.assignment, folder.assignment):
            if known is not None and known.id == wanted:
                return known
        return self.loaded.assignment(wanted) if self.loaded is not None else None

    def _roster(self, folder: Folder) -> Roster | None:
        if self.roster is not None or folder.roster is not None:
            return self.roster or folder.roster
        roster = self.loaded.roster() if self.loaded is not None else None
        return roster if roster is not None and roster.pupils else None


def open_shelves(
    *,
    layout: Path | None,
    assignment: Path | None,
    roster: Path | None,
    class_name: str | None,
    red_is: RedIs = "teacher",
) -> Shelves:
    """Read the files that were named. Raises `ClassboxError` for the first that cannot be used."""
    data = default_data_dir()
    known = _layout(layout) if layout is not None else None
    shelves = Shelves(
        layout=known,
        unmarked=_with_pictures(known, layout.parent) if known is not None and layout is not None else None,
        assignment=_assignment(assignment) if assignment is not None else None,
        roster=_roster(roster) if roster is not None else None,
        class_name=class_name,
        loaded=Documents(data) if (data / FILE_NAME).exists() else None,
        red_is=red_is,
    )
    if class_name is not None and shelves.roster is not None and class_name not in shelves.roster.classes():
        raise BadFileError(
            "The class list has no class {name}: it has {classes}.",
            remedy="Choose one of these with --class.",
            name=class_name,
            classes=", ".join(shelves.roster.classes()),
        )
    return shelves


def _look_into(path: Path, *, want_layout: bool, shelves: Shelves) -> Folder:
    errors: list[ClassboxError] = []

    def take(name: str, read: Callable[[Path], T], *, wanted: bool) -> T | None:
        if not wanted or not (path / name).is_file():
            return None
        try:
            return read(path / name)
        except ClassboxError as error:
            errors.append(error)
            return None

    layout = take("layout.json", _layout, wanted=want_layout)
    unmarked = None
    if layout is not None:
        try:
            unmarked = _with_pictures(layout, path)
        except ClassboxError as error:
            errors.append(error)
    return Folder(
        layout=layout,
        unmarked=unmarked,
        assignment=take("assignment.toml", _assignment, wanted=shelves.assignment is None),
        roster=take("roster.csv", _roster, wanted=shelves.roster is None),
        errors=tuple(errors),
    )


def _layout(path: Path) -> SheetLayout:
    return layout_from_json(read_named(path))


def _with_pictures(layout: SheetLayout, folder: Path) -> UnmarkedSheet | None:
    return None if layout.register == "markers" else read_unmarked_sheet(layout, folder)


def _assignment(path: Path) -> Assignment:
    try:
        return parse_assignment(read_named(path).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadFileError(
            "{name} is no text in UTF-8.", remedy="Save it as UTF-8 and try again.", name=path.name
        ) from error


def _roster(path: Path) -> Roster:
    return class_list(read_named(path))
