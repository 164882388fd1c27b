"""Boxes and a gateway with everything between them going wrong, in virtual time and from one seed.

The real sessions, outbox and arithmetic run; only the pipe, the store and the clock are made up. Messages are
lost, doubled and overtaken; the broker forgets, and a hostile one says again what was said long ago; boxes and
gateway are killed before and after their commits; the gateway's store is restored from a backup; a box's card is
cloned and both copies go on. Then the faults stop (but for the hostile broker), and everything that was captured must
be at the gateway, once. On the way, no box that was told of a restore may believe what was said before it.
"""

from __future__ import annotations

import hashlib
import heapq
import random
import sqlite3
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from sync.box_session import BoxSession, Pace
from sync.clock import ClockQuality, ClockReading
from sync.envelope import Envelope, Erased
from sync.errors import WireError
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.receipts import Accept, LaneState, Receipt, advance, new_lane_state, open_down, standing
from sync.records import HealthRecord, PageResult, decode_record, encode_record
from sync.state import BoxState
from sync.topics import topic

T = TypeVar("T")
SCHOOL, BOX = "school", "box"
KEY = bytes(range(32))
_FUTURE = b"\x92\x01\x63"  # kind 1, version 99: a record that this gateway has to hold
_HELLO_EVERY_MS = 300_000
_TICK_MS = 500
_CALM_MS = 3 * _HELLO_EVERY_MS
_GIVE_UP_MS = 40 * _HELLO_EVERY_MS


class Faults(NamedTuple):
    """Chances: of a message to be lost or doubled; of the rest in each half second."""

    loss: float = 0.3
    double: float = 0.1
    delay_ms: float = 2_000.0
    broker_crash: float = 0.01
    box_crash: float = 0.01
    gateway_crash: float = 0.02
    backup: float = 0.05
    restore: float = 0.02
    clone: float = 0.0
    held: float = 0.02
    replay: float = 0.0
    """Of a message that was ever sent to come once more. The only fault that goes on to the end."""


class Outcome(NamedTuple):
    """What a run came to. `lost` and `double` must be 0; `unsettled` counts records still waiting at the end.

    `misled` counts receipts from before a restore that moved the proof of a lane which had been told of it: 0 too.
    """

    captured: int
    lost: int
    double: int
    unsettled: int
    held: int
    epochs: int
    messages: int
    restores: int
    misled: int


class _GatewayKilledError(Exception):
    """The gateway died in the middle of a batch."""


Name = tuple[bytes, Lane, int]


@dataclass
class _Store:
    """What a gateway keeps, in memory. Copied whole for a backup."""

    lanes: dict[tuple[bytes, Lane], LaneState] = field(default_factory=dict)
    rows: dict[Name, bytes | Erased] = field(default_factory=dict)
    counted: dict[bytes, Name] = field(default_factory=dict)
    again: int = 0

    def copy(self) -> _Store:
        return _Store(dict(self.lanes), dict(self.rows), dict(self.counted), self.again)


class MemoryIngest:
    """An `Ingest` that keeps everything in memory and can be killed and restored."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.store = _Store()
        self.incarnation = rng.randbytes(8)
        self.kill_chance = 0.0

    async def box_key(self, school: str, box: str) -> bytes | None:
        return KEY if (school, box) == (SCHOOL, BOX) else None

    async def take(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        store = self.store.copy()
        receipts = []
        for envelope in envelopes:
            lane = (envelope.epoch, envelope.lane)
            state = store.lanes.get(lane) or new_lane_state(*lane)
            readable = {seq: _record_of(entry) for seq, entry in envelope.numbered()}
            result = advance(
                state,
                envelope,
                incarnation=self.incarnation,
                held=[seq for seq, record in readable.items() if record is None],
            )
            store.lanes[lane] = result.state
            receipts.append(result.receipt)
            for seq, entry in result.new:
                name = (*lane, seq)
                store.again += name in store.rows
                store.rows[name] = entry
                record = readable[seq]
                if isinstance(record, PageResult):
                    store.counted.setdefault(record.capture, name)
        self._perhaps_die()
        self.store = store
        self._perhaps_die()
        return receipts

    async def standing(self, state: BoxState) -> Sequence[Receipt]:
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

    def _perhaps_die(self) -> None:
        if self._rng.random() < self.kill_chance:
            raise _GatewayKilledError


class _Box:
    """One card in one box."""

    def __init__(self, rng: random.Random, connection: sqlite3.Connection) -> None:
        self._rng = rng
        self.db = connection
        self.outbox = Outbox(connection)
        self.captures: set[bytes] = set()
        self.told_of: dict[tuple[bytes, Lane], int] = {}
        """How many restores a lane was told of by being turned back."""
        self.hello_at_ms = 0.0
        self.restart()

    def restart(self) -> None:
        self.session = BoxSession(
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="0",
            pace=Pace(max_records=7, window=3),
            chance=self._rng.random,
        )
        self.hello_at_ms = 0.0
        self.pubacks: list[tuple[float, int]] = []

    def proven(self) -> dict[tuple[bytes, Lane], int]:
        """How far the box counts each lane as delivered."""
        return {(stream.epoch, stream.lane): stream.proven for stream in self.outbox.streams()}

    def clone(self) -> _Box:
        card = sqlite3.connect(":memory:")
        self.db.backup(card)
        twin = _Box(self._rng, card)
        twin.told_of = dict(self.told_of)
        return twin


class Simulation:
    """One run. `seed` decides everything that happens."""

    def __init__(self, seed: int, *, captures: int = 60, faults: Faults | None = None) -> None:
        self._rng = random.Random(seed)  # noqa: S311
        self._faults = faults or Faults()
        self._captures = captures
        self._ingest = MemoryIngest(self._rng)
        self._session = GatewaySession(self._ingest)
        self._now_ms = 0.0
        self._pipe: list[tuple[float, int, str, bytes]] = []
        self._posted = 0
        self._retained: bytes | None = None
        self._backups: list[_Store] = []
        self._restores = 0
        self._misled = 0
        self._posts: list[tuple[str, bytes]] = []
        self._restores_before: dict[bytes, int] = {}
        self._foul = True
        first = sqlite3.connect(":memory:")
        with first:
            create_tables(first)
        self._boxes = [_Box(self._rng, first)]
        self._to_hold = 0

    def run(self) -> Outcome:
        """Play the whole run: faults while captures come, then calm until all is settled (or too late)."""
        made = 0
        while made < self._captures:
            for box in self._boxes:
                if self._rng.random() < 0.3:
                    made += self._capture(box)
            self._misfortunes()
            self._tick()
        self._foul, self._ingest.kill_chance = False, 0.0
        calm_since_ms = self._now_ms
        while self._now_ms - calm_since_ms < _CALM_MS or (
            self._waiting() and self._now_ms - calm_since_ms < _GIVE_UP_MS
        ):
            self._tick()
        return self._outcome()

    def _capture(self, box: _Box) -> int:
        """A capture or a sign of health, in one transaction with its outbox row; a crash rolls all of it back."""
        capture = hashlib.blake2b(self._rng.randbytes(16), digest_size=16).digest()
        with_health = self._rng.random() < 0.2
        future = self._rng.random() < self._faults.held
        survives = self._rng.random() >= self._faults.box_crash
        box.db.execute("BEGIN IMMEDIATE")
        box.outbox.append(Lane.RESULTS, page_record(capture, self._now_ms), subject=capture)
        if with_health:
            health = HealthRecord(clock=_clock(self._now_ms), software="0", free_mb=1, temperature_c=None, waiting=0)
            box.outbox.append(Lane.HEALTH, encode_record(health))
        if future:
            box.outbox.append(Lane.RESULTS, _FUTURE + self._rng.randbytes(8))
        if survives:
            box.db.commit()
            box.captures.add(capture)
            self._to_hold += future
            return 1
        box.db.rollback()
        box.restart()
        return 0

    def _tick(self) -> None:
        self._now_ms += _TICK_MS
        if self._posts and self._rng.random() < self._faults.replay:
            where, payload = self._rng.choice(self._posts)
            self._posted += 1
            heapq.heappush(self._pipe, (self._now_ms, self._posted, where, payload))
        while self._pipe and self._pipe[0][0] <= self._now_ms:
            _, _, where, payload = heapq.heappop(self._pipe)
            if where.endswith("/down"):
                for box in list(self._boxes):  # clones share their name, so both hear
                    self._box_hears(box, payload)
            else:
                self._gateway_hears(Message(where, payload))
        for box in self._boxes:
            if self._now_ms >= box.hello_at_ms:
                self._hello(box)
            self._send(box)

    def _send(self, box: _Box) -> None:
        """The broker acknowledges everything some time later, whatever becomes of it; when it crashes, nothing."""
        for due_ms, ticket in box.pubacks:
            if due_ms <= self._now_ms:
                box.session.acknowledged(ticket, self._now_ms)
        box.pubacks = [puback for puback in box.pubacks if puback[0] > self._now_ms]
        while True:
            with box.db:
                outgoing = box.session.next_envelope(box.outbox, self._now_ms)
            if outgoing is None:
                return
            box.pubacks.append((self._now_ms + self._rng.random() * self._faults.delay_ms, outgoing.ticket))
            self._post(topic(SCHOOL, BOX, "up"), box.session.encoded(outgoing.envelope))

    def _box_hears(self, box: _Box, payload: bytes) -> None:
        before = box.proven()
        with box.db:
            received = box.session.receive(box.outbox, payload)
        assert received.refused is None, received.refused
        said_after = self._restores_before[payload]
        receipts = open_down(payload, school=SCHOOL, box=BOX, key=KEY) or ()
        for receipt, judgement in zip(receipts, received.judgements, strict=True):
            told_of = box.told_of.get((receipt.epoch, receipt.lane), 0)
            self._misled += isinstance(judgement, Accept) and said_after < told_of
        for lane, proven in box.proven().items():
            if proven < before.get(lane, 0):
                box.told_of[lane] = max(said_after, box.told_of.get(lane, 0))
        if received.say_hello:
            self._hello(box)

    def _gateway_hears(self, message: Message) -> None:
        self._ingest.kill_chance = self._faults.gateway_crash if self._foul else 0.0
        for answer in _now(self._session.handle([message])):
            self._post(answer.topic, answer.payload)

    def _hello(self, box: _Box) -> None:
        box.hello_at_ms = self._now_ms + _HELLO_EVERY_MS
        self._retained = box.session.hello(box.outbox)
        self._post(topic(SCHOOL, BOX, "state"), self._retained)

    def _post(self, where: str, payload: bytes) -> None:
        self._posts.append((where, payload))
        self._restores_before.setdefault(payload, self._restores)
        times = 1
        if self._foul:
            times = 0 if self._rng.random() < self._faults.loss else 1 + (self._rng.random() < self._faults.double)
        for _ in range(times):
            delay_ms = self._rng.random() * (self._faults.delay_ms if self._foul else 50.0)
            self._posted += 1
            heapq.heappush(self._pipe, (self._now_ms + delay_ms, self._posted, where, payload))

    def _misfortunes(self) -> None:
        faults, chance = self._faults, self._rng.random
        if chance() < faults.broker_crash:
            self._pipe.clear()
            self._retained = None
            for box in self._boxes:
                box.pubacks.clear()
                box.session.reconnected(self._now_ms)
                box.hello_at_ms = self._now_ms
        for box in self._boxes:
            if chance() < faults.box_crash:
                box.restart()
        if chance() < faults.clone and len(self._boxes) < 3:
            self._boxes.append(self._rng.choice(self._boxes).clone())
        if chance() < faults.backup:
            self._backups.append(self._ingest.store.copy())
        if chance() < faults.restore and self._backups:
            self._restore()

    def _restore(self) -> None:
        self._restores += 1
        self._ingest.store = self._rng.choice(self._backups).copy()
        # A copy put back behind the gateway's back keeps its old incarnation; boxes must notice all the same.
        # With clones about, only an honest restore can be told from the other clone's progress.
        if self._faults.clone or self._rng.random() < 0.5:
            self._ingest.incarnation = self._rng.randbytes(8)
        if self._retained is not None:
            self._post(topic(SCHOOL, BOX, "state"), self._retained)

    def _waiting(self) -> int:
        return sum(lane.waiting for box in self._boxes for lane in box.outbox.counts().values())

    def _outcome(self) -> Outcome:
        store = self._ingest.store
        captured = set().union(*(box.captures for box in self._boxes))
        held = {
            entry
            for (epoch, lane), state in store.lanes.items()
            for first, last in state.held
            for seq in range(first, last + 1)
            if isinstance(entry := store.rows[epoch, lane, seq], bytes)
        }
        return Outcome(
            captured=len(captured),
            lost=len(captured - store.counted.keys()) + self._to_hold - len(held),
            double=store.again + len(store.counted.keys() - captured),
            unsettled=self._waiting(),
            held=len(held),
            epochs=sum(len(box.outbox.epochs) for box in self._boxes),
            messages=self._posted,
            restores=self._restores,
            misled=self._misled,
        )


def _record_of(entry: bytes | Erased) -> object | None:
    """The record, None when it must be held."""
    if isinstance(entry, Erased):
        return entry
    try:
        return decode_record(entry)
    except WireError:
        return None


def _clock(now_ms: float) -> ClockReading:
    return ClockReading(monotonic_ms=int(now_ms), wall_ms=int(now_ms), boot=bytes(16), quality=ClockQuality.SYNCED)


def page_record(capture: bytes, now_ms: float) -> bytes:
    """The payload of a page without items, named by the digest of its picture."""
    page = PageResult(
        capture=capture,
        pseudonym=None,
        seat=1,
        clock=_clock(now_ms),
        assignment="a",
        sheet="S",
        page=1,
        attempt=1,
        revision=1,
        class_name="c",
        max_score_hundredths=0,
        score_hundredths=0,
        pending=0,
        duplicate_of=None,
        problems=(),
        items=(),
    )
    return encode_record(page)


def _now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never really waits."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("the store in memory must not wait")
