"""What box and gateway make of a broker's answers: of a scripted one, and of mosquitto and amqtt where they can."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from homework.errors import ClassboxError
from sync import connection
from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.broker_memory import BrokerMemory
from sync.connection import LineBroken, Meaning, Overloaded, Refused, connected
from sync.embedded_broker import Broker, mosquitto_path
from sync.envelope import decode_envelope
from sync.gateway_link import GatewayLink
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from sync.state import BoxState, encode_box_state
from sync.topics import topic
from tests.broker.answering import MQTT_5, MQTT_311, AnsweringBroker, Script, answering, limit_count
from tests.broker.patience import running, until

NOBODY, UNSPECIFIED, NOT_AUTHORISED, BUSY, TAKEN_OVER = 0x10, 0x83, 0x87, 0x89, 0x8E
QUOTA, BAD_FORMAT, NO_SHARING = 0x97, 0x99, 0x9E
QUICK = Pace(max_records=10, window=3, resend_after_ms=100, resend_at_most_ms=200)
HELLO = encode_box_state(
    BoxState(school=SCHOOL, box=BOX, online=True, software="0", challenge=b"c" * 8, epochs=(b"e" * 8,)), KEY
)
real = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")


@pytest.fixture(autouse=True)
def _no_memory_of_other_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_brokers", defaultdict(partial(BrokerMemory, time.monotonic)))


@pytest.fixture
def outbox(tmp_path: Path) -> OutboxFile:
    return OutboxFile(tmp_path / "ledger.sqlite")


def capture(file: OutboxFile, count: int = 1) -> None:
    with file.open() as outbox:
        for _ in range(count):
            name = random.randbytes(16)
            outbox.append(Lane.RESULTS, page_record(name, 1), subject=name)


class Told:
    """A box's link, and what it told of itself."""

    def __init__(self, file: OutboxFile, url: str, **more: Any) -> None:
        self.troubles: list[ClassboxError | None] = []
        more = {"pace": QUICK, "poll_s": 0.05, "linger_s": 0.0, "longest_pause_s": 0.1} | more
        self.link = BoxLink(
            outbox=file.open,
            broker=BrokerAddress(url=url),
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="test",
            on_trouble=self.troubles.append,
            **more,
        )

    @property
    def meaning(self) -> Meaning | None:
        """Of the trouble that stands on the box's page now."""
        last = self.troubles[-1] if self.troubles else None
        return last.meaning if isinstance(last, Refused) else None


def at(broker: AnsweringBroker | Broker) -> dict[str, Any]:
    return BrokerAddress(url=broker.url).connect_arguments()


def open_at(broker: AnsweringBroker | Broker, name: str = "somebody") -> Any:
    return connected(at(broker), identifier=name, keepalive_s=30)


def envelopes_only(code: int) -> Callable[[str, bytes], int]:
    return lambda where, _payload: code if where.endswith("/up") else 0


# --- versions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hangs_up", [False, True], ids=["says so", "closes without a word"])
async def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1_and_asked_once(hangs_up: bool):
    async with answering(script=Script(versions=(MQTT_311,), hangs_up=hangs_up)) as broker:
        for _ in range(2):
            async with open_at(broker) as link:
                assert link.version == MQTT_311
                await link.subscribe("a")
                assert await link.publish("a", b"x")
        assert broker.versions == [MQTT_5, MQTT_311, MQTT_311]


async def test_a_broker_that_closed_the_line_because_it_was_starting_is_asked_for_mqtt_5_again():
    async with answering(script=Script(versions=(), hangs_up=True)) as broker:
        with pytest.raises(LineBroken):
            async with open_at(broker):
                pass
        broker.script = Script()
        async with open_at(broker) as link:
            assert link.version == MQTT_5


async def test_a_broker_that_says_nothing_to_mqtt_5_is_spoken_to_in_3_1_1(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "_SILENCE_S", 0.2)
    async with answering(script=Script(versions=(MQTT_311,), silent=True)) as broker:
        for _ in range(2):
            async with open_at(broker) as link:
                assert link.version == MQTT_311
        assert broker.versions == [MQTT_5, MQTT_311, MQTT_311]


async def test_a_broker_whose_answer_was_lost_on_the_way_is_spoken_to_in_mqtt_5_all_the_same():
    """On a bad line TCP sends it again after about 1.8, 5.4 and 12.6 s."""
    async with answering(script=Script(connack_after_s=4.0)) as broker, open_at(broker) as link:
        assert link.version == MQTT_5
        assert broker.connections == 1


async def test_a_broker_that_was_old_is_asked_again_once_it_may_be_newer():
    now_s = 0.0
    memory = BrokerMemory(lambda: now_s)
    async with answering(script=Script(versions=(MQTT_311,))) as broker:
        arguments = at(broker)
        connection._brokers[arguments["hostname"], arguments["port"]] = memory
        async with open_at(broker) as link:
            assert link.version == MQTT_311
        broker.script = Script()
        async with open_at(broker) as link:
            assert link.version == MQTT_311
        now_s += 3_601
        async with open_at(broker) as link:
            assert link.version == MQTT_5


@pytest.mark.parametrize("kind", ["amqtt", pytest.param("mosquitto", marks=real)])
async def test_real_brokers_are_spoken_to_in_the_best_version_that_they_know(
    kind: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "_SILENCE_S", 60.0)  # nobody waits for it: ours say at once what they do not speak
    with Broker.start(kind=kind) as broker:
        async with open_at(broker) as link:
            assert link.version == (MQTT_5 if kind == "mosquitto" else MQTT_311)
            await link.subscribe("a")
            assert await link.publish("a", b"x")
            assert (await link.arrived())[0].payload == b"x"
            assert await link.publish("b", b"x") is (kind == "amqtt"), "only MQTT 5 tells that nobody listens"


# --- CONNACK, SUBACK, DISCONNECT --------------------------------------------------------------------------


@pytest.mark.parametrize("version", [MQTT_311, MQTT_5])
async def test_a_refused_box_and_gateway_say_so_and_come_in_once_they_may(outbox: OutboxFile, version: int):
    script = Script(versions=(version,), connack=NOT_AUTHORISED if version == MQTT_5 else 5)
    async with answering((topic(SCHOOL, BOX, "state"), HELLO), script=script) as broker:
        told = Told(outbox, broker.url)
        gateway = GatewayLink(
            ingest=MemoryIngest(random.Random(1)), broker=BrokerAddress(url=broker.url), longest_pause_s=0.1
        )
        async with running(told.link), running(gateway):
            await until(lambda: told.meaning is Meaning.SHUT_OUT and gateway.trouble is not None)
            broker.script = replace(script, connack=0)
            await until(lambda: told.troubles[-1] is None and gateway.connected and gateway.trouble is None)


async def test_a_broker_that_is_busy_is_nobodys_business(outbox: OutboxFile):
    async with answering(script=Script(connack=BUSY)) as broker:
        told = Told(outbox, broker.url)
        async with running(told.link):
            await until(lambda: broker.connections >= 3)
            broker.script = Script()
            await until(lambda: told.link.connected)
        assert set(told.troubles) <= {None}


@pytest.mark.parametrize(("version", "code"), [(MQTT_311, 0x80), (MQTT_5, NOT_AUTHORISED), (MQTT_5, NO_SHARING)])
async def test_a_topic_that_is_refused_is_an_error_with_a_remedy(version: int, code: int):
    async with (
        answering(script=Script(versions=(version,), suback=code)) as broker,
        open_at(broker) as link,
    ):
        with pytest.raises(Refused) as refused:
            await link.subscribe("$share/x/a")
        assert refused.value.meaning is (Meaning.CANNOT if code == NO_SHARING else Meaning.SHUT_OUT)


async def test_two_boxes_of_one_name_are_told_and_a_line_that_came_back_alone_does_not_take_that_back(
    outbox: OutboxFile,
):
    async with answering() as broker:
        told = Told(outbox, broker.url, hello_every_s=1.0)
        async with running(told.link):
            await until(lambda: bool(told.troubles))
            broker.throw_out(TAKEN_OVER)
            await until(lambda: told.meaning is Meaning.DOUBLE)
            hellos = len(broker.payloads("state"))
            await until(lambda: len(broker.payloads("state")) > hellos and told.link.connected)
            assert told.meaning is Meaning.DOUBLE
            await until(lambda: told.troubles[-1] is None)  # nobody came again for a while


# --- PUBACK -----------------------------------------------------------------------------------------------


async def test_while_nobody_listens_a_box_sends_seldom_says_so_and_goes_on_as_soon_as_somebody_is_heard(
    outbox: OutboxFile,
):
    capture(outbox, 5)
    patient = replace_pace(resend_at_most_ms=3_600_000)
    async with answering(script=Script(puback=lambda _topic, _payload: NOBODY)) as broker:
        told = Told(outbox, broker.url, pace=patient)
        async with running(told.link):
            await until(lambda: len(broker.payloads("up")) == 1 and told.link.heard is False)
            await asyncio.sleep(0.5)  # five times the patience for a receipt
            assert len(broker.payloads("up")) == 1
            assert told.troubles[-1] is None, "it is no error"
            broker.script = Script()
            session_of_a_gateway = MemoryIngest(random.Random(1))
            await answer(broker, session_of_a_gateway)
            await until(lambda: len(broker.payloads("up")) == 2 and told.link.heard is True)


@real
async def test_a_box_without_a_gateway_at_mosquitto_loses_no_time_once_there_is_one(outbox: OutboxFile):
    capture(outbox, 5)
    ingest = MemoryIngest(random.Random(1))
    with Broker.start(kind="mosquitto") as broker:
        told = Told(outbox, broker.url, pace=replace_pace(resend_at_most_ms=3_600_000))
        async with running(told.link):
            await until(lambda: told.link.heard is False)
            gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url))
            async with running(gateway):
                await until(lambda: len(ingest.store.counted) == 5 and told.link.heard is True)


async def test_a_quota_makes_a_box_wait_longer_each_time_and_is_no_trouble(outbox: OutboxFile):
    at_s: list[float] = []

    def note(where: str, _payload: bytes) -> int:
        if where.endswith("/up"):
            at_s.append(asyncio.get_running_loop().time())
            return QUOTA
        return 0

    capture(outbox)
    async with answering(script=Script(puback=note)) as broker:
        told = Told(outbox, broker.url, pace=Pace(resend_after_ms=100, resend_at_most_ms=60_000))
        async with running(told.link):
            await until(lambda: len(at_s) >= 5)
            assert broker.connections == 1
            assert set(told.troubles) == {None}
    waits = [later - earlier for earlier, later in itertools.pairwise(at_s)]
    assert all(wait >= 0.08 * 2**n for n, wait in enumerate(waits))


async def test_a_quota_for_the_hello_keeps_the_line(outbox: OutboxFile):
    async with answering(script=Script(puback=lambda _topic, _payload: QUOTA)) as broker:
        told = Told(outbox, broker.url)
        async with running(told.link):
            await until(lambda: bool(broker.payloads("state")))
            broker.script = Script()
            await until(lambda: len(broker.payloads("state")) == 2 and bool(told.troubles))
            assert broker.connections == 1


async def test_a_box_that_may_not_publish_is_told_and_goes_on_when_it_may(outbox: OutboxFile):
    capture(outbox)
    async with answering(script=Script(puback=envelopes_only(NOT_AUTHORISED))) as broker:
        told = Told(outbox, broker.url)
        async with running(told.link):
            await until(lambda: told.meaning is Meaning.SHUT_OUT)
            broker.script = Script()
            await until(lambda: told.troubles[-1] is None and len(broker.payloads("up")) >= 2)


async def test_a_message_that_the_broker_never_takes_is_told_and_what_follows_goes_out(outbox: OutboxFile):
    capture(outbox)

    def only_the_first(where: str, payload: bytes) -> int:
        if not where.endswith("/up"):
            return 0
        return BAD_FORMAT if decode_envelope(payload, school=SCHOOL, box=BOX, key=KEY).first_seq == 1 else 0

    async with answering(script=Script(puback=only_the_first)) as broker:
        told = Told(outbox, broker.url, hello_every_s=0.5)
        async with running(told.link):
            await until(lambda: told.meaning is Meaning.NEVER)
            capture(outbox, 3)
            await until(lambda: any(e.first_seq == 2 for e in envelopes(broker)))
            hellos = len(broker.payloads("state"))
            await until(lambda: len(broker.payloads("state")) > hellos)
            assert told.meaning is Meaning.NEVER, "it stands until the line is another"
            assert [e.first_seq for e in envelopes(broker)].count(1) == 1
            assert broker.connections == 1


@real
async def test_records_are_cut_to_what_the_broker_takes_and_one_that_is_larger_blocks_nothing(outbox: OutboxFile):
    with outbox.open() as open_outbox:
        for size in (3_000, 3_000, 3_000, 50_000, 3_000):
            open_outbox.append(Lane.DOCUMENTS, random.randbytes(size))
    ingest = MemoryIngest(random.Random(1))
    with Configured.start(kind="mosquitto") as broker:
        broker.stop()
        broker.lines = ("max_packet_size 12000",)
        broker.restart()
        told = Told(outbox, broker.url)
        gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url))
        async with running(gateway), running(told.link):
            await until(lambda: {seq for _, _, seq in ingest.store.rows} == {1, 2, 3, 5})
            await until(lambda: told.meaning is Meaning.TOO_LARGE)
            capture(outbox, 3)
            await until(lambda: len(ingest.store.counted) == 3)
            assert told.link.connected
            assert told.meaning is Meaning.TOO_LARGE, "it stands until the line is another"
        broker.stop()
        broker.lines = ()
        broker.restart()
        again = Told(outbox, broker.url)
        gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url))
        async with running(gateway), running(again.link):
            await until(lambda: len({seq for _, lane, seq in ingest.store.rows if lane is Lane.DOCUMENTS}) == 5)
            assert again.troubles[-1] is None


@pytest.mark.parametrize("version", [MQTT_311, MQTT_5])
async def test_a_message_that_costs_the_line_again_and_again_is_set_aside_told_and_what_follows_goes_out(
    outbox: OutboxFile, version: int
):
    """Brokers of 3.1.1 have no other word for it; 128 KiB is a large cloud's limit."""
    with outbox.open() as open_outbox:
        for size in (3_000, 300_000, 3_000, 100_000, 3_000):
            open_outbox.append(Lane.DOCUMENTS, random.randbytes(size))
    ingest = MemoryIngest(random.Random(1))
    async with (
        answering(script=Script(versions=(version,), closes_above=128 << 10)) as broker,
        heard_by(broker, ingest),
    ):
        told = Told(outbox, broker.url)
        async with running(told.link):
            await until(lambda: {seq for _, _, seq in ingest.store.rows} == {1, 3, 4, 5})
            assert told.meaning is Meaning.TOO_LARGE
            lines = broker.connections
            capture(outbox, 3)
            await until(lambda: len(ingest.store.counted) == 3)
            assert told.link.connected
            assert broker.connections == lines, "it costs no line any more"


@pytest.mark.parametrize("ends", ["we leave", "nothing is heard"])
async def test_a_line_that_the_broker_did_not_close_says_nothing_of_what_is_too_large(ends: str):
    async with answering() as broker:
        broker.hold()
        for _ in range(3):
            async with connected(at(broker), identifier="x", keepalive_s=1) as link:
                sending = asyncio.create_task(link.publish("a", bytes(200_000)))
                await until(lambda: broker.held_count == 1)
                if ends == "nothing is heard":
                    with pytest.raises(LineBroken):
                        await sending
            await asyncio.gather(sending, return_exceptions=True)
            broker.release()
            broker.hold()
        broker.release()
        async with open_at(broker) as link:
            assert await link.publish("a", bytes(200_000))


async def test_many_records_that_are_too_large_together_go_in_smaller_parts(outbox: OutboxFile):
    with outbox.open() as open_outbox:
        for _ in range(10):
            open_outbox.append(Lane.DOCUMENTS, random.randbytes(12_000))
    ingest = MemoryIngest(random.Random(1))
    async with (
        answering(script=Script(versions=(MQTT_311,), closes_above=80_000)) as broker,
        heard_by(broker, ingest),
    ):
        told = Told(outbox, broker.url)
        async with running(told.link):
            await until(lambda: len(ingest.store.rows) == 10)
            assert told.troubles[-1] is None


@real
async def test_mosquitto_closes_the_line_of_3_1_1_and_all_but_what_is_too_large_arrives(outbox: OutboxFile):
    with outbox.open() as open_outbox:
        for size in (3_000, 300_000, 3_000):
            open_outbox.append(Lane.DOCUMENTS, random.randbytes(size))
    ingest = MemoryIngest(random.Random(1))
    with Configured.start(kind="mosquitto") as broker:
        broker.stop()
        broker.lines = ("max_packet_size 131072",)
        broker.restart()
        connection._brokers[at(broker)["hostname"], broker.port].spoke_old()
        told = Told(outbox, broker.url)
        gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url))
        async with running(gateway), running(told.link):
            await until(lambda: {seq for _, _, seq in ingest.store.rows} == {1, 3})
            await until(lambda: told.meaning is Meaning.TOO_LARGE)


async def test_no_more_is_in_flight_than_the_broker_can_hold():
    async with answering(script=Script(limits=limit_count(3))) as broker, open_at(broker) as link:
        broker.hold()
        sending = [asyncio.create_task(link.publish("a", b"%d" % n)) for n in range(10)]
        await until(lambda: len(broker.published) == 3)
        await asyncio.sleep(0.2)
        assert len(broker.published) == 3
        broker.release()
        assert await asyncio.gather(*sending) == [True] * 10


@real
async def test_mosquitto_states_what_it_takes_and_a_larger_message_does_not_cost_the_line():
    with Configured.start(kind="mosquitto") as broker:
        broker.stop()
        broker.lines = ("max_packet_size 20000",)
        broker.restart()
        async with open_at(broker) as link:
            assert link.largest_bytes == 20_000
            with pytest.raises(Refused) as refused:
                await link.publish("a", bytes(30_000))
            assert refused.value.meaning is Meaning.TOO_LARGE
            assert await link.publish("a", bytes(19_900)) is False


async def test_a_gateway_whose_receipts_are_refused_says_so_and_takes_in_all_the_same():
    ingest = MemoryIngest(random.Random(1))
    script = Script(puback=lambda _topic, _payload: NOT_AUTHORISED)
    async with answering((topic(SCHOOL, BOX, "state"), HELLO), script=script) as broker:
        gateway = GatewayLink(ingest=ingest, broker=BrokerAddress(url=broker.url))
        async with running(gateway):
            await until(lambda: gateway.trouble is not None)
            assert gateway.connected
            assert broker.connections == 1


@pytest.mark.parametrize(("code", "error"), [(UNSPECIFIED, Overloaded), (QUOTA, Overloaded), (BAD_FORMAT, Refused)])
async def test_what_a_puback_says_reaches_the_caller(code: int, error: type[Exception]):
    async with (
        answering(script=Script(puback=lambda _topic, _payload: code)) as broker,
        open_at(broker) as link,
    ):
        with pytest.raises(error):
            await link.publish("a", b"x")
        broker.script = Script()
        assert await link.publish("a", b"x"), "and the line goes on"


def replace_pace(**more: int) -> Pace:
    return Pace(**{"max_records": 10, "window": 3, "resend_after_ms": 100, "resend_at_most_ms": 200} | more)


def envelopes(broker: AnsweringBroker) -> list[Any]:
    return [decode_envelope(message, school=SCHOOL, box=BOX, key=KEY) for message in broker.payloads("up")]


class Configured(Broker):
    """A mosquitto whose configuration says more."""

    lines: tuple[str, ...] = ()

    def _command(self) -> list[str]:
        words = super()._command()
        configuration = Path(words[-1])
        configuration.write_text(configuration.read_text() + "\n".join(self.lines) + "\n")
        return words


@asynccontextmanager
async def heard_by(broker: AnsweringBroker, ingest: MemoryIngest) -> AsyncIterator[None]:
    """A gateway takes in all that the broker takes, and its answers come back."""

    async def hear() -> None:
        session, heard = GatewaySession(ingest), 0
        while True:
            new = broker.published[heard:]
            heard += len(new)
            for message in await session.handle([Message(*one) for one in new]):
                broker.send(message.topic, message.payload)
            await asyncio.sleep(0.02)

    hearing = asyncio.create_task(hear())
    try:
        yield
    finally:
        hearing.cancel()


async def answer(broker: AnsweringBroker, ingest: MemoryIngest) -> None:
    """Send what a gateway that hears the retained hello answers."""

    state = Message(topic(SCHOOL, BOX, "state"), broker.payloads("state")[-1])
    for message in await GatewaySession(ingest).handle([state]):
        broker.send(message.topic, message.payload)
