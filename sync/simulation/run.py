"""A simulated run: captures and faults in virtual time, then calm, then what came of it."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections import Counter
from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeVar

from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.receipts import Accept, open_down
from sync.simulation.box import Box
from sync.simulation.card import Card
from sync.simulation.line import DOWN, STATE, TICK_MS, UP, Line
from sync.simulation.made_up import BOX, KEY, SCHOOL, future_record, health_record, page_record
from sync.simulation.store import Contents, MemoryIngest
from sync.simulation.worlds import Faults

T = TypeVar("T")
_CAPTURE = 0.3
"""The chance of a box to be shown a sheet, each half second."""
_HELLO_EVERY_MS = 300_000.0
_CALM_MS = 2 * _HELLO_EVERY_MS
"""Until then every box has said hello and heard the answer."""
_GIVE_UP_MS = 6 * _HELLO_EVERY_MS
_AWAY_MS = 30_000.0
_DEAD_MS = 90_000.0
"""One and a half times the keep-alive of 60 s: then both ends know (MQTT 3.1.1, 3.1.2.10)."""
_COPIES = 5
_TOO_MANY = 3_000
"""Messages. A run has some hundred; one that never comes to rest is not waited for."""


class Outcome(NamedTuple):
    """What a run came to. `lost`, `double`, `unsettled`, `untrue` and `misled` must be 0.

    `lost` is of what is on a card, and of what a box counted as delivered before its card was swapped for an older
    copy. `double` counts records taken in twice, sheets twice in an epoch of one card, and sheets that nobody captured.
    `unsettled` are records still waiting at the end, or 1 for talk without end. `untrue` counts receipts that said more
    than was committed when they were said, `misled` those from before a restore that moved the proof of a
    lane which had been told of it.
    """

    captured: int
    lost: int
    double: int
    unsettled: int
    held: int
    epochs: int
    messages: int
    restores: int
    untrue: int
    misled: int

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return not (self.lost or self.double or self.unsettled or self.untrue or self.misled)


class Simulation:
    """One run. `seed` decides everything that happens."""

    def __init__(self, seed: int, *, captures: int = 60, faults: Faults | None = None) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a seed is the point
        self._faults = faults or Faults()
        self._captures = captures
        self._line = Line(self._rng, self._faults)
        self._ingest = MemoryIngest(self._rng)
        self._session = GatewaySession(self._ingest)
        self._now_ms = 0.0
        self._away_until_ms: float | None = None
        self._full_until_ms = 0.0
        self._boxes = [Box(self._rng, Card(self._rng), 0.0)]
        self._copies: list[Contents] = []
        self._cards: list[Card] = []
        self._restores = self._untrue = self._misled = 0
        self._restores_before: dict[bytes, int] = {}
        self._tried: set[bytes] = set()
        self._delivered_and_gone: set[bytes] = set()

    def run(self) -> Outcome:
        """Play the whole run: faults while captures come, then calm until all is settled (or too late)."""
        made = 0
        while made < self._captures:
            for box in self._boxes:
                if self._rng.random() < _CAPTURE:
                    made += self._capture(box)
            self._misfortunes()
            self._to(self._now_ms + TICK_MS)
        self._calm()
        since_ms = self._now_ms
        while not self._restless and (
            self._now_ms - since_ms < _CALM_MS or (self._waiting() and self._now_ms - since_ms < _GIVE_UP_MS)
        ):
            wake_ms = min(box.wake_at_ms(self._now_ms) for box in self._boxes)
            self._to(max(self._now_ms + 50.0, min(wake_ms, self._line.next_ms(), self._now_ms + _HELLO_EVERY_MS)))
        return self._outcome()

    # --- what boxes and gateway do -------------------------------------------------------------------------

    def _capture(self, box: Box) -> bool:
        """A sheet, at times with a sign of health or a record from the future, and whether the box said it is kept."""
        capture = hashlib.blake2b(self._rng.randbytes(16), digest_size=16).digest()
        with_health = self._rng.random() < 0.2
        future = future_record(self._rng.randbytes(8)) if self._rng.random() < self._faults.held else None
        killed = self._rng.random() < self._faults.box_crash
        killed_before = self._rng.random() < 0.5
        clock = box.clock.read(self._now_ms)
        self._tried.add(capture)
        try:
            with box.card.transaction() as outbox:
                outbox.append(Lane.RESULTS, page_record(capture, self._now_ms, clock), subject=capture)
                if with_health:
                    outbox.append(Lane.HEALTH, health_record(clock))
                if future is not None:
                    outbox.append(Lane.RESULTS, future)
                if killed and killed_before:
                    raise sqlite3.OperationalError("killed")  # noqa: TRY301 - inside the transaction, or it proves nothing
        except sqlite3.OperationalError:
            if not killed:
                return False
        if killed:
            box.start(self._now_ms, unset=self._rng.random() < 0.5)
            return False
        box.card.captures.add(capture)
        if future is not None:
            box.card.to_hold.add(future)
        return True

    def _to(self, now_ms: float) -> None:
        """Let time pass, and let everybody do what is due."""
        self._now_ms = now_ms
        for_gateway = []
        if self._away_until_ms is not None and now_ms >= self._away_until_ms:
            self._away_until_ms = None
            self._line.subscribe_again(now_ms)
        for message in self._line.arrived(now_ms):
            if message.topic != DOWN:
                for_gateway.append(message)
                continue
            for box in list(self._boxes):  # clones share their name, so all hear
                if box.dead_until_ms is None:
                    self._box_hears(box, message.payload)
        if for_gateway and self._away_until_ms is None:
            for answer in _now(self._session.handle(for_gateway)):
                receipts = open_down(answer.payload, school=SCHOOL, box=BOX, key=KEY) or ()
                self._untrue += sum(not self._ingest.store.has(receipt) for receipt in receipts)
                self._post(answer)
        for box in self._boxes:
            self._box_acts(box)

    def _box_acts(self, box: Box) -> None:
        """The broker acknowledges everything some time later, whatever becomes of it; when it crashes, nothing."""
        if box.dead_until_ms is not None and self._now_ms >= box.dead_until_ms:
            box.reconnect(self._now_ms)
        for ticket in box.acknowledged(self._now_ms):
            box.session.acknowledged(ticket, box.own_time_ms(self._now_ms))
        try:
            if self._now_ms >= box.hello_at_ms:
                self._hello(box)
            while True:
                with box.card.transaction() as outbox:
                    outgoing = box.session.next_envelope(outbox, box.own_time_ms(self._now_ms))
                if outgoing is None:
                    return
                if box.dead_until_ms is None:
                    puback_ms = self._now_ms + self._rng.random() * self._line.delay_ms
                    box.pubacks.append((puback_ms, outgoing.ticket))
                self._publish(box, Message(UP, box.session.encoded(outgoing)))
        except sqlite3.OperationalError:  # the link ends its conversation, and begins another
            box.reconnect(self._now_ms)

    def _box_hears(self, box: Box, payload: bytes) -> None:
        before = box.card.proven()
        said_after = self._restores_before[payload]
        try:
            with box.card.transaction() as outbox:
                received = box.session.receive(outbox, payload)
        except sqlite3.OperationalError:
            self._note_turned_back(box, before, said_after)
            box.reconnect(self._now_ms)
            return
        assert received.refused is None, received.refused
        receipts = open_down(payload, school=SCHOOL, box=BOX, key=KEY) or ()
        for receipt, judgement in zip(receipts, received.judgements, strict=True):
            lane = (receipt.epoch, receipt.lane)
            moved = isinstance(judgement, Accept) and judgement.mark > before.get(lane, 0)
            self._misled += moved and said_after < box.card.told_of.get(lane, 0)
        self._note_turned_back(box, before, said_after)
        if received.say_hello:
            box.hello_at_ms = self._now_ms

    def _note_turned_back(self, box: Box, before: dict[tuple[bytes, Lane], int], said_after: int) -> None:
        for lane, proven in box.card.proven().items():
            if proven < before.get(lane, 0):
                box.card.told_of[lane] = max(said_after, box.card.told_of.get(lane, 0))

    def _hello(self, box: Box) -> None:
        with box.card.transaction() as outbox:
            hellos = box.session.hellos(outbox)
        box.hello_at_ms = self._now_ms + _HELLO_EVERY_MS
        for hello in hellos:
            self._publish(box, Message(STATE, hello))

    def _publish(self, box: Box, message: Message) -> None:
        if box.dead_until_ms is None:
            self._post(message)

    def _post(self, message: Message) -> None:
        self._restores_before.setdefault(message.payload, self._restores)
        self._line.post(message, self._now_ms)

    # --- what goes wrong -----------------------------------------------------------------------------------

    def _misfortunes(self) -> None:
        faults, chance = self._faults, self._rng.random
        self._ingest.kill_chance = faults.store_failure
        self._ingest.full = self._now_ms < self._full_until_ms
        if chance() < faults.broker_crash:
            self._line.wipe()
            for box in self._boxes:
                box.reconnect(self._now_ms)
        if chance() < faults.gateway_away:
            self._away_until_ms = self._now_ms + chance() * _AWAY_MS
        if chance() < faults.store_full:
            self._full_until_ms = self._now_ms + chance() * _AWAY_MS
        for box in self._boxes:
            self._misfortunes_of(box)
        if chance() < faults.clone and len(self._boxes) < 3:
            original = self._rng.choice(self._boxes)
            self._boxes.append(Box(self._rng, original.card.copy(), self._now_ms))
        if chance() < faults.backup:
            self._copies = [*self._copies[-_COPIES:], self._ingest.store.copy()]
        if chance() < faults.restore and self._copies:
            self._restores += 1
            noticed = faults.copies_of_cards or chance() < 0.5
            self._ingest.put_back(self._rng.choice(self._copies), noticed=noticed)
            self._line.subscribe_again(self._now_ms)

    def _misfortunes_of(self, box: Box) -> None:
        faults, chance = self._faults, self._rng.random
        box.card.failure = faults.card_failure
        if chance() < faults.box_crash:
            box.start(self._now_ms, unset=chance() < 0.5)
        if chance() < faults.half_open:
            box.lose_the_line(self._now_ms + chance() * _DEAD_MS)
        if chance() < faults.card_full:
            box.card.fill()
            box.full_until_ms = self._now_ms + chance() * _AWAY_MS
        if self._now_ms >= box.full_until_ms:
            box.card.make_room()
        if chance() < faults.clock_jump:
            box.clock.jump()
        if chance() < faults.card_backup:
            self._cards = [*self._cards[-_COPIES:], box.card.copy()]
        if chance() < faults.card_restore and self._cards:
            self._put_back(box, self._rng.choice(self._cards).copy(), told=chance() < 0.5)

    def _put_back(self, box: Box, card: Card, *, told: bool) -> None:
        """What was captured since the copy is gone with the old card, unless it had been delivered."""
        self._delivered_and_gone |= box.card.receipted() & (box.card.captures - card.captures)
        box.swap_card(card, self._now_ms, told=told)

    def _calm(self) -> None:
        """Nothing goes wrong any more, but for what a hostile broker does."""
        self._line.calm = True
        self._ingest.kill_chance, self._ingest.full = 0.0, False
        for box in self._boxes:
            box.card.failure = 0.0
            box.card.make_room()

    # --- what came of it -----------------------------------------------------------------------------------

    @property
    def _restless(self) -> bool:
        return self._line.carried > _TOO_MANY

    def _waiting(self) -> int:
        return sum(box.card.waiting() for box in self._boxes)

    def _outcome(self) -> Outcome:
        store = self._ingest.store
        captured = set[bytes]().union(*(box.card.captures for box in self._boxes))
        # Of what was delivered from a card that is gone, a gateway that was put back has no other copy.
        must = captured if self._restores else captured | self._delivered_and_gone
        to_hold = set[bytes]().union(*(box.card.to_hold for box in self._boxes))
        sheets = Counter((epoch, lane, entry) for (epoch, lane, _), entry in store.rows.items() if lane == Lane.RESULTS)
        # Two copies of a card may queue a sheet anew in one epoch, each at its place; the report counts it once.
        in_an_epoch = 0 if self._faults.copies_of_cards else sheets.total() - len(sheets)
        return Outcome(
            captured=len(captured),
            lost=len(must - store.counted.keys()) + len(to_hold - store.held()),
            double=store.again + len(store.counted.keys() - self._tried) + in_an_epoch,
            unsettled=self._waiting() or int(self._restless),
            held=len(to_hold),
            epochs=sum(box.card.epochs() for box in self._boxes),
            messages=self._line.carried,
            restores=self._restores,
            untrue=self._untrue,
            misled=self._misled,
        )


def _now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never really waits."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waited")
