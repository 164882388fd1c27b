"""CSV files in a zip that a stranger may have made, read row by row: nothing is unpacked whole, nor onto a disk. Pure.

What the zip says of itself is judged before anything is read: sizes, how much they shrink, how many files, their names.
`zipfile` never unpacks more of a file than its directory says, so that the directory's sums are bounds.
"""

from __future__ import annotations

import codecs
import csv
import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

from homework.errors import BadFileError, one_line

MOST_BYTES = 32 * 1024**2
MOST_UNPACKED = 256 * 1024**2
MOST_RATIO = 100
"""Lists of pupils shrink to a fifth, endlessly repeated lines to a fiftieth; a bomb to a thousandth."""
MOST_FILES = 64
MOST_DIRECTORY = 64 * 1024
MOST_ROWS = 1_000_000
MOST_LINE = 64 * 1024
_SMALL = 1024**2
"""A file so small may shrink as it likes."""
_END, _END_LENGTH, _END_64, _END_64_LENGTH = b"PK\x05\x06", 22, b"PK\x06\x07", 20
_CHUNK = 64 * 1024


class ZippedTables:
    """The tables of a zip, in the folder that holds `beside` (a file that must be there), or at the top."""

    def __init__(self, data: bytes, *, beside: str) -> None:
        """Raises `BadFileError` for what is no zip, is larger than any list, or was made to do harm."""
        _small_enough(data)
        with _damage():
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._files = _chosen(self._zip.infolist(), beside)
        self._encodings: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._files

    def rows(self, name: str, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, list[str]]]:
        """The line and the cells of each row, in the order of `needed` and then `optional`; a missing cell is "".

        Raises `BadFileError` for a file that is not there, lacks a column, is no CSV, or is damaged or endless.
        """
        encoding = self.encoding(name)
        with self._opened(name) as file, io.TextIOWrapper(file, encoding=encoding, newline="") as text:
            reader = csv.reader(_lines(text, name), strict=True)
            try:
                header = [cell.strip().lower() for cell in next(reader, [])]
                at = [_column(header, column, name, needed=True) for column in needed]
                at += [_column(header, column, name, needed=False) for column in optional]
                for count, cells in enumerate(reader, 1):
                    if count > MOST_ROWS:
                        raise BadFileError(
                            "{file} has more than {most} rows.",
                            remedy="Export one school at a time.",
                            file=name,
                            most=MOST_ROWS,
                        )
                    if any(cells):
                        width = len(cells)
                        yield reader.line_num, [_clean(cells[i]) if 0 <= i < width else "" for i in at]
            except csv.Error as error:
                raise BadFileError(
                    "Line {line} of {file}: the cells cannot be told apart.",
                    remedy="Look for a quotation mark that is not closed.",
                    line=reader.line_num,
                    file=name,
                ) from error

    def columns(self, name: str) -> list[str]:
        """The header of a file, as it is written there."""
        encoding = self.encoding(name)
        with self._opened(name) as file, io.TextIOWrapper(file, encoding=encoding, newline="") as text:
            try:
                return [cell.strip() for cell in next(csv.reader(_lines(text, name)), [])]
            except csv.Error:
                return []

    def encoding(self, name: str) -> str:
        """How a file is written: `utf-8-sig`, or what Excel and WPS make of it. Looked at whole, once."""
        if name not in self._encodings:
            self._encodings[name] = self._tried(name)
        return self._encodings[name]

    def _tried(self, name: str) -> str:
        with self._opened(name) as file:
            head = file.read(2)
        tried = ["utf-16"] if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ["utf-8-sig", "gb18030"]
        for encoding in tried:
            decoder = codecs.getincrementaldecoder(encoding)()
            with self._opened(name) as file:
                try:
                    while piece := file.read(_CHUNK):
                        if "\0" in decoder.decode(piece):
                            break
                    else:
                        decoder.decode(b"", final=True)
                        return encoding
                except UnicodeDecodeError:
                    continue
        raise BadFileError("{file} is no text that can be read.", remedy="Export it as CSV in UTF-8.", file=name)

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        info = self._files.get(name.lower())
        if info is None:
            raise BadFileError(
                "The zip has no {file}.", remedy="Export it again, with that file in it.", file=one_line(name)
            )
        with _damage(), self._zip.open(info) as file:
            yield file


def _small_enough(data: bytes) -> None:
    """Refuse what is too large, and a directory of so many files that listing them alone would fill the memory."""
    end = data.rfind(_END, max(0, len(data) - _END_LENGTH - 0xFFFF))
    if len(data) > MOST_BYTES:
        raise _too_much()
    if end < 0 or len(data) - end < _END_LENGTH:
        raise _damaged()
    (directory,) = struct.unpack_from("<I", data, end + 12)
    # The 64-bit form is for what is larger than this; `zipfile` would believe it rather than the sizes above.
    if directory > MOST_DIRECTORY or data[max(0, end - _END_64_LENGTH) : end].startswith(_END_64):
        raise _too_much()


def _chosen(infos: Sequence[zipfile.ZipInfo], beside: str) -> dict[str, zipfile.ZipInfo]:
    """The files of the one folder that holds `beside`, by their names in small letters."""
    if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_UNPACKED:
        raise _too_much()
    found: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in infos:
        path = PurePosixPath(info.orig_filename.lower())
        if path.is_absolute() or ".." in path.parts or any(sign in info.orig_filename for sign in "\\:\0"):
            raise BadFileError(
                "The zip names a file outside of itself. It was not made by an export.",
                remedy="Get the list from where it was made, and do not open this one.",
            )
        if info.is_dir():
            continue
        if info.flag_bits & 1:
            raise BadFileError("The zip is locked with a password.", remedy="Export it without one.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadFileError("The zip is packed in a rare way.", remedy="Pack it as an ordinary zip.")
        if info.file_size > max(_SMALL, info.compress_size * MOST_RATIO):
            raise _too_much()
        if path in found:
            raise BadFileError("The zip holds {file} twice.", remedy="Export it again.", file=path.name)
        found[path] = info
    homes = sorted((path.parent for path in found if path.name == beside), key=lambda home: len(home.parts))
    if not homes:
        raise BadFileError(
            "The zip has no {file}, so it is no OneRoster 1.1 or 1.2 export.",
            remedy="Export class lists as OneRoster CSV (1.1 or 1.2), or send a table (Excel or CSV).",
            file=beside,
        )
    return {path.name: info for path, info in found.items() if path.parent == homes[0]}


def holds(data: bytes, name: str) -> bool:
    """Whether these bytes are a zip with a file of that name, at the top or in a folder. Never raises."""
    if not data.startswith(b"PK"):
        return False
    try:
        _small_enough(data)
        with _damage(), zipfile.ZipFile(io.BytesIO(data)) as parts:
            return any(PurePosixPath(info.filename.lower()).name == name for info in parts.infolist())
    except BadFileError:
        return False


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    while line := text.readline(MOST_LINE):
        if len(line) == MOST_LINE and not line.endswith("\n"):
            raise BadFileError("{file} has a line without end.", remedy="Export it again.", file=name)
        yield line


def _column(header: Sequence[str], column: str, name: str, *, needed: bool) -> int:
    found = [index for index, cell in enumerate(header) if cell == column.lower()]
    if len(found) > 1 or (needed and not found):
        raise BadFileError(
            "{file} has no column {column}, or has it twice.",
            remedy="Export it again as OneRoster CSV.",
            file=name,
            column=column,
        )
    return found[0] if found else -1


def _clean(cell: str) -> str:
    return cell if cell.isascii() and cell.isalnum() else " ".join(unicodedata.normalize("NFC", cell).split())


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        raise _damaged() from error


def _damaged() -> BadFileError:
    return BadFileError("The zip is damaged.", remedy="Copy it again and send it once more.")


def _too_much() -> BadFileError:
    return BadFileError(
        "The zip holds more than the class lists of a district can.",
        remedy="Export one school, or only the files that OneRoster names.",
    )
