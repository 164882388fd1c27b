"""The corrections of a school in the order in which they came, and the pages over which they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.overlay import overlaid
from gateway.store.adding import add_pages
from gateway.store.asking import Asked
from gateway.store.dialect import add_or_ignore, batched
from gateway.store.down_log import append
from gateway.store.months import known_months
from gateway.store.pages import PageRow, content_of, with_content
from gateway.store.reading import assignment_of_layout, assignments_named, layouts_named
from gateway.store.tables.sheets import corrections, page_records, raw_records
from homework.layout import SheetLayout
from homework.merging import Correction
from sync.clock import ClockQuality, ClockReading
from sync.corrections import Opened, opened
from sync.lanes import Lane
from sync.placing import ANCHOR_ERROR_MS, RECEIVER_ERROR_MS
from sync.records import (
    SETTLED_BYTES,
    CorrectionRecord,
    DocumentRecord,
    FieldName,
    PackedMark,
    PageResult,
    decode_record,
    encode_record,
)

STILL_TO_COME_MS = RECEIVER_ERROR_MS + ANCHOR_ERROR_MS
"""A time server's time that is so much later than the school's own is not believed: that box lives in 2099."""
_CAPTURES = Asked("captures", school_id="TEXT", capture="BYTEA")


def believed(clock: ClockReading, received_ms: int) -> ClockReading:
    """A reading as it counts for which of several words stands: of a time that is still to come nothing is believed."""
    if clock.wall_ms <= received_ms + STILL_TO_COME_MS:
        return clock
    return msgspec.structs.replace(clock, quality=min(clock.quality, ClockQuality.RESTORED))


class Told(NamedTuple):
    """A correction, the box that it came from ("" for the school itself), when, and whose word it is.

    `person_id` is an account (0: whoever sits at this machine); None where a box sent it.
    """

    record: CorrectionRecord
    origin: str
    received_ms: int
    person_id: int | None = None


class Kept(NamedTuple):
    """A correction as the store has it; `record` has its `order`."""

    record: CorrectionRecord
    origin: str
    received_ms: int
    person_id: int | None = None

    def opened(self, school_key: bytes | None = None) -> Opened:
        """What it says; who said it, and the comment, only with the school's key."""
        return opened(self.record, school_key)


async def keep_corrections(connection: AsyncConnection, school: str, told: Sequence[Told]) -> list[Kept]:
    """Keep corrections in the order given, each once, and return those that were not here. The school is locked."""
    if not told:
        return []
    here = {(kept.record.capture, kept.record.id) for kept in await _found(connection, school, _captures(told))}
    last = await connection.execute(select(func.max(corrections.c.order_no)).where(corrections.c.school_id == school))
    order: int = last.scalar_one() or 0
    new: list[Kept] = []
    for record, origin, received_ms, person_id in told:
        if (record.capture, record.id) in here:
            continue
        here.add((record.capture, record.id))
        order += 1
        clock = believed(record.clock, received_ms)
        placed = msgspec.structs.replace(record, clock=clock, order=order, origin=origin)
        new.append(Kept(placed, origin, received_ms, person_id))
    rows = [
        {
            "school_id": school,
            "capture": one.record.capture,
            "correction_id": one.record.id,
            "order_no": one.record.order,
            "origin": one.origin,
            "body": encode_record(one.record),
            "received_ms": one.received_ms,
            "person_id": one.person_id,
        }
        for one in new
    ]
    if rows:
        await connection.execute(add_or_ignore(connection, corrections), rows)
    return new


async def corrections_of(
    connection: AsyncConnection, school: str, captures: Collection[bytes]
) -> dict[bytes, list[Kept]]:
    """The corrections of captures, in the school's order; captures without any are left out."""
    found: dict[bytes, list[Kept]] = defaultdict(list)
    for one in await _found(connection, school, captures):
        found[one.record.capture].append(one)
    return found


async def all_corrections(connection: AsyncConnection, school: str) -> list[Kept]:
    """Every correction of a school, in its order."""
    query = select(corrections).where(corrections.c.school_id == school).order_by(corrections.c.order_no)
    return _kept(await connection.execute(query))


async def corrections_between(connection: AsyncConnection, school: str, first: int, last: int) -> list[Kept]:
    """Some of a school's corrections by their places, both ends included; at most 2,000 of them."""
    order = corrections.c.order_no
    query = (
        select(corrections)
        .where(corrections.c.school_id == school, order >= first, order <= last)
        .order_by(order)
        .limit(2000)
    )
    return _kept(await connection.execute(query))


async def captures_judged_by(
    connection: AsyncConnection, school: str, documents: Iterable[DocumentRecord]
) -> frozenset[bytes]:
    """The corrected captures that are judged by these keys and layouts."""
    found: set[bytes] = set()
    assignments: set[str] = set()
    sheets: set[str] = set()
    for document in documents:
        if document.document == "assignment":
            assignments.add(document.id)
        elif document.document == "layout":
            # A sheet's pages are its worksheet's; a layout of any worksheet does not say which.
            of_one = assignment_of_layout(document.body)
            (sheets if of_one is None else assignments).add(of_one or document.id)
    if (assignments or sheets) and not await _has_any(connection, school):
        return frozenset()
    months = await known_months(connection, school, assignments)
    conditions: list[ColumnElement[bool]] = []
    if months:  # mostly it is nothing: documents come before the sheets
        conditions.append(
            page_records.c.month.in_(sorted(set(months.values()))) & page_records.c.assignment.in_(sorted(months))
        )
    if sheets:
        conditions.append(page_records.c.sheet.in_(sorted(sheets)))
    for condition in conditions:
        query = (
            select(page_records.c.capture)
            .join(
                corrections,
                (corrections.c.school_id == page_records.c.school_id)
                & (corrections.c.capture == page_records.c.capture),
            )
            .where(page_records.c.school_id == school, corrections.c.school_id == school, condition)
            .distinct()
        )
        found |= {bytes(row.capture) for row in await connection.execute(query)}
    return frozenset(found)


async def spread(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> None:
    """Tell the boxes what another box said of these captures, where they have to know it. The school is locked.

    A sheet is on one box; but a card that was copied, or a picture that two boxes were given, is on several: then all
    of them hear of each correction and of its place, the one that made it too. That one also hears that its clock was
    not believed. What was told already is not told again.
    """
    known = await corrections_of(connection, school, captures)
    boxes: dict[bytes, set[str]] = defaultdict(set)
    for some in batched(sorted(known)):
        query = select(page_records.c.capture, page_records.c.box_id).where(
            page_records.c.school_id == school, page_records.c.capture.in_(some)
        )
        for row in await connection.execute(query.distinct()):
            boxes[bytes(row.capture)].add(row.box_id)
    for capture, found in known.items():
        for kept in found:
            doubted = kept.record.clock.wall_ms > kept.received_ms + STILL_TO_COME_MS
            if kept.origin and (doubted or boxes[capture] - {kept.origin}):
                await append(connection, school, "correction", kept.record.id.hex(), encode_record(kept.record))


async def said_of(
    connection: AsyncConnection, captures: Mapping[str, Collection[bytes]]
) -> dict[str, frozenset[bytes]]:
    """Those of some captures, by school, on which there are corrections. Schools without any are left out."""
    keys = [(school, capture) for school, mine in captures.items() for capture in sorted(mine)]
    found: dict[str, set[bytes]] = defaultdict(set)
    if keys:
        dialect = connection.dialect.name
        for row in await connection.execute(_said_of(dialect), _CAPTURES.values(dialect, keys)):
            found[row.school_id].add(bytes(row.capture))
    return {school: frozenset(mine) for school, mine in found.items()}


@cache
def _said_of(dialect: str) -> Select[Any]:
    return _CAPTURES.matching(dialect, corrections)


async def book(
    connection: AsyncConnection,
    pages: Mapping[str, Sequence[PageRow]],
    *,
    said: Mapping[str, Collection[bytes]],
    corrected: Mapping[str, Collection[bytes]],
) -> dict[str, frozenset[tuple[str, str]]]:
    """Store new pages of schools with what stands over them, and look again at those of `corrected` captures.

    `said` has the captures of new pages on which there are corrections (`said_of`). One transaction; the schools are
    locked. Returns the (assignment, class) pairs whose reports have changed, by school.
    """
    return await add_pages(connection, pages, partial(put_over, connection), said=said, corrected=corrected)


async def look_again(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> None:
    """Let what stands over the pages of these captures count as it is known now. The school is locked."""
    await book(connection, {}, said={}, corrected={school: captures})


async def put_over(
    connection: AsyncConnection, school: str, rows: Mapping[RowName, PageRow], newest: Collection[RowName]
) -> dict[RowName, PageRow]:
    """Those of `rows` that read otherwise with the corrections known now than they do, as they are to be.

    Of a capture corrections stand over its `newest` revision; one that is superseded is as its box sent it.
    """
    captures = {row.booked.capture for row in rows.values()}
    known = await corrections_of(connection, school, captures) if await _has_any(connection, school) else {}
    wanted = {name: row for name, row in rows.items() if row.sent is not None or row.booked.capture in known}
    if not wanted:
        return {}
    keys = await assignments_named(connection, school, {row.assignment for row in wanted.values() if row.assignment})
    layouts = await layouts_named(connection, school, {row.sheet for row in wanted.values()})
    changed: dict[RowName, PageRow] = {}
    for name, row in wanted.items():
        content = sent = content_of(row)
        key = keys.get(row.assignment or "")
        names = field_names(layouts.get(row.sheet), row.page)
        if name in newest and key is not None and len(names) == len(sent.items):
            content = overlaid(
                sent,
                names=names,
                marks=await _marks(connection, school, name),
                corrections=[one.opened().correction for one in known.get(row.booked.capture, ())],
                settled=_cut(row.settled),
                sheet=row.sheet,
                page=row.page,
                key=key,
            )
        now = with_content(row, sent, content)
        if now != row:
            changed[name] = now
    return changed


def accounted_for(row: PageRow, correction: Correction) -> bool:
    """Whether the box's own revision accounts for a correction."""
    return correction.id[:SETTLED_BYTES] in _cut(row.settled)


_ANY = select(corrections.c.order_no).where(corrections.c.school_id == bindparam("school")).limit(1)


async def _has_any(connection: AsyncConnection, school: str) -> bool:
    """A school in which nobody has corrected anything pays no more than this."""
    return (await connection.execute(_ANY, {"school": school})).first() is not None


async def _found(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> list[Kept]:
    found: list[Kept] = []
    for some in batched(sorted(captures)):
        query = select(corrections).where(corrections.c.school_id == school, corrections.c.capture.in_(some))
        found += _kept(await connection.execute(query))
    return sorted(found, key=lambda kept: kept.record.order or 0)


def _kept(rows: Iterable[object]) -> list[Kept]:
    found = []
    for row in rows:
        record = decode_record(bytes(row.body))  # type: ignore[attr-defined]
        assert isinstance(record, CorrectionRecord)
        if record.judgement is None and record.stamp is None and record.sealed is None:
            continue  # of a pupil who was erased: only its place is left
        found.append(Kept(record, row.origin, row.received_ms, row.person_id))  # type: ignore[attr-defined]
    return found


async def _marks(connection: AsyncConnection, school: str, name: RowName) -> tuple[PackedMark, ...]:
    """The teacher's marks on a page: no column holds them, so that such a page is kept as it came."""
    query = select(raw_records.c.payload).where(
        raw_records.c.school_id == school,
        raw_records.c.box_id == name.box,
        raw_records.c.epoch == name.epoch,
        raw_records.c.lane == int(Lane.RESULTS),
        raw_records.c.seq == name.seq,
    )
    payload = (await connection.execute(query)).scalar_one_or_none()
    record = None if payload is None else decode_record(bytes(payload))
    return record.marks if isinstance(record, PageResult) else ()


def field_names(layout: SheetLayout | None, page: int) -> list[FieldName]:
    """What the items of a page are called; nothing where its layout has not come."""
    found = layout.page(page) if layout is not None else None
    return [FieldName(field.item, field.blank, field.kind) for field in found.fields] if found is not None else []


def _cut(settled: bytes) -> frozenset[bytes]:
    return frozenset(settled[at : at + SETTLED_BYTES] for at in range(0, len(settled), SETTLED_BYTES))


def _captures(told: Sequence[Told]) -> set[bytes]:
    return {one.record.capture for one in told}
