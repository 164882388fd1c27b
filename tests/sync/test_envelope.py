from __future__ import annotations

import hashlib
import random

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._class_pages import made_up_class
from sync.dictionaries import NEWEST_ID, dictionary_of, file_of
from sync.envelope import (
    MAX_FRAME_BYTES,
    MAX_RECORDS,
    Envelope,
    Erased,
    chain_after,
    decode_envelope,
    digest_of,
    encode_envelope,
)
from sync.errors import BadSignature, FutureVersion, MalformedEnvelope
from sync.lanes import Lane, first_link, record_digest
from sync.records import encode_record, page_result_from
from sync.signed import MessageKind, sign

KEY = bytes(range(32))
entries = st.lists(st.binary(max_size=300) | st.binary(min_size=16, max_size=16).map(Erased), min_size=1, max_size=20)


def envelope_of(content: list[bytes | Erased], lane: Lane = Lane.RESULTS) -> Envelope:
    return Envelope(
        school="s", box="b", epoch=b"e" * 8, lane=lane, first_seq=5, before=first_link(b"e" * 8, lane),
        challenge=b"c" * 8, entries=tuple(content),
    )  # fmt: skip


@given(entries, st.sampled_from(Lane))
def test_an_envelope_comes_out_as_it_went_in(content: list[bytes | Erased], lane: Lane):
    envelope = envelope_of(content, lane)
    assert decode_envelope(encode_envelope(envelope, KEY), school="s", box="b", key=KEY) == envelope
    assert envelope.last_seq == 4 + len(content)


@given(entries, st.data())
def test_one_changed_bit_anywhere_breaks_the_signature(content: list[bytes | Erased], data: st.DataObject):
    """D7."""
    message = bytearray(encode_envelope(envelope_of(content), KEY))
    at = data.draw(st.integers(1, len(message) - 1))  # byte 0 is the version, which is told apart
    message[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadSignature):
        decode_envelope(bytes(message), school="s", box="b", key=KEY)


@pytest.mark.parametrize(("school", "box"), [("s", "other"), ("other", "b")])
def test_an_envelope_on_another_boxs_topic_is_not_believed(school: str, box: str):
    """D7: also when both boxes had the same key."""
    message = encode_envelope(envelope_of([b"x"]), KEY)
    with pytest.raises(BadSignature):
        decode_envelope(message, school=school, box=box, key=KEY)


def test_an_envelope_does_not_pass_for_a_message_of_another_channel():
    message = sign(MessageKind.ENVELOPE, b"", key=KEY, school="s", box="b", channel="down")
    with pytest.raises(BadSignature):
        decode_envelope(message, school="s", box="b", key=KEY)


def test_a_message_of_a_version_to_come_is_told_as_such():
    with pytest.raises(FutureVersion):
        decode_envelope(b"\x02\x01" + bytes(40), school="s", box="b", key=KEY)


@pytest.mark.parametrize("message", [b"", b"\x01", b"\x00" * 40, bytes((2 << 20) + 1)])
def test_what_is_no_message_is_malformed(message: bytes):
    with pytest.raises(MalformedEnvelope):
        decode_envelope(message, school="s", box="b", key=KEY)


def signed_frame(frame: bytes) -> bytes:
    body = msgspec.msgpack.encode([b"e" * 8, 1, 1, bytes(16), b"c" * 8, frame])
    return sign(MessageKind.ENVELOPE, body, key=KEY, school="s", box="b", channel="up")


def bomb(size: int, *, tells: bool) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_content_size=tells).compress(bytes(size))


@pytest.mark.parametrize(
    "frame",
    [
        bomb(MAX_FRAME_BYTES + 1, tells=True),
        bomb(1 << 28, tells=True),
        bomb(1 << 20, tells=False),
        b"",
        b"not zstd at all",
        zstandard.compress(msgspec.msgpack.encode([b"x"]))[:-2],
        zstandard.compress(msgspec.msgpack.encode([b"x"])) + b"more",
        zstandard.compress(msgspec.msgpack.encode([])),
        zstandard.compress(msgspec.msgpack.encode([b"x"] * (MAX_RECORDS + 1))),
        zstandard.compress(msgspec.msgpack.encode(["text"])),
        zstandard.compress(msgspec.msgpack.encode([[b"short"]])),
    ],
)
def test_bombs_and_frames_that_break_a_limit_are_refused_even_when_signed(frame: bytes):
    with pytest.raises(MalformedEnvelope):
        decode_envelope(signed_frame(frame), school="s", box="b", key=KEY)


def with_dictionary(raw: bytes, **more: bool) -> bytes:
    return zstandard.ZstdCompressor(level=3, dict_data=dictionary_of(NEWEST_ID), **more).compress(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "frame",
    [
        with_dictionary(bytes(MAX_FRAME_BYTES + 1)),
        with_dictionary(bytes(1 << 28)),
        with_dictionary(bytes(1 << 20), write_content_size=False),
        with_dictionary(msgspec.msgpack.encode([b"x"]), write_dict_id=False)[:-1],
        with_dictionary(msgspec.msgpack.encode([b"x" * 400]))[:-2],
        with_dictionary(msgspec.msgpack.encode([b"x"])) + b"more",
        with_dictionary(msgspec.msgpack.encode([b"x"] * (MAX_RECORDS + 1))),
        # Says that it was packed with the dictionary, and has a size that it does not have.
        b"\x28\xb5\x2f\xfd\xa2" + NEWEST_ID.to_bytes(2, "little") + (MAX_FRAME_BYTES).to_bytes(4, "little") + bytes(9),
        # The same with a size beyond the limit.
        b"\x28\xb5\x2f\xfd\xa2" + NEWEST_ID.to_bytes(2, "little") + (1 << 31).to_bytes(4, "little") + bytes(9),
    ],
)
def test_the_limits_hold_with_a_dictionary_too(frame: bytes):
    """D14."""
    with pytest.raises(MalformedEnvelope):
        decode_envelope(signed_frame(frame), school="s", box="b", key=KEY)


def test_a_dictionary_from_the_future_is_told_as_such():
    frame = with_dictionary(msgspec.msgpack.encode([b"x"]))
    newer = frame.replace(NEWEST_ID.to_bytes(2, "little"), (NEWEST_ID + 1).to_bytes(2, "little"), 1)
    with pytest.raises(FutureVersion):
        decode_envelope(signed_frame(newer), school="s", box="b", key=KEY)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=20))
def test_with_a_dictionary_the_same_comes_out(content: list[bytes]):
    envelope = envelope_of(content)
    message = encode_envelope(envelope, KEY, dictionary=NEWEST_ID)
    assert decode_envelope(message, school="s", box="b", key=KEY) == envelope


def test_the_dictionary_is_what_every_program_that_has_its_id_has():
    """A file that changed under its id would make every frame unreadable for the programs that are out there."""
    digest = hashlib.blake2b(file_of(NEWEST_ID).read_bytes(), digest_size=16).hexdigest()
    assert digest == "4581e09577cdd28f24dde6c3fac2700a"
    assert file_of(NEWEST_ID).stat().st_size <= 32 << 10
    assert zstandard.ZstdCompressionDict(file_of(NEWEST_ID).read_bytes()).dict_id() == NEWEST_ID


def test_a_sheet_alone_costs_far_less_with_the_dictionary_and_a_backlog_goes_without():
    rng = random.Random(1)
    pages: list[bytes | Erased] = [
        encode_record(page_result_from(page, capture=rng.randbytes(16), clock=clock, school_key=KEY))
        for _ in range(3)
        for page, clock in made_up_class(rng, sure=0.9)
    ]
    plain, packed = (len(encode_envelope(envelope_of(pages[:1]), KEY, dictionary=d)) for d in (None, NEWEST_ID))
    assert packed < 0.85 * plain
    backlog = envelope_of(pages)
    assert encode_envelope(backlog, KEY, dictionary=NEWEST_ID) == encode_envelope(backlog, KEY)


@given(st.binary(max_size=200))
def test_any_signed_frame_is_an_envelope_or_malformed(frame: bytes):
    with pytest.raises(MalformedEnvelope):
        decode_envelope(signed_frame(frame), school="s", box="b", key=KEY)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8), st.data())
def test_an_erased_record_keeps_the_chain(content: list[bytes], data: st.DataObject):
    """D9."""
    gone = data.draw(st.integers(0, len(content) - 1))
    erased = [Erased(record_digest(p)) if n == gone else p for n, p in enumerate(content)]
    assert chain_after(bytes(16), erased) == chain_after(bytes(16), content)
    assert digest_of(erased[gone]) == digest_of(content[gone])


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=6, unique=True))
def test_another_order_is_another_chain(content: list[bytes]):
    assert chain_after(bytes(16), content) != chain_after(bytes(16), content[::-1])
