"""A batch of records of one box, epoch and lane with consecutive numbers, in one zstd frame, signed.

The topic names school and box, so the bytes need not. A record whose pupil was erased travels as its digest
alone: the chain holds, the content is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import zstandard
from msgspec import Meta

from sync.dictionaries import IDS, LEVEL, dictionary_of
from sync.errors import DECODING, FutureVersion, MalformedEnvelope
from sync.lanes import CHALLENGE_BYTES, EPOCH_BYTES, Lane, next_link, record_digest
from sync.records import MAX_RECORD_BYTES, Digest
from sync.signed import MessageKind, open_signed, sign

MAX_RECORDS = 1000
MAX_FRAME_BYTES = 4 << 20
"""What a frame may unpack to: four of the largest records."""
MAX_WINDOW_BYTES = 8 << 20
"""How far back a frame may look: twice what it may unpack to, which is what zstd's level 19 takes at most."""
SHORT_BYTES = 32 << 10
"""Unpacked. What is not longer is packed at zstd's level 19: a class of 45 (14 KB, packed to 3.3 KB) takes 4.7 ms of an
x86 core, 2.6 ms with a dictionary; level 9 0.6 ms, 4 % more bytes."""
LONG_LEVEL = 15
"""For a backlog: 500 sheets (155 KB) take 26 ms instead of 72, for 1.3 % more bytes; a dictionary saves nothing."""

Epoch = Annotated[bytes, Meta(min_length=EPOCH_BYTES, max_length=EPOCH_BYTES)]
Challenge = Annotated[bytes, Meta(min_length=CHALLENGE_BYTES, max_length=CHALLENGE_BYTES)]
Seq = Annotated[int, Meta(ge=0, lt=2**53)]


class Erased(msgspec.Struct, frozen=True, array_like=True):
    """A record whose payload was erased; its digest keeps the chain whole."""

    digest: Digest


Entry = Annotated[bytes, Meta(max_length=MAX_RECORD_BYTES)] | Erased


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Records `first_seq`, `first_seq` + 1, … of `(school, box, epoch, lane)`.

    `before` is the chain digest just before the first record. `challenge` is a number that the receipt
    repeats, so that the box can tell an answer from an echo of the past.
    """

    school: str
    box: str
    epoch: bytes
    lane: Lane
    first_seq: int
    before: bytes
    challenge: bytes
    entries: tuple[bytes | Erased, ...]

    @property
    def last_seq(self) -> int:
        """The number of the last record."""
        return self.first_seq + len(self.entries) - 1

    @property
    def unpacked_bytes(self) -> int:
        """The bytes of all entries together."""
        return sum(len(entry if isinstance(entry, bytes) else entry.digest) for entry in self.entries)

    def numbered(self) -> tuple[tuple[int, bytes | Erased], ...]:
        """Every entry with its number."""
        return tuple(enumerate(self.entries, self.first_seq))


class _Body(msgspec.Struct, frozen=True, array_like=True):
    epoch: Epoch
    lane: Lane
    first_seq: Annotated[int, Meta(ge=1, lt=2**53)]
    before: Digest
    challenge: Challenge
    frame: bytes


_encoder = msgspec.msgpack.Encoder()
_body = msgspec.msgpack.Decoder(_Body)
_entries = msgspec.msgpack.Decoder(Annotated[tuple[Entry, ...], Meta(min_length=1, max_length=MAX_RECORDS)])


def digest_of(entry: bytes | Erased) -> bytes:
    """The record digest of an entry."""
    return record_digest(entry) if isinstance(entry, bytes) else entry.digest


def chain_after(before: bytes, entries: Sequence[bytes | Erased]) -> bytes:
    """The chain digest after all entries."""
    for entry in entries:
        before = next_link(before, digest_of(entry))
    return before


def encode_envelope(envelope: Envelope, key: bytes, *, dictionary: int | None = None) -> bytes:
    """The bytes to publish on the box's `up` topic, signed with the box key (32 bytes).

    `dictionary` is one of `sync.dictionaries.IDS` that the gateway is known to have; only short envelopes use it.
    """
    body = _Body(
        envelope.epoch,
        envelope.lane,
        envelope.first_seq,
        envelope.before,
        envelope.challenge,
        _packed(_encoder.encode(envelope.entries), dictionary),
    )
    return sign(
        MessageKind.ENVELOPE, _encoder.encode(body), key=key, school=envelope.school, box=envelope.box, channel="up"
    )


def decode_envelope(message: bytes, *, school: str, box: str, key: bytes) -> Envelope:
    """The envelope that came on the `up` topic of that school and box.

    Raises `BadSignature`, `FutureVersion` (also for a dictionary that is not here), and `MalformedEnvelope` for
    anything that breaks the format or a limit; a frame is never unpacked beyond `MAX_FRAME_BYTES`.
    """
    kind, body = open_signed(message, key=key, school=school, box=box, channel="up")
    if kind != MessageKind.ENVELOPE:
        raise MalformedEnvelope(f"kind {kind} where an envelope belongs")
    try:
        parts = _body.decode(body)
        entries = _entries.decode(_unpacked(parts.frame))
    except (*DECODING, zstandard.ZstdError) as error:
        raise MalformedEnvelope(str(error)) from error
    return Envelope(
        school=school,
        box=box,
        epoch=parts.epoch,
        lane=parts.lane,
        first_seq=parts.first_seq,
        before=parts.before,
        challenge=parts.challenge,
        entries=entries,
    )


def _packed(entries: bytes, dictionary: int | None) -> bytes:
    short = len(entries) <= SHORT_BYTES
    return zstandard.ZstdCompressor(
        level=LEVEL if short else LONG_LEVEL,
        dict_data=dictionary_of(dictionary) if short and dictionary is not None else None,
        write_content_size=True,
    ).compress(entries)


def _unpacked(frame: bytes) -> bytes:
    # The decompressor believes the size in the frame's head before any limit of ours, so it is judged first.
    head = zstandard.get_frame_parameters(frame)
    if head.content_size > MAX_FRAME_BYTES:  # "unknown" is 2**64 - 1
        raise MalformedEnvelope("the frame does not say a size within the limit")
    if head.window_size > MAX_WINDOW_BYTES:
        raise MalformedEnvelope("the frame wants a larger window than the limit")
    if head.dict_id and head.dict_id not in IDS:
        raise FutureVersion("dictionary", head.dict_id)
    ready = dictionary_of(head.dict_id) if head.dict_id else None
    return zstandard.ZstdDecompressor(dict_data=ready).decompress(frame, allow_extra_data=False)
