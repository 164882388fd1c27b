"""The box's half of the protocol without any transport: which bytes to send next, what an answer means.

Time comes in as monotonic milliseconds, bytes go out; `sync.box_link` carries them over MQTT, a test through a
pipe that loses them. All that must survive a restart is in the outbox.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from sync.envelope import MAX_RECORDS, Envelope, encode_envelope
from sync.errors import WireError
from sync.lanes import CHALLENGE_BYTES, Lane
from sync.outbox import Outbox, Stream
from sync.receipts import Accept, AskAfresh, Judgement, NewEpoch, ResendFrom, open_down
from sync.state import BoxState, encode_box_state

_TURNS = (
    Lane.DOCUMENTS,
    Lane.RESULTS,
    Lane.DOCUMENTS,
    Lane.RESULTS,
    Lane.CROPS,
    Lane.DOCUMENTS,
    Lane.RESULTS,
    Lane.HEALTH,
)
"""Whose turn it is. A lane with nothing to send passes its turn on; none waits longer than one round."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes out at once, and when it goes again.

    An envelope that is not full waits while another of its lane is on the way, so that on a slow line records
    gather into one frame (Nagle's idea, RFC 896).
    """

    max_records: int = 100
    max_bytes: int = 64 << 10
    window: int = 4
    """Envelopes of one lane on the way at once."""
    resend_after_ms: int = 5_000
    resend_at_most_ms: int = 120_000


class Received(NamedTuple):
    """What a message from the gateway changed. `say_hello`: publish the state again, at once."""

    judgements: tuple[Judgement, ...] = ()
    say_hello: bool = False
    refused: WireError | None = None


@dataclass
class _Sent:
    first_seq: int
    last_seq: int
    due_ms: float
    tries: int


@dataclass
class _Flight:
    """What is on the way in one stream. Lost at a restart, and then simply sent again."""

    sent: list[_Sent] = field(default_factory=list)
    beyond: tuple[tuple[int, int], ...] = ()

    @property
    def cursor(self) -> int:
        return max((s.last_seq for s in self.sent), default=0)


class BoxSession:
    """One box's conversation with its gateway. Call it from one thread, inside the outbox's transactions."""

    def __init__(
        self,
        *,
        school: str,
        box: str,
        key: bytes,
        software: str,
        pace: Pace | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`key` is the box key; `chance` gives numbers in 0..1 that spread the resending of many boxes."""
        self._school, self._box, self._key, self._software = school, box, key, software
        self._pace = pace or Pace()
        self._chance = chance
        self._flights: dict[tuple[int, Lane], _Flight] = {}
        self._turn = 0

    def hello(self, outbox: Outbox) -> bytes:
        """The online message for `state`: the gateway answers with where each lane stands."""
        return self._state(online=True, challenge=outbox.challenge, epochs=outbox.epochs)

    def farewell(self) -> bytes:
        """The offline message for `state`, which is also the will."""
        return self._state(online=False, challenge=bytes(CHALLENGE_BYTES), epochs=())

    def reconnected(self, now_ms: float) -> None:
        """What was on the way may be lost: it goes again soon, unless the answer to the hello comes first."""
        for flight in self._flights.values():
            for sent in flight.sent:
                sent.due_ms = min(sent.due_ms, now_ms + self._pace.resend_after_ms / 2)
                sent.tries = 1

    def next_message(self, outbox: Outbox, now_ms: float) -> bytes | None:
        """The next envelope for `up`, or None when there is nothing to send now.

        It counts as sent; should the transport fail, it goes again when its time is up.
        """
        streams = [s for s in outbox.streams() if s.last_seq > s.proven]
        for offset in range(len(_TURNS)):
            lane = _TURNS[(self._turn + offset) % len(_TURNS)]
            for stream in streams:
                if stream.lane == lane and (message := self._from(stream, outbox, now_ms)) is not None:
                    self._turn = (self._turn + offset + 1) % len(_TURNS)
                    return message
        return None

    def wake_at_ms(self) -> float | None:
        """When the next envelope on the way has to go again, None when none is."""
        return min((s.due_ms for f in self._flights.values() for s in f.sent), default=None)

    def receive(self, outbox: Outbox, message: bytes) -> Received:
        """Judge what came on `down` and write it into the outbox. Never raises for bad bytes: see `refused`."""
        try:
            receipts = open_down(message, school=self._school, box=self._box, key=self._key)
        except WireError as error:
            return Received(refused=error)
        judgements = []
        for receipt in receipts or ():
            judgement = outbox.accept(receipt)
            judgements.append(judgement)
            match judgement:
                case Accept(mark, beyond, _):
                    self._prune(outbox, receipt.epoch, receipt.lane, mark, beyond)
                case ResendFrom():
                    self._forget(outbox, receipt.epoch, receipt.lane)
                case NewEpoch():
                    self._flights.clear()
        hello = any(isinstance(j, AskAfresh | NewEpoch) for j in judgements)
        return Received(tuple(judgements), say_hello=hello)

    def _from(self, stream: Stream, outbox: Outbox, now_ms: float) -> bytes | None:
        flight = self._flights.setdefault((stream.epoch_no, stream.lane), _Flight())
        flight.sent = [s for s in flight.sent if s.last_seq > stream.proven]
        for sent in sorted(flight.sent, key=lambda s: s.first_seq):
            if sent.due_ms <= now_ms:
                if any(first <= sent.first_seq and sent.last_seq <= last for first, last in flight.beyond):
                    sent.due_ms = now_ms + self._pace.resend_after_ms  # there already; the gap before it goes first
                    continue
                sent.tries += 1
                sent.due_ms = now_ms + self._patience_ms(sent.tries)
                first_seq = max(sent.first_seq, stream.proven + 1)
                return self._envelope(stream, outbox, first_seq, sent.last_seq - first_seq + 1)
        first_seq = max(flight.cursor, stream.proven) + 1
        unsent = stream.last_seq - first_seq + 1
        full = min(self._pace.max_records, MAX_RECORDS)
        if unsent <= 0 or len(flight.sent) >= self._pace.window or (flight.sent and unsent < full):
            return None
        entries = outbox.records(stream, first_seq=first_seq, max_records=full, max_bytes=self._pace.max_bytes)
        last_seq = first_seq + len(entries) - 1
        flight.sent.append(_Sent(first_seq, last_seq, now_ms + self._patience_ms(1), 1))
        return self._envelope(stream, outbox, first_seq, len(entries))

    def _envelope(self, stream: Stream, outbox: Outbox, first_seq: int, count: int) -> bytes:
        before = outbox.chain_at(stream.lane, first_seq - 1, epoch=stream.epoch)
        assert before is not None
        envelope = Envelope(
            school=self._school,
            box=self._box,
            epoch=stream.epoch,
            lane=stream.lane,
            first_seq=first_seq,
            before=before,
            challenge=outbox.challenge,
            entries=outbox.records(stream, first_seq=first_seq, max_records=count),
        )
        return encode_envelope(envelope, self._key)

    def _patience_ms(self, tries: int) -> float:
        wait = min(self._pace.resend_after_ms * 2.0 ** (tries - 1), self._pace.resend_at_most_ms)
        return wait * (0.8 + 0.4 * self._chance())

    def _prune(self, outbox: Outbox, epoch: bytes, lane: Lane, mark: int, beyond: tuple[tuple[int, int], ...]) -> None:
        for stream in outbox.streams():
            if stream.epoch == epoch and stream.lane == lane:
                flight = self._flights.setdefault((stream.epoch_no, lane), _Flight())
                flight.sent = [s for s in flight.sent if s.last_seq > mark]
                flight.beyond = beyond

    def _forget(self, outbox: Outbox, epoch: bytes, lane: Lane) -> None:
        for stream in outbox.streams():
            if stream.epoch == epoch and stream.lane == lane:
                self._flights.pop((stream.epoch_no, lane), None)

    def _state(self, *, online: bool, challenge: bytes, epochs: tuple[bytes, ...]) -> bytes:
        state = BoxState(
            school=self._school,
            box=self._box,
            online=online,
            software=self._software,
            challenge=challenge,
            epochs=epochs,
        )
        return encode_box_state(state, self._key)
