"""A gateway's store in memory that fails, fills up and is put back."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sync.envelope import Envelope, Erased
from sync.errors import WireError
from sync.lanes import Lane
from sync.receipts import LaneState, Receipt, advance, new_lane_state, standing
from sync.records import PageResult, decode_record
from sync.simulation.made_up import BOX, KEY, SCHOOL
from sync.state import BoxState

Name = tuple[bytes, Lane, int]


class StoreFailedError(Exception):
    """The database failed."""


@dataclass
class Contents:
    """What is committed. Copied whole for a transaction and for a backup."""

    lanes: dict[tuple[bytes, Lane], LaneState] = field(default_factory=dict)
    rows: dict[Name, bytes | Erased] = field(default_factory=dict)
    counted: dict[bytes, Name] = field(default_factory=dict)
    """The captures that are in the reports, and by which record."""
    again: int = 0
    """Records that were taken in although one of that name was there."""

    def copy(self) -> Contents:
        return Contents(dict(self.lanes), dict(self.rows), dict(self.counted), self.again)

    def has(self, receipt: Receipt) -> bool:
        """Whether everything that a receipt vouches for is there."""
        return all((receipt.epoch, receipt.lane, seq) in self.rows for seq in range(1, receipt.mark + 1))

    def held(self) -> set[bytes]:
        """The payloads that wait for somebody to decide."""
        return {
            entry
            for (epoch, lane), state in self.lanes.items()
            for first, last in state.held
            for seq in range(first, last + 1)
            if isinstance(entry := self.rows.get((epoch, lane, seq)), bytes)
        }


class MemoryIngest:
    """An `Ingest` that keeps everything in memory and can fail and be put back."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.store = Contents()
        self.incarnation = rng.randbytes(8)
        self.kill_chance = 0.0
        """Of each moment round a commit to be the last of its transaction."""
        self.full = False

    def put_back(self, store: Contents, *, noticed: bool) -> None:
        """Go on with an older copy, under a new incarnation if it is noticed."""
        self.store = store.copy()
        if noticed:
            self.incarnation = self._rng.randbytes(8)

    async def box_key(self, school: str, box: str) -> bytes | None:
        return KEY if (school, box) == (SCHOOL, BOX) else None

    async def box_keys(self, names: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        return {name: key for name in names if (key := await self.box_key(*name)) is not None}

    async def take(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        after = self.store.copy()
        receipts = [self._advanced(after, envelope) for envelope in envelopes]
        self._commit(after)
        return receipts

    async def standing(self, states: Sequence[BoxState]) -> Sequence[Sequence[Receipt]]:
        return [self._standing(state) for state in states]

    def _standing(self, state: BoxState) -> list[Receipt]:
        return [
            standing(
                self.store.lanes.get((epoch, lane)) or new_lane_state(epoch, lane),
                epoch=epoch,
                lane=lane,
                incarnation=self.incarnation,
                challenge=state.challenge,
            )
            for epoch in state.epochs
            for lane in Lane
            if state.online
        ]

    def _advanced(self, after: Contents, envelope: Envelope) -> Receipt:
        lane = (envelope.epoch, envelope.lane)
        state = after.lanes.get(lane) or new_lane_state(*lane)
        readable = {seq: _record_of(entry) for seq, entry in envelope.numbered()}
        result = advance(
            state,
            envelope,
            incarnation=self.incarnation,
            held=[seq for seq, record in readable.items() if record is None],
        )
        after.lanes[lane] = result.state
        for seq, entry in result.new:
            name = (*lane, seq)
            after.again += name in after.rows
            after.rows[name] = entry
            record = readable[seq]
            if isinstance(record, PageResult):
                after.counted.setdefault(record.capture, name)
        return result.receipt

    def _commit(self, after: Contents) -> None:
        self._perhaps_fail()
        if self.full:
            raise StoreFailedError
        self.store = after
        self._perhaps_fail()

    def _perhaps_fail(self) -> None:
        if self._rng.random() < self.kill_chance:
            raise StoreFailedError


def _record_of(entry: bytes | Erased) -> object | None:
    """The record, None when it must be held."""
    if isinstance(entry, Erased):
        return entry
    try:
        return decode_record(entry)
    except WireError:
        return None
