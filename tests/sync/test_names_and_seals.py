"""Topics, states, clocks and seals: the small things that everything leans on."""

from __future__ import annotations

import contextlib
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import UsageError
from sync.broker_address import BrokerAddress
from sync.clock import ClockQuality, SystemClock
from sync.errors import BadSignature, BadTopic, MalformedEnvelope
from sync.sealing import SealError, open_sealed, seal
from sync.signed import MessageKind, open_signed, sign
from sync.state import BoxState, decode_box_state, encode_box_state
from sync.topics import EVERY_STATE, EVERY_UP, Topic, client_id, parse_topic, topic

ids = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
KEY = bytes(range(32))


@given(ids, ids, st.sampled_from(["up", "down", "state"]))
def test_a_topic_parses_into_what_built_it(school: str, box: str, channel: str):
    assert parse_topic(topic(school, box, channel)) == Topic(school, box, channel)  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_any_text_is_a_topic_or_a_clear_error(text: str):
    with contextlib.suppress(BadTopic):
        assert str(parse_topic(text)) == text


@pytest.mark.parametrize("bad", ["", "a/b", "+", "#", "学校", "a b", "x" * 33, "a\n", "$SYS"])
def test_names_that_could_reach_into_anothers_topics_are_refused(bad: str):
    """D7."""
    for call in (lambda: topic(bad, "b", "up"), lambda: topic("s", bad, "up"), lambda: client_id(bad, "b")):
        with pytest.raises(BadTopic):
            call()


def test_the_filters_are_those_of_the_topics():
    assert EVERY_UP.replace("+", "x") == topic("x", "x", "up")
    assert EVERY_STATE.replace("+", "x") == topic("x", "x", "state")


def test_a_state_travels_signed_and_keeps_the_latest_epochs():
    epochs = tuple(bytes([n]) * 8 for n in range(70))
    state = BoxState(school="s", box="b", online=True, software="1", challenge=b"c" * 8, epochs=epochs)
    message = encode_box_state(state, KEY)
    assert decode_box_state(message, school="s", box="b", key=KEY).epochs == epochs[-64:]
    with pytest.raises(BadSignature):
        decode_box_state(message, school="s", box="b2", key=KEY)
    rubbish = sign(MessageKind.STATE, b"\x91\xff", key=KEY, school="s", box="b", channel="state")
    with pytest.raises(MalformedEnvelope):
        decode_box_state(rubbish, school="s", box="b", key=KEY)


def test_a_state_tells_the_clock_and_an_older_boxs_tells_none():
    reading = SystemClock().read()
    where = {"school": "s", "box": "b"}
    state = BoxState(**where, online=True, software="1", challenge=b"c" * 8, epochs=(), clock=reading)
    assert decode_box_state(encode_box_state(state, KEY), **where, key=KEY) == state
    older = msgspec.msgpack.encode([True, "1", b"c" * 8, [b"e" * 8]])
    message = sign(MessageKind.STATE, older, key=KEY, **where, channel="state")
    found = decode_box_state(message, **where, key=KEY)
    assert (found.epochs, found.clock) == ((b"e" * 8,), None)
    _, body = open_signed(encode_box_state(state, KEY), key=KEY, **where, channel="state")
    newer = msgspec.msgpack.encode([*msgspec.msgpack.decode(body), {"of a": "version to come"}])
    found = decode_box_state(sign(MessageKind.STATE, newer, key=KEY, **where, channel="state"), **where, key=KEY)
    assert found.clock == reading


def test_a_clock_that_is_set_while_it_is_read_does_not_pass_off_the_time_before_as_set(
    monkeypatch: pytest.MonkeyPatch,
):
    synced = False
    before_ns = 1_790_000_000 * 10**9

    def time_ns() -> int:
        nonlocal synced
        synced = True  # right after the wall time was taken, the server sets the clock
        return before_ns

    monkeypatch.setattr("sync.clock._is_synced", lambda: synced)
    monkeypatch.setattr("sync.clock.time.time_ns", time_ns)
    assert SystemClock().read().quality is ClockQuality.RESTORED


def test_the_system_clock_reads_both_clocks_of_this_boot():
    clock = SystemClock()
    first, second = clock.read(), clock.read()
    assert first.boot == second.boot
    assert second.monotonic_ms >= first.monotonic_ms
    assert abs(first.wall_ms - time.time() * 1000) < 60_000


def test_a_clock_before_the_program_was_written_is_unset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sync.clock.time.time_ns", lambda: 86_400 * 10**9)
    assert SystemClock().read().quality is ClockQuality.UNSET


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_what_is_sealed_opens_with_its_key_in_its_place_only(plaintext: bytes, place: bytes):
    """D8."""
    sealed = seal(KEY, plaintext, place)
    assert open_sealed(KEY, sealed, place) == plaintext
    for key, aad in ((b"k" * 32, place), (KEY, place + b"x")):
        with pytest.raises(SealError):
            open_sealed(key, sealed, aad)


@given(st.binary(max_size=100))
def test_what_was_never_sealed_does_not_open(rubbish: bytes):
    with pytest.raises(SealError):
        open_sealed(KEY, rubbish, b"")


@pytest.mark.parametrize("url", ["", "http://x", "mqtt://", "mqtt://h:99999", "mqtt://[", "localhost:1883"])
def test_a_broker_address_that_is_none_is_a_usage_error(url: str):
    with pytest.raises(UsageError):
        BrokerAddress(url=url).connect_arguments()


def test_a_broker_address_has_the_ports_of_the_standard():
    assert BrokerAddress(url="mqtt://h").connect_arguments()["port"] == 1883
    assert BrokerAddress(url="mqtts://h").connect_arguments()["port"] == 8883
    with_user = BrokerAddress(url="mqtt://u:p@h:7").connect_arguments()
    assert (with_user["username"], with_user["password"], with_user["port"]) == ("u", "p", 7)


def test_of_several_addresses_each_attempt_takes_the_next_and_none_shows_its_password():
    cluster = BrokerAddress(url="mqtt://u:secret@a, mqtt://b:7,mqtts://c.example")
    cluster.check()
    found = [cluster.connect_arguments(attempt) for attempt in range(4)]
    assert [(one["hostname"], one["port"]) for one in found] == [
        ("a", 1883),
        ("b", 7),
        ("c.example", 8883),
        ("a", 1883),
    ]
    assert [one["tls_context"] is not None for one in found] == [False, False, True, False]
    assert cluster.without_secrets() == "a, mqtt://b:7, mqtts://c.example"
    with pytest.raises(UsageError, match="`http://b`"):
        BrokerAddress(url="mqtt://a,http://b").check()
