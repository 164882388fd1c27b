"""What has come and can be taken in; and what of it is not kept, because its pupil was erased at the school."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.store.audit_lines import write_line
from gateway.store.erased import ErasedPupils, erased_captures
from gateway.store.erasing import blank_rows, erase_rows, erase_words
from gateway.store.months import NO_MONTH
from gateway.store.related import of_captures
from gateway.store.schools import seats_of
from gateway.store.tables.sheets import page_records
from sync.clock import ClockQuality
from sync.lanes import record_digest
from sync.records import AbsenceRecord, CorrectionRecord, CropRecord, PageResult, Record, Tally, encode_record

_log = logging.getLogger(__name__)
CAME = "came-erased"
"""What the audit calls it."""


_MAY_BE_THEIRS = (PageResult, CropRecord, CorrectionRecord, AbsenceRecord, Tally)


class Arrived(NamedTuple):
    """A record that can be taken in. `name` is unique within school and lane; `payload` is what came.

    `digest` is the payload's, where it is known already.
    """

    name: RowName
    record: Record
    payload: bytes
    received_ms: int
    digest: bytes | None = None


class KeptOf(NamedTuple):
    """What is to be taken in, how many records were not, and whose reports have changed because of those."""

    arrived: Sequence[Arrived]
    left_out: int = 0
    touched: frozenset[tuple[str, str]] = frozenset()


async def without_erased(
    connection: AsyncConnection, school: str, arrived: Sequence[Arrived], erased: ErasedPupils
) -> KeptOf:
    """Leave out what is of pupils who were `erased`, however long it was on its way. The school is locked.

    Their pages leave an empty row each, so that whatever follows of the same paper (a picture, a correction, a
    revision that names nobody) is known too; what came of it before goes. Receipts say that all of it is here.
    """
    if not any(isinstance(one.record, _MAY_BE_THEIRS) for one in arrived):
        return KeptOf(arrived)
    told = {one.record.capture for one in arrived if isinstance(one.record, PageResult | CropRecord | CorrectionRecord)}
    told |= {
        one.record.duplicate_of
        for one in arrived
        if isinstance(one.record, PageResult) and one.record.duplicate_of is not None
    }
    gone = await erased_captures(connection, school, told)
    taken = await _taken_seats(connection, school, arrived)
    pages = [one for one in arrived if isinstance(one.record, PageResult)]
    dropped = [one for one in pages if _is_of(one.record, erased, gone, taken)]
    while True:  # of one paper within a batch, too
        papers = gone | {one.record.capture for one in dropped if isinstance(one.record, PageResult)}
        more = [one for one in pages if one not in dropped and _is_of(one.record, erased, papers, taken)]
        if not more:
            break
        dropped += more
    out = {(one.name, one.payload) for one in dropped}
    out |= {
        (one.name, one.payload)
        for one in arrived
        if (isinstance(one.record, CropRecord | CorrectionRecord) and one.record.capture in papers)
        or (isinstance(one.record, AbsenceRecord) and one.record.pseudonym in erased.pseudonyms)
    }
    touched = await _leave_blank(connection, school, dropped)
    if out:
        _log.warning("%s: %d records of a pupil who was erased have come and were not kept", school, len(out))
        at_ms = max(one.received_ms for one in arrived)
        await write_line(connection, school, deed=CAME, detail=f"records={len(out)}", at_ms=at_ms)
    kept = [_with_fewer_seats(one, erased, taken) for one in arrived if (one.name, one.payload) not in out]
    return KeptOf(kept, len(out), touched)


def _is_of(record: Record, erased: ErasedPupils, papers: set[bytes], taken: frozenset[tuple[str, int]]) -> bool:
    """Whether a page is of somebody who was erased.

    A page that names another pupil is that pupil's. One that names a seat is of who sat there, unless it was surely
    slid later, or somebody else sits there now and it is not sure that it was slid before.
    """
    assert isinstance(record, PageResult)
    if record.pseudonym is not None:
        return record.pseudonym in erased.pseudonyms
    if record.capture in papers or record.duplicate_of in papers:
        return True
    if record.class_name is None or record.seat is None:
        return False
    before = erased.sat_at(record.class_name, record.seat)
    if before is None:
        return False
    if record.clock.quality is ClockQuality.SYNCED:
        return record.clock.wall_ms <= before.erased_ms
    return (record.class_name, record.seat) not in taken


async def _taken_seats(
    connection: AsyncConnection, school: str, arrived: Sequence[Arrived]
) -> frozenset[tuple[str, int]]:
    """The seats named here at which somebody sits by the class list."""
    seats = set[tuple[str, int]]()
    for one in arrived:
        match one.record:
            case PageResult(class_name=str(name), seat=int(seat), pseudonym=None):
                seats.add((name, seat))
            case Tally(class_name=name, places=places):
                seats |= {(name, seat) for seat, _ in places}
            case _:
                pass
    return frozenset((await seats_of(connection, school, ((), seats))).pupil_at) if seats else frozenset()


def _with_fewer_seats(one: Arrived, erased: ErasedPupils, taken: frozenset[tuple[str, int]]) -> Arrived:
    """A tally without the seats of who was erased: of those nothing comes any more, and a class waits for no sheet."""
    record = one.record
    if not isinstance(record, Tally):
        return one
    places = tuple(
        (seat, page)
        for seat, page in record.places
        if (record.class_name, seat) in taken or erased.sat_at(record.class_name, seat) is None
    )
    if places == record.places:
        return one
    fewer = msgspec.structs.replace(record, places=places, slid=max(0, record.slid - len(record.places) + len(places)))
    return one._replace(record=fewer, payload=encode_record(fewer), digest=None)


async def _leave_blank(
    connection: AsyncConnection, school: str, dropped: Sequence[Arrived]
) -> frozenset[tuple[str, str]]:
    if not dropped:
        return frozenset()
    pages = [(one, one.record) for one in dropped if isinstance(one.record, PageResult)]
    newest = {page.capture: page.revision for _, page in sorted(pages, key=lambda each: each[1].revision)}
    stored = {
        name: row
        for name, row in (await of_captures(connection, school, newest)).items()
        if row[0].booked.capture in newest
    }
    # What says of the same paper, in a later revision, that it is another pupil's stays.
    mine = {
        name: row
        for name, row in stored.items()
        if row[0].pupil is None or row[0].booked.revision <= newest[row[0].booked.capture]
    }
    touched = (await erase_rows(connection, school, mine)).touched
    others = {page.booked.capture for name, (page, _) in stored.items() if name not in mine}
    await erase_words(connection, school, newest.keys() - others)
    stubs = [
        (one.name, record_digest(one.payload), page.capture, page.revision, one.received_ms) for one, page in pages
    ]
    await connection.execute(insert(page_records), blank_rows(school, stubs, month=NO_MONTH))
    return touched
