"""How documents come down: news that there are some, the offer of what is new, the wish for a part, the part. Pure.

The gateway's log gives every entry a place. A box says up to which place it was told (`Having`); the gateway offers
what stands after it; small bodies lie in the offer, of others the box wants part after part, and may stop anywhere.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from sync.down_bodies import MAX_BODY_BYTES
from sync.envelope import Challenge, Seq
from sync.errors import DECODING, MalformedEnvelope
from sync.lanes import INCARNATION_BYTES
from sync.records import Digest, Name
from sync.signed import MessageKind, open_signed, sign

MAX_OFFERED = 64
MAX_INLINE_BYTES = 1 << 10
MAX_OFFER_BYTES = 32 << 10
"""Of all bodies that lie in one offer: 4 s of a line of 64 kbit/s."""
PART_BYTES = 8 << 10
MAX_PACKED_BYTES = MAX_BODY_BYTES + (64 << 10)
"""zstd makes what cannot be packed a little larger."""

Incarnation = Annotated[bytes, Meta(min_length=INCARNATION_BYTES, max_length=INCARNATION_BYTES)]
Size = Annotated[int, Meta(ge=1, le=MAX_PACKED_BYTES)]
Count = Annotated[int, Meta(ge=0, lt=2**31)]


class Having(msgspec.Struct, frozen=True, array_like=True):
    """What a box was told: everything up to `place` of the log of the gateway of that incarnation (None: nothing).

    `chain` is the chain there. `waiting` entries up to there are on the way, and `refused` the box cannot use.
    """

    incarnation: Incarnation | None
    place: Seq
    chain: Digest
    waiting: Count
    refused: Count


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the log, without its body or (`inline`) with it. `size` and `digest` are of the packed body."""

    place: Annotated[int, Meta(ge=1, lt=2**53)]
    kind: Annotated[str, Meta(max_length=16)]
    key: Name
    content: Digest
    digest: Digest
    size: Size
    inline: Annotated[bytes, Meta(max_length=MAX_INLINE_BYTES)] | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What stands in the log after place `after`, where its chain is `before`, up to `through`, where it is `chain`.

    `last` is the last place of all.

    `anew`: the box was told of another log than this (another gateway's, or from before it was put back), and begins
    again. `challenge` repeats that of the hello.
    """

    incarnation: Incarnation
    challenge: Challenge
    after: Seq
    before: Digest
    through: Seq
    chain: Digest
    last: Seq
    anew: bool
    entries: Annotated[tuple[Entry, ...], Meta(max_length=MAX_OFFERED)]


class News(msgspec.Struct, frozen=True, array_like=True):
    """The log reaches up to `last`."""

    incarnation: Incarnation
    last: Seq


class Want(msgspec.Struct, frozen=True, array_like=True):
    """The box wants the part that begins at `offset` of the packed body at that place, of that digest."""

    place: Seq
    digest: Digest
    offset: Annotated[int, Meta(ge=0, le=MAX_PACKED_BYTES, multiple_of=PART_BYTES)]


class Part(msgspec.Struct, frozen=True, array_like=True):
    """The bytes from `offset` on: `PART_BYTES` of them, fewer at the end."""

    place: Seq
    digest: Digest
    offset: Annotated[int, Meta(ge=0, le=MAX_PACKED_BYTES, multiple_of=PART_BYTES)]
    body: Annotated[bytes, Meta(min_length=1, max_length=PART_BYTES)]


Downward = Offer | News | Part
_KINDS: dict[type[Downward], MessageKind] = {
    News: MessageKind.NEWS,
    Offer: MessageKind.OFFER,
    Part: MessageKind.PART,
}
_encoder = msgspec.msgpack.Encoder()
_news = msgspec.msgpack.Decoder(News)
_offer = msgspec.msgpack.Decoder(Offer)
_part = msgspec.msgpack.Decoder(Part)
_want = msgspec.msgpack.Decoder(Want)
T = TypeVar("T")


def encode_downward(message: Downward, *, school: str, box: str, key: bytes) -> bytes:
    """The bytes to publish on the box's `down` topic."""
    return sign(_KINDS[type(message)], _encoder.encode(message), key=key, school=school, box=box, channel="down")


def decode_downward(kind: int, body: bytes) -> Downward | None:
    """What an opened message of `down` says; None for a kind that is not of these. Raises `MalformedEnvelope`."""
    match kind:
        case MessageKind.NEWS:
            return _decoded(_news, body)
        case MessageKind.OFFER:
            return _in_order(_decoded(_offer, body))
        case MessageKind.PART:
            return _decoded(_part, body)
    return None


def encode_want(want: Want, *, school: str, box: str, key: bytes) -> bytes:
    """The bytes to publish on the box's `up` topic."""
    return sign(MessageKind.WANT, _encoder.encode(want), key=key, school=school, box=box, channel="up")


def is_want(message: bytes) -> bool:
    """Whether a message on `up` says that it is one. Its signature is not looked at."""
    return message[1:2] == bytes([MessageKind.WANT])


def decode_want(message: bytes, *, school: str, box: str, key: bytes) -> Want:
    """What came on `up`. Raises `BadSignature`, `FutureVersion`, `MalformedEnvelope`."""
    kind, body = open_signed(message, key=key, school=school, box=box, channel="up")
    if kind != MessageKind.WANT:
        raise MalformedEnvelope(f"kind {kind} where a wish belongs")
    return _decoded(_want, body)


def _decoded(decoder: msgspec.msgpack.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except DECODING as error:
        raise MalformedEnvelope(str(error)) from error


def _in_order(offer: Offer) -> Offer:
    places = [offer.after, *(entry.place for entry in offer.entries), offer.through + 1]
    if any(after >= place for after, place in pairwise(places)):
        raise MalformedEnvelope("the places of an offer do not grow")
    if any(entry.inline is not None and len(entry.inline) != entry.size for entry in offer.entries):
        raise MalformedEnvelope("a body in an offer has another size than it says")
    return offer
