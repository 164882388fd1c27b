"""A mosquitto set up as `classgate broker write` does it, and strangers who try what they can."""

from __future__ import annotations

import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.broker import certify, set_up
from provisioning.mosquitto import BrokerPlan
from sync.broker_address import BrokerAddress
from sync.embedded_broker import free_port, mosquitto_path

LIMIT_S = 20.0
"""How long anything may take; only a failure waits for it."""


class GuardedBroker:
    """A broker process with a gateway's data folder beside it. A context manager."""

    def __init__(self, *, gateways: int = 1) -> None:
        self._gateways = gateways

    def __enter__(self) -> Self:
        # Not pytest's folder: mosquitto does not stay root, and could not enter it.
        self._folder = tempfile.TemporaryDirectory(prefix="classbox-guarded-")
        root = Path(self._folder.name)
        root.chmod(0o755)
        self.data, self.folder, self._boxes = root / "data", root / "broker", root / "boxes"
        self.port = free_port()
        plan = BrokerPlan(folder=self.folder, addresses=("127.0.0.1",), port=self.port, gateways=self._gateways)
        self.gateway = set_up(self.data, plan, now=datetime.now(UTC))
        self.log = root / "log"
        self.start()
        return self

    def start(self) -> None:
        """Start the process and wait until it listens."""
        mosquitto = mosquitto_path()
        assert mosquitto is not None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([mosquitto, "-c", self.folder / "mosquitto.conf"], stderr=log)
        until(self._answers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is not None:
            print(self.log.read_text(errors="replace")[-3000:])
        self._folder.cleanup()

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()

    def certificate(self, school: str, box: str) -> Path:
        """The folder of a new certificate."""
        folder = self._boxes / f"{school}-{box}-{time.monotonic_ns()}"
        certify(self.data, school, box, folder, now=datetime.now(UTC))
        return folder

    def address(self, folder: Path | None = None) -> BrokerAddress:
        """The broker with a box's certificate, or the gateway's own."""
        ca, cert, key = (
            (self.gateway.ca, self.gateway.cert, self.gateway.key)
            if folder is None
            else (folder / "ca.crt", folder / "box.crt", folder / "box.key")
        )
        return BrokerAddress(url=f"mqtts://127.0.0.1:{self.port}", ca=str(ca), cert=str(cert), key=str(key))

    def box(self, school: str, box: str, **how: Any) -> Stranger:
        """A box that is connected, and does as it likes."""
        return Stranger(self.port, context(self.certificate(school, box)), name=f"{school}/{box}", **how).connected()

    def as_gateway(self, *topics: str) -> Stranger:
        """Somebody with the gateway's certificate, who has subscribed to `topics`."""
        known = context(ca=self.gateway.ca, cert=self.gateway.cert, key=self.gateway.key)
        gateway = Stranger(self.port, known, name="classgate").connected()
        for topic in topics:
            gateway.subscribe(topic)
        return gateway

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Stranger:
    """A client of the broker that says what comes of everything it tries. MQTT 5, for the reasons."""

    def __init__(
        self,
        port: int,
        tls: ssl.SSLContext,
        *,
        name: str,
        version: int = mqtt.MQTTv5,
        will: str | None = None,
    ) -> None:
        self._port = port
        self._changed = threading.Condition()
        self._acknowledged: dict[int, str] = {}
        self._subscribed: dict[int, list[str]] = {}
        self.received: list[tuple[str, bytes]] = []
        self.answers: list[str] = []
        """Of CONNECT, in order."""
        self.thrown_out = False
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=version, reconnect_on_failure=False
        )
        self.client.tls_set_context(tls)
        if will is not None:
            self.client.will_set(will, b"will", qos=1, retain=True)
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self._note(self.answers.append, str(reason))
        self.client.on_disconnect = lambda *_: self._note(setattr, self, "thrown_out", True)
        self.client.on_message = lambda _c, _u, m: self._note(self.received.append, (m.topic, m.payload))
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self._note(
            self._acknowledged.__setitem__, mid, str(reason)
        )
        self.client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._note(
            self._subscribed.__setitem__, mid, [str(reason) for reason in reasons]
        )

    def connected(self) -> Self:
        """Connect, and be accepted."""
        assert self.comes_in(), self.answers
        return self

    def comes_in(self) -> bool:
        """Try to connect: whether the broker accepts. The handshake of TLS 1.3 alone says nothing yet."""
        try:
            self.client.connect("127.0.0.1", self._port, keepalive=60)
        except OSError:
            return False
        self.client.loop_start()
        self._wait(lambda: bool(self.answers) or self.thrown_out)
        return self.answers == ["Success"] and not self.thrown_out

    def publish(self, topic: str, payload: bytes = b"", *, retain: bool = False) -> str:
        """What the broker answers; `thrown out` when it ends the connection instead, or has ended it before."""
        sent = self.client.publish(topic, payload, qos=1, retain=retain)
        self._wait(lambda: sent.mid in self._acknowledged or self.thrown_out)
        return self._acknowledged.get(sent.mid, "thrown out")

    def publish_all(self, topic: str, payloads: Iterable[bytes]) -> None:
        """Publish without waiting in between, until the last is acknowledged."""
        numbers = [self.client.publish(topic, payload, qos=1).mid for payload in payloads]
        self._wait(lambda: self._acknowledged.keys() >= set(numbers))

    def subscribe(self, topic: str) -> str:
        """What the broker answers."""
        _, mid = self.client.subscribe(topic, qos=1)
        assert mid is not None
        self._wait(lambda: mid in self._subscribed)
        return self._subscribed[mid][0]

    def hears(self, topic: str, payload: bytes) -> None:
        """Wait for a message."""
        self._wait(lambda: (topic, payload) in self.received)

    def breaks_off(self) -> None:
        """Let the line break without a farewell, so that the will is spoken."""
        connection = self.client.socket()
        assert connection is not None
        self.client.loop_stop()
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def leaves(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()

    def _note(self, what: Callable[..., object], *values: object) -> None:
        with self._changed:
            what(*values)
            self._changed.notify_all()

    def _wait(self, what: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(what, LIMIT_S), "it did not come"


def context(
    folder: Path | None = None, *, ca: Path | None = None, cert: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """What Python's TLS says with a box's folder, or with any certificate, or with none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(ca or (folder or Path()) / "ca.crt")
    if folder is not None:
        cert, key = folder / "box.crt", folder / "box.key"
    if cert is not None:
        made.load_cert_chain(cert, key)
    return made


def until(what: Callable[[], bool]) -> None:
    """Wait for what must become true."""
    end_s = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < end_s, "it did not come"
        time.sleep(0.01)
