"""A broker in the test's own loop that grants and acknowledges everything, so that a test can choose the very turn.

Told to, it gives any answer that MQTT knows, also those that no broker here can be brought to give.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
"""Packet types of MQTT 3.1.1, section 2.2.1, and 5.0, section 2.1.2."""
MQTT_311, MQTT_5 = 4, 5


@dataclass
class Script:
    """What the broker says instead of success. Reason codes are MQTT 5's; 3.1.1 carries only CONNACK's and SUBACK's."""

    versions: tuple[int, ...] = (MQTT_311, MQTT_5)
    hangs_up: bool = False
    """Refuses a version by closing the connection, as some do."""
    silent: bool = False
    """Refuses a version by saying nothing, as some do."""
    connack_after_s: float = 0.0
    closes_above: int | None = None
    """Closes the connection when a PUBLISH has more bytes than this."""
    connack: int = 0
    limits: bytes = b""
    """Properties of the CONNACK of MQTT 5, packed: `limit_bytes`, `limit_count`."""
    suback: int = 1
    puback: Callable[[str, bytes], int] = lambda _topic, _payload: 0
    """Of a message's topic and payload."""


def limit_bytes(value: int) -> bytes:
    """Maximum Packet Size: MQTT 5.0, section 3.2.2.3.6."""
    return b"\x27" + struct.pack(">I", value)


def limit_count(value: int) -> bytes:
    """Receive Maximum: MQTT 5.0, section 3.2.2.3.3."""
    return b"\x21" + struct.pack(">H", value)


@dataclass(eq=False)
class _Client:
    writer: asyncio.StreamWriter
    version: int = MQTT_311
    identifier: str = ""
    number: int = 0
    acknowledged: list[int] = field(default_factory=list)


class AnsweringBroker:
    """Speaks just enough MQTT for a link: one retained message, no routing.

    `hold` keeps every answer but the CONNACK back until `release`.
    """

    def __init__(self, retained: tuple[str, bytes] | None, *, mute: bool, script: Script) -> None:
        self._retained, self._mute, self.script = retained, mute, script
        self.url = ""
        self.connections = 0
        self.versions: list[int] = []
        """What each CONNECT asked for."""
        self.published: list[tuple[str, bytes]] = []
        self._open: set[_Client] = set()
        self._holding = False
        self._held: list[tuple[_Client, bytes]] = []

    @property
    def open_connections(self) -> int:
        return len(self._open)

    @property
    def held_count(self) -> int:
        """Answers that are kept back."""
        return len(self._held)

    @property
    def acknowledged(self) -> list[int]:
        """The numbers of the sent messages that were acknowledged, in order."""
        return [number for client in self._open for number in client.acknowledged]

    def break_lines(self) -> None:
        """Close every connection without a word."""
        for client in self._open:
            client.writer.close()

    def throw_out(self, reason: int) -> None:
        """DISCONNECT (MQTT 5.0, section 3.14) and close."""
        for client in self._open:
            client.writer.write(bytes([DISCONNECT << 4, 1, reason]))
        self.break_lines()

    def hold(self) -> None:
        self._holding = True

    def release(self) -> None:
        self._holding = False
        for client, answer in self._held:
            client.writer.write(answer)
        self._held.clear()

    def send(self, topic: str, payload: bytes, *, qos: int = 0) -> None:
        """Publish to every connection, whatever it subscribed to."""
        for client in self._open:
            self._send(client, topic, payload, qos)

    def payloads(self, channel: str) -> list[bytes]:
        """What was published on that channel, in order."""
        return [payload for topic, payload in self.published if topic.endswith(f"/{channel}")]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        client = _Client(writer)
        self._open.add(client)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, flags, body = await _packet(reader)
                if kind == DISCONNECT:
                    break
                if kind == CONNECT:
                    client.version = body[6]
                    self.versions.append(body[6])
                    if body[6] not in self.script.versions and self.script.hangs_up:
                        break
                    if body[6] not in self.script.versions and self.script.silent:
                        continue
                    await asyncio.sleep(self.script.connack_after_s)
                if kind == PUBLISH and self.script.closes_above is not None and len(body) > self.script.closes_above:
                    break
                answer = self._answer(client, kind, flags, body)
                if self._holding and kind != CONNECT:
                    self._held.append((client, answer))
                elif not self._mute:
                    writer.write(answer)
                    if kind == CONNECT and answer[3]:
                        break
        writer.close()
        self._open.discard(client)

    def _answer(self, client: _Client, kind: int, flags: int, body: bytes) -> bytes:
        five = client.version == MQTT_5
        if kind == CONNECT:
            if client.version not in self.script.versions:
                return b"\x20\x02\0\x01"  # as NATS does: 3.1.1's answer
            limits = bytes([len(self.script.limits)]) + self.script.limits if five else b""
            return bytes([CONNACK << 4, 2 + len(limits), 0, self.script.connack]) + limits
        if kind == SUBSCRIBE:
            nothing = b"\0" if five else b""
            granted = body[:2] + nothing + bytes([self.script.suback])
            if self._retained is not None:
                asyncio.get_running_loop().call_soon(self._send, client, *self._retained, 0)
            return bytes([SUBACK << 4, len(granted)]) + granted
        if kind == PUBLISH and flags & 6:
            (length,) = struct.unpack(">H", body[:2])
            topic, payload = body[2 : 2 + length].decode(), body[4 + length + five :]
            self.published.append((topic, payload))
            reason = self.script.puback(topic, payload) if five else 0
            said = body[2 + length : 4 + length] + (bytes([reason]) if reason else b"")
            return bytes([PUBACK << 4, len(said)]) + said
        if kind == PUBACK:
            client.acknowledged.append(struct.unpack(">H", body[:2])[0])
        return b""

    def _send(self, client: _Client, topic: str, payload: bytes, qos: int) -> None:
        client.number += 1
        head = struct.pack(">H", len(topic)) + topic.encode()
        if qos:
            head += struct.pack(">H", client.number)
        body = head + (b"\0" if client.version == MQTT_5 else b"") + payload
        client.writer.write(bytes([PUBLISH << 4 | qos << 1 | (not qos)]) + _length(len(body)) + body)


@asynccontextmanager
async def answering(
    retained: tuple[str, bytes] | None = None, *, mute: bool = False, script: Script | None = None
) -> AsyncIterator[AnsweringBroker]:
    """The broker at `url`; `retained` is what a SUBSCRIBE brings. A mute one takes connections and says nothing."""
    broker = AnsweringBroker(retained, mute=mute, script=script or Script())
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield broker
    finally:
        server.close()
        broker.break_lines()
        while broker.open_connections:  # noqa: ASYNC110 - the readers find out one by one
            await asyncio.sleep(0.01)


async def _packet(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    head = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return head >> 4, head & 15, await reader.readexactly(length)


def _length(value: int) -> bytes:
    """MQTT 5.0, section 1.5.5."""
    packed = bytearray()
    while True:
        value, byte = value >> 7, value & 127
        packed.append(byte | 128 if value else byte)
        if not value:
            return bytes(packed)
