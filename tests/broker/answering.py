"""A broker in the test's own loop that grants and acknowledges everything, so that a test can choose the very turn."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14
"""Packet types of MQTT 3.1.1, section 2.2.1."""


class AnsweringBroker:
    """Speaks just enough MQTT 3.1.1 for a link: one retained message, no routing.

    `hold` keeps every answer but the CONNACK back until `release`.
    """

    def __init__(self, retained: tuple[str, bytes] | None, *, mute: bool) -> None:
        self._retained, self._mute = retained, mute
        self.url = ""
        self.connections = 0
        self.published: list[tuple[str, bytes]] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._holding = False
        self._held: list[tuple[asyncio.StreamWriter, bytes]] = []

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def break_lines(self) -> None:
        """Close every connection without a word."""
        for writer in self._open:
            writer.close()

    def hold(self) -> None:
        self._holding = True

    def release(self) -> None:
        self._holding = False
        for writer, answer in self._held:
            writer.write(answer)
        self._held.clear()

    def send(self, topic: str, payload: bytes) -> None:
        """Publish to every connection, whatever it subscribed to."""
        for writer in self._open:
            writer.write(_publish(topic, payload))

    def payloads(self, channel: str) -> list[bytes]:
        """What was published on that channel, in order."""
        return [payload for topic, payload in self.published if topic.endswith(f"/{channel}")]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, flags, body = await _packet(reader)
                if kind == DISCONNECT:
                    break
                answer = self._answer(kind, flags, body)
                if self._holding and kind != CONNECT:
                    self._held.append((writer, answer))
                elif not self._mute:
                    writer.write(answer)
        writer.close()
        self._open.discard(writer)

    def _answer(self, kind: int, flags: int, body: bytes) -> bytes:
        if kind == CONNECT:
            return b"\x20\x02\0\0"
        if kind == SUBSCRIBE:
            granted = bytes([0x90, 3]) + body[:2] + b"\x01"
            return granted + (_publish(*self._retained) if self._retained is not None else b"")
        if kind == PUBLISH and flags & 6:
            (length,) = struct.unpack(">H", body[:2])
            self.published.append((body[2 : 2 + length].decode(), body[4 + length :]))
            return b"\x40\x02" + body[2 + length : 4 + length]
        return b""


@asynccontextmanager
async def answering(retained: tuple[str, bytes] | None = None, *, mute: bool = False) -> AsyncIterator[AnsweringBroker]:
    """The broker at `url`; `retained` is what a SUBSCRIBE brings. A mute one takes connections and says nothing."""
    broker = AnsweringBroker(retained, mute=mute)
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


def _publish(topic: str, payload: bytes) -> bytes:
    body = struct.pack(">H", len(topic)) + topic.encode() + payload
    assert len(body) < 128, "one byte of length is enough for a test"
    return bytes([0x31, len(body)]) + body
