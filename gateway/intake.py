"""What a record becomes in the store, whenever it can be read: when it comes, or after it was held.

Part of what a newer box says cannot be told apart by this version (fields appended since), and part of what is told
has no column yet (a teacher's marks). A receipt calls all of it committed, so such records are kept as they came
besides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.arrivals import Arrived, without_erased
from gateway.booking import BookedRow, RowName, Slot, seat_key
from gateway.store.absences import ToldAbsence, keep_absences
from gateway.store.boots import note_boots
from gateway.store.corrections import Told as Correction
from gateway.store.corrections import book, captures_judged_by, keep_corrections, said_of, spread
from gateway.store.crops import keep_crops
from gateway.store.down_log import New, append_all
from gateway.store.erased import erased_at_all
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

_LANE_OF: Mapping[type, Lane] = {
    PageResult: Lane.RESULTS,
    DocumentRecord: Lane.DOCUMENTS,
    HealthRecord: Lane.HEALTH,
    Tally: Lane.HEALTH,
    CropRecord: Lane.CROPS,
    CorrectionRecord: Lane.RESULTS,
    AbsenceRecord: Lane.RESULTS,
}
_EVERY: frozenset[tuple[str | None, str | None]] = frozenset({(None, None)})


def read_record(payload: bytes, lane: Lane) -> Record:
    """The record, fit for the store.

    Raises `FutureVersion`, and `MalformedRecord` also for what the store cannot take: it is held before it could
    spoil the transaction of its neighbours.
    """
    record = decode_record(payload)
    if _LANE_OF[type(record)] is not lane:
        raise MalformedRecord(f"it came in lane {lane.name.lower()}")
    names: tuple[str | None, ...]
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
    if "\0" in "".join([name or "" for name in names]):  # PostgreSQL has no text with it
        raise MalformedRecord("a name in it holds a zero byte")
    return record


async def take_in(
    connection: AsyncConnection, school: str, arrived: Sequence[Arrived]
) -> frozenset[tuple[str | None, str | None]]:
    """Store what came of one school; see `take_in_all`."""
    return (await take_in_all(connection, {school: arrived}))[school]


async def take_in_all(
    connection: AsyncConnection, arrived: Mapping[str, Sequence[Arrived]]
) -> dict[str, frozenset[tuple[str | None, str | None]]]:
    """Store pages, corrections, absences, documents and tallies of schools, and what the clocks of all records tell.

    What there is much of is asked and stored for all schools together, so that a batch of a district costs no more
    than one of a school. The caller holds the schools' locks, and keeps what it wants of signs of health. Returns for
    each school the (assignment, class) pairs whose reports have changed, (None, None) for all of them.
    """
    arrived, gone_from = await _without_erased(connection, arrived)
    kinds = {school: _by_kind(mine) for school, mine in arrived.items()}
    heard_ms = max((one.received_ms for mine in arrived.values() for one in mine), default=0)
    seen = {school: _seen(mine) for school, mine in arrived.items()}
    placed_anew = await note_boots(connection, seen, heard_ms=heard_ms)
    tallies = {school: [Told(*one) for one in mine.tallies] for school, mine in kinds.items() if mine.tallies}
    await keep_tallies(connection, tallies)
    pages = {school: mine.pages for school, mine in kinds.items() if mine.pages}
    await keep_raw(connection, [one for school, mine in arrived.items() for one in _kept_besides(school, mine)])
    rows = await _page_rows(connection, pages, heard_ms=heard_ms)
    corrected: dict[str, set[bytes]] = {}
    captures = {school: {page.booked.capture for page in mine} for school, mine in rows.items()}
    for school, mine in kinds.items():
        new, corrected[school] = await _take_seldom(connection, school, mine)
        captures.setdefault(school, set()).update(new)
    said = await said_of(connection, captures)
    touched = await book(connection, rows, said=said, corrected=corrected)
    for school, corrected_ones in said.items():
        await spread(connection, school, corrected_ones)
    told = {school: {(one.tally.assignment, one.tally.class_name) for one in mine} for school, mine in tallies.items()}
    for school, mine in kinds.items():
        if mine.absences:
            words = [ToldAbsence(record, name.box, received_ms) for name, record, received_ms in mine.absences]
            taken = await keep_absences(connection, school, words)
            told.setdefault(school, set()).update(taken.places)
            # Too many on one pupil: they count for nothing, but what was receipted is kept.
            names = {name for name, record, _ in mine.absences if record.id in taken.beyond}
            await keep_raw(connection, [_raw(school, one) for one in arrived[school] if one.name in names])
    await touch_classes(
        connection, {school: places - touched.get(school, frozenset()) for school, places in told.items()}
    )
    for school in placed_anew:
        await touch_school(connection, school, "documents")
    every = placed_anew | {school for school, mine in kinds.items() if mine.documents}
    return {
        school: touched.get(school, frozenset())
        | gone_from.get(school, frozenset())
        | told.get(school, frozenset())
        | (_EVERY if school in every else frozenset())
        for school in arrived
    }


async def _without_erased(
    connection: AsyncConnection, arrived: Mapping[str, Sequence[Arrived]]
) -> tuple[Mapping[str, Sequence[Arrived]], dict[str, frozenset[tuple[str, str]]]]:
    """What is kept, and whose reports have changed because of the rest, by school."""
    erased = await erased_at_all(connection, sorted(arrived))
    found = {
        school: await without_erased(connection, school, arrived[school], pupils) for school, pupils in erased.items()
    }
    kept = {school: found[school].arrived if school in found else mine for school, mine in arrived.items()}
    return kept, {school: one.touched for school, one in found.items()}


class _Kinds(NamedTuple):
    """The records of a school by what they are, each with its name and when it came."""

    pages: list[tuple[Arrived, PageResult]]
    documents: list[tuple[RowName, DocumentRecord, int]]
    tallies: list[tuple[RowName, Tally, int]]
    crops: list[tuple[RowName, CropRecord, int]]
    corrections: list[tuple[RowName, CorrectionRecord, int]]
    absences: list[tuple[RowName, AbsenceRecord, int]]


def _by_kind(arrived: Sequence[Arrived]) -> _Kinds:
    kinds = _Kinds([], [], [], [], [], [])
    for one in arrived:
        match one.record:
            case PageResult() as page:
                kinds.pages.append((one, page))
            case DocumentRecord() as document:
                kinds.documents.append((one.name, document, one.received_ms))
            case Tally() as tally:
                kinds.tallies.append((one.name, tally, one.received_ms))
            case CropRecord() as crop:
                kinds.crops.append((one.name, crop, one.received_ms))
            case CorrectionRecord() as correction:
                kinds.corrections.append((one.name, correction, one.received_ms))
            case AbsenceRecord() as absence:
                kinds.absences.append((one.name, absence, one.received_ms))
    return kinds


async def _take_seldom(connection: AsyncConnection, school: str, mine: _Kinds) -> tuple[set[bytes], set[bytes]]:
    """Store what there is little of in a batch, each school by itself.

    Returns the captures on which a correction is new, and all those that are judged otherwise now.
    """
    new: set[bytes] = set()
    judged: frozenset[bytes] = frozenset()
    if mine.documents:
        documents = [(document, received_ms) for _, document, received_ms in mine.documents]
        await add_documents(connection, school, documents)
        news = [
            New(document.document, document.id, document.body, origin=name.box)
            for name, document, _received_ms in mine.documents
            if document.document != "roster-sealed"
        ]
        if news:
            await append_all(connection, school, news)
        judged = await captures_judged_by(connection, school, [one for one, _ in documents])
    if mine.crops:
        await keep_crops(connection, school, [(crop, received_ms) for _, crop, received_ms in mine.crops])
    if mine.corrections:
        told = [Correction(record, name.box, received_ms) for name, record, received_ms in mine.corrections]
        new = {kept.record.capture for kept in await keep_corrections(connection, school, told)}
    return new, new | judged


def _kept_besides(school: str, arrived: Sequence[Arrived]) -> list[RawRecord]:
    return [_raw(school, one) for one in arrived if _loses_something(one.record, one.payload)]


def _raw(school: str, one: Arrived) -> RawRecord:
    return RawRecord(school, one.name.box, one.name.epoch, _LANE_OF[type(one.record)], one.name.seq, one.payload)


async def _page_rows(
    connection: AsyncConnection, pages: Mapping[str, Sequence[tuple[Arrived, PageResult]]], *, heard_ms: int
) -> dict[str, list[PageRow]]:
    assignments = {
        school: {page.assignment for _, page in mine if page.assignment is not None} for school, mine in pages.items()
    }
    months = await months_for(connection, assignments, now_ms=heard_ms)
    rows: dict[str, list[PageRow]] = {}
    for school, mine in pages.items():
        seats = await seats_of(connection, school, _asked([page for _, page in mine]))
        rows[school] = [_page_row(one, page, seats, months[school]) for one, page in mine]
    return rows


def _seen(arrived: Sequence[Arrived]) -> dict[str, list[Seen]]:
    """The clocks in these records, by box."""
    seen: dict[str, list[Seen]] = defaultdict(list)
    for name, record, _payload, received_ms, _digest in arrived:
        if isinstance(record, PageResult):  # asked first, of what nearly all are: it costs more of the others
            later = record.revision > 1
        elif isinstance(record, DocumentRecord | CropRecord):
            continue
        elif isinstance(record, AbsenceRecord):
            if record.order is not None:
                continue  # the school's own, told back: with the clock of the gateway that was put back
            later = True
        else:
            later = False
        # A later revision has the clock of its capture, which may be boots before it was queued; and a word on an
        # absence waits until the gateway is known to read it.
        numbered = None if later else Numbered(name.epoch, int(_LANE_OF[type(record)]), name.seq)
        seen[name.box].append(Seen(record.clock, received_ms, numbered))
    return seen


def _loses_something(record: Record, payload: bytes) -> bool:
    """Whether the columns hold less than what came. The latest sign of health is kept as it came anyway."""
    if type(record) is HealthRecord:
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
        digest=one.digest or record_digest(one.payload),
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
