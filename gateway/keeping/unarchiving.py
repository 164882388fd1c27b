"""A month comes back from its archive, to be looked at: the file is proved to be that which was written here, then its
rows are taken in as pages that came, in one transaction, so that what counts and every sum are worked out anew.

What had gone with the month and is in no file stays away: pictures of answers, who corrected what, how many sheets a
box had counted. A page that was corrected says what counts, and no longer what was read first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.keeping.clean_archives import papers_of, words_without
from gateway.store.absences import ToldAbsence, keep_absences
from gateway.store.archive_file import ArchiveError, RowDigest, Word, read_rows, read_words
from gateway.store.archived import ArchivedMonth, archived
from gateway.store.audit_lines import write_line
from gateway.store.check import check_school
from gateway.store.corrections import book, said_of
from gateway.store.dialect import batched, lock_school
from gateway.store.erased import erased_at
from gateway.store.leases import take_lease
from gateway.store.months import known_months
from gateway.store.pages import COLUMNS, PageRow, row_of
from gateway.store.store import Store
from gateway.store.tables.past import archived_captures, archived_months
from gateway.store.tables.sheets import RowState, assignment_months, page_records
from sync.records import AbsenceRecord, decode_record

_DEED: Final = "unarchive"
_DAY_MS: Final = 86_400_000
_SCHOOL, _CLASS, _MONTH, _ASSIGNMENT, _STATE, _CAPTURE = (
    COLUMNS.index(name) for name in ("school_id", "class_name", "month", "assignment", "state", "capture")
)


class Contents(NamedTuple):
    """What an archive says that it holds: nearly all of its rows are of one month. `worksheets` stand with theirs."""

    schools: tuple[str, ...]
    months: tuple[int, ...]
    worksheets: tuple[tuple[int, str], ...]
    classes: tuple[str, ...]
    rows: int
    counted: int
    absences: int
    digest: bytes


def look_into(path: Path) -> Contents:
    """Read an archive from its beginning to its end. Raises `ArchiveError` for one that cannot be read."""
    digest, counted = RowDigest(), 0
    schools, months, worksheets, classes = set[str](), set[int](), set[tuple[int, str]](), set[str]()
    for rows in read_rows(path):
        digest.add(rows)
        schools |= {row[_SCHOOL] for row in rows}
        months |= {row[_MONTH] for row in rows}
        worksheets |= {(row[_MONTH], row[_ASSIGNMENT]) for row in rows if row[_ASSIGNMENT] is not None}
        classes |= {row[_CLASS] for row in rows if row[_CLASS] is not None}
        counted += sum(row[_STATE] == RowState.CURRENT for row in rows)
    words = read_words(path)
    digest.add_words(words)
    return Contents(
        schools=tuple(sorted(schools)),
        months=tuple(sorted(months)),
        worksheets=tuple(sorted(worksheets)),
        classes=tuple(sorted(classes)),
        rows=digest.rows,
        counted=counted,
        absences=len(words),
        digest=digest.value(),
    )


async def known_as(connection: AsyncConnection, contents: Contents) -> ArchivedMonth | None:
    """What was archived here and says exactly this; None for another gateway's file, or one that has changed since."""
    for school in contents.schools:
        for one in await archived(connection, school):
            if one.file and one.digest == contents.digest:
                return one
    return None


def looked_at(school: str, month: int) -> str:
    """The name of the lease for which a month that was put back stays, however old it is."""
    return f"back-{month}-{hashlib.blake2b(school.encode(), digest_size=8).hexdigest()}"


async def unarchive(store: Store, path: Path, *, days: int, now_ms: int) -> tuple[ArchivedMonth, int]:
    """Put the month of an archive back: which it was, and how many rows it has now.

    The daily round leaves it alone for so many days. Raises `ArchiveError` for a file that cannot be read or that this
    gateway has not written, and where something of its worksheets lies here; nothing has changed then.
    """
    contents = await asyncio.to_thread(look_into, path)
    async with store.reading() as connection:
        one = await _known(connection, path, contents)
        erased = (await erased_at(connection, one.school)).pseudonyms
    papers = await asyncio.to_thread(papers_of, path, erased)
    words = words_without(await asyncio.to_thread(read_words, path), erased)
    for month in contents.months:
        await store.make_month(month)
    async with store.writing() as connection:
        await lock_school(connection, one.school)
        await _refuse_what_is_here(connection, await _known(connection, path, contents), contents)
        await _no_longer_archived(connection, one, contents)
        rows = await _rows_back(connection, one.school, path, papers)
        await keep_absences(connection, one.school, _records(words))
        faults = (await check_school(connection, one.school)).faults
        if faults:
            raise ArchiveError(
                "With {path} put back the database would not agree: {fault}",
                remedy="Nothing has changed. Look with `classgate db check` whether it agrees without.",
                path=path,
                fault=faults[0],
            )
        await take_lease(connection, looked_at(one.school, one.month), store.name, lasts_ms=days * _DAY_MS)
        thing, detail = f"month={one.month}", f"rows={rows}"
        await write_line(connection, one.school, deed=_DEED, thing=thing, detail=detail, at_ms=now_ms)
        await store.tell_others(connection, [(one.school, None, None)])
    return one, rows


async def _known(connection: AsyncConnection, path: Path, contents: Contents) -> ArchivedMonth:
    one = await known_as(connection, contents)
    if one is None:
        raise ArchiveError(
            "{path} is no archive that this gateway has now: it is another's, was changed, or is back already.",
            remedy="`classgate db archives` lists them by digest; `classgate db read-archive` says the file's.",
            path=path,
        )
    return one


async def _refuse_what_is_here(connection: AsyncConnection, one: ArchivedMonth, contents: Contents) -> None:
    if not one.removed:
        raise ArchiveError(
            "The month {month} of {school} is still being taken away.",
            remedy="Let `classgate db tidy` finish it, then put it back.",
            month=one.month,
            school=one.school,
        )
    here = sorted(await known_months(connection, one.school, _worksheets(one, contents)))
    if here:
        raise ArchiveError(
            "Of {month} at {school} sheets of {count} worksheets lie here already, {first} first.",
            remedy="They came after the month went. Archive the month in which they lie, then put this one back.",
            month=one.month,
            school=one.school,
            count=len(here),
            first=here[0],
        )


def _worksheets(one: ArchivedMonth, contents: Contents) -> list[str]:
    """Those of the month itself: of other months there may be sheets that count nowhere."""
    return [name for month, name in contents.worksheets if month == one.month]


async def _no_longer_archived(connection: AsyncConnection, one: ArchivedMonth, contents: Contents) -> None:
    for table in (archived_months, archived_captures):
        gone = table.c.school_id == one.school, table.c.month == one.month, table.c.archived_ms == one.archived_ms
        await connection.execute(delete(table).where(*gone))
    months = [{"school_id": one.school, "assignment": name, "month": one.month} for name in _worksheets(one, contents)]
    if months:
        await connection.execute(insert(assignment_months), months)


async def _rows_back(connection: AsyncConnection, school: str, path: Path, papers: Collection[bytes]) -> int:
    """Take the rows in, those of some papers left out; how many."""
    count = 0
    for rows in read_rows(path):
        for some in batched([row for row in rows if row[_CAPTURE] not in papers]):
            pages = [row_of(row) for row in some]
            await _refuse_names(connection, school, path, [page for page, _state in pages])
            blank = [row for row in some if row[_STATE] == RowState.ERASED]
            if blank:
                values = [dict(zip(COLUMNS, row, strict=True)) for row in blank]
                await connection.execute(insert(page_records), values)
            # What was corrected is what there is: there are no corrections any more to make it from what was sent.
            told = [msgspec.structs.replace(page, sent=None) for page, state in pages if state is not RowState.ERASED]
            said = await said_of(connection, {school: {page.booked.capture for page in told}})
            await book(connection, {school: told}, said=said, corrected={})
            count += len(some)
    return count


async def _refuse_names(connection: AsyncConnection, school: str, path: Path, pages: Sequence[PageRow]) -> None:
    columns = page_records.c
    name = tuple_(columns.month, columns.box_id, columns.epoch, columns.seq)
    mine = columns.school_id == school, name.in_([(page.month, *page.booked.name) for page in pages])
    if (await connection.execute(select(columns.seq).where(*mine).limit(1))).first() is not None:
        raise ArchiveError(
            "Sheets of {path} lie here already.",
            remedy="Look with `classgate db check`. Nothing has changed.",
            path=path,
        )


def _records(words: Sequence[Word]) -> list[ToldAbsence]:
    records = ((decode_record(word.body), word) for word in words)
    return [
        ToldAbsence(record, word.origin, word.received_ms)
        for record, word in records
        if isinstance(record, AbsenceRecord)
    ]
