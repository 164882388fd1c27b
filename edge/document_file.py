"""The one file of the box's documents: never torn, one good generation behind it, and mended when it is damaged.

It is written beside, fsynced and renamed (TinyDB's own JSON storage corrupts on a full disk and when killed inside
a shrink). The file that is replaced stays as the previous generation. A damaged file is set aside, never deleted;
the previous generation takes its place, or an empty one when there is none. A lock keeps two processes from losing
each other's writes; readers never wait.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from homework.errors import ClassboxError
from sync.whole_files import fsync_folder, write_whole

log = logging.getLogger(__name__)
Tables = dict[str, dict[str, Any]]
DAMAGE_SETTING = "damaged-documents"
_EMPTY: Tables = {}


class DocumentsError(ClassboxError):
    """The documents cannot be read or written."""


class Damage(msgspec.Struct, frozen=True):
    """What was found damaged: the name that it has now (empty: it was gone), and whether an older copy stands in."""

    aside: str
    restored: bool


@dataclass(frozen=True)
class _Found:
    """The file as it is now. `tables` is None when it is no file of ours any more."""

    there: bool
    tables: Tables | None


class DocumentFile:
    """The tables in `path`, whole: the old ones or the new ones, whatever happens in between."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._previous = path.with_name(f"{path.stem}.previous{path.suffix}")
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._unmended: Damage | None = None

    @property
    def unmended(self) -> Damage | None:
        """The damage that could not be mended, because the disk takes nothing; else it stands in the settings."""
        return self._unmended

    def stamp(self) -> tuple[int, int, int] | None:
        """Changes whenever the file is replaced: inode, size, time of change in ns. None: no file yet."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def read(self) -> Tables:
        """The tables. A damaged file is mended first. Raises `DocumentsError` when it may not be read."""
        found = self._found(self._path)
        if found.tables is not None:
            return found.tables
        if not found.there and not self._previous.exists():
            return {}
        try:
            with self.locked():
                return self._mended()
        except DocumentsError:
            older = self._found(self._previous).tables
            self._unmended = Damage(aside=self._path.name, restored=older is not None)
            return older or {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, over all processes. Raises `DocumentsError` where nothing can be written."""
        try:
            lock = self._lock_path.open("w")
        except OSError as error:
            raise self._cannot_write(error) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read_locked(self) -> Tables:
        """The tables, by a writer that holds the lock."""
        found = self._found(self._path)
        if found.tables is not None:
            return found.tables
        return self._mended() if found.there or self._previous.exists() else {}

    def write(self, tables: Tables) -> None:
        """Replace the tables, if they differ; hold the lock. Raises `DocumentsError`: then the old ones stand."""
        text = json.dumps(tables, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            if self._path.exists() and self._path.read_bytes() == text:
                return  # an SD card's cells wear out
            self._keep_previous()
            write_whole(self._path, text)
        except OSError as error:
            raise self._cannot_write(error) from error

    def forget_older(self) -> None:
        """Let the previous generation be the one that stands, and damaged ones go. Raises `DocumentsError`."""
        try:
            with self.locked():
                self._keep_previous()
                for old in self._path.parent.glob(f"{self._path.stem}.damaged-*{self._path.suffix}"):
                    old.unlink(missing_ok=True)
                fsync_folder(self._path.parent)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _mended(self) -> Tables:
        """Hold the lock. Sets the damaged file aside and puts the previous generation, or nothing, in its place."""
        found = self._found(self._path)
        if found.tables is not None:  # another process was quicker
            return found.tables
        older = self._found(self._previous).tables
        aside = self._set_aside() if found.there else ""
        damage = Damage(aside=aside, restored=older is not None)
        tables: Tables = json.loads(json.dumps(older or _EMPTY))
        settings = tables.setdefault("settings", {})
        rows = {key: row for key, row in settings.items() if row.get("id") != DAMAGE_SETTING}
        key = str(max((int(k) for k in rows if k.isdecimal()), default=0) + 1)
        tables["settings"] = {**rows, key: {"id": DAMAGE_SETTING, "body": msgspec.json.encode(damage).decode()}}
        try:
            write_whole(self._path, json.dumps(tables, ensure_ascii=False, separators=(",", ":")).encode())
        except OSError as error:
            raise self._cannot_write(error) from error
        log.error("%s was damaged; it is kept as %s, restored: %s", self._path.name, aside or "-", damage.restored)
        return tables

    def _set_aside(self) -> str:
        names = (self._path.with_name(f"{self._path.stem}.damaged-{n}{self._path.suffix}") for n in range(1, 10_000))
        aside = next(path for path in names if not path.exists())
        try:
            self._path.rename(aside)
            fsync_folder(self._path.parent)
        except OSError as error:
            raise self._cannot_write(error) from error
        return aside.name

    def _found(self, path: Path) -> _Found:
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return _Found(there=False, tables=None)
        except PermissionError as error:
            raise DocumentsError(
                "{path} may not be read.", remedy="Check who may read there, then start again.", path=path
            ) from error
        except OSError as error:
            log.warning("%s: %s", path, error)  # a card that has lost the blocks
            return _Found(there=True, tables=None)
        try:
            tables = json.loads(raw)
        except (ValueError, RecursionError):
            return _Found(there=True, tables=None)
        return _Found(there=True, tables=tables if _is_tables(tables) else None)

    def _keep_previous(self) -> None:
        """The file that is about to be replaced gets a second name: no data is written for it."""
        if not self._path.exists() or self._found(self._path).tables is None:
            return
        beside = self._beside(self._previous)
        beside.unlink(missing_ok=True)
        try:
            os.link(self._path, beside)
        except OSError:  # a file system without hard links
            shutil.copyfile(self._path, beside)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
        beside.replace(self._previous)

    def _beside(self, path: Path) -> Path:
        return path.with_name(f".{path.name}.{os.getpid()}")

    def _cannot_write(self, error: OSError) -> DocumentsError:
        return DocumentsError(
            "{path} cannot be written: {reason}.",
            remedy="Make room on the disk, or check who may write there.",
            path=self._path,
            reason=error.strerror,
        )


def _is_tables(found: object) -> bool:
    """Whether it is named tables of rows with an id; what stands in a row is looked at when it is read."""
    return isinstance(found, dict) and all(
        isinstance(table, dict)
        and all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in table.values())
        for table in found.values()
    )
