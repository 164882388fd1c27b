"""A copy of a whole box in a folder, made while the box runs, and a box made from such a copy.

What is copied is one moment of the ledger (SQLite's online backup), the documents, and every picture that this ledger
points at. Pictures only ever come and go whole, so a copy that was cut short goes on where it stopped, and what was
there before stays good until the new one is whole: its list, `backup.json`, is replaced last.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from edge.journal import digest_of_file
from edge.ledger import FILE_NAME as LEDGER_NAME
from edge.ledger import Ledger
from edge.pictures import Pictures
from homework.errors import ClassboxError
from sync.clock import Clock, ClockReading
from sync.whole_files import fsync_folder, write_whole

LIST_NAME: Final = "backup.json"
PICTURES: Final = "pictures"
KEYS: Final = ("identity.json", "certificate", "access.sqlite", "second-copy.json")
"""What makes a box this box, and who may come in (a PIN is guessed at leisure from a copy). Only where asked for."""
_NOT_COPIED: Final = (LEDGER_NAME, PICTURES, LIST_NAME, "logs", "box.toml")
_SQLITE: Final = (".sqlite", ".sqlite-wal", ".sqlite-shm")


class BackupError(ClassboxError):
    """A copy cannot be made, or is not whole."""


class CopiedFile(msgspec.Struct, frozen=True):
    """One file of a copy beside its pictures, by its place in the data folder."""

    name: Annotated[str, msgspec.Meta(max_length=500)]
    digest: str


class BackupList(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to a copy. Pictures are called by their digests; the ledger says which there must be."""

    classbox_backup: int
    clock: ClockReading
    files: tuple[CopiedFile, ...]
    captures: int
    missing: tuple[str, ...]
    """Pictures that the box itself had lost."""


@dataclass(frozen=True)
class Made:
    """What a copy holds, and how many of its pictures were not there before."""

    captures: int
    pictures: int
    new_pictures: int
    missing: int


def make_backup(data: Path, to: Path, *, clock: Clock, keys: bool = False) -> Made:
    """Copy the box in `data` into the folder `to`; the box may run. Raises `BackupError`."""
    if not (data / LEDGER_NAME).exists():
        raise BackupError("There is no box in {path}.", remedy="Name its folder with --data.", path=data)
    if to.resolve() == data.resolve() or data.resolve() in to.resolve().parents:
        raise BackupError(
            "A copy inside the box's own folder is none.", remedy="Choose a folder on another disk.", path=to
        )
    with _writing(to):
        files = []
        for path in sorted(_small_files(data, keys=keys)):
            name = str(path.relative_to(data))
            if path.suffix == ".sqlite":
                _copy_database(path, to / name)
            else:
                _copy_file(path, to / name)
            files.append(CopiedFile(name, _digest(to / name)))
        _copy_database(data / LEDGER_NAME, to / f"{LEDGER_NAME}.new")
        wanted, captures = pictures_of(to / f"{LEDGER_NAME}.new")
        new, missing = _copy_pictures(Pictures(data / PICTURES), Pictures(to / PICTURES), wanted)
        (to / f"{LEDGER_NAME}.new").replace(to / LEDGER_NAME)
        files.append(CopiedFile(LEDGER_NAME, _digest(to / LEDGER_NAME)))
        listed = BackupList(
            classbox_backup=1, clock=clock.read(), files=tuple(files), captures=captures, missing=tuple(missing)
        )
        write_whole(to / LIST_NAME, msgspec.json.encode(listed))
    return Made(captures, len(wanted) - len(missing), new, len(missing))


def restore_backup(source: Path, data: Path, *, clock: Clock) -> Made:
    """Make the folder `data`, which is not there or empty, a box again from a copy. Raises `BackupError`.

    Everything is checked against the copy's list before the folder appears, whole, under its name.
    """
    listed = read_list(source)
    with being_restored(data) as folder:
        for file in listed.files:
            place = _inside(folder, file.name)
            _copy_file(_inside(source, file.name), place)
            if _digest(place) != file.digest:
                raise BackupError(
                    "{name} in the copy is not what its list says.",
                    remedy="Make the copy again, or take an older one.",
                    name=file.name,
                )
            if place.name in KEYS or place.parent.name in KEYS:
                _for_its_owner(place)
        wanted, captures = pictures_of(folder / LEDGER_NAME)
        new, missing = _copy_pictures(Pictures(source / PICTURES), Pictures(folder / PICTURES), wanted)
        if set(missing) - set(listed.missing):
            raise BackupError(
                "{count} pictures of the copy are gone or damaged.",
                remedy="Make the copy again, or take an older one.",
                count=len(missing),
            )
        begin_anew(folder, clock=clock)
    return Made(captures, len(wanted) - len(missing), new, len(missing))


def read_list(source: Path) -> BackupList:
    """The list of a copy. Raises `BackupError` where there is none."""
    try:
        return msgspec.json.decode((source / LIST_NAME).read_bytes(), type=BackupList)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(
            "{path} holds no whole copy of a box.",
            remedy="Name the folder that `classbox backup` wrote to, and let it run to its end.",
            path=source,
        ) from error


@contextmanager
def being_restored(data: Path) -> Iterator[Path]:
    """A folder to fill, which gets the name `data` when the block ends well. Never takes a box's place."""
    beside = data.with_name(f"{data.name}.restoring")
    try:
        if data.exists() and any(data.iterdir()):
            raise BackupError(
                "{path} is not empty.", remedy="Restore into a new folder; nothing is overwritten.", path=data
            )
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True, mode=0o700)
        yield beside
        if data.exists():
            data.rmdir()
        beside.rename(data)
        fsync_folder(data.parent)
    except OSError as error:
        raise _cannot_write(data, error) from error


def begin_anew(folder: Path, *, clock: Clock) -> None:
    """Let a ledger that was put back begin a life of its own (see `LedgerRestored`)."""
    ledger = Ledger(folder, check=True)
    try:
        ledger.note_restored(clock.read())
    finally:
        ledger.close()


@contextmanager
def _writing(to: Path) -> Iterator[None]:
    """Only one writes a copy; what the disk does not take is said in words."""
    try:
        to.mkdir(parents=True, exist_ok=True)
        with (to / ".backup.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BackupError("Another copy is being written to {path}.", remedy="Wait for it.", path=to) from error
            yield
    except (OSError, sqlite3.Error) as error:
        raise _cannot_write(to, error) from error


def _small_files(data: Path, *, keys: bool) -> Iterator[Path]:
    """Everything of a box but its ledger and its pictures: small, and few."""
    for path in data.rglob("*"):
        parts = path.relative_to(data).parts
        if parts[0] in _NOT_COPIED or (parts[0] in KEYS and not keys) or any(part.startswith(".") for part in parts):
            continue
        if path.is_file() and not path.is_symlink() and not path.name.endswith(_SQLITE[1:]):
            yield path


def _copy_database(path: Path, to: Path) -> None:
    """One moment of a database that others may be writing to, as one file, checked."""
    to.parent.mkdir(parents=True, exist_ok=True)
    for old in (to, *(to.with_name(f"{to.name}{end}") for end in ("-wal", "-shm", "-journal"))):
        old.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as source,
        closing(sqlite3.connect(to, isolation_level=None)) as copy,
    ):
        copy.execute("PRAGMA synchronous = OFF")  # it is fsynced once, at the end
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        words = copy.execute("PRAGMA quick_check").fetchone()[0]
    if words != "ok":
        raise BackupError("{path} is damaged: {reason}.", remedy="Keep it for a technician.", path=path, reason=words)
    with to.open("rb+") as file:
        os.fsync(file.fileno())
    _for_its_owner(to)


def pictures_of(ledger: Path) -> tuple[list[str], int]:
    """The digests of the pictures that a ledger's copy points at, and how many captures it has."""
    with closing(sqlite3.connect(ledger)) as db:
        captures = db.execute("SELECT count(*) FROM capture").fetchone()[0]
        rows = db.execute("SELECT digest, has_picture FROM capture ORDER BY id").fetchall()
        made_room = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'picture_gone'").fetchone()
        gone = db.execute("SELECT digest FROM capture JOIN picture_gone ON capture = id") if made_room else ()
        without = {digest for (digest,) in gone}
    return [digest for digest, kept in rows if kept and digest not in without], captures


def _copy_pictures(source: Pictures, to: Pictures, wanted: list[str]) -> tuple[int, list[str]]:
    """Copy those that are not there with the right bytes. How many were copied, and which nobody has."""
    new, missing = 0, []
    for digest in wanted:
        if to.read(digest) is not None:
            continue
        picture = source.read(digest)
        if picture is None:
            missing.append(digest)
            continue
        to.remove([digest])  # a damaged one
        to.keep(digest, picture)
        new += 1
    return new, missing


def _copy_file(path: Path, to: Path) -> None:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        write_whole(to, path.read_bytes())
    except FileNotFoundError as error:
        raise BackupError("{path} is missing.", remedy="Make the copy again.", path=path) from error


def _for_its_owner(path: Path) -> None:
    with suppress(OSError):  # a stick may know no owners
        path.chmod(0o600)


def _digest(path: Path) -> str:
    return digest_of_file(path) or ""


def _inside(folder: Path, name: str) -> Path:
    """A list that was tampered with must not write anywhere else."""
    place = folder / name
    if folder.resolve() not in place.resolve().parents:
        raise BackupError("The copy's list is damaged.", remedy="Take another copy.")
    return place


def _cannot_write(path: Path, error: Exception) -> BackupError:
    reason = error.strerror if isinstance(error, OSError) else error
    return BackupError(
        "{path} cannot be written: {reason}.", remedy="Make room there, then run it again.", path=path, reason=reason
    )
