"""A month of a school's page records as an Apache Parquet file, column by column as they lie in the database.

Both ways in pieces: memory does not grow with the month. Beside the rows stands what people said of absences from the
month's worksheets. The digest is of both themselves, so that what is read back can be compared with the database.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.store.pages import COLUMNS
from homework.errors import ClassboxError

ROWS_AT_ONCE: Final = 2_000
Row = tuple[Any, ...]
_KINDS: Final = {
    **dict.fromkeys(("school_id", "box_id", "assignment", "class_name", "sheet", "problems"), "string"),
    **dict.fromkeys(("seq", "score_hundredths", "max_score_hundredths", "received_ms"), "int64"),
    **dict.fromkeys(("month", "revision", "seat", "pending"), "int32"),
    **dict.fromkeys(("page", "attempt", "state"), "int16"),
}
"""Of the columns of `page_records`; all others are bytes."""


_WORDS: Final = b"classbox.absences"
"""Under which name the words stand in the file. Files of older versions have none."""


class Word(NamedTuple):
    """What was said of an absence: its record as it is kept, the box that it came from, and when."""

    body: bytes
    origin: str
    received_ms: int


_words = msgspec.msgpack.Decoder(list[Word])


class ArchiveError(ClassboxError):
    """A month cannot be archived, or is no longer here."""


class RowDigest:
    """Of rows in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=32, person=b"classbox-month")
        self.rows = 0

    def add(self, rows: Sequence[Row]) -> None:
        """More of them."""
        for row in rows:
            self._hash.update(msgspec.msgpack.encode(row))
        self.rows += len(rows)

    def add_words(self, words: Sequence[Word]) -> None:
        """What was said beside the rows, after all of them. Without any, the digest is that of the rows."""
        if words:
            self._hash.update(msgspec.msgpack.encode(words))

    def value(self) -> bytes:
        """Of all so far."""
        return self._hash.digest()


async def write_rows(path: Path, pieces: AsyncIterable[Sequence[Row]], words: Sequence[Word] = ()) -> RowDigest:
    """Write rows, and what was said beside them, into a new file.

    It stands under its name only when it is whole and on the disk. Raises `ArchiveError` when pyarrow is missing or
    the disk does not take it.
    """
    pa, pq = arrow()
    schema = pa.schema([(name, getattr(pa, _KINDS[name])() if name in _KINDS else pa.binary()) for name in COLUMNS])
    if words:
        schema = schema.with_metadata({_WORDS: msgspec.msgpack.encode(words)})
    digest, beside = RowDigest(), path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
            async for rows in pieces:
                digest.add(rows)
                columns = list(zip(*rows, strict=True))
                arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
                writer.write_table(pa.table(arrays, schema=schema))
        digest.add_words(words)
        beside.chmod(0o600)
        _to_disk(beside)
        beside.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        _let_go(beside)
        raise ArchiveError(
            "{path} cannot be written: {reason}.",
            remedy="Make room there, or name another folder. Nothing was taken away.",
            path=path,
            reason=error.strerror or error,
        ) from error
    except pa.ArrowException as error:
        _let_go(beside)
        raise ArchiveError(
            "A row for {path} holds what its column cannot: {reason}.",
            remedy="Look with `classgate db check`, and put back a copy from before. Nothing was taken away.",
            path=path,
            reason=error,
        ) from error
    return digest


def _let_go(path: Path) -> None:
    """Half a file is of no use, and takes up the room that the next one needs."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def read_digest(path: Path) -> RowDigest:
    """What a file says, read piece by piece. Raises `ArchiveError` for one that cannot be read."""
    digest = RowDigest()
    for rows in read_rows(path):
        digest.add(rows)
    digest.add_words(read_words(path))
    return digest


def read_words(path: Path) -> list[Word]:
    """What a file says of absences. Raises `ArchiveError` for one that cannot be read."""
    pa, pq = arrow()
    try:
        with pq.ParquetFile(path) as file:
            packed = (file.schema_arrow.metadata or {}).get(_WORDS)
        return [] if packed is None else _words.decode(packed)
    except (OSError, pa.ArrowException, msgspec.DecodeError) as error:
        raise _unreadable(path, error) from error


def read_rows(path: Path) -> Iterator[list[Row]]:
    """The rows of a file, some at a time. Raises `ArchiveError` for one that cannot be read."""
    pa, pq = arrow()
    try:
        with pq.ParquetFile(path) as file:
            if not set(COLUMNS) <= set(file.schema_arrow.names):
                raise ArchiveError(
                    "{path} is no archive of Classbox: it has other columns.", remedy="Name another file.", path=path
                )
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(COLUMNS)):
                columns = [column.to_pylist() for column in batch.columns]
                yield list(zip(*columns, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ArchiveError:
    return ArchiveError(
        "The archive {path} cannot be read back: {reason}.",
        remedy="Check the disk; nothing in the database has changed.",
        path=path,
        reason=error,
    )


def arrow() -> tuple[Any, Any]:
    """Pyarrow and its Parquet: 55 MB that only archives and exports need. Raises `ArchiveError` where it is missing."""
    try:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ArchiveError(
            "Parquet files need pyarrow, which is not installed.", remedy="Install classbox[district]."
        ) from error
    return pa, pq


def _to_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
