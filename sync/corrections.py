"""A correction as it travels: between `homework.merging.Correction` and its record, with what is sealed of it.

Who said it is a teacher's name, and a comment may name a pupil: both travel and rest under the school key, tied to the
correction. Without that key (a box of no school) they stay where they are.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from homework.merging import Correction, Judgement
from homework.results import Reading
from sync.clock import ClockQuality, ClockReading
from sync.errors import DECODING
from sync.records import (
    DOUBT_CODES,
    MAX_READING,
    STAMP_CODES,
    CorrectionRecord,
    PackedJudgement,
    PackedReading,
)
from sync.sealing import SealError, open_sealed, seal

ID_BYTES = 16
_LONGEST_WHO = 64


class _Sealed(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    who: str
    comment: str | None = None


_sealed = msgspec.msgpack.Decoder(_Sealed)


class Opened(NamedTuple):
    """A correction, who said it ("" where that cannot be known), and the page's revision that the person saw."""

    correction: Correction
    who: str
    revision: int


def correction_record(
    correction: Correction,
    *,
    capture: bytes,
    revision: int,
    who: str,
    clock: ClockReading,
    school_key: bytes | None,
    origin: str | None = None,
) -> CorrectionRecord:
    """The record of a correction of a capture (16 bytes); `who` said it. `clock` goes along as it is."""
    judgement, read, item = correction.judgement, correction.read, correction.place
    comment = None if correction.comment is msgspec.UNSET else correction.comment
    inside = msgspec.msgpack.encode(_Sealed(who[:_LONGEST_WHO], comment))
    return CorrectionRecord(
        id=correction.id,
        capture=capture,
        item=item[0],
        blank=item[1],
        judgement=None
        if judgement is msgspec.UNSET
        else PackedJudgement(_cut(judgement.text), judgement.right, judgement.score_hundredths),
        stamp=None if correction.stamp is msgspec.UNSET else STAMP_CODES.index(correction.stamp),
        sealed=seal(school_key, inside, _place(correction.id)) if school_key is not None else None,
        read=None
        if read is None
        else PackedReading(
            _cut(read.text), round(min(1.0, max(0.0, read.confidence)) * 255), DOUBT_CODES.index(read.doubt)
        ),
        revision=revision,
        replaces=correction.replaces,
        clock=clock,
        order=correction.order,
        origin=origin,
    )


def opened(record: CorrectionRecord, school_key: bytes | None) -> Opened:
    """What a record says. What cannot be opened is left out: who said it, and the comment."""
    inside = _open(record, school_key)
    judgement, read = record.judgement, record.read
    correction = Correction(
        id=record.id,
        place=(record.item, record.blank),
        judgement=msgspec.UNSET
        if judgement is None
        else Judgement(judgement.text, judgement.right, judgement.score_hundredths),
        comment=msgspec.UNSET if inside.comment is None else inside.comment,
        stamp=msgspec.UNSET if record.stamp is None else STAMP_CODES[record.stamp],
        read=None if read is None else Reading(read.text, read.confidence / 255, DOUBT_CODES[read.doubt]),
        replaces=record.replaces,
        synced=record.clock.quality is ClockQuality.SYNCED,
        wall_ms=record.clock.wall_ms,
        order=record.order,
    )
    return Opened(correction, inside.who, record.revision)


def _open(record: CorrectionRecord, school_key: bytes | None) -> _Sealed:
    if record.sealed is None or school_key is None:
        return _Sealed("")
    try:
        return _sealed.decode(open_sealed(school_key, record.sealed, _place(record.id)))
    except (SealError, *DECODING):
        return _Sealed("")


def _place(name: bytes) -> bytes:
    return b"classbox correction 1\0" + name


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:MAX_READING]
