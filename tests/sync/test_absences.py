"""A word on a pupil's absence comes out as it went in; nobody without the school key reads who said it (D8, D12)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.absences import Absence, AbsenceWord
from sync.absences import _place, absence_record, who_said, word_of
from sync.clock import ClockQuality, ClockReading
from sync.errors import FutureVersion, MalformedRecord
from sync.records import ABSENCE_CODES, AbsenceRecord, decode_record, encode_record
from sync.sealing import seal

KEY = bytes(range(32))
CLOCK = ClockReading(monotonic_ms=1, wall_ms=2, boot=bytes(16), quality=ClockQuality.SYNCED)
ids = st.binary(min_size=16, max_size=16)
words = st.builds(
    AbsenceWord,
    id=ids,
    absence=st.sampled_from([None, *Absence]),
    replaces=st.lists(ids, max_size=16).map(tuple),
    synced=st.just(True),
    wall_ms=st.just(CLOCK.wall_ms),
    order=st.none() | st.integers(1, 2**53 - 1),
)
PLAIN = AbsenceWord(id=b"a" * 16, absence=Absence.EXCUSED)


def record_of(word: AbsenceWord, *, who: str = "") -> AbsenceRecord:
    return absence_record(word, assignment="g3", pseudonym=b"pupil-07", who=who, clock=CLOCK, school_key=KEY)


@given(words, st.text(max_size=64))
def test_a_word_comes_out_as_it_went_in_and_is_small(word: AbsenceWord, who: str) -> None:
    payload = encode_record(record_of(word, who=who))
    back = decode_record(payload)
    assert isinstance(back, AbsenceRecord)
    assert (word_of(back), who_said(back, KEY)) == (word, who)
    assert len(payload) < 1024


def test_a_word_that_replaces_another_takes_less_than_200_bytes() -> None:
    said = msgspec.structs.replace(PLAIN, replaces=(b"b" * 16,))
    assert len(encode_record(record_of(said, who="王老师"))) < 200


def test_who_said_it_is_sealed_and_tied_to_the_word() -> None:
    sent = record_of(PLAIN, who="the teacher")
    assert b"teacher" not in encode_record(sent)
    moved = msgspec.structs.replace(sent, id=b"b" * 16)
    for reader, key in ((sent, None), (sent, bytes(32)), (moved, KEY)):
        assert who_said(reader, key) == ""


@given(st.binary(max_size=100))
def test_whatever_is_sealed_by_somebody_with_the_key_opens_as_something_or_as_nothing(inside: bytes) -> None:
    sent = msgspec.structs.replace(record_of(PLAIN), sealed=seal(KEY, inside, _place(PLAIN.id)))
    assert isinstance(who_said(sent, KEY), str)


@pytest.mark.parametrize(
    "change",
    [{"id": b"short"}, {"assignment": "x" * 65}, {"pseudonym": b"short"}, {"pseudonym": None}, {"absence": 3},
     {"absence": -1}, {"replaces": (bytes(16),) * 17}, {"order": 0}],
)  # fmt: skip
def test_a_word_that_breaks_its_limits_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(MalformedRecord):
        decode_record(encode_record(msgspec.structs.replace(record_of(PLAIN), **change)))


def test_a_word_of_a_version_to_come_is_held() -> None:
    with pytest.raises(FutureVersion):
        decode_record(msgspec.msgpack.encode([7, 2, "what will come"]))


def test_every_absence_has_its_code() -> None:
    assert set(ABSENCE_CODES) == {None, *Absence}
