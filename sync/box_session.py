"""The box's half of the protocol without any transport: which bytes to send next, what an answer means.

Time comes in as monotonic milliseconds, bytes go out; `sync.box_link` carries them over MQTT, a test through a
pipe that loses them. All that must survive a restart is in the outbox.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from sync.allowance import Restraint
from sync.budget import Budget
from sync.clock import Clock
from sync.down_messages import Having, decode_downward, encode_want
from sync.downward import DownwardSession
from sync.envelope import MAX_RECORDS, Envelope, Erased, encode_envelope
from sync.errors import WireError
from sync.greeting import Greeting, decode_greeting
from sync.lanes import CHALLENGE_BYTES, Lane
from sync.outbox import Outbox, Stream
from sync.receipts import Accept, AskAfresh, Judgement, NewEpoch, ResendFrom, decode_receipts
from sync.signed import MAX_MESSAGE_BYTES, MessageKind, open_signed
from sync.state import MAX_EPOCHS, BoxState, encode_box_state

_GREETING = "greeting"
_SMALL_DOCUMENT_BYTES = 8 << 10
"""An assignment or a layout has a few kilobytes and packs to some hundred bytes; without it results have no names."""
_SPARING_EVERY_MS = 900_000
"""So long results gather once a month's data is used up, unless an envelope is full before."""

_AROUND_RECORDS_BYTES = 4096
"""What stands round the records of an envelope, and what zstd may add where it finds nothing to pack."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes out at once, and when it goes again.

    An envelope that is not full waits while another of its lane is on the way, so that on a slow line records
    gather into one frame (Nagle's idea, RFC 896). With a long backlog the envelopes grow to five times
    `max_records`, so that a term needs few round trips.
    """

    max_records: int = 100
    max_bytes: int = 128 << 10
    """Unpacked. Results pack to about a quarter."""
    max_crop_bytes: int = 16 << 10
    """Of crops, which do not pack: what is urgent waits for no more than 2 s of a line of 64 kbit/s behind them."""
    window: int = 4
    """Envelopes of one lane on the way at once."""
    gather_ms: int = 0
    """After an envelope that was not full the next such one of its lane goes out so much later at the earliest. While a
    stack is slid, a sheet a second, sheets so share an envelope: each one costs gateway, database, broker and line as
    much as some sheets in it. What comes after a quiet time goes at once, and waits for nothing that may never come:
    so a page at the school shows the first sheet soon, and no sheet later than this. Documents do not gather: without
    them results have no names."""
    resend_after_ms: int = 5_000
    resend_at_most_ms: int = 120_000


class Outgoing(NamedTuple):
    """An envelope whose turn it is. `acknowledged` wants its ticket when the broker has it.

    `dictionary` is what it may be packed with.
    """

    ticket: int
    envelope: Envelope
    dictionary: int | None = None


class Received(NamedTuple):
    """What a message from the gateway changed.

    `say_hello`: publish the state again, at once. `greeting`: what the gateway says that it reads. `downward`: it was
    about documents, so there may be some to put in their places, and others to want.
    """

    judgements: tuple[Judgement, ...] = ()
    say_hello: bool = False
    downward: bool = False
    refused: WireError | None = None
    greeting: Greeting | None = None


@dataclass
class _Sent:
    first_seq: int
    last_seq: int
    ticket: int
    """Tickets grow: of two envelopes, the one with the larger went out later."""
    tries: int = 1
    due_ms: float = math.inf
    """When it goes again. Not before the PUBACK: until then it is in the line's hands, and a copy would only follow."""
    unheard: bool = False
    """The broker said that nobody listens."""
    aside: bool = False
    """The broker does not take it. It waits for another line, and nothing waits for it."""


@dataclass
class _Flight:
    """What is on the way in one stream. Lost at a restart, and then simply sent again."""

    sent: list[_Sent] = field(default_factory=list)
    beyond: tuple[tuple[int, int], ...] = ()

    @property
    def moving(self) -> list[_Sent]:
        """Without what is set aside."""
        return [s for s in self.sent if not s.aside]

    @property
    def cursor(self) -> int:
        return max((s.last_seq for s in self.sent), default=0)

    def arrived(self, sent: _Sent) -> bool:
        """Whether the gateway has it already, beyond a gap."""
        return any(first <= sent.first_seq and sent.last_seq <= last for first, last in self.beyond)


def latest_greeting(outbox: Outbox) -> Greeting | None:
    """What the gateway said last that it reads; None for one that greets nobody, or that nobody has heard yet."""
    kept = outbox.noted(_GREETING)
    try:
        return None if kept is None else decode_greeting(kept)
    except WireError:  # a newer program wrote it into this card
        return None


def _dictionary(outbox: Outbox, sent: _Sent) -> int | None:
    """What an envelope is packed with. What goes again goes plain: perhaps that is why it did not arrive."""
    greeting = latest_greeting(outbox) if sent.tries == 1 else None
    return None if greeting is None else greeting.dictionary


class BoxSession:
    """One box's conversation with its gateway. Call it from one thread, inside the outbox's transactions."""

    def __init__(
        self,
        *,
        school: str,
        box: str,
        key: bytes,
        software: str,
        takes_documents: bool = False,
        pace: Pace | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`key` is the box key; each hello tells what `clock` says, where there is one.

        `takes_documents`: what comes down is settled (`DownwardSession.settle`). `chance` gives numbers in 0..1 that
        spread the resending of many boxes.
        """
        self._school, self._box, self._key, self._software = school, box, key, software
        self._pace = pace or Pace()
        self._clock = clock
        self._chance = chance
        self._flights: dict[tuple[int, Lane], _Flight] = {}
        self._budget = Budget()
        self._tickets = 0
        self._gathered_ms: dict[Lane, float] = {}
        """When an envelope that was not full went out last."""
        self._gathers_until_ms = math.inf
        self.restraint = Restraint.NONE
        """What the line may still carry this month; set by whoever counts it."""
        self._answered = self._greeted = False
        self._largest_bytes = MAX_MESSAGE_BYTES
        self._strain, self._quiet_until_ms = 0, -math.inf
        self._takes_documents = takes_documents
        self.downward = DownwardSession(reader=hashlib.blake2b(software.encode(), key=key, digest_size=16).digest())

    def hello(self, outbox: Outbox) -> bytes:
        """The online message for `state`: the gateway answers where the latest epochs stand, and what it reads."""
        return self.hellos(outbox)[-1]

    def hellos(self, outbox: Outbox) -> tuple[bytes, ...]:
        """The online messages for `state` that together name every epoch, the latest in the last one.

        A card that was cloned or put back very often has more epochs than one message holds, and each may have been
        lost by a gateway that was put back. The last one also says which documents the box was told of.
        """
        self.heard_out(outbox)
        epochs, challenge = outbox.epochs, outbox.challenge
        having = self.downward.opened(outbox.inbox).having() if self._takes_documents else None
        ends = range(len(epochs), 0, -MAX_EPOCHS)
        *older, latest = [epochs[max(0, end - MAX_EPOCHS) : end] for end in reversed(ends)]
        return (
            *(self._state(online=True, challenge=challenge, epochs=part) for part in older),
            self._state(online=True, challenge=challenge, epochs=latest, having=having),
        )

    def heard_out(self, outbox: Outbox) -> None:
        """Conclude from all that was heard since the last hello.

        A gateway that answered and did not greet is an older program than the one that once did.
        """
        if self._answered and not self._greeted:
            outbox.note(_GREETING, None)
        self._answered = self._greeted = False

    def farewell(self) -> bytes:
        """The offline message for `state`, which is also the will."""
        return self._state(online=False, challenge=bytes(CHALLENGE_BYTES), epochs=())

    def reconnected(self, now_ms: float, *, largest_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """What was on the way may be lost: it goes again soon, unless the answer to the hello comes first.

        `largest_bytes` is what the broker takes in one message: records that would make more go in several.
        """
        if largest_bytes < self._largest_bytes:
            self._flights.clear()  # it was cut for a broker that takes more
        self._largest_bytes = largest_bytes
        self._strain, self._quiet_until_ms = 0, -math.inf
        for sent in self._on_the_way():
            sent.due_ms = min(sent.due_ms, now_ms + self._pace.resend_after_ms / 2)
            sent.tries, sent.aside = 1, False
        self.downward.reconnected()

    def next_envelope(self, outbox: Outbox, now_ms: float) -> Outgoing | None:
        """The next envelope for `up`, or None when there is nothing to send now.

        It counts as on the way: it goes again when no receipt came for a while after `acknowledged`, when something
        that went out later has arrived without it, or after `reconnected`.
        """
        self._gathers_until_ms = math.inf
        if now_ms < self._quiet_until_ms:
            return None
        streams = outbox.unproven()
        for lane in filter(self._goes, self._budget.order()):
            for stream in streams:
                if stream.lane == lane and (sent := self._due(stream, outbox, now_ms)) is not None:
                    return Outgoing(sent.ticket, self._envelope(stream, outbox, sent), _dictionary(outbox, sent))
        return None

    def encoded(self, outgoing: Outgoing) -> bytes:
        """The bytes to publish, which the lane pays for. Packing takes long: do it outside the outbox's transaction."""
        message = encode_envelope(outgoing.envelope, self._key, dictionary=outgoing.dictionary)
        self._budget.spend(outgoing.envelope.lane, len(message))
        return message

    def acknowledged(self, ticket: int, now_ms: float, *, heard: bool = True) -> None:
        """The broker has the envelope of that ticket: from now on a receipt is waited for.

        Not `heard`: it says that nobody listens. Then the next try has time, until somebody is heard.
        """
        self._strain = 0
        for sent in self._of(ticket):
            sent.unheard = not heard
            wait_ms = self._patience_ms(sent.tries) if heard else self._spread(self._pace.resend_at_most_ms)
            sent.due_ms = now_ms + wait_ms

    def overloaded(self, ticket: int, now_ms: float) -> None:
        """The broker wants less: nothing goes out for a while, which doubles as long as it says so."""
        if now_ms >= self._quiet_until_ms:  # of several answers that came together the first counts
            self._strain += 1
            self._quiet_until_ms = now_ms + self._patience_ms(self._strain)
        for sent in self._of(ticket):
            sent.due_ms = self._quiet_until_ms

    def refused(self, ticket: int, _now_ms: float) -> None:
        """The broker does not take that envelope: it waits for the next connection, and nothing waits for it."""
        for sent in self._of(ticket):
            sent.due_ms, sent.aside = math.inf, True

    def next_message(self, outbox: Outbox, now_ms: float) -> bytes | None:
        """The next envelope as bytes, for a pipe that acknowledges everything at once."""
        outgoing = self.next_envelope(outbox, now_ms)
        if outgoing is None:
            return None
        self.acknowledged(outgoing.ticket, now_ms)
        return self.encoded(outgoing)

    def next_want(self, outbox: Outbox, now_ms: float) -> bytes | None:
        """The next wish for `up`, or None when there is none to send now."""
        little = self.restraint >= Restraint.RESULTS_FIRST
        self.downward.largest_bytes = _SMALL_DOCUMENT_BYTES if little else None
        want = self.downward.next_want(outbox.inbox, now_ms)
        return None if want is None else encode_want(want, school=self._school, box=self._box, key=self._key)

    def wake_at_ms(self) -> float | None:
        """When the next envelope has to go again, or goes because what `next_envelope` left has gathered long enough.

        None when there is none, or only the line has them.
        """
        lanes = {lane for lane in Lane if self._goes(lane)}
        if self.restraint >= Restraint.RESULTS_FIRST:
            lanes.discard(Lane.DOCUMENTS)  # one that is too large is due for the rest of the month
        due_ms = min(
            (s.due_ms for (_, lane), f in self._flights.items() if lane in lanes for s in f.sent), default=math.inf
        )
        due_ms = min(due_ms, self._gathers_until_ms)
        return None if due_ms == math.inf else max(due_ms, self._quiet_until_ms)

    def receive(self, outbox: Outbox, message: bytes) -> Received:
        """Judge what came on `down` and write it into the outbox. Never raises for bad bytes: see `refused`."""
        try:
            kind, body = open_signed(message, key=self._key, school=self._school, box=self._box, channel="down")
            if kind == MessageKind.GREETING:
                return self._be_greeted(outbox, decode_greeting(body), body)
            downward = decode_downward(kind, body) if self._takes_documents else None
            if downward is not None:
                return Received(say_hello=self.downward.heard(outbox.inbox, downward), downward=True)
            if kind != MessageKind.RECEIPTS:
                return Received()
            receipts = decode_receipts(body)
        except WireError as error:
            return Received(refused=error)
        self._answered = True
        judgements = []
        for sent in self._on_the_way():  # somebody is there now, and knows nothing of these
            if sent.unheard:
                sent.unheard, sent.due_ms = False, -math.inf
        for receipt in receipts:
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

    def _be_greeted(self, outbox: Outbox, greeting: Greeting, body: bytes) -> Received:
        """Remember what the gateway reads, unless that was said to an older question (D7)."""
        if greeting.challenge != outbox.challenge:
            return Received()
        outbox.note(_GREETING, body)
        self._greeted = True
        return Received(greeting=greeting)

    def _on_the_way(self) -> Iterator[_Sent]:
        return (sent for flight in self._flights.values() for sent in flight.sent)

    def _of(self, ticket: int) -> Iterator[_Sent]:
        return (sent for sent in self._on_the_way() if sent.ticket == ticket)

    def _due(self, stream: Stream, outbox: Outbox, now_ms: float) -> _Sent | None:
        """What of a stream goes out now: what has to go again, else what never went."""
        flight = self._flights.setdefault((stream.epoch_no, stream.lane), _Flight())
        flight.sent = [s for s in flight.sent if s.last_seq > stream.proven]
        if min((s.first_seq for s in flight.sent), default=0) > stream.proven + 1:
            # What a receipt covered is not on the way any more, and its transaction did not commit: begin again there.
            flight.sent.clear()
        for sent in sorted(flight.sent, key=lambda s: s.first_seq):
            if sent.due_ms > now_ms or not self._fits(stream, outbox, max(sent.first_seq, stream.proven + 1)):
                continue
            if flight.arrived(sent):
                sent.due_ms = now_ms + self._pace.resend_after_ms  # there already; the gap before it goes first
                continue
            sent.ticket, sent.due_ms = self._ticket(), math.inf
            sent.tries += 1
            return sent
        first_seq = max(flight.cursor, stream.proven) + 1
        unsent = stream.last_seq - first_seq + 1
        full = min(max(self._pace.max_records, unsent // 8), 5 * self._pace.max_records, MAX_RECORDS)
        moving = flight.moving
        if unsent <= 0 or len(moving) >= self._pace.window or (moving and unsent < full):
            return None
        if not self._fits(stream, outbox, first_seq) or (unsent < full and self._gathers(stream.lane, now_ms)):
            return None
        flight.sent.append(_Sent(first_seq, first_seq + min(full, unsent) - 1, self._ticket()))
        return flight.sent[-1]

    def _goes(self, lane: Lane) -> bool:
        """Whether a lane has a part in what the line may still carry this month."""
        stops = {Lane.CROPS: Restraint.NO_CROPS, Lane.HEALTH: Restraint.RESULTS_FIRST}
        return self.restraint < stops.get(lane, Restraint.SILENT)

    def _fits(self, stream: Stream, outbox: Outbox, seq: int) -> bool:
        """Whether a record is not too large for what the line may still carry."""
        if stream.lane is not Lane.DOCUMENTS or self.restraint < Restraint.RESULTS_FIRST:
            return True
        (entry,) = outbox.records(stream, first_seq=seq, max_records=1)
        return isinstance(entry, Erased) or len(entry) <= _SMALL_DOCUMENT_BYTES

    def _gathers(self, lane: Lane, now_ms: float) -> bool:
        """Whether what is not a whole envelope waits for more of its kind."""
        every_ms = 0 if lane is Lane.DOCUMENTS else self._pace.gather_ms
        if self.restraint >= Restraint.SPARING:
            every_ms = _SPARING_EVERY_MS
        until_ms = self._gathered_ms.get(lane, -math.inf) + every_ms
        if now_ms < until_ms:
            self._gathers_until_ms = min(self._gathers_until_ms, until_ms)
            return True
        self._gathered_ms[lane] = now_ms
        return False

    def _ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def _envelope(self, stream: Stream, outbox: Outbox, sent: _Sent) -> Envelope:
        first_seq = max(sent.first_seq, stream.proven + 1)
        before = outbox.chain_at(stream.lane, first_seq - 1, epoch=stream.epoch)
        assert before is not None
        most = self._pace.max_bytes
        if stream.lane is Lane.CROPS:
            most = min(most, self._pace.max_crop_bytes)
        if stream.lane is Lane.DOCUMENTS and self.restraint >= Restraint.RESULTS_FIRST:
            most = min(most, _SMALL_DOCUMENT_BYTES)
        entries = outbox.records(
            stream,
            first_seq=first_seq,
            max_records=sent.last_seq - first_seq + 1,
            max_bytes=min(most, max(1, self._largest_bytes - _AROUND_RECORDS_BYTES)),
        )
        last_seq = first_seq + len(entries) - 1  # fewer, when they are large; no fewer when it goes again
        if last_seq < sent.last_seq:
            self._gathered_ms.pop(stream.lane, None)  # it is full, by its bytes: the rest need not gather
        sent.last_seq = last_seq
        return Envelope(
            school=self._school,
            box=self._box,
            epoch=stream.epoch,
            lane=stream.lane,
            first_seq=first_seq,
            before=before,
            challenge=outbox.challenge,
            entries=entries,
        )

    def _patience_ms(self, tries: int) -> float:
        return self._spread(min(self._pace.resend_after_ms * 2.0 ** (tries - 1), self._pace.resend_at_most_ms))

    def _spread(self, wait_ms: float) -> float:
        return wait_ms * (0.8 + 0.4 * self._chance())

    def _prune(self, outbox: Outbox, epoch: bytes, lane: Lane, mark: int, beyond: tuple[tuple[int, int], ...]) -> None:
        stream = outbox.stream(epoch, lane)
        if stream is None:
            return
        flight = self._flights.setdefault((stream.epoch_no, lane), _Flight())
        flight.sent = [s for s in flight.sent if s.last_seq > mark]
        flight.beyond = beyond
        # What went out before something that has arrived, and is not there itself, was lost on the way.
        newest = max((s.ticket for s in flight.sent if flight.arrived(s)), default=0)
        for sent in flight.sent:
            if sent.ticket < newest and not sent.aside and not flight.arrived(sent):
                sent.due_ms = -math.inf

    def _forget(self, outbox: Outbox, epoch: bytes, lane: Lane) -> None:
        stream = outbox.stream(epoch, lane)
        if stream is not None:
            self._flights.pop((stream.epoch_no, lane), None)

    def _state(
        self, *, online: bool, challenge: bytes, epochs: tuple[bytes, ...], having: Having | None = None
    ) -> bytes:
        state = BoxState(
            school=self._school,
            box=self._box,
            online=online,
            software=self._software,
            challenge=challenge,
            epochs=epochs,
            clock=self._clock.read() if self._clock is not None and online else None,
            having=having,
        )
        return encode_box_state(state, self._key)
