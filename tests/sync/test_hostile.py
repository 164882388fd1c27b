"""Bytes that no honest box sends, signed by one that is enrolled: they cost its neighbours nothing (D14)."""

from __future__ import annotations

import contextlib
import logging
import random
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import fuzz, guided_fuzz
from sync.down_bodies import MAX_BODY_BYTES, unpacked
from sync.down_messages import PART_BYTES, Entry, Offer, Want, decode_downward, decode_want, encode_want
from sync.envelope import MAX_FRAME_BYTES, MAX_RECORDS, Envelope, chain_after, decode_envelope, encode_envelope
from sync.errors import MalformedEnvelope, MalformedRecord, WireError
from sync.gateway_session import MAX_BATCH_BYTES, GatewaySession, Message
from sync.greeting import decode_greeting
from sync.lanes import Lane, first_link
from sync.receipts import MAX_BEYOND_KEPT, LaneState, Receipt, advance, encode_state, new_lane_state, open_down
from sync.records import NEWEST, decode_record
from sync.seldom import Seldom
from sync.signed import MessageKind, sign
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from sync.simulation.documents import MemoryDownLog
from sync.state import decode_box_state
from sync.topics import Channel, topic

EPOCH = b"epoch-01"
ENTRIES = tuple(Entry(n, "setting", "report", bytes(16), bytes(16), 1, b"x") for n in (1, 2))
START = first_link(EPOCH, Lane.RESULTS)
DEPTHS = (100, 2_000, 200_000)
UP = topic(SCHOOL, BOX, "up")


def signed(kind: MessageKind, body: bytes, channel: Channel) -> bytes:
    return sign(kind, body, key=KEY, school=SCHOOL, box=BOX, channel=channel)


def envelope_of(frame: bytes) -> bytes:
    body = msgspec.msgpack.encode([EPOCH, Lane.RESULTS, 1, START, b"c" * 8, frame])
    return signed(MessageKind.ENVELOPE, body, "up")


def deep(depth: int) -> bytes:
    return b"\x91" * depth + b"\xc0"


def deep_envelope(depth: int) -> bytes:
    """An erased entry with a further field, which a decoder skips."""
    return envelope_of(zstandard.compress(b"\x91\x92\xc4\x10" + bytes(16) + deep(depth)))


def envelope(first_seq: int, entries: Sequence[bytes], *, before: bytes = START) -> Envelope:
    return Envelope(
        school=SCHOOL, box=BOX, epoch=EPOCH, lane=Lane.RESULTS, first_seq=first_seq, before=before,
        challenge=b"c" * 8, entries=tuple(entries),
    )  # fmt: skip


@pytest.mark.parametrize("depth", DEPTHS)
def test_nesting_of_any_depth_is_malformed_and_nothing_else(depth: int):
    """D14."""
    state = b"\x95\xc3\xa1a\xc4\x08" + bytes(8) + b"\x90" + deep(depth)
    receipts = b"\x91\x99" + msgspec.msgpack.encode(["", 1, b"", b"", 1, b"", [], []])[1:] + deep(depth)
    readers: list[tuple[type[WireError], Callable[[], object]]] = [
        (MalformedEnvelope, lambda: decode_envelope(deep_envelope(depth), school=SCHOOL, box=BOX, key=KEY)),
        (
            MalformedEnvelope,
            lambda: decode_box_state(signed(MessageKind.STATE, state, "state"), school=SCHOOL, box=BOX, key=KEY),
        ),
        (
            MalformedEnvelope,
            lambda: open_down(signed(MessageKind.RECEIPTS, receipts, "down"), school=SCHOOL, box=BOX, key=KEY),
        ),
        (
            MalformedEnvelope,
            lambda: decode_greeting(b"\x97" + msgspec.msgpack.encode([b"", "", 1, 1, [], []])[1:] + deep(depth)),
        ),
        (MalformedRecord, lambda: decode_record(b"\x93\x01\x01" + deep(depth))),
        (
            MalformedEnvelope,
            lambda: decode_downward(MessageKind.NEWS, b"\x93\xc4\x08" + bytes(8) + b"\x01" + deep(depth)),
        ),
        (
            MalformedEnvelope,
            lambda: decode_want(
                signed(MessageKind.WANT, b"\x94\x01\xc4\x10" + bytes(16) + b"\x00" + deep(depth), "up"),
                school=SCHOOL,
                box=BOX,
                key=KEY,
            ),
        ),
    ]
    for error, read in readers:
        if depth == max(DEPTHS):
            with pytest.raises(error):
                read()
        else:  # what is not too deep may be skipped, as a field of a newer box is
            with contextlib.suppress(error):
                read()


async def heard(messages: Sequence[bytes], ingest: MemoryIngest | None = None) -> list[Receipt]:
    session = GatewaySession(ingest or MemoryIngest(random.Random(1)))
    answers = await session.handle([Message(UP, message) for message in messages])
    opened = [open_down(answer.payload, school=SCHOOL, box=BOX, key=KEY) for answer in answers]
    return [receipt for receipts in opened for receipt in receipts or ()]


async def test_a_box_that_sends_it_costs_its_neighbours_nothing():
    """D14."""
    good = encode_envelope(envelope(1, [page_record(b"c" * 16, 1.0)]), KEY)
    receipts = await heard([deep_envelope(200_000), good, deep_envelope(200_000)])
    assert [receipt.mark for receipt in receipts] == [1]


async def test_a_fault_of_ours_in_reading_a_message_costs_that_message_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    """D14: also what nobody has thought of."""
    good = encode_envelope(envelope(1, [page_record(b"c" * 16, 1.0)]), KEY)

    def faulty(message: bytes, **names: object) -> Envelope:
        if message == b"the one that nobody thought of":
            raise ZeroDivisionError
        return decode_envelope(message, **names)  # type: ignore[arg-type]

    monkeypatch.setattr("sync.gateway_session.decode_envelope", faulty)
    receipts = await heard([b"the one that nobody thought of", good])
    assert [receipt.mark for receipt in receipts] == [1]


def test_a_frame_that_wants_a_large_window_is_refused():
    """D14."""
    raw = b"\x91\xc4\x01a"

    def frame(window: int) -> bytes:  # RFC 8878: magic, descriptor (4 bytes of content size), window, size, raw block
        block = struct.pack("<I", 1 | len(raw) << 3)[:3] + raw
        return b"\x28\xb5\x2f\xfd\x80" + bytes([window]) + struct.pack("<I", len(raw)) + block

    opened = decode_envelope(envelope_of(frame(13 << 3)), school=SCHOOL, box=BOX, key=KEY)
    assert opened.entries == (b"a",)
    for window in (14 << 3, 21 << 3, 31 << 3):  # 16 MiB, 2 GiB, 2 TiB
        with pytest.raises(MalformedEnvelope):
            decode_envelope(envelope_of(frame(window)), school=SCHOOL, box=BOX, key=KEY)


def test_numbers_from_far_away_do_not_grow_the_lane():
    """D14: neither one far leap nor many steps, and nothing untaken is receipted."""
    state = new_lane_state(EPOCH, Lane.RESULTS)
    for first in (2, 2**40, *range(3, 20_000, 500)):
        result = advance(state, envelope(first, [b"x"] * 500, before=bytes(16)), incarnation=b"gateway1")
        assert all(last <= MAX_BEYOND_KEPT for _, last in result.receipt.beyond)
        state = result.state
    assert len(state.beyond) == MAX_BEYOND_KEPT - 1
    assert len(encode_state(state)) < 128 << 10


def test_what_was_too_far_away_is_taken_once_the_gap_is_closed():
    """D3, D14."""
    records = [b"%d" % n for n in range(1, MAX_BEYOND_KEPT + 501)]
    far = envelope(MAX_BEYOND_KEPT - 99, records[MAX_BEYOND_KEPT - 100 :], before=bytes(16))
    state, taken = new_lane_state(EPOCH, Lane.RESULTS), []
    for one in (far, *(envelope(n, records[n - 1 : n + 499]) for n in range(1, MAX_BEYOND_KEPT - 99, 500)), far):
        before = chain_after(START, records[: one.first_seq - 1])
        result = advance(state, msgspec.structs.replace(one, before=before), incarnation=b"gateway1")
        state = result.state
        taken += [seq for seq, _ in result.new]
    assert sorted(taken) == list(range(1, len(records) + 1))
    assert state == LaneState(len(records), chain_after(START, records))


class _Sizes(MemoryIngest):
    """What each transaction was given, in bytes."""

    def __init__(self) -> None:
        super().__init__(random.Random(1))
        self.sizes: list[int] = []

    async def take(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        self.sizes.append(sum(one.unpacked_bytes for one in envelopes))
        return await super().take(envelopes)


async def test_a_batch_of_the_largest_envelopes_stays_under_the_limit():
    """D14: each goes to the store as far as it fits, in order, and all are receipted."""
    largest = [b"\x92\x01\x63" + bytes(MAX_FRAME_BYTES // 4 - 100)] * 4
    small = [page_record(bytes([n]) * 16, 1.0) for n in range(3)]
    records = [*small, *largest, *largest, *small]
    steps = [(1, 3), (4, 7), (8, 11), (12, 14)]
    messages = [
        encode_envelope(envelope(a, records[a - 1 : b], before=chain_after(START, records[: a - 1])), KEY)
        for a, b in steps
    ]
    ingest = _Sizes()
    receipts = await heard(messages, ingest)
    assert [receipt.mark for receipt in receipts] == [3, 7, 11, 14]
    assert len(ingest.sizes) == 2
    assert max(ingest.sizes) <= MAX_BATCH_BYTES


def test_a_stranger_does_not_fill_the_log():
    now_s = 0.0
    seldom = Seldom(every_s=60, at_most=10, now_s=lambda: now_s)
    assert sum(seldom("the same") for _ in range(1000)) == 1
    assert sum(seldom(n) for n in range(1000)) == 9
    now_s = 61.0
    assert seldom("the same")
    assert sum(seldom(n) for n in range(1000)) == 9


async def test_what_is_dropped_again_and_again_is_told_once_a_minute(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "sync.gateway_session"):
        await heard([b"rubbish"] * 50)
    assert len(caplog.records) == 1


def fuzzed(seed: int, count: int) -> fuzz.Taken:
    rng = random.Random(seed)
    total: fuzz.Taken = fuzz.Counter()
    for _ in range(count):
        total += fuzz.take_in(*fuzz.message(rng))
    return total


@given(st.integers(0, 2**32))
@settings(max_examples=300)
def test_a_mutated_message_is_read_held_or_dropped_and_never_raises_anything_else(seed: int):
    """D14."""
    fuzz.take_in(*fuzz.message(random.Random(seed)))


def test_the_fuzzer_reaches_every_kind_of_message_behind_the_signature():
    """A test of the test."""
    found = fuzzed(1, 3_000)
    assert all(found[what] > 10 for what in ("records", "held", "dropped", "judged"))
    assert all(found[kind.name.lower()] > 5 for kind in MessageKind)


def test_the_fuzzer_makes_up_records_of_every_kind_and_they_are_read():
    """A test of the test."""
    rng = random.Random(3)
    payloads = [payload for _ in range(20) for payload in fuzz.payloads(rng)]
    read: Counter[int] = Counter()
    for payload in payloads:
        with contextlib.suppress(WireError):
            read[decode_record(payload).kind] += 1
    assert read.keys() == NEWEST.keys()
    assert min(read.values()) >= 15


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not on every platform")
def test_a_fuzzer_that_sees_which_branches_it_reaches_lets_nothing_out():
    """D14."""
    found = guided_fuzz.measure(5_000)
    assert found["escaped"] == 0
    assert found["branches_reached"] > 100


@pytest.mark.parametrize("module", ["envelope", "state", "records", "receipts", "greeting"])
def test_the_fuzzer_finds_out_a_decoder_that_deep_nesting_breaks(module: str, monkeypatch: pytest.MonkeyPatch):
    """A test of the test."""
    monkeypatch.setattr(f"sync.{module}.DECODING", (msgspec.DecodeError, UnicodeDecodeError))
    with pytest.raises(RecursionError):
        fuzzed(2, 20_000)


@pytest.mark.long
def test_a_hundred_thousand_mutated_messages_escape_nowhere():
    """D14."""
    figures = fuzz.measure(runs=100_000, seconds=0)
    assert figures["escaped"] == 0
    assert isinstance(grown := figures["grown_mb"], int)
    assert grown <= fuzz.LIMIT_MB
    assert MAX_RECORDS * 400 * 5 < MAX_FRAME_BYTES  # the costliest frame of `_many_items` is within the limits


async def test_a_box_that_wants_without_end_is_given_a_few_parts_a_batch_and_its_neighbours_their_receipts():
    """D14."""
    log = MemoryDownLog(b"gateway1")
    log.append("reference", "p.png", random.Random(1).randbytes(1 << 20))
    (one,) = log.standing()
    wishes = [encode_want(Want(1, one.digest, n * PART_BYTES), school=SCHOOL, box=BOX, key=KEY) for n in range(100)] * 2
    good = encode_envelope(envelope(1, [page_record(b"c" * 16, 1.0)]), KEY)
    session = GatewaySession(MemoryIngest(random.Random(1)), down_log=log)
    answers = await session.handle([Message(UP, message) for message in [*wishes, good]])
    assert len(answers) == 1 + 16
    assert open_down(answers[0].payload, school=SCHOOL, box=BOX, key=KEY)


@pytest.mark.parametrize(
    "wish",
    [
        Want(7, b"d" * 16, 0),
        Want(1, b"d" * 16, 0),
        Want(1, b"", 0),
        Want(1, b"d" * 16, 5),
        Want(-1, b"d" * 16, 1 << 40),
    ],
)
async def test_a_wish_for_what_is_not_there_is_told_where_the_log_ends_or_dropped(wish: Want):
    """D14."""
    log = MemoryDownLog(b"gateway1")
    log.append("setting", "report", b"1")
    session = GatewaySession(MemoryIngest(random.Random(1)), down_log=log)
    message = signed(MessageKind.WANT, msgspec.msgpack.encode(wish), "up")
    answers = await session.handle([Message(UP, message)])
    assert len(answers) <= 1
    assert log.given == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"through": 0},
        {"after": 5},
        {"entries": ENTRIES[::-1]},
        {"entries": ENTRIES * 40},
        {"entries": (msgspec.structs.replace(ENTRIES[0], inline=b"xy"),)},
        {"entries": (msgspec.structs.replace(ENTRIES[0], inline=bytes(2_000), size=2_000),)},
        {"entries": (msgspec.structs.replace(ENTRIES[0], size=1 << 40),)},
        {"entries": (msgspec.structs.replace(ENTRIES[0], key="k" * 65),)},
    ],
    ids=str,
)
def test_an_offer_that_contradicts_itself_or_a_limit_is_refused(changes: dict[str, object]):
    """D14."""
    offer = Offer(
        incarnation=bytes(8), challenge=bytes(8), after=0, before=bytes(16), through=2,
        chain=bytes(16), last=2, anew=False,
        entries=ENTRIES,
    )  # fmt: skip
    assert decode_downward(MessageKind.OFFER, msgspec.msgpack.encode(offer)) == offer
    with pytest.raises(MalformedEnvelope):
        decode_downward(MessageKind.OFFER, msgspec.msgpack.encode(msgspec.structs.replace(offer, **changes)))


@pytest.mark.parametrize(
    "body",
    [zstandard.compress(bytes(MAX_BODY_BYTES + 1)), b"", b"rubbish", zstandard.compress(b"x") + b"more",
     zstandard.ZstdCompressor(write_content_size=False).compress(b"x")],
    ids=["too large", "nothing", "no frame", "two", "no size"],
)  # fmt: skip
def test_a_body_that_breaks_a_limit_is_not_unpacked(body: bytes):
    """D14."""
    with pytest.raises(MalformedRecord):
        unpacked(body)
