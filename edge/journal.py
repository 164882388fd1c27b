"""A list of pages that were graded, on the disk as they are: a run that was cut short goes on where it stopped.

A page is known by its bytes, not by its name: the digest of its file, its number in it, and the digest of all that
it was graded by (layout, key, class list, models, version). Whatever changes any of them has the page graded anew.
A line is written and handed to the system before the page counts as done; a half line, which a cut leaves, is none.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from edge.outcomes import Outcome
from homework.errors import ClassboxError

_HEAD: Final = b'{"classbox_pages":1}\n'
_CHUNK_BYTES: Final = 1 << 20


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One page that is done. `pages` is how many its file has, `marked` the folder that shows it annotated."""

    file: str
    known: str
    pages: int
    marked: str | None
    outcome: Outcome


_ENTRIES = msgspec.json.Decoder(Entry)


class Journal:
    """The open list; nobody else may write to it meanwhile."""

    def __init__(self, path: Path) -> None:
        """Read what is there. Raises `ClassboxError` when it is no such list, in use, or cannot be written."""
        self._path = path
        self._done: dict[tuple[str, str, str | None], dict[int, Entry]] = defaultdict(dict)
        try:
            self._file: BinaryIO = path.open("a+b")
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            self._begin()
        except OSError as error:
            self._file.close()
            raise self._cannot_write(error) from error
        except ClassboxError:
            self._file.close()
            raise

    def pages_of(self, file: str, known: str, marked: str | None) -> Mapping[int, Entry]:
        """The pages of a file that are done, by their number."""
        return self._done[file, known, marked]

    def add(self, entry: Entry) -> None:
        """Keep a page. Raises `ClassboxError` when the disk does not take it."""
        try:
            self._file.write(msgspec.json.encode(entry) + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._cannot_write(error) from error

    def close(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._cannot_write(error) from error
        finally:
            self._file.close()

    def _begin(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClassboxError(
                "{name} is in use by another run.", remedy="Wait for it, or choose another file.", name=self._path
            ) from error
        self._file.seek(0)
        head = self._file.readline(len(_HEAD))
        if not _HEAD.startswith(head):
            raise ClassboxError(
                "{name} is no list of graded pages.",
                remedy="Name a new file with --resume, or one that an earlier run made.",
                name=self._path,
            )
        if head != _HEAD:  # empty, or cut before its first line was whole
            self._file.truncate(0)
            self._file.write(_HEAD)
            self._file.flush()
            return
        end = len(_HEAD)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            try:
                entry = _ENTRIES.decode(line)
            except msgspec.DecodeError:
                continue  # of another version: graded anew
            self._done[entry.file, entry.known, entry.marked][entry.outcome.page_of_source] = entry
        self._file.truncate(end)

    def _cannot_write(self, error: OSError) -> ClassboxError:
        return ClassboxError(
            "{name} cannot be written: {reason}.",
            remedy="Choose another file with --resume.",
            name=self._path,
            reason=error.strerror or error,
        )


def digest_of_file(path: Path) -> str | None:
    """BLAKE2b-128 of a file's bytes in hexadecimal, read piece by piece; None when it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()
