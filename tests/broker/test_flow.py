"""What goes over a line, and when: thin lines, long round trips, brokers that take their time."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.connection import connected
from sync.envelope import Envelope, decode_envelope, encode_envelope
from sync.gateway_link import GatewayLink
from sync.lanes import Lane, first_link
from sync.line import THIN_LINEAR_TIMEOUTS
from sync.outbox_file import OutboxFile
from sync.receipts import Receipt, advance, encode_receipts, new_lane_state
from sync.signed import MessageKind
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from sync.state import BoxState, encode_box_state
from sync.topics import topic
from tests.broker.answering import AnsweringBroker, answering
from tests.broker.patience import running, until

QUICK = Pace(max_records=10, window=3, resend_after_ms=100, resend_at_most_ms=200)


@pytest.fixture
def outbox(tmp_path: Path) -> OutboxFile:
    return OutboxFile(tmp_path / "ledger.sqlite")


def capture(file: OutboxFile, count: int) -> None:
    with file.open() as outbox:
        for _ in range(count):
            name = random.randbytes(16)
            outbox.append(Lane.RESULTS, page_record(name, 1), subject=name)


def box_link(file: OutboxFile, broker: AnsweringBroker, *, pace: Pace = QUICK, poll_s: float = 0.05) -> BoxLink:
    return BoxLink(
        outbox=file.open,
        broker=BrokerAddress(url=broker.url),
        school=SCHOOL,
        box=BOX,
        key=KEY,
        software="test",
        pace=pace,
        linger_s=0.0,
        poll_s=poll_s,
        longest_pause_s=0.1,
    )


def envelopes(broker: AnsweringBroker) -> list[Envelope]:
    return [decode_envelope(message, school=SCHOOL, box=BOX, key=KEY) for message in broker.payloads("up")]


async def test_a_puback_that_takes_its_time_neither_breaks_the_line_nor_sends_anything_twice(
    outbox: OutboxFile, monkeypatch: pytest.MonkeyPatch
):
    """A large message on a thin line: while it is on the way nothing is lost, so nothing is sent again."""
    monkeypatch.setattr("sync.connection._ANSWER_S", 0.2)
    async with answering() as broker, running(box_link(outbox, broker)) as task:
        await until(lambda: len(broker.payloads("state")) == 1)
        broker.hold()
        capture(outbox, 5)
        await until(lambda: len(broker.payloads("up")) == 1)
        await asyncio.sleep(1.0)  # ten times the patience for a receipt, five times that for other answers
        assert len(broker.payloads("up")) == 1
        assert broker.connections == 1
        assert not task.done()
        broker.release()
        await until(lambda: len(broker.payloads("up")) == 2)  # from the PUBACK on, a receipt is missed


async def test_envelopes_follow_one_another_without_waiting_for_the_broker(outbox: OutboxFile):
    """A term over a line of long round trips needs a few of them, not one for each envelope."""
    capture(outbox, 60)
    async with answering() as broker:
        broker.hold()
        async with running(box_link(outbox, broker)):
            await until(lambda: len(broker.payloads("up")) == 3)
            assert len(broker.payloads("state")) == 1, "nor did they wait for the answer to the hello"
            await asyncio.sleep(0.3)
            assert [(e.first_seq, e.last_seq) for e in envelopes(broker)] == [(1, 10), (11, 20), (21, 30)]
            broker.release()


async def test_sheets_that_come_soon_after_one_another_share_an_envelope_and_the_link_wakes_for_it(outbox: OutboxFile):
    """Nothing else would wake it: it looks by itself once an hour, and the receipt came long before."""
    link_s = 0.4
    async with answering() as broker:
        link = box_link(outbox, broker, pace=Pace(gather_ms=round(1000 * link_s)), poll_s=3600.0)
        async with running(link):
            await until(lambda: len(broker.payloads("state")) == 1)
            capture(outbox, 1)
            link.wake()
            await until(lambda: len(broker.payloads("up")) == 1)
            (first,) = envelopes(broker)
            taken = advance(new_lane_state(first.epoch, first.lane), first, incarnation=b"i" * 8)
            down = encode_receipts([taken.receipt], school=SCHOOL, box=BOX, key=KEY)
            broker.send(topic(SCHOOL, BOX, "down"), down)
            for _ in range(2):
                capture(outbox, 1)
                link.wake()
                await asyncio.sleep(link_s / 8)
            assert len(broker.payloads("up")) == 1
            await until(lambda: len(broker.payloads("up")) == 2)
            assert [(one.first_seq, one.last_seq) for one in envelopes(broker)] == [(1, 1), (2, 3)]


async def test_what_is_on_the_line_is_bounded_so_that_what_is_urgent_need_not_queue_behind_it(
    outbox: OutboxFile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sync.box_link._ON_THE_LINE_BYTES", 3_000)
    with outbox.open() as open_outbox:
        for _ in range(60):
            open_outbox.append(Lane.DOCUMENTS, random.randbytes(200))
    async with answering() as broker:
        broker.hold()
        async with running(box_link(outbox, broker)):
            await until(lambda: len(broker.payloads("up")) == 2)
            capture(outbox, 1)
            await asyncio.sleep(0.3)
            assert sum(map(len, broker.payloads("up"))) < 6_000
            broker.release()
            await until(lambda: len(broker.payloads("up")) > 2)
            assert envelopes(broker)[2].lane is Lane.RESULTS


def _receipts(broker: AnsweringBroker) -> list[str]:
    return [where for where, payload in broker.published if payload[1] == MessageKind.RECEIPTS]


async def test_receipts_do_not_wait_for_one_anothers_acknowledgement_and_keep_their_order():
    names = [f"box-{n}" for n in range(6)]

    class OneKey(MemoryIngest):
        async def box_key(self, school: str, box: str) -> bytes:
            return KEY

    def hello(box: str) -> bytes:
        state = BoxState(school=SCHOOL, box=box, online=True, software="0", challenge=b"c" * 8, epochs=(b"e" * 8,))
        return encode_box_state(state, KEY)

    async with answering() as broker:
        link = GatewayLink(ingest=OneKey(random.Random(1)), broker=BrokerAddress(url=broker.url))
        async with running(link):
            await until(lambda: link.connected)
            broker.hold()
            for name in names:
                broker.send(topic(SCHOOL, name, "state"), hello(name))
            await until(lambda: len(_receipts(broker)) == len(names))
            assert [where.split("/")[3] for where in _receipts(broker)] == names
            broker.release()


async def test_what_comes_soon_after_one_another_shares_a_transaction_and_the_first_waits_for_nobody():
    """A district's boxes send single sheets at any moment: a transaction for each would cost many times the sheets."""
    names = [f"box-{n}" for n in range(30)]
    batches: list[int] = []

    class Counting(MemoryIngest):
        async def box_key(self, school: str, box: str) -> bytes:
            return KEY

        async def take(self, some: Sequence[Envelope]) -> Sequence[Receipt]:
            batches.append(len(some))
            return await super().take(some)

    def sheet(box: str) -> bytes:
        epoch = random.randbytes(8)
        return encode_envelope(
            Envelope(
                school=SCHOOL,
                box=box,
                epoch=epoch,
                lane=Lane.RESULTS,
                first_seq=1,
                before=first_link(epoch, Lane.RESULTS),
                challenge=bytes(8),
                entries=(page_record(random.randbytes(16), 1),),
            ),
            KEY,
        )

    async with answering() as broker:
        link = GatewayLink(ingest=Counting(random.Random(1)), broker=BrokerAddress(url=broker.url), gather_s=0.5)
        async with running(link):
            await until(lambda: link.connected)
            for name in names:
                broker.send(topic(SCHOOL, name, "up"), sheet(name))
                await asyncio.sleep(0.01)
            await until(lambda: sum(batches) == 30)
    assert batches[0] == 1
    assert len(batches) <= 4


async def test_a_line_that_loses_packets_is_asked_again_soon_and_a_dead_one_is_given_up() -> None:
    """Both are the kernel's to do: a lost packet of a thin stream goes again without ever longer waits."""
    async with answering() as broker:
        arguments = BrokerAddress(url=broker.url).connect_arguments()
        async with connected(arguments, identifier="thin", keepalive_s=30) as connection:
            opened = connection._line._transport.get_extra_info("socket")
            assert opened.getsockopt(socket.IPPROTO_TCP, THIN_LINEAR_TIMEOUTS) == 1
            assert 10_000 <= opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 120_000
