"""What a box says of itself on its `state` topic: retained, with a will for when it is lost."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sync.clock import ClockReading
from sync.down_messages import Having
from sync.envelope import Challenge, Epoch
from sync.errors import DECODING, MalformedEnvelope
from sync.records import Name
from sync.signed import MessageKind, open_signed, sign

MAX_EPOCHS = 64


class BoxState(msgspec.Struct, frozen=True, kw_only=True):
    """Online or offline, the program's version, the epochs that the box wants receipts for, and its clock.

    `clock` is a reading of the moment in which it was said: a box that learns the time after its sheets were slid tells
    so even when no more sheets come. None from boxes that are older than this field.
    """

    school: str
    box: str
    online: bool
    software: str
    challenge: bytes
    epochs: tuple[bytes, ...]
    clock: ClockReading | None = None
    having: Having | None = None
    """What it was told of the gateway's documents; None for a box offline, or of a version that takes none."""


class _Body(msgspec.Struct, frozen=True, array_like=True):
    online: bool
    software: Name
    challenge: Challenge
    epochs: Annotated[tuple[Epoch, ...], Meta(max_length=MAX_EPOCHS)]
    clock: ClockReading | None = None
    having: Having | None = None


_decoder = msgspec.msgpack.Decoder(_Body)


def encode_box_state(state: BoxState, key: bytes) -> bytes:
    """The bytes to publish on `state`, signed with the box key. Only the latest 64 epochs fit."""
    body = _Body(state.online, state.software, state.challenge, state.epochs[-MAX_EPOCHS:], state.clock, state.having)
    return sign(
        MessageKind.STATE, msgspec.msgpack.encode(body), key=key, school=state.school, box=state.box, channel="state"
    )


def decode_box_state(message: bytes, *, school: str, box: str, key: bytes) -> BoxState:
    """What came on `state`. Raises `BadSignature`, `FutureVersion`, `MalformedEnvelope`."""
    kind, body = open_signed(message, key=key, school=school, box=box, channel="state")
    if kind != MessageKind.STATE:
        raise MalformedEnvelope(f"kind {kind} where a state belongs")
    try:
        parts = _decoder.decode(body)
    except DECODING as error:
        raise MalformedEnvelope(str(error)) from error
    return BoxState(
        school=school,
        box=box,
        online=parts.online,
        software=parts.software,
        challenge=parts.challenge,
        epochs=parts.epochs,
        clock=parts.clock,
        having=parts.having,
    )
