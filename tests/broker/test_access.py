"""What a hostile box, a thief and a stranger can do on a broker that `classgate broker write` set up: nothing."""

from __future__ import annotations

import random
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from gateway.broker import certify, lock_out, set_up
from provisioning.authority import Authority
from provisioning.mosquitto import BrokerPlan
from sync.box_link import BoxLink
from sync.embedded_broker import mosquitto_path
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.signed import MAX_MESSAGE_BYTES
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from sync.topics import EVERY_STATE, EVERY_UP
from tests.broker.guarded import GuardedBroker, Stranger, context, until
from tests.broker.patience import running
from tests.broker.patience import until as until_true

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")

NO = "Not authorized"
UP, STATE, DOWN = (f"classbox/1/no-1/box-1/{channel}" for channel in ("up", "state", "down"))
FOREIGN = (
    "classbox/1/no-1/box-2/up",
    "classbox/1/no-1/box-2/state",
    "classbox/1/no-1/box-2/down",
    "classbox/1/no-2/box-1/up",
    "classbox/1/no-2/box-1/state",
    "classbox/1/classgate/up",
    DOWN,
    "classbox/1/no-1/up",
    "classbox/2/no-1/box-1/up",
    "no-1/box-1",
    "$SYS/broker/version",
)


@pytest.fixture
def broker() -> Iterator[GuardedBroker]:
    with GuardedBroker() as broker:
        yield broker


async def test_a_class_arrives_over_tls_under_the_names_of_the_certificates(broker: GuardedBroker, tmp_path: Path):
    """D1, with the real links."""
    file, ingest = OutboxFile(tmp_path / "ledger.sqlite"), MemoryIngest(random.Random(1))
    captures = {random.randbytes(16) for _ in range(45)}
    with file.open() as outbox:
        for capture in captures:
            outbox.append(Lane.RESULTS, page_record(capture, 1), subject=capture)
    box = BoxLink(
        outbox=file.open,
        broker=broker.address(broker.certificate(SCHOOL, BOX)),
        school=SCHOOL,
        box=BOX,
        key=KEY,
        software="test",
    )

    def proven() -> bool:
        with file.open() as outbox:
            return outbox.counts()[Lane.RESULTS].receipted == 45

    async with running(GatewayLink(ingest=ingest, broker=broker.address())), running(box):
        await until_true(proven)
    assert set(ingest.store.counted) == captures


def test_a_box_publishes_on_its_own_topics_only(broker: GuardedBroker):
    gateway = broker.as_gateway("#", EVERY_UP, EVERY_STATE)
    for foreign in FOREIGN:  # one connection each: mosquitto 2.0.11 ends one that was refused something
        assert broker.box("no-1", "box-1").publish(foreign, b"forged", retain=True) == NO
    box = broker.box("no-1", "box-1")
    assert box.publish(STATE, b"mine") == "Success"
    assert box.publish(UP, b"mine") == "Success"
    gateway.hears(UP, b"mine")
    assert {(where, what) for where, what in gateway.received} == {(STATE, b"mine"), (UP, b"mine")}


def test_the_older_protocol_opens_no_other_door(broker: GuardedBroker):
    """MQTT 3.1.1 has no reasons: what is refused is acknowledged and goes nowhere."""
    gateway = broker.as_gateway(EVERY_UP, EVERY_STATE)
    for foreign in FOREIGN:
        broker.box("no-1", "box-1", version=mqtt.MQTTv311).publish(foreign, b"forged")
    broker.box("no-1", "box-1", version=mqtt.MQTTv311).publish(UP, b"mine")
    gateway.hears(UP, b"mine")
    assert set(gateway.received) == {(UP, b"mine")}


def test_another_box_cannot_take_its_client_id(broker: GuardedBroker):
    gateway = broker.as_gateway(EVERY_UP)
    box = broker.box("no-1", "box-1")
    thief = Stranger(broker.port, context(broker.certificate("no-1", "box-2")), name="no-1/box-1").connected()
    assert thief.publish("classbox/1/no-1/box-2/up", b"its own") == "Success"
    assert thief.publish(UP, b"forged") == NO
    assert box.publish(UP, b"still here") == "Success"
    gateway.hears(UP, b"still here")
    assert not box.thrown_out


def test_nobody_can_pass_for_the_gateway_or_throw_it_out(broker: GuardedBroker):
    gateway = broker.as_gateway(EVERY_UP)
    box = broker.box("no-1", "box-1")
    certificate = context(broker.certificate("no-1", "box-2"))
    thief = Stranger(broker.port, certificate, name="classgate").connected()
    assert thief.publish(DOWN, b"a forged receipt") == NO
    assert box.publish(UP, b"mine") == "Success"
    gateway.hears(UP, b"mine")
    assert not gateway.thrown_out


@pytest.mark.parametrize(
    "wanted", ["#", "classbox/#", "classbox/1/+/+/down", DOWN, UP, STATE, "+/+/+/+/+", f"$share/x/{EVERY_UP}", "$SYS/#"]
)
def test_a_wildcard_yields_its_own_messages_only(broker: GuardedBroker, wanted: str):
    """The subscription is granted, but nothing comes of it."""
    gateway = broker.as_gateway()
    box, thief = broker.box("no-1", "box-1"), broker.box("no-1", "box-2")
    thief.subscribe(wanted)
    thief.subscribe("classbox/1/no-1/box-2/down")
    gateway.publish(DOWN, b"a secret")
    box.publish(STATE, b"a secret", retain=True)
    box.publish(UP, b"a secret")
    gateway.publish("classbox/1/no-1/box-2/down", b"for it")
    thief.hears("classbox/1/no-1/box-2/down", b"for it")
    assert set(thief.received) == {("classbox/1/no-1/box-2/down", b"for it")}


def test_what_is_retained_is_not_told_to_strangers_either(broker: GuardedBroker):
    broker.box("no-1", "box-1").publish(STATE, b"a secret", retain=True)
    thief = broker.box("no-1", "box-2")
    thief.subscribe("#")
    thief.subscribe(STATE)
    broker.as_gateway().publish("classbox/1/no-1/box-2/down", b"for it")
    thief.hears("classbox/1/no-1/box-2/down", b"for it")
    assert {what for _, what in thief.received} == {b"for it"}


def test_a_retained_message_on_a_foreign_down_is_refused(broker: GuardedBroker):
    for where, what in ((DOWN, b"an old receipt"), (STATE, b"")):
        assert broker.box("no-1", "box-2").publish(where, what, retain=True) == NO
    box = broker.box("no-1", "box-1")
    box.subscribe(DOWN)
    broker.as_gateway().publish(DOWN, b"a receipt")
    box.hears(DOWN, b"a receipt")
    assert box.received == [(DOWN, b"a receipt")]


@pytest.mark.parametrize("foreign", [STATE, DOWN, UP])
def test_a_will_on_a_foreign_topic_is_not_published(broker: GuardedBroker, foreign: str):
    """Neither is its owner let in, nor is the will heard when the line breaks."""
    gateway = broker.as_gateway(EVERY_UP, EVERY_STATE)
    box = broker.box("no-1", "box-1")
    box.subscribe(DOWN)
    thief = Stranger(broker.port, context(broker.certificate("no-1", "box-2")), name="no-1/box-2", will=foreign)
    if thief.comes_in():
        thief.breaks_off()
    honest = broker.box("no-1", "box-3", will="classbox/1/no-1/box-3/state")
    honest.breaks_off()
    gateway.hears("classbox/1/no-1/box-3/state", b"will")
    gateway.publish(DOWN, b"a receipt")
    box.hears(DOWN, b"a receipt")
    assert {where for where, _ in gateway.received} == {"classbox/1/no-1/box-3/state"}
    assert box.received == [(DOWN, b"a receipt")]


def test_without_a_certificate_of_this_school_nobody_comes_in(broker: GuardedBroker, tmp_path: Path):
    now = datetime.now(UTC)
    mine = broker.certificate("no-1", "box-1")
    assert Stranger(broker.port, context(mine), name="x").comes_in()
    certify(tmp_path / "another", "no-1", "box-1", tmp_path / "forged", now=now)
    itself = context(ca=mine / "ca.crt", cert=broker.folder / "broker.crt", key=broker.folder / "broker.key")
    strange = context(ca=mine / "ca.crt", cert=tmp_path / "forged" / "box.crt", key=tmp_path / "forged" / "box.key")
    older = context(mine)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    for tls in (context(ca=mine / "ca.crt"), strange, older, itself):
        assert not Stranger(broker.port, tls, name="no-1/box-1").comes_in()
    with socket.create_connection(("127.0.0.1", broker.port)) as plain:
        plain.settimeout(20)
        plain.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05probe")
        with suppress(ConnectionResetError):
            assert not plain.recv(4).startswith(b"\x20")


@pytest.mark.parametrize("which", ["box", "another authority", "another address"])
def test_nobody_can_pass_for_the_broker(broker: GuardedBroker, tmp_path: Path, which: str):
    """A box's certificate is good for one direction only; and a box asks for the name that it calls."""
    now, mine = datetime.now(UTC), broker.certificate("no-1", "box-1")
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if which == "box":
        own.load_cert_chain(mine / "box.crt", mine / "box.key")
    elif which == "another authority":
        set_up(tmp_path, BrokerPlan(folder=tmp_path / "fake", addresses=("127.0.0.1",), port=1), now=now)
        own.load_cert_chain(tmp_path / "fake" / "broker.crt", tmp_path / "fake" / "broker.key")
    else:
        issued = Authority.open(broker.data / "authority", now=now).for_broker(["192.0.2.1"], now=now)
        assert issued.key is not None
        (tmp_path / "both").write_bytes(issued.certificate + issued.key)
        own.load_cert_chain(tmp_path / "both")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        taken: list[bytes] = []

        def pretend() -> None:
            connection, _ = listening.accept()
            try:
                with own.wrap_socket(connection, server_side=True) as talking:
                    taken.append(talking.recv(100))
            except OSError:
                taken.append(b"")

        thread = threading.Thread(target=pretend)
        thread.start()
        tls = broker.address(mine).connect_arguments()["tls_context"]
        with (
            socket.create_connection(("127.0.0.1", port)) as connection,
            pytest.raises(ssl.SSLCertVerificationError),
            tls.wrap_socket(connection, server_hostname="127.0.0.1"),
        ):
            pass
        thread.join()
    assert taken == [b""]


def test_the_largest_message_passes_and_a_larger_one_costs_its_sender_alone(broker: GuardedBroker):
    """D14."""
    gateway, other = broker.as_gateway(EVERY_UP), broker.box("no-1", "box-2")
    largest = bytes(MAX_MESSAGE_BYTES)
    assert broker.box("no-1", "box-1").publish(UP, largest) == "Success"
    gateway.hears(UP, largest)
    broker.box("no-1", "box-1", version=mqtt.MQTTv311).publish(UP, bytes(MAX_MESSAGE_BYTES + 4096))
    assert other.publish("classbox/1/no-1/box-2/up", b"mine") == "Success"
    gateway.hears("classbox/1/no-1/box-2/up", b"mine")
    assert [len(payload) for _, payload in gateway.received] == [MAX_MESSAGE_BYTES, 4]


def test_a_gateway_that_rests_misses_nothing_that_boxes_send_meanwhile(broker: GuardedBroker):
    """By its default mosquitto drops what goes beyond a thousand messages, and acknowledges it all the same."""
    gateway, box = broker.as_gateway(EVERY_UP), broker.box("no-1", "box-1")
    gateway.client.loop_stop()
    box.publish_all(UP, [b"%d" % number for number in range(3000)])
    gateway.client.loop_start()
    gateway.hears(UP, b"2999")
    assert [payload for _, payload in gateway.received] == [b"%d" % number for number in range(3000)]


def test_a_revoked_box_is_refused_and_its_live_connection_too(broker: GuardedBroker):
    """D7. Its neighbour notices nothing, and a new certificate of the same name is good."""
    gateway = broker.as_gateway(EVERY_UP, EVERY_STATE)
    stolen = broker.certificate("no-1", "box-1")
    thief = Stranger(broker.port, context(stolen), name="no-1/box-1").connected()
    thief.subscribe(DOWN)
    other = broker.box("no-1", "box-2")
    assert thief.publish(UP, b"before") == "Success"
    assert lock_out(broker.data, "no-1", "box-1", now=datetime.now(UTC))
    until(lambda: thief.publish(UP, b"until it bites") != "Success")
    stored = len(gateway.received)
    assert thief.publish(STATE, b"after") != "Success"
    gateway.publish(DOWN, b"a secret")
    assert not Stranger(broker.port, context(stolen), name="no-1/box-1").comes_in()
    assert other.publish("classbox/1/no-1/box-2/up", b"mine") == "Success"
    gateway.hears("classbox/1/no-1/box-2/up", b"mine")
    assert gateway.received[stored:] == [("classbox/1/no-1/box-2/up", b"mine")]
    assert thief.received == []
    assert not other.thrown_out


def test_a_live_connection_that_says_nothing_is_told_nothing_once_it_is_revoked(broker: GuardedBroker):
    """A box that only listens gives the broker no reason to end its connection."""
    gateway = broker.as_gateway()
    thief = broker.box("no-1", "box-1")
    thief.subscribe(DOWN)
    gateway.publish(DOWN, b"before")
    thief.hears(DOWN, b"before")
    assert lock_out(broker.data, "no-1", "box-1", now=datetime.now(UTC))
    until(lambda: b"Reloading config" in broker.log.read_bytes())
    # One loop of the broker does both: whoever is accepted now is so after the lists were read.
    broker.box("no-1", "box-2")
    gateway.publish(DOWN, b"a secret")
    assert thief.publish(UP, b"after") == NO  # what had been sent to it before would have come before this answer
    assert thief.received == [(DOWN, b"before")]


def test_a_new_certificate_lets_a_locked_out_box_in_again_and_the_stolen_one_not(broker: GuardedBroker):
    stolen = broker.certificate("no-1", "box-1")
    thief = Stranger(broker.port, context(stolen), name="no-1/box-1").connected()
    assert lock_out(broker.data, "no-1", "box-1", now=datetime.now(UTC))
    until(lambda: thief.publish(UP, b"until it bites") != "Success")
    again = context(broker.certificate("no-1", "box-1"))
    until(lambda: Stranger(broker.port, again, name="x").connected().publish(UP, b"again") != NO)
    assert not Stranger(broker.port, context(stolen), name="no-1/box-1").comes_in()


def test_a_lock_out_without_a_broker_on_this_machine_says_so_and_is_not_lost(tmp_path: Path):
    now = datetime.now(UTC)
    assert lock_out(tmp_path, "no-1", "box-1", now=now) is None
    assert list(tmp_path.iterdir()) == []
    certify(tmp_path, "no-1", "box-1", tmp_path / "box", now=now)
    assert lock_out(tmp_path, "no-1", "box-1", now=now) is None
    set_up(tmp_path, BrokerPlan(folder=tmp_path / "later", addresses=("127.0.0.1",), port=1), now=now)
    assert "user no-1/box-1\ntopic deny #" in (tmp_path / "later" / "acl").read_text()
    assert lock_out(tmp_path, "no-1", "box-1", now=now) is False
