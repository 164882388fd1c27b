"""What a record becomes in the store, whenever it can be read: when it comes, or after it was held.

Part of what a newer box says cannot be told apart by this version (fields appended since), and part of what is told
has no column yet (a teacher's marks). A receipt calls all of it committed, so such records are kept as they came
besides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.arrivals import Arrived, without_erased
from gateway.booking import BookedRow, Slot, seat_key
from gateway.store.absences import ToldAbsence, keep_absences
from gateway.store.boots import note_boots
from gateway.store.corrections import Told as Correction
from gateway.store.corrections import book, captures_judged_by, keep_corrections, spread
from gateway.store.crops import keep_crops
from gateway.store.down_log import New, append_all
from gateway.store.lanes import RawRecord, add_documents, keep_raw
from gateway.store.months import NO_MONTH, months_for
from gateway.store.pages import PageRow, pack_items, verdicts_of
from gateway.store.rollups import touch_classes, touch_school
from gateway.store.schools import Seats, seats_of
from gateway.store.tallies import Told, keep_tallies
from sync.errors import MalformedRecord
from sync.lanes import Lane, record_digest
from sync.placing import Numbered, Seen
from sync.records import (
    AbsenceRecord,
    CorrectionRecord,
    CropRecord,
    DocumentRecord,
    HealthRecord,
    PageResult,
    Record,
    Tally,
    decode_record,
    encode_record,
)

_LANE_OF = {
    PageResult: Lane.RESULTS,
    DocumentRecord: Lane.DOCUMENTS,
    HealthRecord: Lane.HEALTH,
    Tally: Lane.HEALTH,
    CropRecord: Lane.CROPS,
    CorrectionRecord: Lane.RESULTS,
    AbsenceRecord: Lane.RESULTS,
}


def read_record(payload: bytes, lane: Lane) -> Record:
    """The record, fit for the store.

    Raises `FutureVersion`, and `MalformedRecord` also for what the store cannot take: it is held before it could
    spoil the transaction of its neighbours.
    """
    record = decode_record(payload)
    if _LANE_OF[type(record)] is not lane:
        raise MalformedRecord(f"it came in lane {lane.name.lower()}")
    match record:
        case PageResult():
            names = (record.assignment, record.class_name, record.sheet, *record.problems)
        case DocumentRecord():
            names = (record.id,)
        case HealthRecord():
            names = (record.software,)
        case Tally():
            names = (record.assignment, record.class_name)
        case AbsenceRecord():
            names = (record.assignment,)
        case CropRecord() | CorrectionRecord():
            names = (record.item,)
    if any(name is not None and "\0" in name for name in names):  # PostgreSQL has no text with it
        raise MalformedRecord("a name in it holds a zero byte")
    return record


async def take_in(
    connection: AsyncConnection, school: str, arrived: Sequence[Arrived]
) -> frozenset[tuple[str | None, str | None]]:
    """Store pages, corrections, absences, documents and tallies, and what the clocks of all records tell.

    The caller holds the school's lock, and keeps what it wants of signs of health.
    Returns the (assignment, class) pairs whose reports have changed, (None, None) for all of them.
    """
    arrived, _, gone_from = await without_erased(connection, school, arrived)
    pages = [(one, one.record) for one in arrived if isinstance(one.record, PageResult)]
    documents = [(one.record, one.received_ms) for one in arrived if isinstance(one.record, DocumentRecord)]
    tallies = [Told(one.name, one.record, one.received_ms) for one in arrived if isinstance(one.record, Tally)]
    heard_ms = max((one.received_ms for one in arrived), default=0)
    placed_anew = await note_boots(connection, school, _seen(arrived), heard_ms=heard_ms)
    await add_documents(connection, school, documents)
    news = [
        New(one.record.document, one.record.id, one.record.body, origin=one.name.box)
        for one in arrived
        if isinstance(one.record, DocumentRecord) and one.record.document != "roster-sealed"
    ]
    if news:
        await append_all(connection, school, news)
    await keep_tallies(connection, school, tallies)
    await keep_crops(
        connection, school, [(one.record, one.received_ms) for one in arrived if isinstance(one.record, CropRecord)]
    )
    seats = await seats_of(connection, school, _asked([page for _, page in pages]))
    await keep_raw(
        connection,
        [
            RawRecord(school, one.name.box, one.name.epoch, _LANE_OF[type(one.record)], one.name.seq, one.payload)
            for one in arrived
            if _loses_something(one.record, one.payload)
        ],
    )
    new = await keep_corrections(
        connection,
        school,
        [
            Correction(one.record, one.name.box, one.received_ms)
            for one in arrived
            if isinstance(one.record, CorrectionRecord)
        ],
    )
    corrected = {one.record.capture for one in new}
    corrected |= await captures_judged_by(connection, school, [document for document, _ in documents])
    assignments = {page.assignment for _, page in pages if page.assignment is not None}
    months = await months_for(connection, school, assignments, now_ms=heard_ms) if assignments else {}
    rows = [_page_row(one, page, seats, months) for one, page in pages]
    touched = await book(connection, school, rows, corrected)
    await spread(connection, school, {one.record.capture for one in new} | {page.capture for _, page in pages})
    told = {(tally.assignment, tally.class_name) for _, tally, _ in tallies}
    told |= await keep_absences(
        connection,
        school,
        [
            ToldAbsence(one.record, one.name.box, one.received_ms)
            for one in arrived
            if isinstance(one.record, AbsenceRecord)
        ],
    )
    await touch_classes(connection, school, told - touched)
    if placed_anew:
        await touch_school(connection, school, "documents")
    return frozenset(touched) | gone_from | told | ({(None, None)} if documents or placed_anew else frozenset())


def _seen(arrived: Sequence[Arrived]) -> dict[str, list[Seen]]:
    """The clocks in these records, by box."""
    seen: dict[str, list[Seen]] = defaultdict(list)
    for name, record, _payload, received_ms in arrived:
        if isinstance(record, DocumentRecord | CropRecord):
            continue
        # A later revision has the clock of its capture, which may be boots before it was queued; and a word on an
        # absence waits until the gateway is known to read it.
        made_when_queued = not isinstance(record, PageResult | AbsenceRecord) or (
            isinstance(record, PageResult) and record.revision == 1
        )
        numbered = Numbered(name.epoch, int(_LANE_OF[type(record)]), name.seq) if made_when_queued else None
        seen[name.box].append(Seen(record.clock, received_ms, numbered))
    return seen


def _loses_something(record: Record, payload: bytes) -> bool:
    """Whether the columns hold less than what came. The latest sign of health is kept as it came anyway."""
    if isinstance(record, HealthRecord):
        return False
    return (isinstance(record, PageResult) and bool(record.marks)) or encode_record(record) != payload


def _asked(pages: Sequence[PageResult]) -> tuple[set[bytes], set[tuple[str, int]]]:
    """Pupils whose class is to be looked up, and seats whose pupil is."""
    pupils: set[bytes] = set()
    seats: set[tuple[str, int]] = set()
    for page in pages:
        if page.pseudonym is not None and page.class_name is None:
            pupils.add(page.pseudonym)
        elif page.pseudonym is None and page.class_name is not None and page.seat is not None:
            seats.add((page.class_name, page.seat))
    return pupils, seats


def _page_row(one: Arrived, page: PageResult, seats: Seats, months: Mapping[str, int]) -> PageRow:
    class_name, pupil = page.class_name, page.pseudonym
    if pupil is not None and class_name is None:
        class_name = seats.class_of.get(pupil)
    elif pupil is None and class_name is not None and page.seat is not None:
        pupil = seats.pupil_at.get((class_name, page.seat)) or seat_key(class_name, page.seat)
    slot = None
    if page.assignment is not None and pupil is not None:
        slot = Slot(page.assignment, pupil, page.page, page.attempt)
    return PageRow(
        booked=BookedRow(
            name=one.name,
            capture=page.capture,
            revision=page.revision,
            duplicate_of=page.duplicate_of,
            slot=slot,
            received_ms=one.received_ms,
        ),
        month=months[page.assignment] if page.assignment is not None else NO_MONTH,
        digest=record_digest(one.payload),
        assignment=page.assignment,
        class_name=class_name,
        pupil=pupil,
        seat=page.seat,
        sheet=page.sheet,
        page=page.page,
        attempt=page.attempt,
        score_hundredths=page.score_hundredths,
        max_score_hundredths=page.max_score_hundredths,
        pending=page.pending,
        items=pack_items(page.items),
        verdicts=verdicts_of(page.items),
        problems=",".join(page.problems),
        clock=msgspec.msgpack.encode(page.clock),
        settled=b"".join(page.settled),
    )
