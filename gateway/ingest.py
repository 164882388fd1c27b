"""Takes envelopes in: decode, de-duplicate, book, commit, and only then the receipts.

Receipts are computed from the state that the same transaction stores, so that a receipt never says more than
what survives a power cut. The same envelope twice has nothing new and changes nothing (D-rules: docs/delivery.md).
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import BookedRow, RowName, Slot, seat_key
from gateway.store.dialect import lock_school
from gateway.store.lanes import HeldRecord, LaneName, add_documents, hold, load_lane, note_box, save_lanes
from gateway.store.pages import PageRow, add_pages, pack_items
from gateway.store.schools import Seats, box_key, seats_of
from gateway.store.store import Store
from sync.envelope import Envelope, Erased, digest_of
from sync.errors import FutureVersion, MalformedRecord
from sync.lanes import Lane
from sync.receipts import Advance, LaneState, Receipt, advance, new_lane_state, standing
from sync.records import DocumentRecord, HealthRecord, PageResult, Record, decode_record
from sync.state import BoxState

_log = logging.getLogger(__name__)
_LANE_OF = {PageResult: Lane.RESULTS, DocumentRecord: Lane.DOCUMENTS, HealthRecord: Lane.HEALTH}
_KEY_LASTS_S = 5.0
"""How long a box's key is remembered, so that a revoked box is refused soon and a busy one costs no query."""


class Changed(NamedTuple):
    """A report that has changed: of a class, or with None of every class of the school."""

    school: str
    assignment: str | None
    class_name: str | None


class _Opened(NamedTuple):
    """An envelope with its records decoded; those that could not be are under `held` with the reason."""

    envelope: Envelope
    records: Mapping[int, Record]
    held: Mapping[int, str]


class StoreIngest:
    """The `sync.ingest.Ingest` of a store. `on_change` is told after each commit which reports have changed."""

    def __init__(
        self,
        store: Store,
        *,
        on_change: Callable[[frozenset[Changed]], None] = lambda _: None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._now_ms = now_ms
        self._keys: dict[tuple[str, str], tuple[float, bytes]] = {}
        self.counts: Counter[str] = Counter()

    async def box_key(self, school: str, box: str) -> bytes | None:
        """The key of an enrolled box; None, counted, for any other."""
        known = self._keys.get((school, box))
        if known is not None and time.monotonic() - known[0] < _KEY_LASTS_S:
            return known[1]
        async with self._store.reading() as connection:
            key = await box_key(connection, self._store.vault, school, box)
        if key is None:
            self._keys.pop((school, box), None)
            self.counts["unknown box"] += 1
            return None
        self._keys[(school, box)] = (time.monotonic(), key)
        return key

    async def take(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Store a batch in one transaction and return a receipt for each envelope, in the order given."""
        opened = [_open(envelope) for envelope in envelopes]
        by_school: dict[str, list[int]] = defaultdict(list)
        for index, envelope in enumerate(envelopes):
            by_school[envelope.school].append(index)
        receipts: dict[int, Receipt] = {}
        changed: set[Changed] = set()
        async with self._store.writing() as connection:
            for school in sorted(by_school):
                await lock_school(connection, school)
                mine = [opened[index] for index in by_school[school]]
                answers, news = await self._take_school(connection, school, mine)
                receipts.update(zip(by_school[school], answers, strict=True))
                changed |= news
        self.counts["envelopes"] += len(envelopes)
        if changed:
            self._on_change(frozenset(changed))
        return [receipts[index] for index in range(len(envelopes))]

    async def standing(self, state: BoxState) -> Sequence[Receipt]:
        """Where a box stands: a receipt for each lane of each of its epochs; none for one that went offline."""
        if not state.online:
            return []
        async with self._store.writing() as connection:
            await note_box(connection, state.school, state.box, heard_ms=self._now_ms())
            return [
                standing(
                    await load_lane(connection, LaneName(state.school, state.box, epoch, lane))
                    or new_lane_state(epoch, lane),
                    epoch=epoch,
                    lane=lane,
                    incarnation=self._store.incarnation,
                    challenge=state.challenge,
                )
                for epoch in state.epochs
                for lane in Lane
            ]

    async def _take_school(
        self, connection: AsyncConnection, school: str, batch: Sequence[_Opened]
    ) -> tuple[list[Receipt], set[Changed]]:
        received_ms = self._now_ms()
        states: dict[LaneName, LaneState] = {}
        receipts: list[Receipt] = []
        pages: list[tuple[RowName, bytes, PageResult]] = []
        documents: list[DocumentRecord] = []
        held: list[HeldRecord] = []
        health: dict[str, bytes | None] = {}
        for one in batch:
            envelope = one.envelope
            lane = LaneName(school, envelope.box, envelope.epoch, envelope.lane)
            if lane not in states:
                states[lane] = await load_lane(connection, lane) or new_lane_state(lane.epoch, lane.lane)
            step = advance(states[lane], envelope, incarnation=self._store.incarnation, held=one.held.keys())
            states[lane] = step.state
            receipts.append(step.receipt)
            held += self._held(lane, one, step)
            health.setdefault(envelope.box, None)
            for seq, entry in step.new:
                match one.records.get(seq):
                    case PageResult() as page:
                        pages.append((RowName(envelope.box, envelope.epoch, seq), digest_of(entry), page))
                    case DocumentRecord() as document:
                        documents.append(document)
                    case HealthRecord():
                        assert isinstance(entry, bytes)
                        health[envelope.box] = entry
        await add_documents(connection, school, documents, received_ms)
        seats = await seats_of(connection, school, _asked(pages))
        touched = await add_pages(
            connection, school, [_page_row(name, digest, page, seats, received_ms) for name, digest, page in pages]
        )
        await hold(connection, held, received_ms)
        await save_lanes(connection, states)
        for box, body in health.items():
            await note_box(connection, school, box, heard_ms=received_ms, health=body)
        self.counts.update({"pages": len(pages), "documents": len(documents), "held": len(held)})
        changed = {Changed(school, assignment, class_name) for assignment, class_name in touched}
        if documents:
            changed.add(Changed(school, None, None))
        return receipts, changed

    def _held(self, lane: LaneName, one: _Opened, step: Advance) -> list[HeldRecord]:
        found = [
            HeldRecord(lane, seq, digest_of(entry), entry, one.held[seq])
            for seq, entry in step.new
            if seq in one.held and isinstance(entry, bytes)
        ]
        for seq, entry in step.conflicting:
            body = b"" if isinstance(entry, Erased) else entry
            found.append(HeldRecord(lane, seq, digest_of(entry), body, "another history"))
        for record in found:
            _log.warning(
                "held: record %d of lane %s of box %s: %s", record.seq, lane.lane.name.lower(), lane.box, record.reason
            )
        return found


def _open(envelope: Envelope) -> _Opened:
    records: dict[int, Record] = {}
    held: dict[int, str] = {}
    for seq, entry in envelope.numbered():
        if isinstance(entry, Erased):
            continue
        try:
            records[seq] = _checked(decode_record(entry), envelope.lane)
        except (FutureVersion, MalformedRecord) as error:
            held[seq] = error.message
    return _Opened(envelope, records, held)


def _checked(record: Record, lane: Lane) -> Record:
    """What the store cannot take is held here, before it could spoil the transaction of its neighbours."""
    if _LANE_OF[type(record)] is not lane:
        raise MalformedRecord(f"it came in lane {lane.name.lower()}")
    match record:
        case PageResult():
            names = (record.assignment, record.class_name, record.sheet, *record.problems)
        case DocumentRecord():
            names = (record.id,)
        case HealthRecord():
            names = (record.software,)
    if any(name is not None and "\0" in name for name in names):  # PostgreSQL has no text with it
        raise MalformedRecord("a name in it holds a zero byte")
    return record


def _asked(pages: Sequence[tuple[RowName, bytes, PageResult]]) -> tuple[set[bytes], set[tuple[str, int]]]:
    """Pupils whose class is to be looked up, and seats whose pupil is."""
    pupils: set[bytes] = set()
    seats: set[tuple[str, int]] = set()
    for _, _, page in pages:
        if page.pseudonym is not None and page.class_name is None:
            pupils.add(page.pseudonym)
        elif page.pseudonym is None and page.class_name is not None and page.seat is not None:
            seats.add((page.class_name, page.seat))
    return pupils, seats


def _page_row(name: RowName, digest: bytes, page: PageResult, seats: Seats, received_ms: int) -> PageRow:
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
            name=name,
            capture=page.capture,
            revision=page.revision,
            duplicate_of=page.duplicate_of,
            slot=slot,
            received_ms=received_ms,
        ),
        digest=digest,
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
        problems=",".join(page.problems),
        clock=msgspec.msgpack.encode(page.clock),
    )
