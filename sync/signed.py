"""The signature round every message: version, kind, body, tag.

`byte version (1) · byte kind · body · 16 bytes BLAKE2b keyed with the box key`. The tag covers all of it and
the channel and the names of school and box, so that a message cannot pass for another's or go the other way.
A symmetric key: box and gateway trust each other; what is between them can delay, but not forge.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum

from sync.errors import BadSignature, FutureVersion, MalformedEnvelope
from sync.topics import Channel, topic

VERSION = 1
KEY_BYTES = 32
TAG_BYTES = 16
MAX_MESSAGE_BYTES = 2 << 20


class MessageKind(IntEnum):
    """What a message is. Kinds are only ever appended; a receiver drops what it does not know."""

    ENVELOPE = 1
    STATE = 2
    RECEIPTS = 3
    GREETING = 4
    NEWS = 5
    OFFER = 6
    WANT = 7
    PART = 8


def sign(kind: MessageKind, body: bytes, *, key: bytes, school: str, box: str, channel: Channel) -> bytes:
    """The message to publish on that channel."""
    head = bytes([VERSION, kind]) + body
    return head + _tag(head, key, topic(school, box, channel))


def open_signed(message: bytes, *, key: bytes, school: str, box: str, channel: Channel) -> tuple[int, bytes]:
    """Kind and body of a message that came on that channel.

    Raises `MalformedEnvelope` (too short, too long), `FutureVersion` and `BadSignature`. Nothing of the body
    is looked at before the signature holds.
    """
    if not 2 + TAG_BYTES <= len(message) <= MAX_MESSAGE_BYTES:
        raise MalformedEnvelope(f"{len(message)} bytes")
    if message[0] > VERSION:
        raise FutureVersion("message", message[0])
    if message[0] != VERSION:
        raise MalformedEnvelope(f"version {message[0]}")
    head, tag = message[:-TAG_BYTES], message[-TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(head, key, topic(school, box, channel))):
        raise BadSignature
    return head[1], head[2:]


def _tag(head: bytes, key: bytes, where: str) -> bytes:
    name = where.encode()
    mac = hashlib.blake2b(key=key, digest_size=TAG_BYTES, person=b"classbox-signed")
    mac.update(bytes([len(name)]) + name + head)
    return mac.digest()
