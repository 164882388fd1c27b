"""A link always ends when it is told to, and always comes back when it is not, whatever the moment."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from edge.web.bus import Bus
from edge.web.live_page import _happens
from gateway.app import _BrokerWatcher
from homework.errors import ClassboxError, UsageError
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.connection import Pauses
from sync.gateway_link import GatewayLink
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.mqtt import MqttLine
from sync.outbox import Outbox
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from sync.state import BoxState, encode_box_state
from sync.topics import topic
from tests.broker.answering import answering
from tests.broker.patience import END_S, ended, running, until

TURNS = range(7)
"""Turns of the loop: `asyncio.wait_for` of Python 3.11 needs up to three to hand on what it waited for."""
HELLO = encode_box_state(
    BoxState(school=SCHOOL, box=BOX, online=True, software="0", challenge=b"c" * 8, epochs=(b"e" * 8,)), KEY
)


@pytest.fixture
def outbox(tmp_path: Path) -> OutboxFile:
    file = OutboxFile(tmp_path / "ledger.sqlite")
    with file.open() as outbox:
        outbox.append(Lane.RESULTS, page_record(b"c" * 16, 1), subject=b"c" * 16)
    return file


def box_link(outbox: Callable[[], AbstractContextManager[Outbox]], url: str, **more: Any) -> BoxLink:
    more = {"broker": BrokerAddress(url=url), "poll_s": 0.05, "linger_s": 0.0, "longest_pause_s": 0.1} | more
    return BoxLink(outbox=outbox, school=SCHOOL, box=BOX, key=KEY, software="test", **more)


def gateway_link(url: str, **more: Any) -> GatewayLink:
    return GatewayLink(
        ingest=MemoryIngest(random.Random(1)), broker=BrokerAddress(url=url), longest_pause_s=0.1, **more
    )


def after_turns(turns: int, act: Callable[[], object]) -> None:
    """Do it so many turns of the loop later; 0: at once."""
    if turns == 0:
        act()
    else:
        asyncio.get_running_loop().call_soon(after_turns, turns - 1, act)


@pytest.fixture
def at_callback(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, Callable[[], object]], asyncio.Event]:
    """Does something right after the MQTT client's callback of that name was called for the `count`th time, once."""

    def arrange(name: str, count: int, act: Callable[[], object]) -> asyncio.Event:
        done = asyncio.Event()
        original = getattr(MqttLine, name)
        calls = 0

        def called(*arguments: Any, **named: Any) -> None:
            nonlocal calls
            original(*arguments, **named)
            calls += 1
            if calls == count:
                act()
                done.set()

        monkeypatch.setattr(MqttLine, name, called)
        return done

    return arrange


Arrange = Callable[[str, int, Callable[[], object]], asyncio.Event]


@pytest.mark.parametrize("turns", TURNS)
async def test_a_gateway_stopped_at_any_turn_after_a_puback_ends(at_callback: Arrange, turns: int):
    async with answering((topic(SCHOOL, BOX, "state"), HELLO)) as broker:
        task = asyncio.create_task(gateway_link(broker.url).run())
        acknowledged = at_callback("_on_publish", 1, lambda: after_turns(turns, task.cancel))
        await until(acknowledged.is_set)
        await ended(task)


@pytest.mark.parametrize("puback", [1, 2], ids=["of the hello", "of an envelope"])
@pytest.mark.parametrize("turns", TURNS)
async def test_a_box_stopped_at_any_turn_after_a_puback_ends(
    at_callback: Arrange, outbox: OutboxFile, turns: int, puback: int
):
    async with answering() as broker:
        task = asyncio.create_task(box_link(outbox.open, broker.url).run())
        acknowledged = at_callback("_on_publish", puback, lambda: after_turns(turns, task.cancel))
        await until(acknowledged.is_set)
        await ended(task)


@pytest.mark.parametrize("callback", ["_on_connect", "_on_subscribe"])
@pytest.mark.parametrize("turns", TURNS)
async def test_a_link_stopped_while_it_connects_ends(
    at_callback: Arrange, outbox: OutboxFile, turns: int, callback: str
):
    async with answering() as broker:
        for link in (box_link(outbox.open, broker.url), gateway_link(broker.url)):
            task = asyncio.create_task(link.run())
            called = at_callback(callback, 1, lambda stop=task.cancel: after_turns(turns, stop))
            await until(called.is_set)
            await ended(task)
        await until(lambda: broker.open_connections == 0)


async def test_a_link_stopped_while_the_broker_says_nothing_ends_and_leaves_no_ghost(outbox: OutboxFile):
    async with answering(mute=True) as broker:
        for link in (box_link(outbox.open, broker.url), gateway_link(broker.url)):
            async with running(link):
                await until(lambda: broker.open_connections == 1)
            await until(lambda: broker.open_connections == 0)


@pytest.mark.parametrize("turns", TURNS)
async def test_a_link_stopped_in_the_moment_its_line_breaks_ends(at_callback: Arrange, outbox: OutboxFile, turns: int):
    async with answering((topic(SCHOOL, BOX, "state"), HELLO)) as broker:
        for link in (box_link(outbox.open, broker.url), gateway_link(broker.url)):
            task = asyncio.create_task(link.run())
            broken = at_callback("_on_disconnect", 1, lambda stop=task.cancel: after_turns(turns, stop))
            await until(lambda at=link: at.connected)
            broker.break_lines()
            await until(broken.is_set)
            await ended(task)


@pytest.mark.parametrize("turns", TURNS)
async def test_a_line_that_breaks_at_any_turn_after_a_puback_is_taken_up_again(
    at_callback: Arrange, outbox: OutboxFile, turns: int
):
    async with answering((topic(SCHOOL, BOX, "state"), HELLO)) as broker:
        for link in (box_link(outbox.open, broker.url), gateway_link(broker.url)):
            before = broker.connections
            at_callback("_on_publish", 1, lambda: after_turns(turns, broker.break_lines))
            async with running(link):
                await until(lambda at=before, of=link: broker.connections >= at + 2 and of.connected)


async def test_an_error_that_nobody_thought_of_is_logged_shown_and_the_box_comes_back(
    outbox: OutboxFile, caplog: pytest.LogCaptureFixture
):
    troubles: list[ClassboxError | None] = []
    failing = [AssertionError("a number that cannot be")]

    def open_outbox() -> AbstractContextManager[Outbox]:
        if failing:
            raise failing.pop()
        return outbox.open()

    async with answering() as broker, running(box_link(open_outbox, broker.url, on_trouble=troubles.append)):
        await until(lambda: bool(broker.payloads("up")) and troubles[-1] is None)
    assert "a number that cannot be" in caplog.text
    ours = [record for record in caplog.records if record.exc_info and record.name == "sync.box_link"]
    assert [record.levelno for record in ours] == [logging.ERROR]
    assert "a number that cannot be" in str(troubles[0])


async def test_an_error_that_nobody_thought_of_costs_the_gateway_a_connection_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
):
    failing = [RecursionError("too deep")]
    original = GatewaySession.handle

    async def handle(session: GatewaySession, messages: Sequence[Message]) -> list[Message]:
        if failing:
            raise failing.pop()
        return await original(session, messages)

    monkeypatch.setattr(GatewaySession, "handle", handle)
    async with answering((topic(SCHOOL, BOX, "state"), HELLO)) as broker:
        link = gateway_link(broker.url)
        async with running(link):
            await until(lambda: bool(broker.payloads("down")))
            assert link.connected
            assert link.trouble is None
    assert broker.connections == 2


@pytest.mark.parametrize("turns", TURNS)
async def test_who_waits_for_the_broker_or_for_a_sheet_ends_when_told_in_the_moment_it_comes(turns: int):
    watcher, bus = _BrokerWatcher("mqtt://127.0.0.1", print), Bus()
    link = gateway_link("mqtt://127.0.0.1:1")
    for waiting, come in (
        (watcher.watch(link), link._connected.set),
        (_happens(bus, bus.number), bus.publish),
    ):
        task = asyncio.create_task(waiting)
        await asyncio.sleep(0.01)
        come()
        after_turns(turns, task.cancel)
        done, _ = await asyncio.wait([task], timeout=END_S)
        assert done, "it was told to end, and goes on"
        assert task.cancelled() or turns > 0, "it was told to end before it could have its answer"


async def test_a_certificate_that_cannot_be_read_does_not_keep_box_and_gateway_from_starting(
    outbox: OutboxFile, tmp_path: Path
):
    address = BrokerAddress(url="mqtts://127.0.0.1:1", ca=str(tmp_path / "not there.pem"))
    troubles: list[ClassboxError | None] = []
    box = box_link(outbox.open, "", broker=address, on_trouble=troubles.append)
    gateway = GatewayLink(ingest=MemoryIngest(random.Random(1)), broker=address)
    async with running(box), running(gateway):
        await until(lambda: bool(troubles) and gateway.trouble is not None)
    assert "certificate" in str(troubles[0])
    assert "certificate" in str(gateway.trouble)


def test_an_address_that_is_none_is_said_at_once(outbox: OutboxFile):
    with pytest.raises(UsageError):
        box_link(outbox.open, "http://127.0.0.1")
    with pytest.raises(UsageError):
        gateway_link("127.0.0.1")


def seconds_of_return(pauses: list[Pauses], lasted_s: float) -> Counter[int]:
    return Counter(int(p.after(lasted_s)) for p in pauses)


def a_thousand() -> list[Pauses]:
    rng = random.Random(1)
    return [Pauses(shortest_s=0.5, longest_s=60, spread_s=5, chance=rng.random) for _ in range(1_000)]


def test_a_thousand_boxes_do_not_come_back_in_the_same_second():
    boxes = a_thousand()
    assert max(Counter(int(box.first()) for box in boxes).values()) < 250, "after a power cut"
    assert max(seconds_of_return(boxes, lasted_s=3_600).values()) < 250, "after the broker's restart"
    for _ in range(20):
        later = seconds_of_return(boxes, lasted_s=0)
    assert max(later.values()) < 60, "while the broker stays away"
    assert max(later) < 60


def test_pauses_grow_while_it_fails_and_start_afresh_after_a_connection_that_lasted():
    pauses = Pauses(shortest_s=0.5, longest_s=60, spread_s=5, chance=lambda: 1.0)
    failed = [pauses.after(0) for _ in range(8)]
    assert failed == sorted(failed)
    assert failed[0] == 1.5
    assert failed[-1] == 60
    assert pauses.after(61) == 5
    assert pauses.after(0) == 1.5


def test_nobody_listens_and_the_box_ends_all_the_same(outbox: OutboxFile):
    async def scene() -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))  # bound, never listening
            async with running(box_link(outbox.open, f"mqtt://127.0.0.1:{held.getsockname()[1]}")):
                await asyncio.sleep(0.2)

    asyncio.run(scene())
