"""What goes down to a box as bytes: packed once, known by two digests, and never unpacked beyond its limit. Pure.

`content` is the digest of what an entry says, which a box compares with what it has: BLAKE2b-128 of the body, for a
sealed body keyed with the school key and over what is sealed. `digest` is that of the packed bytes as they travel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Annotated, Literal

import msgspec
import zstandard

from sync.errors import DECODING, MalformedRecord
from sync.sealing import open_sealed, seal

Kind = Literal["assignment", "layout", "reference", "roster", "setting", "correction", "absence", "erasure"]
"""What this version knows. A newer gateway may offer more."""
EACH_COUNTS: Collection[str] = ("correction", "absence")
"""Kinds of which each entry counts. Of the others a newer entry of the same key takes the place of an older one."""
MAX_BODY_BYTES = 16 << 20
"""What a body may unpack to. Pictures of empty pages are the largest: one of A4 has some 100 KB to 1 MiB."""
MAX_WINDOW_BYTES = 8 << 20
_LEVEL = 12
"""zstd's: a worksheet of 3.3 KB becomes 1,029 bytes in 0.17 ms; level 19 takes 0.95 ms for 24 bytes less, and a
district gives 300,000 worksheets a term."""
_DIGEST_BYTES = 16
FIRST_CHAIN = bytes(_DIGEST_BYTES)
"""The chain before place 1."""


def content_of(body: bytes) -> bytes:
    """The content digest of a body that travels in the clear; that of an assignment stands in its `DocumentRecord`."""
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def sealed_content_of(school_key: bytes, plaintext: bytes) -> bytes:
    """The content digest of what is sealed: without the school key nobody can tell whether a guess is right."""
    return hashlib.blake2b(plaintext, key=school_key, digest_size=_DIGEST_BYTES, person=b"classbox-sealed").digest()


def sealed_roster(school_key: bytes, class_name: str, csv: bytes) -> bytes:
    """The body of a class list. Packed before it is sealed, because nothing packs what is: 45 pupils are 250 bytes."""
    return seal(school_key, packed(csv), _roster_place(class_name))


def open_roster(school_key: bytes, class_name: str, body: bytes) -> bytes:
    """The CSV of a class list. Raises `SealError`, `MalformedRecord`."""
    return unpacked(open_sealed(school_key, body, _roster_place(class_name)))


class Erasure(msgspec.Struct, frozen=True, array_like=True):
    """What a box is to forget: a pupil (the key of the entry is the pseudonym in hexadecimal), from a moment on.

    `captures` are those of the papers that the school knows to be theirs: of a box without a class list only these say.
    """

    pseudonym: Annotated[bytes, msgspec.Meta(min_length=1, max_length=16)]
    erased_ms: int
    captures: tuple[Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)], ...] = ()


_erasure = msgspec.msgpack.Decoder(Erasure)


def erasure_body(erasure: Erasure) -> bytes:
    """The body of an erasure."""
    return msgspec.msgpack.encode(erasure)


def read_erasure(body: bytes) -> Erasure:
    """The erasure of a body. Raises `MalformedRecord`."""
    try:
        return _erasure.decode(body)
    except DECODING as error:
        raise MalformedRecord(str(error)) from error


def packed(body: bytes) -> bytes:
    """A body as it travels: one zstd frame, its size in its head."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).compress(body)


def digest_of_packed(packed_bytes: bytes) -> bytes:
    """The digest of packed bytes."""
    return hashlib.blake2b(packed_bytes, digest_size=_DIGEST_BYTES, person=b"classbox-packed").digest()


def unpacked(packed_bytes: bytes) -> bytes:
    """The body. Raises `MalformedRecord` for what is no frame or breaks a limit; its head is judged first."""
    try:
        head = zstandard.get_frame_parameters(packed_bytes)
        if not 0 <= head.content_size <= MAX_BODY_BYTES or head.window_size > MAX_WINDOW_BYTES:
            raise MalformedRecord(f"it would unpack to {head.content_size} bytes")
        return zstandard.ZstdDecompressor().decompress(packed_bytes, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MalformedRecord(str(error)) from error


def next_chain(before: bytes, kind: str, key: str, content: bytes) -> bytes:
    """The chain after an entry: equal chains mean that a box was told of the same entries in the same order."""
    mac = hashlib.blake2b(before, digest_size=_DIGEST_BYTES, person=b"classbox-down")
    for part in (kind.encode(), key.encode(), content):
        mac.update(len(part).to_bytes(2) + part)
    return mac.digest()


def _roster_place(class_name: str) -> bytes:
    return b"classbox roster 1\0" + class_name.encode()
