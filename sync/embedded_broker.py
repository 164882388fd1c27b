"""A broker on this machine for the demo, the tests and a school with one PC: mosquitto, or amqtt without it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from homework.errors import ClassboxError

BrokerKind = Literal["mosquitto", "amqtt"]
LOOPBACK = "127.0.0.1"
"""Reaches nobody else: the broker asks nobody who he is."""
_START_S = 60.0
"""How long a broker may take: amqtt was seen to need 6 s on a busy machine."""
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05probe"
"""MQTT 3.1.1, section 3.1: clean session, keep-alive 60 s, client id `probe`."""
_CONNACK_ACCEPTED = b"\x20\x02\x00\x00"
_DISCONNECT = b"\xe0\x00"


class BrokerError(ClassboxError):
    """The broker on this machine did not start."""


class Broker:
    """A broker process on this machine, without accounts and without anything kept on disk.

    A context manager: it ends the process. `url` is `mqtt://HOST:PORT`.
    """

    def __init__(self, kind: BrokerKind, port: int, log: Path | None = None, *, host: str = LOOPBACK) -> None:
        """Describe a broker; `start` or `restart` makes the process."""
        self.kind = kind
        self.port = port
        self.host = host
        self.url = f"mqtt://{host}:{port}"
        self._log = log
        self._folder = tempfile.TemporaryDirectory(prefix="classbox-broker-")
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls, port: int = 0, *, kind: BrokerKind | None = None, log: Path | None = None, host: str = LOOPBACK
    ) -> Self:
        """Start a broker and wait until it accepts connections; port 0 takes a free one.

        `kind` None takes mosquitto where it is installed. Raises `BrokerError`.
        """
        kind = kind or ("mosquitto" if mosquitto_path() else "amqtt")
        for _ in range(0 if port else 2):
            # Between finding a free port and binding it, another program may have taken it.
            broker = cls(kind, free_port(), log, host=host)
            with suppress(BrokerError):
                broker.restart()
                return broker
        broker = cls(kind, port or free_port(), log, host=host)
        broker.restart()
        return broker

    def restart(self) -> None:
        """Start the process (again) on the same port and wait until it accepts. Raises `BrokerError`."""
        if answers_mqtt(self.host, self.port):
            raise BrokerError(
                "Another broker is at port {port} already.",
                remedy="Choose another port, or use that broker.",
                port=self.port,
            )
        command = self._command()
        if self._log is None:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        else:
            with self._log.open("ab") as log:
                self.process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        end_s = time.monotonic() + _START_S
        while time.monotonic() < end_s and self.process.poll() is None:
            if answers_mqtt(self.host, self.port):
                return
            time.sleep(0.02)
        self.stop()
        raise BrokerError(
            "The broker ({kind}) does not answer on port {port}.",
            remedy="Choose another port, or install mosquitto.",
            kind=self.kind,
            port=self.port,
        )

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL): nothing is flushed, nobody is told."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End the process, gently first."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def _command(self) -> list[str]:
        mosquitto = mosquitto_path()
        if self.kind == "mosquitto" and mosquitto is not None:
            config = Path(self._folder.name) / "mosquitto.conf"
            config.write_text(
                f"listener {self.port} {self.host}\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
            )
            return [mosquitto, "-c", str(config)]
        return [sys.executable, "-m", "sync.embedded_amqtt", self.host, str(self.port)]


def answers_mqtt(host: str, port: int) -> bool:
    """Whether an MQTT broker accepts a CONNECT: an open port alone may be anybody, even the probe itself."""
    try:
        with socket.create_connection((host, port), timeout=2) as probe:
            probe.sendall(_CONNECT)
            answer = probe.recv(4)
            probe.sendall(_DISCONNECT)
            return answer == _CONNACK_ACCEPTED
    except OSError:
        return False


def mosquitto_path() -> str | None:
    """Where mosquitto is, None when it is not installed. Debian keeps it outside a user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
