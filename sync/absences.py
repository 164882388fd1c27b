"""A word on a pupil's absence as it travels: between `homework.absences.AbsenceWord` and its record.

Who said it is a teacher's name and travels and rests under the school key, tied to the word. The pupil is named by the
pseudonym alone.
"""

from __future__ import annotations

import msgspec

from homework.absences import AbsenceWord
from sync.clock import ClockQuality, ClockReading
from sync.errors import DECODING
from sync.records import ABSENCE_CODES, AbsenceRecord
from sync.sealing import SealError, open_sealed, seal

_LONGEST_WHO = 64


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    who: str


_sealed = msgspec.msgpack.Decoder(_Sealed)


def absence_record(
    word: AbsenceWord,
    *,
    assignment: str,
    pseudonym: bytes,
    who: str,
    clock: ClockReading,
    school_key: bytes,
) -> AbsenceRecord:
    """The record of a word on a pupil; `who` said it. `clock` goes along as it is."""
    inside = msgspec.msgpack.encode(_Sealed(who[:_LONGEST_WHO]))
    return AbsenceRecord(
        id=word.id,
        assignment=assignment,
        pseudonym=pseudonym,
        absence=ABSENCE_CODES.index(word.absence),
        sealed=seal(school_key, inside, _place(word.id)),
        replaces=word.replaces,
        clock=clock,
        order=word.order,
    )


def word_of(record: AbsenceRecord) -> AbsenceWord:
    """What a record says, but for who said it."""
    return AbsenceWord(
        id=record.id,
        absence=ABSENCE_CODES[record.absence],
        replaces=record.replaces,
        synced=record.clock.quality is ClockQuality.SYNCED,
        wall_ms=record.clock.wall_ms,
        order=record.order,
    )


def who_said(record: AbsenceRecord, school_key: bytes | None) -> str:
    """Who said it, "" where that cannot be opened."""
    if record.sealed is None or school_key is None:
        return ""
    try:
        return _sealed.decode(open_sealed(school_key, record.sealed, _place(record.id))).who
    except (SealError, *DECODING):
        return ""


def _place(name: bytes) -> bytes:
    return b"classbox absence 1\0" + name
