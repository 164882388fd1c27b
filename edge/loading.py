"""Worksheets and class lists that a box is given: a folder, a zip, files from a browser, or a memory stick.

Everything is read before anything is kept: one print run is loaded whole or not at all.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge.class_lists import class_list
from edge.documents import Documents
from edge.references import unmarked_sheet
from homework.assignment import Assignment
from homework.errors import BadFileError, UsageError
from homework.layout import SheetLayout, layout_from_json
from homework.oneroster import is_oneroster
from homework.print_run import LAYOUT, ROSTER, Read, parse_print_run
from homework.roster import Roster, roster_to_csv

STICK_FOLDER = "classbox"
MOST_UNPACKED = 64 * 1024**2
MOST_FILES = 600
_MOST_STICK_FOLDERS = 200


@dataclass(frozen=True)
class Loadable:
    """One print run, one learned layout, or a class list alone; checked, and not kept yet."""

    layout: SheetLayout | None
    assignment: Assignment | None
    roster: Roster | None
    reference: bytes | None = None

    def keep(self, documents: Documents) -> None:
        """Give it to the box. Raises `DocumentsError`."""
        if self.assignment is not None:
            documents.put_assignment(self.assignment)
        if self.roster is not None:
            documents.put_roster(self.roster)
        if self.layout is not None:
            documents.put_layout(self.layout, self.reference)


def loadable(read: Read, *, where: str, layout_name: str = LAYOUT, roster: bytes | None = None) -> Loadable:
    """What `classbox print` wrote in one folder, or (another `layout_name`) a layout alone with its picture.

    `roster` (CSV, or a OneRoster zip) outranks the folder's. Raises `BadFileError`, also for a folder without a layout.
    """
    if roster is not None:
        roster = roster_to_csv(class_list(roster)).encode()
    run = parse_print_run(read, where=where, layout_name=layout_name, roster=roster)
    if run.layout.register != "markers":
        unmarked_sheet(run.layout, run.reference)
    return Loadable(run.layout, run.assignment, run.roster, run.reference)


def loadables_of_files(files: Mapping[str, bytes]) -> list[Loadable]:
    """What files from a browser hold: zips, or the single files of one print run, or a class list alone.

    Raises `BadFileError` when there is nothing to load, or one of several print runs is not right.
    """
    found: list[Loadable] = []
    loose: dict[str, bytes] = {}
    for name, data in files.items():
        if is_oneroster(data):
            found.append(Loadable(None, None, class_list(data)))
        elif data.startswith(b"PK\x03\x04") and not name.lower().endswith((".xlsx", ".xlsm")):
            found += _of_tree(_unpacked(data, name), where=name)
        else:
            loose[PurePosixPath(name.replace("\\", "/")).name] = data
    if loose:
        found += _of_tree(loose, where=", ".join(sorted(loose))[:80])
    if not found:
        raise BadFileError(
            "There is nothing to load in these files.",
            remedy="Choose layout.json and assignment.toml together, or a zip of the folder that holds them.",
        )
    return found


def loadables_of_sticks(roots: Sequence[Path]) -> list[Loadable]:
    """What lies in the folders `classbox` of the sticks that are mounted under `roots`.

    Raises `UsageError` when there is no such folder, `BadFileError` when something in one is not right.
    """
    folders = stick_folders(roots)
    if not folders:
        raise UsageError(
            "No stick with a folder “classbox” is in the box.",
            remedy="Put layout.json, assignment.toml and roster.csv into a folder called classbox, then try again.",
        )
    found: list[Loadable] = []
    for folder in folders:
        found += _of_tree(_tree(folder), where=str(folder))
    if not found:
        raise BadFileError(
            "There is nothing to load in {path}.",
            remedy="Put layout.json, assignment.toml and roster.csv into it, as they were printed.",
            path=", ".join(map(str, folders)),
        )
    return found


def stick_folders(roots: Sequence[Path]) -> list[Path]:
    """The folders `classbox` on mounted sticks: `/media/NAME/classbox` and `/media/USER/NAME/classbox`."""
    found: list[Path] = []
    for root in roots:
        for pattern in (f"*/{STICK_FOLDER}", f"*/*/{STICK_FOLDER}"):
            try:
                found += [path for path in sorted(root.glob(pattern)) if path.is_dir() and not path.is_symlink()]
            except OSError:  # a stick that was pulled out
                continue
    return list(dict.fromkeys(found))


def _of_tree(files: Mapping[str, bytes], *, where: str) -> list[Loadable]:
    """Every print run among named files, folder by folder; class lists that stand alone too."""
    folders: dict[str, dict[str, bytes]] = {}
    for name, data in files.items():
        path = PurePosixPath(name)
        folders.setdefault(str(path.parent), {})[path.name] = data
    found = []
    for folder, inside in sorted(folders.items()):
        place = where if folder == "." else f"{where}: {folder}"
        if LAYOUT in inside:
            found.append(loadable(inside.get, where=place))
        elif ROSTER in inside:
            found.append(Loadable(None, None, class_list(inside[ROSTER])))
        else:
            layouts = [name for name in inside if name.endswith(".json") and _is_layout(inside[name])]
            found += [loadable(inside.get, where=place, layout_name=name) for name in layouts]
            found += [Loadable(None, None, class_list(data)) for data in inside.values() if is_oneroster(data)]
    return found


def _is_layout(data: bytes) -> bool:
    try:
        layout_from_json(data)
    except BadFileError:
        return False
    return True


def _tree(folder: Path) -> dict[str, bytes]:
    """The small files of a folder and of those in it, by their paths in it."""
    files: dict[str, bytes] = {}
    total = 0
    try:
        for path in _files_in(folder):
            data = path.read_bytes() if path.stat().st_size <= MOST_UNPACKED else b""
            total += max(len(data), path.stat().st_size)
            if total > MOST_UNPACKED or len(files) >= MOST_FILES:
                raise _too_much(str(folder))
            files[path.relative_to(folder).as_posix()] = data
    except OSError as error:
        raise BadFileError(
            "{path} cannot be read: {reason}.",
            remedy="Copy it onto the stick again.",
            path=folder,
            reason=error.strerror,
        ) from error
    return files


def _files_in(folder: Path) -> Iterator[Path]:
    for inside in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())[:_MOST_STICK_FOLDERS]):
        # What is printed is not loaded: the PDFs of a class are large.
        for path in sorted(inside.iterdir()):
            if path.is_file() and not path.is_symlink() and path.suffix.lower() != ".pdf" and path.name[0] != ".":
                yield path


def _unpacked(data: bytes, name: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            infos = [info for info in parts.infolist() if not info.is_dir() and not info.filename.endswith(".pdf")]
            if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_UNPACKED:
                raise _too_much(name)
            return {info.filename: parts.read(info) for info in infos}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise BadFileError("{name} is damaged.", remedy="Copy it again and send it once more.", name=name) from error


def _too_much(name: str) -> BadFileError:
    return BadFileError(
        "There is more in {name} than worksheets need.",
        remedy="Leave only what classbox print wrote.",
        name=name,
    )
