"""Takes envelopes in: decode, de-duplicate, book, commit, and only then the receipts.

Receipts are computed from the state that the same transaction stores, so that a receipt never says more than
what survives a power cut. The same envelope twice has nothing new and changes nothing (D-rules: docs/delivery.md).
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.arrivals import Arrived
from gateway.booking import RowName
from gateway.box_keys import BoxKeys
from gateway.clock import unix_ms
from gateway.intake import read_record, take_in_all
from gateway.keeping.stragglers import Straggler, straggler, stragglers
from gateway.poison import REFUSED, refuses
from gateway.store.boots import note_boots
from gateway.store.dialect import lock_school, lock_schools
from gateway.store.lanes import (
    ANOTHER_HISTORY,
    HeldRecord,
    LaneName,
    hold,
    load_lanes,
    note_health,
    note_heard,
    save_lanes,
)
from gateway.store.rollups import touch_school
from gateway.store.store import Store
from gateway.store.trouble import in_trouble
from sync.envelope import Envelope, Erased, digest_of
from sync.errors import FutureVersion, MalformedRecord, StoreTrouble
from sync.lanes import Lane
from sync.placing import Seen
from sync.receipts import Advance, LaneState, Receipt, advance, new_lane_state, standing
from sync.records import DocumentRecord, HealthRecord, PageResult, Record
from sync.state import BoxState

_log = logging.getLogger(__name__)
_OFTEN = 3
"""How often an envelope fails alone before its records are tried one by one: what was a passing fault is over then."""
_FAILURES_KEPT = 1000
_GIVES_WAY = 3
"""How often a transaction that had to give way to another is tried again at once."""


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
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._now_ms = now_ms
        self._keys = BoxKeys(store)
        self._failures: Counter[tuple[str, str, bytes, Lane, int]] = Counter()
        self.counts: Counter[str] = Counter()

    async def box_key(self, school: str, box: str) -> bytes | None:
        """The key of an enrolled box; None, counted, for any other."""
        return (await self.box_keys([(school, box)])).get((school, box))

    async def box_keys(self, names: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        """The keys of those boxes (school, box) that are enrolled, in one look at the store: a batch may be of many.

        The others are counted.
        """
        keys = await self._keys.of(names)
        self.counts["unknown box"] += len(names) - len(keys)
        return keys

    async def take(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Store a batch in one transaction and return a receipt for each envelope, in the order given.

        An envelope that the store refuses alone, time after time, is taken without the records that are to blame:
        those are held.
        """
        opened = [_open(envelope) for envelope in envelopes]
        try:
            return await self._stored_in_the_end(opened)
        except Exception as error:
            if len(opened) > 1 or in_trouble(error) or not self._failed_often(envelopes[0]):
                raise
            return await self._stored_in_the_end([await self._without_poison(opened[0])])

    async def _stored_in_the_end(self, opened: Sequence[_Opened]) -> Sequence[Receipt]:
        """Once more after another writer was given the right of way."""
        for _ in range(_GIVES_WAY):
            try:
                return await self._stored(opened)
            except StoreTrouble as trouble:
                if not trouble.passing:
                    raise
        return await self._stored(opened)

    async def _stored(self, opened: Sequence[_Opened]) -> Sequence[Receipt]:
        envelopes = [one.envelope for one in opened]
        async with self._store.writing() as connection:
            incarnation = await self._store.incarnation_in(connection)
            await lock_schools(connection, {envelope.school for envelope in envelopes})
            receipts, changed = await self._take_in(connection, opened, incarnation)
            await self._store.tell_others(connection, changed)
        self.counts["envelopes"] += len(envelopes)
        for envelope in envelopes:
            self._failures.pop(_place(envelope), None)
        if changed:
            self._on_change(frozenset(changed))
        return receipts

    def _failed_often(self, envelope: Envelope) -> bool:
        """Count that it failed; whether it has done so often enough to look for the record that is to blame."""
        if len(self._failures) >= _FAILURES_KEPT:
            self._failures.clear()
        self._failures[_place(envelope)] += 1
        return self._failures[_place(envelope)] >= _OFTEN

    async def _without_poison(self, one: _Opened) -> _Opened:
        """The envelope with those of its records held that the store refuses also alone."""
        envelope = one.envelope
        poison: dict[int, str] = {}
        async with self._store.writing() as connection:
            await lock_school(connection, envelope.school)
            for seq, entry in envelope.numbered():
                if seq in one.records and isinstance(entry, bytes):
                    name = RowName(envelope.box, envelope.epoch, seq)
                    arrived = Arrived(name, one.records[seq], entry, self._now_ms())
                    if await refuses(connection, envelope.school, arrived):
                        poison[seq] = REFUSED
        rest = {seq: record for seq, record in one.records.items() if seq not in poison}
        return _Opened(envelope, rest, {**one.held, **poison})

    async def standing(self, states: Sequence[BoxState]) -> Sequence[Sequence[Receipt]]:
        """Where boxes stand: for each a receipt for each lane of each of its epochs; none for one that went offline.

        One transaction for all: when a broker comes back, a district says hello at once.
        """
        online = [state for state in states if state.online]
        if not online:
            return [[] for _ in states]
        async with self._store.writing() as connection:
            incarnation = await self._store.incarnation_in(connection)
            await lock_schools(connection, {state.school for state in online})
            heard_ms = self._now_ms()
            await note_heard(connection, {(state.school, state.box) for state in online}, heard_ms=heard_ms)
            schools = await note_boots(connection, _clocks(online, heard_ms), heard_ms=heard_ms)
            for school in sorted(schools):
                await touch_school(connection, school, "documents")
            placed_anew = frozenset(Changed(school, None, None) for school in schools)
            epochs = {(state.school, state.box, epoch) for state in online for epoch in state.epochs}
            known = await load_lanes(connection, epochs)
            await self._store.tell_others(connection, placed_anew)
        if placed_anew:
            self._on_change(placed_anew)
        return [self._receipts(state, known, incarnation) if state.online else [] for state in states]

    def _receipts(self, state: BoxState, known: Mapping[LaneName, LaneState], incarnation: bytes) -> list[Receipt]:
        return [
            standing(
                known.get(LaneName(state.school, state.box, epoch, lane)) or new_lane_state(epoch, lane),
                epoch=epoch,
                lane=lane,
                incarnation=incarnation,
                challenge=state.challenge,
            )
            for epoch in state.epochs
            for lane in Lane
        ]

    async def _take_in(
        self, connection: AsyncConnection, batch: Sequence[_Opened], incarnation: bytes
    ) -> tuple[list[Receipt], set[Changed]]:
        """What becomes of envelopes whose schools are locked."""
        batch = await _without_archived(connection, batch)
        received_ms = self._now_ms()
        states: dict[LaneName, LaneState] = {}
        receipts: list[Receipt] = []
        arrived: dict[str, list[Arrived]] = {one.envelope.school: [] for one in batch}
        held: list[HeldRecord] = []
        health: dict[tuple[str, str], bytes] = {}
        known = await load_lanes(connection, {(e.school, e.box, e.epoch) for e in (one.envelope for one in batch)})
        for one in batch:
            envelope = one.envelope
            lane = LaneName(envelope.school, envelope.box, envelope.epoch, envelope.lane)
            if lane not in states:
                states[lane] = known.get(lane) or new_lane_state(lane.epoch, lane.lane)
            step = advance(states[lane], envelope, incarnation=incarnation, held=one.held.keys())
            states[lane] = step.state
            receipts.append(step.receipt)
            held += self._held(lane, one, step)
            mine = arrived[envelope.school]
            for seq, entry in step.new:
                record = one.records.get(seq)
                if record is not None and isinstance(entry, bytes):
                    name = RowName(envelope.box, envelope.epoch, seq)
                    mine.append(Arrived(name, record, entry, received_ms, step.digests[seq]))
                    if type(record) is HealthRecord:
                        health[envelope.school, envelope.box] = entry
        touched = await take_in_all(connection, arrived)
        await hold(connection, held, received_ms)
        await save_lanes(connection, states)
        await note_heard(connection, {(name.school, name.box) for name in states}, heard_ms=received_ms)
        for (school, box), body in health.items():
            await note_health(connection, school, box, body)
        kinds = Counter(type(one.record) for mine in arrived.values() for one in mine)
        self.counts.update({"pages": kinds[PageResult], "documents": kinds[DocumentRecord], "held": len(held)})
        return receipts, {Changed(school, *what) for school, mine in touched.items() for what in mine}

    def _held(self, lane: LaneName, one: _Opened, step: Advance) -> list[HeldRecord]:
        found = [
            HeldRecord(lane, seq, digest_of(entry), entry, one.held[seq])
            for seq, entry in step.new
            if seq in one.held and isinstance(entry, bytes)
        ]
        for seq, entry in step.conflicting:
            body = b"" if isinstance(entry, Erased) else entry
            found.append(HeldRecord(lane, seq, digest_of(entry), body, ANOTHER_HISTORY))
        if found:  # one line an envelope: a box must not be able to fill the log
            where = (lane.lane.name.lower(), lane.box)
            _log.warning("held: %d records of lane %s of box %s; the first: %s", len(found), *where, found[0].reason)
        return found


def _clocks(states: Sequence[BoxState], heard_ms: int) -> dict[str, dict[str, list[Seen]]]:
    """What hellos say of the clocks of their boxes, by school and box."""
    seen: dict[str, dict[str, list[Seen]]] = defaultdict(lambda: defaultdict(list))
    for state in states:
        if state.clock is not None:
            seen[state.school][state.box].append(Seen(state.clock, heard_ms))
    return seen


async def _without_archived(connection: AsyncConnection, batch: Sequence[_Opened]) -> Sequence[_Opened]:
    """The envelopes with that held whose month is no longer here."""
    records: dict[str, list[Record]] = defaultdict(list)
    for one in batch:
        records[one.envelope.school] += one.records.values()
    reasons = await stragglers(connection, records)
    return [_held_back(one, reasons) for one in batch] if reasons else batch


def _held_back(one: _Opened, reasons: Mapping[Straggler, str]) -> _Opened:
    places = {seq: straggler(one.envelope.school, record) for seq, record in one.records.items()}
    held = {seq: reasons[place] for seq, place in places.items() if place is not None and place in reasons}
    rest = {seq: record for seq, record in one.records.items() if seq not in held}
    return _Opened(one.envelope, rest, {**one.held, **held}) if held else one


def _place(envelope: Envelope) -> tuple[str, str, bytes, Lane, int]:
    return envelope.school, envelope.box, envelope.epoch, envelope.lane, envelope.first_seq


def _open(envelope: Envelope) -> _Opened:
    records: dict[int, Record] = {}
    held: dict[int, str] = {}
    for seq, entry in envelope.numbered():
        if not isinstance(entry, bytes):
            continue
        try:
            records[seq] = read_record(entry, envelope.lane)
        except (FutureVersion, MalformedRecord) as error:
            held[seq] = error.message
    return _Opened(envelope, records, held)
