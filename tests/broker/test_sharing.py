"""Several gateways on one broker, and what somebody can do who would like his share of the messages."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.broker import GatewayFiles, set_up
from provisioning.mosquitto import BrokerPlan
from sync.broker_address import BrokerAddress
from sync.embedded_broker import Broker, mosquitto_path
from sync.gateway_link import GatewayLink
from sync.simulation import MemoryIngest
from sync.topics import EVERY_STATE, EVERY_UP
from tests.broker.guarded import GuardedBroker, Stranger, context, until
from tests.broker.patience import running

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")
UP = "classbox/1/no-1/box-1/up"
SECRET = "0123456789abcdef0123456789abcdef"
MESSAGES = [f"sheet {n}".encode() for n in range(40)]


@pytest.fixture
def broker() -> Iterator[GuardedBroker]:
    with GuardedBroker(gateways=2) as broker:
        yield broker


def gateways(broker: GuardedBroker) -> list[Stranger]:
    """Two, each with its own certificate, that share under the secret name."""
    made = []
    for name in ("gateway", "gateway-2"):
        key = broker.data / (f"{name}-certificate.key")
        known = context(ca=broker.gateway.ca, cert=broker.data / f"{name}.crt", key=key)
        made.append(Stranger(broker.port, known, name=name).connected())
        made[-1].subscribe(f"$share/{SECRET}/{EVERY_UP}")
    return made


def test_two_gateways_have_names_of_their_own_and_each_message_goes_to_one_of_them(broker: GuardedBroker) -> None:
    one, other = gateways(broker)
    broker.box("no-1", "box-1").publish_all(UP, MESSAGES)
    until(lambda: len(one.received) + len(other.received) >= len(MESSAGES))
    assert sorted(what for _, what in one.received + other.received) == sorted(MESSAGES)
    assert min(len(one.received), len(other.received)) > 0
    assert not one.thrown_out
    assert not other.thrown_out


@pytest.mark.parametrize("guess", [f"$share/gateways/{EVERY_UP}", f"$share/{SECRET[:-1]}0/{EVERY_UP}", "$share/+/#"])
def test_a_box_that_does_not_know_the_groups_name_gets_and_takes_nothing(broker: GuardedBroker, guess: str) -> None:
    one, other = gateways(broker)
    thief = broker.box("no-1", "box-2")
    if "+" in guess:  # no name of a group (MQTT 5.0, section 4.8.2); where it is taken it must yield nothing
        thief.client.subscribe(guess, qos=1)
    else:
        thief.subscribe(guess)
    broker.box("no-1", "box-1").publish_all(UP, MESSAGES)
    until(lambda: len(one.received) + len(other.received) >= len(MESSAGES))
    assert sorted(what for _, what in one.received + other.received) == sorted(MESSAGES)
    assert thief.received == []


def test_the_groups_name_has_to_be_a_secret(broker: GuardedBroker) -> None:
    """Who knows it is given messages that he may not read: they are gone, and the box sends them again."""
    one, other = gateways(broker)
    thief = broker.box("no-1", "box-2")
    thief.subscribe(f"$share/{SECRET}/{EVERY_UP}")
    broker.box("no-1", "box-1").publish_all(UP, MESSAGES)
    one.subscribe(EVERY_STATE)
    broker.box("no-1", "box-3").publish("classbox/1/no-1/box-3/state", b"after all of them")
    one.hears("classbox/1/no-1/box-3/state", b"after all of them")
    assert len(one.received) - 1 + len(other.received) < len(MESSAGES)
    assert thief.received == []


def test_only_gateways_try_what_the_broker_can_do(broker: GuardedBroker) -> None:
    gateway = broker.as_gateway("classbox/probe/+")
    assert broker.box("no-1", "box-1").publish("classbox/probe/1", b"forged") == "Not authorized"
    assert gateway.publish("classbox/probe/2", b"mine") == "Success"
    gateway.hears("classbox/probe/2", b"mine")
    assert len(gateway.received) == 1


class Always:
    async def mine(self) -> None:
        return

    async def over(self) -> None:
        await asyncio.Event().wait()


async def test_the_real_link_finds_out_that_the_guarded_broker_shares(broker: GuardedBroker) -> None:
    link = GatewayLink(ingest=MemoryIngest(random.Random(1)), broker=broker.address(), group=SECRET, turn=Always())
    async with running(link):
        await link.wait_connected()
        assert link.shares


@pytest.mark.parametrize(("kind", "shares"), [("mosquitto", True), ("amqtt", False)])
async def test_what_a_broker_can_do_is_tried_and_not_believed(kind: str, shares: bool) -> None:
    with Broker.start(kind=kind) as broker:  # type: ignore[arg-type]
        link = GatewayLink(
            ingest=MemoryIngest(random.Random(1)), broker=BrokerAddress(url=broker.url), group=SECRET, turn=Always()
        )
        async with running(link):
            await link.wait_connected()
            assert link.shares is shares
            while not link.listens:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)


def test_each_of_several_gateways_gets_files_of_its_own(tmp_path: Path) -> None:
    plan = BrokerPlan(folder=tmp_path / "broker", addresses=("127.0.0.1",), port=1, gateways=3)
    first = set_up(tmp_path, plan, now=datetime.now(UTC))
    assert first == GatewayFiles(
        tmp_path / "broker-ca.crt", tmp_path / "gateway.crt", tmp_path / "gateway-certificate.key"
    )
    for name in ("gateway-2", "gateway-3"):
        assert (tmp_path / f"{name}.crt").read_bytes().startswith(b"-----BEGIN CERTIFICATE")
        assert (tmp_path / f"{name}-certificate.key").stat().st_mode & 0o077 == 0
