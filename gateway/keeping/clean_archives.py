"""Takes pupils who were erased out of archives, too: a file that is older than the erasure is written anew."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

from sqlalchemy import update

from gateway.store.archive_file import ArchiveError, Row, Word, read_digest, read_rows, read_words, write_rows
from gateway.store.archived import ArchivedMonth, archived
from gateway.store.erased import erased_at
from gateway.store.leases import give_lease_back, take_lease
from gateway.store.pages import COLUMNS
from gateway.store.store import Store
from gateway.store.tables.past import archived_months
from sync.records import AbsenceRecord, decode_record

_log = logging.getLogger(__name__)
_NAME = "clean-archives"
_LASTS_MS = 600_000
"""Of one file; whoever is killed at it keeps the others waiting so long."""
_TRIES, _TRY_S = 150, 0.2
_PUPIL, _CAPTURE = COLUMNS.index("pupil"), COLUMNS.index("capture")


async def clean_archives(store: Store, school: str | None = None) -> list[Path]:
    """Take erased pupils out of the archives of a school, or of all; returns the files that could not be looked into.

    A file that is newer than every erasure is not read. Killed in between, the file that the database names is whole,
    and the next run looks again. One at a time does it: of two each would take the other's new file for a leftover.
    """
    async with store.reading() as connection:
        if not any(one.file for one in await archived(connection, school)):
            return []
    holder = secrets.token_hex(8)
    alone = await _is_alone(store, holder)
    try:
        return await _clean_all(store, school, holder, alone=alone)
    finally:
        async with store.writing() as connection:
            await give_lease_back(connection, _NAME, holder)


async def _is_alone(store: Store, holder: str) -> bool:
    for _ in range(_TRIES):
        if await _take(store, holder):
            return True
        await asyncio.sleep(_TRY_S)
    return False


async def _take(store: Store, holder: str) -> bool:
    async with store.writing() as connection:
        return await take_lease(connection, _NAME, holder, lasts_ms=_LASTS_MS)


async def _clean_all(store: Store, school: str | None, holder: str, *, alone: bool) -> list[Path]:
    async with store.reading() as connection:
        files = [one for one in await archived(connection, school) if one.file]
        erased = {name: (await erased_at(connection, name)).pupils for name in {one.school for one in files}}
    unread = []
    for one in files:
        path = Path(one.file)
        if not (alone and await _take(store, holder)):
            unread.append(path)
            continue
        try:
            _drop_leftovers(path)
            written_ms = os.stat(path).st_mtime_ns // 1_000_000  # noqa: PTH116 - a moment's look
            gone = {pupil.pseudonym for pupil in erased[one.school] if pupil.erased_ms >= written_ms}
            if gone:
                await _clean(store, one, path, gone)
        except (OSError, ArchiveError) as error:
            _log.warning("the archive %s still has whoever was erased: %s", path, error)
            unread.append(path)
    return unread


async def _clean(store: Store, one: ArchivedMonth, path: Path, gone: Collection[bytes]) -> None:
    papers = await asyncio.to_thread(papers_of, path, gone)
    words = read_words(path)
    left = words_without(words, gone)
    if not papers and len(left) == len(words):
        os.utime(path)
        return
    new = _beside(path)
    digest = await write_rows(new, _without(path, papers), left)
    if (await asyncio.to_thread(read_digest, new)).value() != digest.value():
        raise ArchiveError(
            "The archive {path} is not what is in the database.",
            remedy="Check the disk it lies on; nothing was taken away.",
            path=new,
        )
    mine = (
        archived_months.c.school_id == one.school,
        archived_months.c.month == one.month,
        archived_months.c.archived_ms == one.archived_ms,
    )
    async with store.writing() as connection:
        values = {"file": str(new), "digest": digest.value(), "rows": digest.rows}
        await connection.execute(update(archived_months).where(*mine).values(values))
    _drop_leftovers(new)


def papers_of(path: Path, gone: Collection[bytes]) -> set[bytes]:
    """The captures of which some row is of these pupils."""
    return {row[_CAPTURE] for rows in read_rows(path) for row in rows if row[_PUPIL] in gone}


def words_without(words: Sequence[Word], gone: Collection[bytes]) -> list[Word]:
    """Those that were said of others than these pupils."""
    return [word for word in words if _whose(word) not in gone]


def _whose(word: Word) -> bytes | None:
    record = decode_record(word.body)
    return record.pseudonym if isinstance(record, AbsenceRecord) else None


async def _without(path: Path, papers: Collection[bytes]) -> AsyncIterator[list[Row]]:
    for rows in read_rows(path):
        left = [row for row in rows if row[_CAPTURE] not in papers]
        if left:
            yield left


def _beside(path: Path) -> Path:
    """Another name for the same month, of a file that is not there."""
    name, number = _base(path), 1
    while (found := path.with_name(f"{name}+{number}.parquet")).exists():
        number += 1
    return found


def _drop_leftovers(path: Path) -> None:
    """What a run that was killed left of the same month: only one file of it is the database's."""
    for other in path.parent.glob(f"{_base(path)}+*.parquet"):
        if other != path:
            other.unlink()
    whole = path.with_name(f"{_base(path)}.parquet")
    if whole != path:
        whole.unlink(missing_ok=True)


def _base(path: Path) -> str:
    return path.stem.partition("+")[0]
