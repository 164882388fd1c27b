"""Receipts: what the gateway has committed, and what a box may conclude from it. Pure.

A PUBACK is not delivery: a broker forgets what it acknowledged. So the gateway says, from within the
transaction that committed, up to which number it has everything (`mark`) and the digest of the chain of records
there. The box compares that digest with its own, and only then counts the records as received.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from sync.envelope import Challenge, Envelope, Epoch, Erased, Seq, chain_after, digest_of
from sync.errors import DECODING, MalformedEnvelope
from sync.lanes import INCARNATION_BYTES, Lane, first_link, next_link
from sync.records import Digest
from sync.signed import MessageKind, open_signed, sign

MAX_BEYOND = 64
MAX_BEYOND_KEPT = 4096
"""How far beyond a gap records are taken: more than a box has on the way, and a bound on a lane's state."""
MAX_HELD = 4096
MAX_RECEIPTS = 256

Range = tuple[Seq, Seq]
"""First and last number, both inclusive."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one gateway has of one (box, epoch, lane).

    `mark`: every record up to it is committed; `chain`: the chain digest there. `beyond`: ranges that came
    after a gap, told only so that they need not be sent again at once. `held`: records up to the mark that
    are kept as raw bytes until somebody decides; the box keeps them and their pictures. `incarnation` names
    the gateway's store and changes when it is restored. `challenge` repeats that of the message answered.
    """

    epoch: Epoch
    lane: Lane
    incarnation: Annotated[bytes, Meta(min_length=INCARNATION_BYTES, max_length=INCARNATION_BYTES)]
    challenge: Challenge
    mark: Seq
    chain: Digest
    beyond: Annotated[tuple[Range, ...], Meta(max_length=MAX_BEYOND)] = ()
    held: Annotated[tuple[Range, ...], Meta(max_length=MAX_HELD)] = ()


class LaneState(msgspec.Struct, frozen=True, array_like=True):
    """What a gateway must remember of one (school, box, epoch, lane), in the store and in the same transaction.

    `beyond` holds number and digest of records that came after a gap, ascending. `held` are ranges, `MAX_HELD` at most:
    beyond that they also cover what lies between, since a box may keep too much, never too little.
    """

    mark: int
    chain: bytes
    beyond: tuple[tuple[int, bytes], ...] = ()
    held: tuple[tuple[int, int], ...] = ()


class Advance(NamedTuple):
    """What an envelope changes. `new` is to be stored in the transaction that also stores `state`.

    `conflicting` is not empty when the envelope belongs to another history than the gateway's (a cloned card,
    a restored ledger): those records are not taken, and a receipt, this or a next one, makes the box open a
    new epoch and send them again. They may be kept for the audit.
    """

    new: tuple[tuple[int, bytes | Erased], ...]
    state: LaneState
    receipt: Receipt
    conflicting: tuple[tuple[int, bytes | Erased], ...] = ()
    digests: Mapping[int, bytes] = {}
    """Of the entries that are `new`, by their numbers."""


def new_lane_state(epoch: bytes, lane: Lane) -> LaneState:
    """The state of a lane of which nothing came yet."""
    return LaneState(mark=0, chain=first_link(epoch, lane))


def encode_state(state: LaneState) -> bytes:
    """The state as bytes for the gateway's store."""
    return msgspec.msgpack.encode(state)


def decode_state(stored: bytes) -> LaneState:
    """What `encode_state` wrote."""
    return msgspec.msgpack.decode(stored, type=LaneState)


def advance(state: LaneState, envelope: Envelope, *, incarnation: bytes, held: Collection[int] = ()) -> Advance:
    """The state and the receipt after an envelope, and which of its records are new.

    Records more than `MAX_BEYOND_KEPT` beyond the mark are not taken and not receipted: they come again when the
    gap before them is closed. `held` are the numbers of those records in the envelope that cannot be taken in yet.
    Idempotent: the same envelope again has nothing new and changes nothing. Commit `new` and `state` together, then
    publish the receipt.
    """
    if not _same_history(state, envelope):
        conflict = tuple((seq, entry) for seq, entry in envelope.numbered() if seq > state.mark) or envelope.numbered()
        return Advance((), state, receipt_of(state, envelope, incarnation), conflict)
    beyond, entries = dict(state.beyond), envelope.numbered()
    differs = [seq for seq, entry in entries if seq in beyond and beyond[seq] != digest_of(entry)]
    # What leads up to a conflict is taken in: so the mark reaches it, and its chain tells the box to leave.
    conflict_at = min(differs, default=envelope.last_seq + 1)
    conflict = tuple([(seq, entry) for seq, entry in entries if seq >= conflict_at])
    end = min(conflict_at, state.mark + MAX_BEYOND_KEPT + 1)
    new = tuple([(seq, entry) for seq, entry in entries if state.mark < seq < end and seq not in beyond])
    digests = {seq: digest_of(entry) for seq, entry in new}
    beyond |= digests
    mark, chain = state.mark, state.chain
    while mark + 1 in beyond:
        mark += 1
        chain = next_link(chain, beyond.pop(mark))
    newly_held = digests.keys() & set(held)
    after = LaneState(
        mark=mark,
        chain=chain,
        beyond=tuple(sorted(beyond.items())),
        held=_coarser(_merged((*state.held, *((seq, seq) for seq in newly_held)))) if newly_held else state.held,
    )
    return Advance(new, after, receipt_of(after, envelope, incarnation), conflict, digests)


def with_held(state: LaneState, seqs: Iterable[int]) -> LaneState:
    """The state after held records were decided; `seqs` are those still held. The next receipt tells the box."""
    return msgspec.structs.replace(state, held=_coarser(_ranges(seqs)))


def receipt_of(state: LaneState, asked: Envelope | Receipt, incarnation: bytes) -> Receipt:
    """The receipt that a state amounts to, in answer to an envelope."""
    return standing(state, epoch=asked.epoch, lane=asked.lane, incarnation=incarnation, challenge=asked.challenge)


def standing(state: LaneState, *, epoch: bytes, lane: Lane, incarnation: bytes, challenge: bytes) -> Receipt:
    """The receipt of a lane without any envelope: what a box is told when it says hello."""
    held = tuple((first, min(last, state.mark)) for first, last in state.held if first <= state.mark)
    return Receipt(
        epoch=epoch,
        lane=lane,
        incarnation=incarnation,
        challenge=challenge,
        mark=state.mark,
        chain=state.chain,
        beyond=_ranges(seq for seq, _ in state.beyond)[:MAX_BEYOND],
        held=_coarser(held),  # a state of version 0.1 may have more
    )


class Accept(NamedTuple):
    """The gateway has everything up to `mark`; `beyond` need not be sent again yet; `held` stays undecided."""

    mark: int
    beyond: tuple[tuple[int, int], ...]
    held: tuple[tuple[int, int], ...]


class NewEpoch(NamedTuple):
    """The histories differ: what comes after `after` is unproven and goes again under a new epoch."""

    after: int


class ResendFrom(NamedTuple):
    """The gateway has less than it once had (it was restored): everything after `mark` goes again."""

    mark: int
    held: tuple[tuple[int, int], ...]


class AskAfresh(NamedTuple):
    """The receipt says less than was proven, and may be old: ask with a fresh challenge before believing it."""


class Ignore(NamedTuple):
    """Nothing follows from it."""

    why: str


Judgement = Accept | NewEpoch | ResendFrom | AskAfresh | Ignore


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """What a box knows of one of its (epoch, lane) when a receipt for it comes.

    `closed`: a later epoch took its place. `chain_at_mark` is the box's own chain digest at the receipt's mark,
    None when it never got that far. Challenges are numbered from 1 in the order in which the box made them:
    `answers` is that of the receipt's (0: none that the box knows), `proven_under` that in force when the proof last
    moved (0: never, or long ago), `believed_from` the first one made since the lane was turned back (0: never was).
    """

    closed: bool
    last_seq: int
    proven: int
    chain_at_mark: bytes | None
    incarnation: bytes | None
    answers: int
    proven_under: int
    believed_from: int


def judge(receipt: Receipt, view: LaneView | None) -> Judgement:
    """What a box concludes. `view` is None when it has no such epoch.

    A receipt that says less than was proven, or comes from another incarnation, is believed only when it
    answers a challenge that is younger than the proof: a late or replayed receipt cannot. Once a lane was turned
    back, nothing counts that the gateway may have said before it lost what it had.
    """
    if view is None:
        return Ignore("another epoch")
    if view.answers < view.believed_from:
        return Ignore("said before the lane was turned back")
    same_gateway = receipt.incarnation == view.incarnation
    if view.chain_at_mark != receipt.chain:
        after = view.proven if same_gateway else 0
        if view.closed and after == view.last_seq:
            return Ignore("a closed epoch, in which another copy of this card goes on")
        return NewEpoch(after)
    first = view.incarnation is None
    if not first and (not same_gateway or receipt.mark < view.proven):
        if view.answers <= view.proven_under:
            return AskAfresh()
        if receipt.mark < view.proven:
            return ResendFrom(receipt.mark, receipt.held)
    return Accept(receipt.mark, receipt.beyond, receipt.held)


def encode_receipts(receipts: Collection[Receipt], *, school: str, box: str, key: bytes) -> bytes:
    """The bytes to publish on the box's `down` topic, at most `MAX_RECEIPTS` of them."""
    body = msgspec.msgpack.encode(tuple(receipts))
    return sign(MessageKind.RECEIPTS, body, key=key, school=school, box=box, channel="down")


def decode_receipts(body: bytes) -> tuple[Receipt, ...]:
    """The receipts of an opened message. Raises `MalformedEnvelope`."""
    try:
        return _receipts.decode(body)
    except DECODING as error:
        raise MalformedEnvelope(str(error)) from error


def open_down(message: bytes, *, school: str, box: str, key: bytes) -> tuple[Receipt, ...] | None:
    """The receipts that came on `down`; None for a kind of message that this program does not know.

    Raises `BadSignature`, `FutureVersion`, `MalformedEnvelope`.
    """
    kind, body = open_signed(message, key=key, school=school, box=box, channel="down")
    return decode_receipts(body) if kind == MessageKind.RECEIPTS else None


_receipts: msgspec.msgpack.Decoder[tuple[Receipt, ...]] = msgspec.msgpack.Decoder(
    Annotated[tuple[Receipt, ...], Meta(max_length=MAX_RECEIPTS)]
)


def _same_history(state: LaneState, envelope: Envelope) -> bool:
    """Whether the envelope continues what the gateway has up to the mark, as far as can be told."""
    known = state.mark - envelope.first_seq + 1
    if not 0 <= known <= len(envelope.entries):
        return True  # a gap before it, or all of it long known: the chain at the mark will tell the box
    return chain_after(envelope.before, envelope.entries[:known]) == state.chain


def _ranges(seqs: Iterable[int]) -> tuple[tuple[int, int], ...]:
    return _merged((seq, seq) for seq in seqs)


def _merged(parts: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    ranges: list[tuple[int, int]] = []
    for first, last in sorted(parts):
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(last, ranges[-1][1]))
        else:
            ranges.append((first, last))
    return tuple(ranges)


def _coarser(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """At most `MAX_HELD` ranges that cover all of `ranges`."""
    if len(ranges) <= MAX_HELD:
        return ranges
    return (*ranges[: MAX_HELD - 1], (ranges[MAX_HELD - 1][0], ranges[-1][1]))
