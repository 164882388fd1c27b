"""Keys of a school and of a box, and the code that carries them to the box once."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from homework.errors import UsageError
from provisioning.identity import Identity
from sync.broker_address import BrokerAddress
from sync.signed import KEY_BYTES
from sync.topics import checked_id

_PREFIX = "CB1"
_CHECK_BYTES = 5
_GROUP = 5
_REMEDY = "Copy the whole code as `classgate school enrol` printed it."
_LOOKALIKES = str.maketrans("018", "OIB")

Key = Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]


class _Content(msgspec.Struct, array_like=True, frozen=True):
    school: str
    box: str
    school_key: Key
    box_key: Key
    broker_url: Annotated[str, Meta(min_length=1, max_length=200)]


def new_school_key() -> bytes:
    """A school's key, 32 random bytes: makes its pseudonyms, seals its names. Every box of the school has it."""
    return secrets.token_bytes(KEY_BYTES)


def new_box_key() -> bytes:
    """A box's key, 32 random bytes: signs what the box sends and what it is told. Only the gateway has it too."""
    return secrets.token_bytes(KEY_BYTES)


def enrolment_code(identity: Identity) -> str:
    """The code that makes a box that identity: `CB1-XXXXX-…`, base32 with 40 check bits.

    Whoever has the code is the box: show it once, to the person who sets the box up. Raises `BadTopic` for a
    school or box whose name cannot stand in a topic, and `UsageError` for a broker URL that is not MQTT's.
    """
    checked_id(identity.school)
    checked_id(identity.box)
    BrokerAddress(url=identity.broker_url).check()
    content = msgspec.msgpack.encode(
        _Content(identity.school, identity.box, identity.school_key, identity.box_key, identity.broker_url)
    )
    text = base64.b32encode(content + _check(content)).decode().rstrip("=")
    return "-".join([_PREFIX, *(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))])


def parse_enrolment_code(code: str) -> Identity:
    """The identity that a code carries. Case, blanks and hyphens don't matter; 0, 1, 8 are read as O, I, B.

    Raises `UsageError` when characters are missing or wrong.
    """
    text = "".join(code.split()).replace("-", "").upper()
    if not text.startswith(_PREFIX):
        raise UsageError("This is not an enrolment code.", remedy=_REMEDY)
    text = text.removeprefix(_PREFIX).translate(_LOOKALIKES)
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
        parts = msgspec.msgpack.decode(_checked(raw), type=_Content)
    except (ValueError, msgspec.DecodeError) as error:
        raise UsageError("The enrolment code has a mistake or is not complete.", remedy=_REMEDY) from error
    return Identity(
        school=checked_id(parts.school),
        box=checked_id(parts.box),
        school_key=parts.school_key,
        box_key=parts.box_key,
        broker_url=parts.broker_url,
    )


def _checked(raw: bytes) -> bytes:
    content, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if check != _check(content):
        raise ValueError("check digits")
    return content


def _check(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECK_BYTES, person=b"classbox-enrol").digest()
