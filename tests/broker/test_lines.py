"""Lines that stand still in every place, and messages that come faster than they are taken in."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sync import connection
from sync.box_link import BoxLink
from sync.box_session import BoxSession, Pace
from sync.broker_address import BrokerAddress
from sync.connection import LineBroken, connected
from sync.embedded_broker import mosquitto_path
from sync.envelope import Envelope
from sync.gateway_link import _ROOM_BYTES, GatewayLink
from sync.gateway_session import Message
from sync.lanes import Lane
from sync.outbox import Outbox
from sync.outbox_file import OutboxFile
from sync.receipts import Receipt, encode_receipts, new_lane_state, standing
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from sync.tls import client_context
from sync.topics import topic
from tests.broker.answering import answering
from tests.broker.guarded import GuardedBroker
from tests.broker.patience import running, until

SOON_S = 2.0
"""Beside the limits themselves; a busy machine needs some of it."""
MIB = 1 << 20


def secured(port: int) -> dict[str, Any]:
    tls = client_context(ca=None, cert=None, key=None, surely_ms=lambda: 0)
    return {"hostname": "127.0.0.1", "port": port, "username": None, "password": None, "tls_context": tls}


async def try_to_connect(arguments: dict[str, Any]) -> None:
    async with connected(arguments, identifier="x", keepalive_s=90):
        raise AssertionError("nobody answers there")


@contextmanager
def silent() -> Iterator[tuple[int, list[socket.socket]]]:
    """Takes connections and never says a word."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield server.getsockname()[1], taken
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in taken:
                one.close()


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose queue is full: SYNs go unanswered, as behind a router that swallows them."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        full = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(server.getsockname())
            full.append(one)
        try:
            yield server.getsockname()[1]
        finally:
            for one in full:
                one.close()


@pytest.mark.parametrize("how", [silent, black_hole], ids=["never speaks TLS", "swallows every packet"])
async def test_a_line_that_stands_still_while_it_is_opened_costs_its_limit(how: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "_ANSWER_S", 1.0)
    with how() as found:
        port = found[0] if isinstance(found, tuple) else found
        began_s = time.monotonic()
        with pytest.raises(LineBroken, match="no answer to CONNECT"):
            await try_to_connect(secured(port))
        assert 1.0 <= time.monotonic() - began_s < 1.0 + SOON_S


@pytest.mark.parametrize("how", [silent, black_hole], ids=["never speaks TLS", "swallows every packet"])
def test_who_is_stopped_while_a_line_is_opened_ends_at_once_and_leaves_nothing_open(how: Any):
    """Also the loop itself: it waits for the threads of its executor."""
    with how() as found:
        port, taken = found if isinstance(found, tuple) else (found, None)

        async def scene() -> None:
            trying = asyncio.create_task(try_to_connect(secured(port)))
            await (until(lambda: bool(taken)) if taken is not None else asyncio.sleep(0.3))
            trying.cancel()
            await asyncio.wait([trying])

        began_s = time.monotonic()
        asyncio.run(scene())
        assert time.monotonic() - began_s < SOON_S
        if taken is not None:
            taken[0].settimeout(SOON_S)
            while taken[0].recv(4096):  # its greeting, and then the end
                pass


def test_a_resolver_that_does_not_answer_keeps_nobody_from_ending(monkeypatch: pytest.MonkeyPatch):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60) and [])

    async def scene() -> None:
        trying = asyncio.create_task(try_to_connect({**secured(1), "hostname": "broker.school.example"}))
        await asyncio.sleep(0.2)
        trying.cancel()
        await asyncio.wait([trying])

    began_s = time.monotonic()
    asyncio.run(scene())
    assert time.monotonic() - began_s < SOON_S
    answered.set()


@pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")
async def test_a_box_whose_broker_stands_still_in_the_middle_of_tls_ends_within_its_limits(tmp_path: Path):
    file = OutboxFile(tmp_path / "ledger.sqlite")
    with GuardedBroker() as broker:
        link = BoxLink(
            outbox=file.open,
            broker=broker.address(broker.certificate(SCHOOL, BOX)),
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="test",
            spread_s=0.0,
        )
        task = asyncio.create_task(link.run())
        await until(lambda: link.connected)
        os.kill(broker.process.pid, signal.SIGSTOP)  # the kernel holds the line open, and takes new ones
        try:
            began_s = time.monotonic()
            task.cancel()
            await asyncio.wait([task], timeout=30)
            assert task.done()
            assert time.monotonic() - began_s < 2.0 + 2.0 + SOON_S, "a farewell and a DISCONNECT have 2 s each"
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)


async def test_a_line_whose_other_end_takes_nothing_any_more_is_let_go_of_within_its_limit(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(connection, "_LEAVE_S", 0.3)
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        async def welcome() -> socket.socket:
            line, _ = await loop.sock_accept(server)
            await loop.sock_recv(line, 4096)
            await loop.sock_sendall(line, b"\x20\x03\0\0\0")
            return line

        welcoming = asyncio.create_task(welcome())
        arguments = BrokerAddress(url=f"mqtt://127.0.0.1:{server.getsockname()[1]}").connect_arguments()
        async with connected(arguments, identifier="x", keepalive_s=90) as link:
            transport = link._line._transport
            assert transport is not None
            opened = transport.get_extra_info("socket")
            sending = asyncio.create_task(link.publish("a", bytes(32 * MIB)))
            await until(lambda: transport.get_write_buffer_size() > 0)
        await until(lambda: opened.fileno() == -1, limit_s=SOON_S)
        with pytest.raises(LineBroken):
            await sending
        (await welcoming).close()


class Halting(MemoryIngest):
    """A store that stands still until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(random.Random(1))
        self.go_on = asyncio.Event()
        self.fails = False
        self.taking = 0

    async def box_key(self, school: str, box: str) -> bytes | None:
        self.taking += 1
        await self.go_on.wait()
        return await super().box_key(school, box)

    async def take(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        if self.fails:
            raise OSError("the disk is full")
        return await super().take(envelopes)


@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
async def test_a_gateway_acknowledges_what_it_has_dealt_with_in_order_and_not_before(fails: bool, tmp_path: Path):
    ingest = Halting()
    ingest.fails = fails
    async with answering() as broker:
        gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url), batch=4)
        async with running(gateway):
            await until(lambda: gateway.connected)
            with OutboxFile(tmp_path / "ledger.sqlite").open() as outbox:
                messages = some_envelopes(outbox, 10)
            for message in messages:
                broker.send(topic(SCHOOL, BOX, "up"), message, qos=1)
            await until(lambda: ingest.taking == 1)
            await asyncio.sleep(0.3)
            assert broker.acknowledged == []
            ingest.go_on.set()
            await until(lambda: broker.acknowledged == list(range(1, 11)))
            assert bool(ingest.store.rows) is not fails
            assert broker.connections == 1


async def test_answers_that_wait_are_bounded_by_their_bytes_and_room_comes_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sync.gateway_link._ANSWERS_BYTES", 10_000)
    async with answering() as broker:
        gateway = GatewayLink(ingest=MemoryIngest(random.Random(1)), broker=BrokerAddress(url=broker.url))
        many = [Message(topic(SCHOOL, BOX, "down"), bytes(1_000))] * 100
        gateway._queue(many)
        async with running(gateway):
            await until(lambda: len(broker.payloads("down")) == 10)
            gateway._queue(many)
            await until(lambda: len(broker.payloads("down")) == 20)
            await asyncio.sleep(0.2)
            assert len(broker.payloads("down")) == 20


async def test_receipts_that_come_together_share_a_transaction(tmp_path: Path):
    file = OutboxFile(tmp_path / "ledger.sqlite")
    with file.open() as outbox:
        epoch = outbox.epoch
    go_on, opened = threading.Event(), 0
    go_on.set()

    def open_outbox() -> AbstractContextManager[Outbox]:
        nonlocal opened
        opened += 1
        go_on.wait()
        return file.open()

    async with answering() as broker:
        link = BoxLink(
            outbox=open_outbox,
            broker=BrokerAddress(url=broker.url),
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="test",
            spread_s=0.0,
            poll_s=60.0,
        )
        async with running(link):
            await until(lambda: link.heard is True)
            receipt = standing(
                new_lane_state(epoch, Lane.RESULTS),
                epoch=epoch,
                lane=Lane.RESULTS,
                incarnation=b"i" * 8,
                challenge=b"c" * 8,
            )
            message = encode_receipts([receipt], school=SCHOOL, box=BOX, key=KEY)
            go_on.clear()
            before = opened
            for _ in range(20):
                broker.send(topic(SCHOOL, BOX, "down"), message, qos=1)
            await asyncio.sleep(0.3)
            go_on.set()
            await until(lambda: broker.acknowledged == list(range(1, 21)))
            assert opened - before <= 6, "the first, the others together, and what is looked up because of them"


async def test_a_box_acknowledges_a_receipt_once_it_is_in_its_ledger(tmp_path: Path):
    file = OutboxFile(tmp_path / "ledger.sqlite")
    with file.open() as outbox:
        epoch = outbox.epoch
    halted, go_on = threading.Event(), threading.Event()
    go_on.set()

    def open_outbox() -> AbstractContextManager[Outbox]:
        if not go_on.is_set():
            halted.set()
        go_on.wait()
        return file.open()

    async with answering() as broker:
        link = BoxLink(
            outbox=open_outbox,
            broker=BrokerAddress(url=broker.url),
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="test",
            spread_s=0.0,
            poll_s=60.0,
        )
        async with running(link):
            await until(lambda: link.heard is True)
            go_on.clear()
            receipt = standing(
                new_lane_state(epoch, Lane.RESULTS),
                epoch=epoch,
                lane=Lane.RESULTS,
                incarnation=b"i" * 8,
                challenge=b"c" * 8,
            )
            message = encode_receipts([receipt], school=SCHOOL, box=BOX, key=KEY)
            broker.send(topic(SCHOOL, BOX, "down"), message, qos=1)
            await until(halted.is_set)
            await asyncio.sleep(0.2)
            assert broker.acknowledged == []
            go_on.set()
            await until(lambda: broker.acknowledged == [1])


class Flood(threading.Thread):
    """A broker that keeps to no window: it sends message after message of 1 MiB as fast as the line takes them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        self._count, self.sent = count, 0

    def run(self) -> None:
        line, _ = self._server.accept()
        with self._server, line:
            line.recv(4096)
            line.sendall(b"\x20\x03\0\0\0")
            asked = line.recv(4096)
            line.sendall(b"\x90\x05" + asked[2:4] + b"\0\x01\x01")
            where = topic(SCHOOL, BOX, "up").encode()
            body = len(where).to_bytes(2, "big") + where + b"\0\x01\0" + bytes(MIB)
            length = len(body)
            head = b"\x32" + bytes(
                [length & 127 | 128, length >> 7 & 127 | 128, length >> 14 & 127 | 128, length >> 21]
            )
            try:
                for _ in range(self._count):
                    line.sendall(head + body)
                    self.sent += 1
                while line.recv(4096):  # PINGs and acknowledgements
                    pass
            except OSError:
                pass  # the gateway has left


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_a_flood_of_large_messages_on_a_gateway_whose_store_stands_still_keeps_within_its_memory():
    """400 MiB come; what is held is bounded by bytes and the rest stays where it is. The limit is twice the room."""
    ingest, flood = Halting(), Flood(400)
    flood.start()
    gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=flood.url))
    async with running(gateway):
        await until(lambda: gateway.connected)
        before = resident_bytes()
        most, sent = 0, -1
        while sent != flood.sent or sent < _ROOM_BYTES // MIB:  # until it stands still
            sent = flood.sent
            await asyncio.sleep(0.5)
            most = max(most, resident_bytes() - before)
        assert sent < 100
        assert most < 2 * _ROOM_BYTES, f"{most / MIB:.0f} MiB"
        ingest.go_on.set()
        await until(lambda: flood.sent == 400)
        assert resident_bytes() - before < 2 * _ROOM_BYTES
    flood.join()


async def test_a_line_that_is_not_read_because_much_waits_is_not_taken_for_dead():
    flood = Flood(40)
    flood.start()
    arguments = BrokerAddress(url=flood.url).connect_arguments()
    async with connected(arguments, identifier="x", keepalive_s=1, room_bytes=2 * MIB) as link:
        await link.subscribe("classbox/1/+/+/up")
        await asyncio.sleep(5.0)  # the second PING without an answer would have come twice over
        assert flood.sent < 40
        for _ in range(40):
            assert len((await link.arrived())[0].payload) == MIB
    flood.join()


def some_envelopes(outbox: Outbox, count: int) -> list[bytes]:

    for _ in range(count):
        name = random.randbytes(16)
        outbox.append(Lane.RESULTS, page_record(name, 1), subject=name)
    session = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="t", pace=Pace(max_records=1, window=count))
    return [session.next_message(outbox, 0.0) or b"" for _ in range(count)]
