"""The gateway's answer to a hello, beside the receipts: what it reads, so that a newer box says nothing that it cannot.

Records of the future are held, and nothing is lost by them. A message of a format of the future cannot even be verified
and is dropped, and so is a frame that was packed with a dictionary which is not there: only who was greeted with it may
send it. Gateways before 0.2 greet nobody; what they read is the first format without a dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from homework.errors import ClassboxError
from sync.dictionaries import IDS
from sync.envelope import Challenge
from sync.errors import DECODING, MalformedEnvelope
from sync.records import NEWEST, Name
from sync.signed import VERSION, MessageKind, sign

_OLDEST_FORMAT = 1
_Version = Annotated[int, Meta(ge=0, lt=2**16)]


class Greeting(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one gateway reads: formats of messages from `oldest` to `newest`, and records.

    `records` has the newest version of the kinds 1, 2, 3 … (0: not known). `dictionaries` are the ids of zstd
    dictionaries that frames may be packed with. `challenge` repeats that of the hello.
    """

    challenge: Challenge
    software: Name
    oldest: _Version = _OLDEST_FORMAT
    newest: _Version = VERSION
    records: Annotated[tuple[_Version, ...], Meta(max_length=64)] = ()
    dictionaries: Annotated[tuple[Annotated[int, Meta(ge=1, lt=2**32)], ...], Meta(max_length=16)] = ()

    def reads(self, kind: int, version: int = 1) -> bool:
        """Whether records of that kind and version are taken in, and not only held."""
        return 1 <= kind <= len(self.records) and self.records[kind - 1] >= version

    @property
    def dictionary(self) -> int | None:
        """The one that both sides have and that saves most; None for none."""
        return next((one for one in IDS if one in self.dictionaries), None)


_decoder = msgspec.msgpack.Decoder(Greeting)


def own_greeting(challenge: bytes, software: str) -> Greeting:
    """What this program reads."""
    kinds = range(1, max(NEWEST) + 1)
    records = tuple(NEWEST.get(kind, 0) for kind in kinds)
    return Greeting(challenge=challenge, software=software, records=records, dictionaries=IDS)


def encode_greeting(greeting: Greeting, *, school: str, box: str, key: bytes) -> bytes:
    """The bytes to publish on the box's `down` topic, signed with the box key."""
    return sign(MessageKind.GREETING, msgspec.msgpack.encode(greeting), key=key, school=school, box=box, channel="down")


def decode_greeting(body: bytes) -> Greeting:
    """The greeting of an opened message, or one that was kept. Raises `MalformedEnvelope`."""
    try:
        return _decoder.decode(body)
    except DECODING as error:
        raise MalformedEnvelope(str(error)) from error


def misfit(greeting: Greeting | None, own: Mapping[int, int] = NEWEST, format_: int = VERSION) -> ClassboxError | None:
    """What a person has to know: one of the two programs is too old for the other. None when they fit.

    `own` has the newest version of each kind of record that the box says, `format_` is its messages' format.
    """
    if greeting is None:
        return None
    if format_ < greeting.oldest:
        return too_new()
    if format_ > greeting.newest or not all(greeting.reads(*kind) for kind in own.items()):
        return ClassboxError(
            "The school's program ({version}) is older than this box and cannot take in all that the box says.",
            remedy="Update Classbox at the school. Nothing is lost meanwhile.",
            version=greeting.software,
        )
    return None


def too_new() -> ClassboxError:
    """Both cannot talk any more."""
    return ClassboxError(
        "The school's program is too new for this box: they do not understand each other.",
        remedy="Update Classbox on this box. Nothing is lost meanwhile.",
    )
