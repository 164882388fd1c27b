"""amqtt as a program of its own, which refuses MQTT 5 at once: `python -m sync.embedded_amqtt HOST PORT`.

By itself amqtt takes a CONNECT of MQTT 5 for one of 3.1.1, its properties for the length of a name, and then waits for
a name that never comes, without a word.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio import IncompleteReadError, StreamReader, StreamWriter

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker

_VERSION_5 = 5
_UNACCEPTABLE_VERSION = b"\x20\x02\x00\x01"
"""CONNACK: MQTT 3.1.1, section 3.2.2.3."""
_NAME_BYTES = 6
"""Of the protocol, with its length. The version follows."""


class _Broker(Broker):  # type: ignore[misc] # amqtt has no types
    async def stream_connected(self, reader: StreamReader, writer: StreamWriter, listener_name: str) -> None:
        """What a new connection wants to speak is looked at before amqtt reads it."""
        try:
            head = await _up_to_version(reader)
        except (IncompleteReadError, OSError):
            writer.close()
            return
        if head[-1] == _VERSION_5:
            writer.write(_UNACCEPTABLE_VERSION)
            writer.close()
            return
        await self.external_connected(_LookedAt(reader, head), StreamWriterAdapter(writer), listener_name)


class _LookedAt(StreamReaderAdapter):  # type: ignore[misc] # amqtt has no types
    """A connection of which the first bytes have been read."""

    def __init__(self, reader: StreamReader, head: bytes) -> None:
        super().__init__(reader)
        self._head = head

    async def read(self, n: int = -1) -> bytes:
        """Exactly `n` bytes, as amqtt wants them."""
        first, self._head = self._head[:n], self._head[n:]
        return first + (await super().read(n - len(first)) if len(first) < n else b"")


async def _up_to_version(reader: StreamReader) -> bytes:
    """The first bytes of a CONNECT: type, length (1 to 4 bytes), name, version."""
    head = await reader.readexactly(2)
    while head[-1] & 128 and len(head) < 5:
        head += await reader.readexactly(1)
    return head + await reader.readexactly(_NAME_BYTES + 1)


async def _serve(host: str, port: str) -> None:
    broker = _Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}", "max_connections": 500}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s] :: %(levelname)s - %(message)s")
    logging.getLogger("transitions").setLevel(logging.WARNING)
    asyncio.run(_serve(*sys.argv[1:]))
