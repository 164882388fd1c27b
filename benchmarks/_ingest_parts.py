"""The processes of the benchmark `ingest`: one that stores payloads, one that publishes them and waits for receipts.

    python -m benchmarks._ingest_parts take GATEWAY.toml MESSAGES
    python -m benchmarks._ingest_parts send BROKER MESSAGES

Each says `ready`, begins with a line on its standard input, and prints one JSON object when it is done.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.config import load_config
from gateway.ingest import StoreIngest
from gateway.store.store import open_store
from sync.broker_address import BrokerAddress
from sync.connection import connected
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.receipts import open_down
from sync.topics import topic

BATCH = 16
"""Messages that share a transaction, as `sync.gateway_link` takes them under load."""


class Box(msgspec.Struct, frozen=True, array_like=True):
    """A box, its key, and the number of its last sheet."""

    school: str
    box: str
    key: bytes
    last: int


class Load(msgspec.Struct, frozen=True, array_like=True):
    """What is to be sent: topics and payloads, the first of which come before the clock runs."""

    boxes: tuple[Box, ...]
    warm: tuple[tuple[str, bytes], ...]
    messages: tuple[tuple[str, bytes], ...]


def write_load(file: Path, load: Load) -> Path:
    """Keep it for another process."""
    file.write_bytes(msgspec.msgpack.encode(load))
    return file


def _read(file: str) -> Load:
    return msgspec.msgpack.decode(Path(file).read_bytes(), type=Load)


async def _take(config: str, file: str) -> dict[str, float]:
    load = _read(file)
    async with open_store(load_config(Path(config))) as store:
        session = GatewaySession(StoreIngest(store))
        await _handled(session, load.warm)
        _wait_for_the_word()
        began_s, cpu_s = time.perf_counter(), time.process_time()
        await _handled(session, load.messages)
        return {"seconds": time.perf_counter() - began_s, "cpu_s": time.process_time() - cpu_s}


async def _handled(session: GatewaySession, messages: Sequence[tuple[str, bytes]]) -> None:
    for start in range(0, len(messages), BATCH):
        await session.handle([Message(*message) for message in messages[start : start + BATCH]])


async def _send(broker: str, file: str) -> dict[str, float]:
    load = _read(file)
    async with connected(BrokerAddress(url=broker).connect_arguments(), identifier="load", keepalive_s=60) as line:
        for box in load.boxes:
            await line.subscribe(topic(box.school, box.box, "down"))
        _wait_for_the_word()
        began_s = time.perf_counter()
        for to, payload in (*load.warm, *load.messages):
            await line.publish(to, payload)
        waiting = {topic(box.school, box.box, "down"): box for box in load.boxes}
        while waiting:
            for answer in await line.arrived(100):
                waited = waiting.get(answer.topic)
                if waited is not None and _has_all(waited, answer.payload):
                    del waiting[answer.topic]
        return {"seconds": time.perf_counter() - began_s}


def _has_all(box: Box, payload: bytes) -> bool:
    receipts = open_down(payload, school=box.school, box=box.box, key=box.key) or ()
    return any(receipt.lane is Lane.RESULTS and receipt.mark >= box.last for receipt in receipts)


def _wait_for_the_word() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    """Be one of the two."""
    part, where, file = sys.argv[1:]
    print(json.dumps(asyncio.run(_take(where, file) if part == "take" else _send(where, file))), flush=True)


if __name__ == "__main__":
    main()
