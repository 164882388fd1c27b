"""Months that are over go into the archive, and from here. Killed at any point, the next run goes on where it stood.

1. The rows are written into a file, read back and compared; nothing has changed until here.
2. One transaction, under the school's lock: the rows are read once more and must be those of the file; the month is
   written down as archived, with its captures; its sums go. From now on its rows count nowhere.
3. What hangs on the rows goes, and the rows: a whole month's table on PostgreSQL where no school needs it any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.archive_file import ROWS_AT_ONCE, ArchiveError, Row, RowDigest, Word, read_digest, write_rows
from gateway.store.archived import ArchivedMonth, archived, capture_rows, going, note_removed
from gateway.store.audit_lines import write_line
from gateway.store.dialect import batched, lock_school
from gateway.store.months import NO_MONTH
from gateway.store.pages import COLUMNS
from gateway.store.partitions import month_after, month_at
from gateway.store.store import Store
from gateway.store.tables.past import archived_captures, archived_months
from gateway.store.tables.schools import down_log
from gateway.store.tables.sheets import (
    RowState,
    absences,
    assignment_months,
    capture_months,
    class_rollups,
    corrections,
    crops,
    held_records,
    page_records,
    page_rollups,
    raw_records,
    tallies,
)
from gateway.store.tables.summaries import class_summaries
from sync.down_bodies import Kind
from sync.lanes import Lane

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 500
"""Rows that go in one transaction: sheets that come meanwhile wait no longer than for others."""
_DEED: Final = "archive"


class Archived(NamedTuple):
    """A month that is archived by now. `file` None: it was let go of without one."""

    school: str
    month: int
    rows: int
    file: Path | None


async def archive_month(
    store: Store, school: str, month: int, folder: Path | None, *, now_ms: int, person: int = 0
) -> Archived | None:
    """Archive a month of a school into `folder` (None: let go of it), and take it away; None where there is nothing.

    Raises `ArchiveError` for a month that is not over, in which pages wait for a person, or when the file cannot be
    written or is not what is here.
    """
    if month >= month_at(now_ms) or month == NO_MONTH:
        raise ArchiveError("The month {month} is not over yet.", remedy="Name an earlier one.", month=month)
    await finish(store, school, now_ms=now_ms)
    async with store.reading() as connection:
        await _refuse_waiting(connection, school, month)
        if (await connection.execute(_rows_of(school, month).limit(1))).first() is None:
            return None
    file = None if folder is None else folder / school / f"{school}-{month}.parquet"
    digest = RowDigest()
    if file is not None:
        number = 1
        while file.exists() and await _is_known(store, file):  # the same month once more, of worksheets used again
            number += 1
            file = file.with_name(f"{school}-{month}-{number}.parquet")
        async with store.reading() as connection:
            words = await _words_of(connection, school, month)
            digest = await write_rows(file, _pieces(connection, school, month), words)
        read = await asyncio.to_thread(read_digest, file)
        if (read.value(), read.rows) != (digest.value(), digest.rows):
            raise ArchiveError(
                "The archive {path} is not what is in the database.",
                remedy="Check the disk it lies on; nothing was taken away.",
                path=file,
            )
    async with store.writing() as connection:
        rows = await _switch(connection, school, month, file, digest, now_ms=now_ms)
        thing, detail = f"month={month}", f"rows={rows}"
        await write_line(connection, school, deed=_DEED, person=person, thing=thing, detail=detail, at_ms=now_ms)
        await store.tell_others(connection, [(school, None, None)])
    await finish(store, school, now_ms=now_ms)
    return Archived(school, month, rows, file)


async def finish(store: Store, school: str | None = None, *, now_ms: int) -> None:
    """Take away what was archived and is still here: of a school, or of all."""
    async with store.reading() as connection:
        left = [one for one in await archived(connection, school) if not one.removed]
    for one in left:
        await _remove(store, one)
        async with store.writing() as connection:
            await note_removed(connection, one, now_ms=now_ms)
    await store.drop_empty_months({one.month for one in left})


async def months_before(connection: AsyncConnection, school: str, first_kept: int) -> list[int]:
    """The months of a school before that one of which rows are here, the oldest first."""
    columns = page_records.c
    query = select(columns.month).where(
        columns.school_id == school, columns.month < first_kept, columns.month != NO_MONTH
    )
    found = set((await connection.execute(query.distinct())).scalars())
    return sorted(found - await going(connection, school))


def first_kept(now_ms: int, months: int) -> int:
    """The oldest month that stays, where so many whole months beside this one do."""
    month = month_at(now_ms)
    years, rest = divmod(months, 12)
    month -= 100 * years
    for _ in range(rest):
        month = month - 1 if month % 100 > 1 else month - 89
    return month


# --- what is in a month -------------------------------------------------------------------------------------------


def _rows_of(school: str, month: int) -> Select[Any]:
    columns = page_records.c
    order = (columns.box_id, columns.epoch, columns.seq)
    query = select(*(columns[name] for name in COLUMNS))
    return query.where(columns.school_id == school, columns.month == month).order_by(*order)


async def _pieces(connection: AsyncConnection, school: str, month: int) -> AsyncIterator[list[Row]]:
    """All rows of a month, and those of other months that count nowhere because of them."""
    result = await connection.stream(_rows_of(school, month))
    async for some in result.partitions(ROWS_AT_ONCE):
        yield [_plain(row) for row in some]
    beside = await _beside(connection, school, month)
    if beside:
        yield beside


async def _beside(connection: AsyncConnection, school: str, month: int) -> list[Row]:
    """Rows of other months whose capture, or whose twin, is in this one: with it they go, or they would count anew."""
    columns = page_records.c
    here = select(capture_months.c.capture).where(
        capture_months.c.school_id == school,
        capture_months.c.capture.in_(
            select(columns.capture).where(columns.school_id == school, columns.month == month)
        ),
    )
    query = select(*(columns[name] for name in COLUMNS)).where(
        columns.school_id == school,
        columns.month != month,
        columns.state.in_([int(RowState.DUPLICATE), int(RowState.SUPERSEDED)]),
        or_(columns.capture.in_(here), columns.duplicate_of.in_(here)),
    )
    order = (columns.month, columns.box_id, columns.epoch, columns.seq)
    return [_plain(row) for row in await connection.execute(query.order_by(*order))]


async def _words_of(connection: AsyncConnection, school: str, month: int) -> list[Word]:
    """What was said of absences from the month's worksheets, in the order in which it was."""
    columns = absences.c
    mine = select(assignment_months.c.assignment).where(
        assignment_months.c.school_id == school, assignment_months.c.month == month
    )
    query = select(columns.body, columns.origin, columns.received_ms).where(
        columns.school_id == school, columns.assignment.in_(mine)
    )
    found = await connection.execute(query.order_by(columns.order_no))
    return [Word(bytes(row.body), row.origin, row.received_ms) for row in found]


def _plain(row: Sequence[Any]) -> Row:
    return tuple(bytes(value) if isinstance(value, memoryview | bytearray) else value for value in row)


async def _refuse_waiting(connection: AsyncConnection, school: str, month: int) -> None:
    columns = page_records.c
    query = select(func.count()).where(
        columns.school_id == school,
        columns.month == month,
        or_(
            (columns.state == int(RowState.CURRENT)) & (columns.pending > 0),
            columns.state == int(RowState.UNBOOKED),
        ),
    )
    waiting = (await connection.execute(query.select_from(page_records))).scalar_one()
    if waiting:
        raise ArchiveError(
            "{count} pages of {month} at {school} still wait for a person's look.",
            remedy="Look at them first, on the page of reviews; then archive the month.",
            count=waiting,
            month=month,
            school=school,
        )


async def _is_known(store: Store, file: Path) -> bool:
    async with store.reading() as connection:
        query = select(archived_months.c.month).where(archived_months.c.file == str(file)).limit(1)
        return (await connection.execute(query)).first() is not None


# --- the switch -----------------------------------------------------------------------------------------------------


async def _switch(
    connection: AsyncConnection, school: str, month: int, file: Path | None, written: RowDigest, *, now_ms: int
) -> int:
    """Let the month count no more; returns how many rows it has. One transaction."""
    await lock_school(connection, school)
    await _refuse_waiting(connection, school, month)
    digest, captures = RowDigest(), set[bytes]()
    place, state = COLUMNS.index("capture"), COLUMNS.index("month")
    others: list[Row] = []
    async for rows in _pieces(connection, school, month):
        digest.add(rows)
        captures |= {row[place] for row in rows}
        others += [row for row in rows if row[state] != month]
    digest.add_words(await _words_of(connection, school, month))
    if file is not None and digest.value() != written.value():
        raise ArchiveError(
            "The month {month} of {school} has changed while it was written.", remedy="Archive it again.",
            month=month, school=school,
        )  # fmt: skip
    mine = assignment_months.c.school_id == school, assignment_months.c.month == month
    assignments = list((await connection.execute(select(assignment_months.c.assignment).where(*mine))).scalars())
    row = {
        "school_id": school,
        "month": month,
        "rows": digest.rows,
        "digest": digest.value(),
        "file": "" if file is None else str(file),
        "archived_ms": now_ms,
    }
    await connection.execute(insert(archived_months), row)
    await connection.execute(insert(archived_captures), capture_rows(school, month, now_ms, captures, assignments))
    await connection.execute(delete(assignment_months).where(*mine))
    of_month = capture_months.c.school_id == school, capture_months.c.month == month
    await connection.execute(delete(capture_months).where(*of_month))
    for some in batched(assignments):
        away = absences.c.school_id == school, absences.c.assignment.in_(some)
        said = [bytes(name).hex() for name in await connection.scalars(select(absences.c.absence_id).where(*away))]
        await _not_to_boxes(connection, school, "absence", said)
        for table in (class_rollups, page_rollups, tallies, absences):
            gone = table.c.school_id == school, table.c.assignment.in_(some)
            await connection.execute(delete(table).where(*gone))
        summed = class_summaries.c.school_id == school, class_summaries.c.assignment.in_(some)
        # What was told of it stays told; there are no sums any more that it could be older than.
        await connection.execute(update(class_summaries).where(*summed).values(rows_version=0))
    await _delete_rows(connection, school, others)
    return digest.rows


# --- away -------------------------------------------------------------------------------------------------------------


async def _remove(store: Store, one: ArchivedMonth) -> None:
    """Take away what hangs on a month's rows, and the rows, some in each transaction."""
    while True:
        async with store.writing() as connection:
            await lock_school(connection, one.school)
            found = await connection.execute(_rows_of(one.school, one.month).limit(_AT_ONCE))
            rows = [_plain(row) for row in found]
            if not rows:
                break
            await _delete_rows(connection, one.school, rows)
        await asyncio.sleep(0)
    async with store.writing() as connection:
        await lock_school(connection, one.school)
        over_ms = _begins_ms(month_after(one.month))
        decided = (
            held_records.c.school_id == one.school,
            held_records.c.decision.is_not(None),
            held_records.c.received_ms < over_ms,
        )
        await connection.execute(delete(held_records).where(*decided))
    _log.info("%s: the month %d has gone, %d rows", one.school, one.month, one.rows)


async def _delete_rows(connection: AsyncConnection, school: str, rows: Sequence[Row]) -> None:
    names = [COLUMNS.index(name) for name in ("month", "box_id", "epoch", "seq")]
    capture = COLUMNS.index("capture")
    newest = select(func.max(corrections.c.order_no)).where(corrections.c.school_id == school).scalar_subquery()
    for some in batched(rows):
        captures = sorted({row[capture] for row in some})
        keys = [tuple(row[at] for at in names) for row in some]
        pictures = crops.c.school_id == school, crops.c.capture.in_(captures)
        await connection.execute(delete(crops).where(*pictures))
        words = corrections.c.school_id == school, corrections.c.capture.in_(captures)
        ids = [
            bytes(name).hex() for name in await connection.scalars(select(corrections.c.correction_id).where(*words))
        ]
        await _not_to_boxes(connection, school, "correction", ids)
        # The greatest place stays taken: the next one must be after it.
        await connection.execute(delete(corrections).where(*words, corrections.c.order_no < newest))
        raw = tuple_(raw_records.c.box_id, raw_records.c.epoch, raw_records.c.seq)
        own = raw_records.c.school_id == school, raw_records.c.lane == int(Lane.RESULTS)
        await connection.execute(delete(raw_records).where(*own, raw.in_([key[1:] for key in keys])))
        columns = page_records.c
        key = tuple_(columns.month, columns.box_id, columns.epoch, columns.seq)
        await connection.execute(delete(page_records).where(columns.school_id == school, key.in_(keys)))


async def _not_to_boxes(connection: AsyncConnection, school: str, kind: Kind, keys: Sequence[str]) -> None:
    for some in batched(keys):
        told = down_log.c.school_id == school, down_log.c.kind == kind, down_log.c.key.in_(some)
        await connection.execute(update(down_log).where(*told).values(packed=None))


def _begins_ms(month: int) -> int:
    return int(datetime(month // 100, month % 100, 1, tzinfo=UTC).timestamp() * 1000)
