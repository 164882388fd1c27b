"""A correction comes out as it went in; nobody without the school key reads who said it or the comment (D8, D12)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.merging import Correction, Judgement
from homework.results import Doubt, Reading, Stamp
from sync.clock import ClockQuality, ClockReading
from sync.corrections import _place, correction_record, opened
from sync.errors import FutureVersion, MalformedRecord
from sync.records import MAX_READING, MAX_RECORD_BYTES, CorrectionRecord, decode_record, encode_record
from sync.sealing import seal

KEY = bytes(range(32))
CLOCK = ClockReading(monotonic_ms=1, wall_ms=2, boot=bytes(16), quality=ClockQuality.SYNCED)
texts = st.text(max_size=MAX_READING)
ids = st.binary(min_size=16, max_size=16)
readings = st.builds(Reading, st.none() | texts, st.sampled_from([0.0, 0.2, 1.0]), st.none() | st.sampled_from(Doubt))
corrections = st.builds(
    Correction,
    id=ids,
    place=st.tuples(st.text(min_size=1, max_size=32), st.integers(1, 99)),
    judgement=st.just(msgspec.UNSET)
    | st.builds(Judgement, st.none() | texts, st.none() | st.booleans(), st.none() | st.integers(0, 10_000)),
    comment=st.just(msgspec.UNSET) | st.text(max_size=200),
    stamp=st.just(msgspec.UNSET) | st.none() | st.sampled_from(Stamp),
    read=st.none() | readings,
    replaces=st.lists(ids, max_size=16).map(tuple),
    synced=st.just(True),
    wall_ms=st.just(CLOCK.wall_ms),
    order=st.none() | st.integers(1, 9),
)  # fmt: skip


def record_of(correction: Correction, *, who: str = "", key: bytes | None = KEY) -> CorrectionRecord:
    return correction_record(correction, capture=bytes(16), revision=3, who=who, clock=CLOCK, school_key=key)


@given(corrections, st.text(max_size=64))
def test_a_correction_comes_out_as_it_went_in(correction: Correction, who: str):
    payload = encode_record(record_of(correction, who=who))
    back = decode_record(payload)
    assert isinstance(back, CorrectionRecord)
    assert opened(back, KEY) == (correction, who, 3)
    assert len(payload) < 4096 < MAX_RECORD_BYTES


def test_who_said_it_and_the_comment_are_sealed_and_tied_to_the_correction():
    remark = Correction(id=b"a" * 16, place=("1", 1), comment="for 学生07", wall_ms=2, synced=True)
    sent = record_of(remark, who="the teacher")
    for secret in ("学生07".encode(), b"teacher"):
        assert secret not in encode_record(sent)
    moved = msgspec.structs.replace(sent, id=b"b" * 16)
    for reader, key in ((sent, None), (sent, bytes(32)), (moved, KEY)):
        without = opened(reader, key)
        assert (without.who, without.correction.comment) == ("", msgspec.UNSET)
    assert record_of(remark, key=None).sealed is None


@given(st.binary(max_size=100))
def test_whatever_is_sealed_by_somebody_with_the_key_opens_as_something_or_as_nothing(inside: bytes):
    sent = record_of(Correction(id=b"a" * 16, place=("1", 1)))
    assert isinstance(opened(msgspec.structs.replace(sent, sealed=seal(KEY, inside, _place(sent.id))), KEY).who, str)


@pytest.mark.parametrize(
    "change", [{"id": b"short"}, {"item": "x" * 65}, {"stamp": 99}, {"replaces": (bytes(16),) * 17}]
)
def test_a_correction_that_breaks_its_limits_is_malformed(change: dict[str, object]):
    payload = encode_record(msgspec.structs.replace(record_of(Correction(id=bytes(16), place=("1", 1))), **change))
    with pytest.raises(MalformedRecord):
        decode_record(payload)


def test_a_correction_of_a_version_to_come_is_held():
    with pytest.raises(FutureVersion):
        decode_record(msgspec.msgpack.encode([5, 2, "what will come"]))
