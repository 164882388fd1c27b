"""A month of a school's page records as an Apache Parquet file, column by column as they lie in the database.

Both ways in pieces: memory does not grow with the month. The digest is of the rows themselves, so that what is read
back can be compared with what is in the database.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

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

    def value(self) -> bytes:
        """Of all so far."""
        return self._hash.digest()


async def write_rows(path: Path, pieces: AsyncIterable[Sequence[Row]]) -> RowDigest:
    """Write rows into a new file, which stands under its name only when it is whole and on the disk.

    Raises `ArchiveError` when pyarrow is missing or the disk does not take it.
    """
    pa, pq = arrow()
    schema = pa.schema([(name, getattr(pa, _KINDS[name])() if name in _KINDS else pa.binary()) for name in COLUMNS])
    digest, beside = RowDigest(), path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
            async for rows in pieces:
                digest.add(rows)
                columns = list(zip(*rows, strict=True))
                arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
                writer.write_table(pa.table(arrays, schema=schema))
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
    return digest


def read_rows(path: Path) -> Iterator[list[Row]]:
    """The rows of a file, some at a time. Raises `ArchiveError` for one that cannot be read."""
    pa, pq = arrow()
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(COLUMNS)):
                columns = [column.to_pylist() for column in batch.columns]
                yield list(zip(*columns, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(
            "The archive {path} cannot be read back: {reason}.",
            remedy="Check the disk; nothing was taken away. Archive the month again.",
            path=path,
            reason=error,
        ) from error


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
