"""Takes away what captures say: their rows, and whatever else is kept of them. The school is locked.

The rows stay as empty ones (`gateway.store.erased.BLANK`): which numbers of a lane have come, and what their digests
are, is what receipts rest on (D9).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Table, bindparam, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName, decide
from gateway.store.dialect import batched
from gateway.store.erased import BLANK
from gateway.store.pages import PageRow, Stored, count_page, pages_where, place_of
from gateway.store.related import closure, of_captures
from gateway.store.rollups import Totals, add_totals
from gateway.store.tables.schools import down_log
from gateway.store.tables.sheets import RowState, absences, corrections, crops, held_records, page_records, raw_records
from sync.down_bodies import Kind
from sync.lanes import Lane
from sync.records import CorrectionRecord, decode_record, encode_record

_AT_ONCE = 200
ERASED_REASON = "a pupil who was erased"
"""Why a held record is empty."""


class Gone(NamedTuple):
    """What was taken away, and the (assignment, class) pairs whose reports have changed."""

    pages: int = 0
    crops: int = 0
    corrections: int = 0
    touched: frozenset[tuple[str, str]] = frozenset()


async def rows_of_pupil(connection: AsyncConnection, school: str, pupil: bytes) -> Stored:
    """Every row that is of a pupil: under that name, and of their papers also what says another name, or none.

    Whose a paper is, its newest revision says: of one that was taken for this pupil's and is another's, only that
    goes which said so. The same paper again goes with it, whoever it was taken for.
    """
    query = select(page_records).where(page_records.c.school_id == school, page_records.c.pupil == pupil)
    named = _by_name(await pages_where(connection, query))
    papers = {page.booked.capture for page, state in named.values() if state is not RowState.SUPERSEDED}
    beside = {page.booked.duplicate_of for page, _ in named.values()} - {None}
    around = await of_captures(connection, school, papers | {one for one in beside if one is not None})
    for page, state in around.values():
        if (state is RowState.DUPLICATE and page.booked.duplicate_of in papers) or (
            page.booked.capture in beside and page.pupil is None and state is not RowState.SUPERSEDED
        ):
            papers = papers | {page.booked.capture}
    every = around | await of_captures(connection, school, papers)
    return named | {name: row for name, row in every.items() if row[0].booked.capture in papers}


async def erase_rows(connection: AsyncConnection, school: str, rows: Stored) -> Gone:
    """Empty these rows, book them out, and take away what is kept of those captures of which no row is left."""
    if not rows:
        return Gone()
    around = await closure(connection, school, rows)
    left = {name: row for name, row in around.items() if name not in rows}
    before = {name: state for name, (_, state) in left.items()}
    after = decide(page.booked for page, _ in left.values())
    totals = Totals()
    for page, state in rows.values():
        if state is RowState.CURRENT:
            count_page(totals, page, -1)
    for name, (page, state) in left.items():
        if after[name] is not state and RowState.CURRENT in (after[name], state):
            count_page(totals, page, 1 if after[name] is RowState.CURRENT else -1)
    touched = [page for page, _ in rows.values()]
    touched += [page for name, (page, _) in left.items() if after[name] is not before[name]]
    for page in touched:
        if page.assignment is not None:
            totals.classes[place_of(page)].saw(page.booked.received_ms)
    await _set(connection, school, [page for page, _ in rows.values()], BLANK)
    # A slot is left before it is taken: the unique index looks at every statement.
    for leaving in (True, False):
        for name, (page, state) in left.items():
            if after[name] is not state and (state is RowState.CURRENT) is leaving:
                await _set(connection, school, [page], {"state": int(after[name])})
    await add_totals(connection, {school: totals})
    names = [page.booked.name for page, _ in rows.values()]
    await _drop_raw(connection, school, names)
    captures = {page.booked.capture for page, _ in rows.values()} - {page.booked.capture for page, _ in left.values()}
    gone = await erase_words(connection, school, captures)
    return gone._replace(
        pages=len(rows),
        touched=frozenset((p.assignment, p.class_name or "") for p in touched if p.assignment is not None),
    )


async def erase_words(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> Gone:
    """Take away the pictures of answers of these captures, and what people said of them, also where it waits."""
    pictures = words = 0
    for some in batched(sorted(captures)):
        mine = crops.c.school_id == school, crops.c.capture.in_(some)
        pictures += (await connection.execute(delete(crops).where(*mine))).rowcount
        query = select(corrections).where(corrections.c.school_id == school, corrections.c.capture.in_(some))
        told = list(await connection.execute(query))
        for row in told:
            here = (
                corrections.c.school_id == school,
                corrections.c.capture == row.capture,
                corrections.c.correction_id == row.correction_id,
            )
            # Its place among the school's corrections stays taken: a program that reads on from it misses none.
            change = update(corrections).where(*here).values(body=_said_nothing(bytes(row.body)))
            await connection.execute(change)
        await _not_to_boxes(connection, school, [bytes(row.correction_id).hex() for row in told])
        words += len(told)
    return Gone(crops=pictures, corrections=words)


async def erase_kept_records(
    connection: AsyncConnection, school: str, pupil: bytes, captures: Collection[bytes], *, now_ms: int
) -> list[Any]:
    """Empty held records and drop raw ones that say something of a pupil or of these captures.

    What cannot be read is looked through for the names. Returns the lanes in which something undecided was held, as
    rows with `box_id`, `epoch`, `lane`.
    """
    names = {pupil, *captures}

    def is_theirs(payload: bytes) -> bool:
        return _names_one(payload, names)

    emptied = await _matching(connection, held_records, school, is_theirs)
    for row in emptied:
        here = (*_of_lane(held_records, school, row), held_records.c.digest == row.digest)
        decision = {"decision": row.decision or "refused", "decided_ms": now_ms}
        change = {"payload": b"", "reason": ERASED_REASON, **decision}
        await connection.execute(update(held_records).where(*here).values(change))
    for row in await _matching(connection, raw_records, school, is_theirs):
        await connection.execute(delete(raw_records).where(*_of_lane(raw_records, school, row)))
    return [row for row in emptied if row.decision is None]


def blank_rows(
    school: str, stubs: Iterable[tuple[RowName, bytes, bytes, int, int]], *, month: int
) -> list[dict[str, Any]]:
    """Rows of records that came of an erased pupil and are not kept: name, digest, capture, revision, when it came."""
    return [
        {
            "school_id": school,
            "month": month,
            "box_id": name.box,
            "epoch": name.epoch,
            "seq": name.seq,
            "digest": digest,
            "capture": capture,
            "revision": revision,
            "received_ms": received_ms,
            **BLANK,
        }
        for name, digest, capture, revision, received_ms in stubs
    ]


async def _matching(
    connection: AsyncConnection, table: Table, school: str, is_theirs: Callable[[bytes], bool]
) -> list[Any]:
    """The rows of a table of records of a school for whose payload it holds, without their payloads in memory."""
    key = (table.c.box_id, table.c.epoch, table.c.lane, table.c.seq)
    lanes = (int(Lane.RESULTS), int(Lane.CROPS), int(Lane.HEALTH))
    found: list[Any] = []
    after: tuple[Any, ...] | None = None
    while True:
        query = select(table).where(table.c.school_id == school, table.c.lane.in_(lanes))
        if after is not None:
            query = query.where(tuple_(*key) >= after)
        some = list(await connection.execute(query.order_by(*key).limit(_AT_ONCE)))
        last = (some[-1].box_id, some[-1].epoch, some[-1].lane, some[-1].seq) if some else None
        found += [row for row in some if row not in found and row.payload and is_theirs(bytes(row.payload))]
        if len(some) < _AT_ONCE or last == after:
            return found
        after = last


def _names_one(payload: bytes, names: Collection[bytes]) -> bool:
    try:
        record = msgspec.msgpack.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return any(name in payload for name in names)
    if not isinstance(record, list):
        return any(name in payload for name in names)
    return any(isinstance(value, bytes) and value in names for value in record)


def _said_nothing(body: bytes) -> bytes:
    record = decode_record(body)
    assert isinstance(record, CorrectionRecord)
    return encode_record(
        msgspec.structs.replace(record, judgement=None, stamp=None, sealed=None, read=None, replaces=())
    )


async def erase_absences(connection: AsyncConnection, school: str, pupil: bytes) -> frozenset[str]:
    """Take away what was said of a pupil's absence, also where it waits; of which assignments that was."""
    mine = absences.c.school_id == school, absences.c.pupil == pupil
    told = list(await connection.execute(select(absences.c.assignment, absences.c.absence_id).where(*mine)))
    await connection.execute(delete(absences).where(*mine))
    await _not_to_boxes(connection, school, [bytes(row.absence_id).hex() for row in told], kind="absence")
    return frozenset(row.assignment for row in told)


async def _not_to_boxes(
    connection: AsyncConnection, school: str, keys: Sequence[str], *, kind: Kind = "correction"
) -> None:
    for some in batched(keys):
        here = (down_log.c.school_id == school, down_log.c.kind == kind, down_log.c.key.in_(some))
        await connection.execute(update(down_log).where(*here).values(packed=None))


async def _drop_raw(connection: AsyncConnection, school: str, names: Sequence[RowName]) -> None:
    for some in batched(names):
        named = tuple_(raw_records.c.box_id, raw_records.c.epoch, raw_records.c.seq).in_(
            [(name.box, name.epoch, name.seq) for name in some]
        )
        mine = raw_records.c.school_id == school, raw_records.c.lane == int(Lane.RESULTS), named
        await connection.execute(delete(raw_records).where(*mine))


async def _set(connection: AsyncConnection, school: str, pages: Sequence[PageRow], values: Mapping[str, Any]) -> None:
    columns = page_records.c
    here = (
        columns.school_id == school,
        columns.month == bindparam("b_month"),
        columns.box_id == bindparam("b_box"),
        columns.epoch == bindparam("b_epoch"),
        columns.seq == bindparam("b_seq"),
    )
    rows = [
        {"b_month": page.month, "b_box": name.box, "b_epoch": name.epoch, "b_seq": name.seq}
        for page in pages
        for name in (page.booked.name,)
    ]
    await connection.execute(update(page_records).where(*here).values(dict(values)), rows)


def _of_lane(table: Table, school: str, row: Any) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.school_id == school,
        table.c.box_id == row.box_id,
        table.c.epoch == row.epoch,
        table.c.lane == row.lane,
        table.c.seq == row.seq,
    )


def _by_name(rows: Iterable[tuple[PageRow, RowState]]) -> Stored:
    return {page.booked.name: (page, state) for page, state in rows if state is not RowState.ERASED}
