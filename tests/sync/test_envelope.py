from __future__ import annotations

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

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
