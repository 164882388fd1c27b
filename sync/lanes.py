"""Lanes, epochs and the chain of digests: what names a record and proves what came before it."""

from __future__ import annotations

import hashlib
from enum import IntEnum

DIGEST_BYTES = 16
EPOCH_BYTES = 8
CHALLENGE_BYTES = 8
INCARNATION_BYTES = 8


class Lane(IntEnum):
    """A stream of records with its own gapless numbers; a smaller one goes first, none is starved."""

    DOCUMENTS = 0
    RESULTS = 1
    CROPS = 2
    HEALTH = 3


def record_digest(payload: bytes) -> bytes:
    """BLAKE2b-128 (RFC 7693) of a payload: stays when the payload is erased."""
    return hashlib.blake2b(payload, digest_size=DIGEST_BYTES, person=b"classbox-record").digest()


def first_link(epoch: bytes, lane: Lane) -> bytes:
    """The chain digest before the first record (at seq 0) of a lane."""
    return hashlib.blake2b(epoch + bytes([lane]), digest_size=DIGEST_BYTES, person=b"classbox-chain0").digest()


def next_link(previous: bytes, digest: bytes) -> bytes:
    """The chain digest after a record of that digest: equal chains mean equal histories."""
    return hashlib.blake2b(previous + digest, digest_size=DIGEST_BYTES, person=b"classbox-chain").digest()
