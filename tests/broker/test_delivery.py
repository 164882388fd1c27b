"""The delivery promises (docs/delivery.md) over real brokers, with real processes killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.connection import Connection, connected
from sync.embedded_broker import Broker, BrokerError, mosquitto_path
from sync.errors import WireError
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox import LaneCounts
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from sync.state import BoxState, decode_box_state
from sync.topics import topic
from tests.broker.patience import running, until

KINDS = ["mosquitto", "amqtt"] if mosquitto_path() else ["amqtt"]
QUICK = Pace(max_records=20, window=3, resend_after_ms=400, resend_at_most_ms=1_000)


class Ledger:
    """A box's SQLite file with nothing but the outbox in it, and the truth of what was captured."""

    def __init__(self, path: Path) -> None:
        self.file = OutboxFile(path)
        self.captures: set[bytes] = set()

    def capture(self, count: int) -> None:
        with self.file.open() as outbox:
            for _ in range(count):
                capture = random.randbytes(16)
                outbox.append(Lane.RESULTS, page_record(capture, 1), subject=capture)
                self.captures.add(capture)

    def counts(self) -> LaneCounts:
        with self.file.open() as outbox:
            return outbox.counts()[Lane.RESULTS]


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with Broker.start(kind=request.param) as broker:
        yield broker


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


@pytest.fixture
def ingest() -> MemoryIngest:
    return MemoryIngest(random.Random(1))


def box_link(ledger: Ledger, broker: Broker) -> BoxLink:
    return BoxLink(
        outbox=ledger.file.open,
        broker=BrokerAddress(url=broker.url),
        school=SCHOOL,
        box=BOX,
        key=KEY,
        software="test",
        pace=QUICK,
        linger_s=0.01,
        poll_s=0.1,
        hello_every_s=1.0,
        longest_pause_s=0.5,
    )


def gateway_link(ingest: MemoryIngest, broker: Broker) -> GatewayLink:
    return GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url), longest_pause_s=0.5)


def arrived_once(ledger: Ledger, ingest: MemoryIngest) -> bool:
    return ledger.counts().waiting == 0 and set(ingest.store.counted) == ledger.captures and ingest.store.again == 0


async def test_a_class_arrives_and_the_box_knows_it(broker: Broker, ledger: Ledger, ingest: MemoryIngest):
    """D1."""
    link = box_link(ledger, broker)
    async with running(gateway_link(ingest, broker)), running(link):
        ledger.capture(45)
        link.wake()
        await until(lambda: arrived_once(ledger, ingest))
    assert ledger.counts() == (45, 0, 45, 0)


async def test_what_the_broker_acknowledges_without_a_gateway_is_not_taken_for_delivered(
    broker: Broker, ledger: Ledger, ingest: MemoryIngest
):
    """D2: a PUBACK is not delivery."""
    ledger.capture(30)
    link = box_link(ledger, broker)
    async with running(link):
        await until(lambda: link.connected)
        await asyncio.sleep(0.3)  # long enough for every PUBACK; nothing is asserted about the time
        assert ledger.counts().waiting == 30
        async with running(gateway_link(ingest, broker)):
            await until(lambda: arrived_once(ledger, ingest))


async def test_a_broker_killed_in_the_middle_costs_nothing(broker: Broker, ledger: Ledger, ingest: MemoryIngest):
    """D2, D3."""
    link = box_link(ledger, broker)
    async with running(gateway_link(ingest, broker)), running(link):
        for round_ in range(3):
            ledger.capture(60)
            link.wake()
            await until(lambda n=round_: len(ingest.store.counted) > 60 * n)
            broker.kill()
            ledger.capture(10)
            broker.restart()
        await until(lambda: arrived_once(ledger, ingest))
    assert ledger.counts().receipted == 210


async def test_a_gateway_that_dies_round_its_commit_books_nothing_twice(
    broker: Broker, ledger: Ledger, ingest: MemoryIngest
):
    """D3, D4."""
    ingest.kill_chance = 0.4
    link = box_link(ledger, broker)
    async with running(gateway_link(ingest, broker)), running(link):
        for _ in range(12):
            ledger.capture(10)
            link.wake()
            await asyncio.sleep(0.02)
        await until(lambda: arrived_once(ledger, ingest))


async def test_a_restored_gateway_gets_again_what_it_lost(broker: Broker, ledger: Ledger, ingest: MemoryIngest):
    """D6: also when the copy was put back without telling anybody."""
    link = box_link(ledger, broker)
    async with running(link):
        async with running(gateway_link(ingest, broker)):
            ledger.capture(20)
            await until(lambda: arrived_once(ledger, ingest))
            backup = ingest.store.copy()
            ledger.capture(25)
            await until(lambda: arrived_once(ledger, ingest))
        ingest.store = backup
        async with running(gateway_link(ingest, broker)):
            await until(lambda: arrived_once(ledger, ingest))
    assert len(ingest.store.counted) == 45


BOX_PROGRAM = """
import asyncio, sys
from pathlib import Path
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.connection import Connection, connected
from sync.box_session import Pace
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL
link = BoxLink(outbox=OutboxFile(Path(sys.argv[1])).open, broker=BrokerAddress(url=sys.argv[2]), school=SCHOOL,
               box=BOX, key=KEY, software="test", pace=Pace(max_records=3, window=1))
asyncio.run(link.run())
"""


async def test_a_box_killed_in_the_middle_goes_on_and_its_will_is_told(
    broker: Broker, ledger: Ledger, ingest: MemoryIngest
):
    """D3."""
    ledger.capture(40)
    process = subprocess.Popen(  # noqa: ASYNC220 - it only starts
        [sys.executable, "-c", BOX_PROGRAM, ledger.file.path, broker.url]
    )
    states: list[BoxState] = []
    try:
        async with running(gateway_link(ingest, broker)), somebody(broker) as watcher:
            await watcher.subscribe(topic(SCHOOL, BOX, "state"))
            listening = asyncio.create_task(collect(watcher, states))
            await until(lambda: len(ingest.store.counted) > 0)
            process.kill()
            process.wait()
            await until(lambda: bool(states) and not states[-1].online)
            listening.cancel()
            async with running(box_link(ledger, broker)):
                await until(lambda: arrived_once(ledger, ingest))
    finally:
        process.kill()
        process.wait()
    assert any(state.online for state in states)


async def test_strangers_and_rubbish_change_nothing(broker: Broker, ledger: Ledger, ingest: MemoryIngest):
    """D7: no receipt can be forged, no record slipped in, and neither program stops for it."""
    link = box_link(ledger, broker)
    async with running(gateway_link(ingest, broker)), running(link):
        await until(lambda: link.connected)
        async with somebody(broker) as stranger:
            for payload in (b"", b"\x01", b"\x01\x03" + bytes(60), b"\x09" * 40, b"\x01\x01" + b"\xff" * 500):
                for channel in ("up", "down", "state"):
                    await stranger.publish(topic(SCHOOL, BOX, channel), payload)
            await stranger.publish("classbox/1/school/ghost/up", b"\x01\x01" + bytes(40))
            await stranger.publish("classbox/1/s c/b/up", b"")
        ledger.capture(5)
        link.wake()
        await until(lambda: arrived_once(ledger, ingest))
    assert len(ingest.store.counted) == 5


def test_a_port_that_something_else_holds_is_said_in_one_line(broker: Broker):
    with pytest.raises(BrokerError, match="Another broker"), Broker.start(broker.port, kind="mosquitto"):
        pass


def somebody(broker: Broker) -> AbstractAsyncContextManager[Connection]:
    return connected(BrokerAddress(url=broker.url).connect_arguments(), identifier="somebody", keepalive_s=60)


async def collect(watcher: Connection, states: list[BoxState]) -> None:
    while True:
        for message in await watcher.arrived():
            with contextlib.suppress(WireError):
                states.append(decode_box_state(message.payload, school=SCHOOL, box=BOX, key=KEY))
