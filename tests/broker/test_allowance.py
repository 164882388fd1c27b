"""A metered line: what is counted is what the line carries, over restarts too, and at its end nothing goes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homework.errors import ClassboxError
from sync.allowance import Allowance, Restraint, month_of, spent_so_far
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.embedded_broker import Broker
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from tests.broker.patience import running, until

NOW_MS = 1_800_000_000_000
_PACKET_BYTES = 52
"""IP's and TCP's headers, which the other end of a TCP connection does not see."""


class Wire:
    """Forwards connections and counts the bytes in them."""

    def __init__(self, to_port: int) -> None:
        self.carried = 0
        self._to_port = to_port

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        try:
            yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        await asyncio.gather(self._pipe(reader, back), self._pipe(there, writer), return_exceptions=True)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.carried += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker.start() as started:
        yield started


@pytest.fixture
def card(tmp_path: Path) -> OutboxFile:
    card = OutboxFile(tmp_path / "card.sqlite")
    with card.open() as outbox:
        for number in range(45):
            outbox.append(Lane.RESULTS, page_record(number.to_bytes(16, "big"), 1.0))
    return card


def metered(card: OutboxFile, url: str, limit: int, told: list[ClassboxError | None] | None = None) -> BoxLink:
    return BoxLink(
        outbox=card.open,
        broker=BrokerAddress(url=url),
        school=SCHOOL,
        box=BOX,
        key=KEY,
        software="test",
        allowance=Allowance(limit, surely_ms=lambda: NOW_MS, is_set=lambda: True),
        linger_s=0.01,
        poll_s=0.1,
        longest_pause_s=0.3,
        on_trouble=(told if told is not None else []).append,
    )


def used(card: OutboxFile) -> int:
    with card.open() as outbox:
        return spent_so_far(outbox).of(month_of(NOW_MS))


def waiting(card: OutboxFile) -> int:
    with card.open() as outbox:
        return outbox.counts()[Lane.RESULTS].waiting


async def test_what_is_counted_is_what_the_line_carried_and_a_restart_goes_on_from_it(broker: Broker, card: OutboxFile):
    wire = Wire(int(broker.url.rpartition(":")[2]))
    ingest = MemoryIngest(random.Random(1))
    async with wire.open() as url, running(GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url))):
        for _ in range(2):
            async with running(metered(card, url, 10_000_000)):
                await until(lambda: waiting(card) == 0)
                await asyncio.sleep(0.3)
            headers = used(card) - wire.carried
            # The last word of a connection (DISCONNECT) is said after the last look.
            assert -headers % _PACKET_BYTES <= 8
            assert headers > 10 * _PACKET_BYTES
            with card.open() as outbox:
                outbox.append(Lane.RESULTS, page_record(b"one more" * 2, 1.0))


async def test_what_is_used_up_says_so_and_carries_nothing(broker: Broker, card: OutboxFile):
    told: list[ClassboxError | None] = []
    with card.open() as outbox:
        before = Allowance(1_000, surely_ms=lambda: NOW_MS, is_set=lambda: True)
        before.count(1_250)
        before.save(outbox)
    wire = Wire(int(broker.url.rpartition(":")[2]))
    async with wire.open() as url:
        link = metered(card, url, 1_000, told)
        async with running(link):
            await until(lambda: bool(told))
            await asyncio.sleep(1.0)
        assert (wire.carried, waiting(card), link.restraint) == (0, 45, Restraint.SILENT)
        assert told[-1] is not None
        assert "nothing goes" in told[-1].message
        ingest = MemoryIngest(random.Random(1))
        gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url))
        async with running(gateway), running(metered(card, url, 100_000)):  # somebody set a larger limit
            await until(lambda: waiting(card) == 0)
