"""Which programs understand each other: what the gateway says that it reads, and what a box makes of it."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sync.box_session import BoxSession, latest_greeting
from sync.dictionaries import NEWEST_ID
from sync.errors import MalformedEnvelope
from sync.gateway_session import GatewaySession, Message
from sync.greeting import Greeting, decode_greeting, encode_greeting, misfit, own_greeting
from sync.lanes import Lane
from sync.outbox import Outbox, create_tables
from sync.records import NEWEST
from sync.signed import VERSION, open_signed
from sync.simulation import BOX, KEY, SCHOOL
from sync.simulation.made_up import page_record
from sync.simulation.store import MemoryIngest
from sync.topics import topic

STATE, UP = topic(SCHOOL, BOX, "state"), topic(SCHOOL, BOX, "up")
GREETING = Greeting(challenge=b"c" * 8, software="9.9", records=(1, 2, 0, 3), dictionaries=(7,))


def said(greeting: Greeting) -> bytes:
    return encode_greeting(greeting, school=SCHOOL, box=BOX, key=KEY)


def now(work: Coroutine[Any, Any, list[Message]]) -> list[Message]:
    with pytest.raises(StopIteration) as done:
        work.send(None)
    answers: list[Message] = done.value.value
    return answers


@pytest.fixture
def outbox() -> Outbox:
    db = sqlite3.connect(":memory:")
    create_tables(db)
    return Outbox(db)


@pytest.fixture
def box() -> BoxSession:
    return BoxSession(school=SCHOOL, box=BOX, key=KEY, software="t")


@pytest.fixture
def gateway() -> GatewaySession:
    return GatewaySession(MemoryIngest(random.Random(1)), software="2.3")


def greeted(box: BoxSession, outbox: Outbox, *answers: Message) -> None:
    for answer in answers:
        assert box.receive(outbox, answer.payload).refused is None


def test_a_hello_is_answered_with_what_the_gateway_reads(box: BoxSession, outbox: Outbox, gateway: GatewaySession):
    greeted(box, outbox, *now(gateway.handle([Message(STATE, box.hello(outbox))])))
    assert latest_greeting(outbox) == own_greeting(outbox.challenge, "2.3")
    assert misfit(latest_greeting(outbox)) is None
    assert all(own_greeting(outbox.challenge, "").reads(*kind) for kind in NEWEST.items())
    assert now(gateway.handle([Message(STATE, box.farewell())])) == [], "who is gone is not greeted"


def test_what_was_said_to_an_older_question_is_not_believed(box: BoxSession, outbox: Outbox):
    """D7: somebody may say an old greeting again."""
    assert box.receive(outbox, said(GREETING)).greeting is None
    assert latest_greeting(outbox) is None


def test_a_school_that_went_back_to_a_program_that_greets_nobody_is_noticed_at_the_next_hello(
    box: BoxSession, outbox: Outbox, gateway: GatewaySession
):
    answers = now(gateway.handle([Message(STATE, box.hello(outbox))]))
    greeted(box, outbox, *answers)
    box.hello(outbox)
    assert latest_greeting(outbox) is not None
    greeted(box, outbox, answers[-1])  # receipts, and no greeting
    box.hello(outbox)
    assert latest_greeting(outbox) is None


def test_silence_says_nothing_about_the_program(box: BoxSession, outbox: Outbox, gateway: GatewaySession):
    greeted(box, outbox, *now(gateway.handle([Message(STATE, box.hello(outbox))])))
    for _ in range(3):
        box.hello(outbox)
    assert latest_greeting(outbox) is not None


def test_a_message_from_the_future_is_counted_and_the_rest_goes_on(
    box: BoxSession, outbox: Outbox, gateway: GatewaySession, caplog: pytest.LogCaptureFixture
):
    """D5, D14: it cannot be verified, so nothing can be kept of it; the box sends again."""
    outbox.append(Lane.RESULTS, page_record(b"c" * 16, 1.0))
    good = box.next_message(outbox, 0.0)
    assert good is not None
    newer = bytes([VERSION + 1]) + good[1:]
    (receipts,) = now(gateway.handle([Message(UP, newer), Message(UP, good), Message(UP, newer)]))
    assert gateway.counts["newer messages"] == 2
    assert len(caplog.records) == 1
    assert "newer than this program" in caplog.text
    greeted(box, outbox, receipts)
    assert outbox.counts()[Lane.RESULTS].receipted == 1


def test_a_box_is_told_from_the_future_that_it_is_too_old(box: BoxSession, outbox: Outbox):
    newer = bytes([VERSION + 1]) + said(GREETING)[1:]
    refused = box.receive(outbox, newer).refused
    assert refused is not None
    assert "Update" in refused.remedy


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (msgspec.structs.replace(GREETING, records=(1, 1, 1), newest=1), "older than this box"),
        (msgspec.structs.replace(GREETING, records=(1, 1, 1, 0), newest=1), "older than this box"),
        (msgspec.structs.replace(GREETING, records=(1, 1, 1, 9, 9, 9), oldest=2, newest=3), "too new"),
        (msgspec.structs.replace(GREETING, records=(1, 1, 1, 9, 9, 9), oldest=1, newest=3), None),
    ],
)
def test_a_person_is_told_which_of_the_two_programs_is_too_old(greeting: Greeting, words: str | None):
    trouble = misfit(greeting, {1: 1, 2: 1, 3: 1, 4: 1}, 1)
    assert (trouble is None) == (words is None)
    assert words is None or (trouble is not None and words in trouble.message)


def test_fields_that_a_newer_gateway_appends_are_read_over():
    longer = msgspec.msgpack.encode([*msgspec.to_builtins(GREETING, builtin_types=(bytes,)), "more"])
    assert decode_greeting(longer) == GREETING


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(body: bytes):
    with contextlib.suppress(MalformedEnvelope):
        decode_greeting(body)


def frames(messages: list[bytes | None]) -> list[int]:
    """Which dictionary each envelope was packed with."""
    found = []
    for message in messages:
        assert message is not None
        body = msgspec.msgpack.decode(open_signed(message, key=KEY, school=SCHOOL, box=BOX, channel="up")[1])
        found.append(zstandard.get_frame_parameters(body[5]).dict_id)
    return found


def test_only_who_has_greeted_with_the_dictionary_gets_frames_that_need_it(
    box: BoxSession, outbox: Outbox, gateway: GatewaySession
):
    outbox.append(Lane.RESULTS, page_record(b"a" * 16, 1.0))
    before = box.next_message(outbox, 0.0)
    answers = now(gateway.handle([Message(STATE, box.hello(outbox))]))
    greeted(box, outbox, *answers)
    outbox.append(Lane.HEALTH, page_record(b"b" * 16, 1.0))
    assert frames([before, box.next_message(outbox, 0.0)]) == [0, NEWEST_ID]
    box.hello(outbox)
    greeted(box, outbox, answers[-1])  # an older program answers now
    box.hello(outbox)
    outbox.append(Lane.DOCUMENTS, page_record(b"c" * 16, 1.0))
    assert frames([box.next_message(outbox, 0.0)]) == [0]


def test_what_goes_again_goes_plain(box: BoxSession, outbox: Outbox, gateway: GatewaySession):
    """D3: whatever program the school went back to meanwhile reads it."""
    greeted(box, outbox, *now(gateway.handle([Message(STATE, box.hello(outbox))])))
    outbox.append(Lane.RESULTS, page_record(b"a" * 16, 1.0))
    sent = [box.next_message(outbox, 0.0), box.next_message(outbox, 60_000.0)]
    assert frames(sent) == [NEWEST_ID, 0]


def test_the_greeting_outlives_the_box_that_heard_it(outbox: Outbox, gateway: GatewaySession, box: BoxSession):
    greeted(box, outbox, *now(gateway.handle([Message(STATE, box.hello(outbox))])))
    again = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="t")
    outbox.append(Lane.RESULTS, page_record(b"a" * 16, 1.0))
    assert frames([again.next_message(outbox, 0.0)]) == [NEWEST_ID]


def test_a_dictionary_that_only_the_gateway_has_is_not_used():
    assert GREETING.dictionary is None
    assert msgspec.structs.replace(GREETING, dictionaries=(7, NEWEST_ID)).dictionary == NEWEST_ID
