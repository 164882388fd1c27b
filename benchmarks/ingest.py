"""Sheets a second from signed payload bytes to a durable commit with rollups and receipts.

Classes of 45 answer a worksheet of 20 items (21 fields). Each class is one envelope, as a box sends it after a
stack; 16 envelopes share a transaction, as the link batches them under load. `sheets_per_s` is the session's whole
work: signature, decompression, decoding, booking, rollups, commit, receipt. `end_to_end_sheets_per_s` adds a broker:
from the first publish to the last receipt, all envelopes sent at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from gateway.config import GatewayConfig, load_config
from gateway.ingest import StoreIngest
from gateway.simulated_class import SimulatedBox, SimulatedClass, make_roster
from gateway.store.check import check
from gateway.store.rosters import bring_in
from gateway.store.schools import add_school, enrol_box, school_key
from gateway.store.store import Store, open_store
from homework.assignment import parse_assignment
from homework.roster import Roster
from sync.broker_address import BrokerAddress
from sync.connection import connected
from sync.embedded_broker import Broker
from sync.envelope import encode_envelope
from sync.gateway_link import GatewayLink
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.receipts import open_down
from sync.topics import topic

ASSIGNMENT = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
SCHOOL, BOX = "school", "box-1"
BATCH = 16
CLASS_SIZE = 45


async def prepare(store: Store, classes: int) -> tuple[list[Message], bytes]:
    """A school with so many classes and the messages in which their box sends every sheet once."""
    roster = Roster(tuple(p for n in range(classes) for p in make_roster(f"c{n}", CLASS_SIZE).pupils))
    async with store.writing() as connection:
        await add_school(connection, store.vault, SCHOOL)
        key = await enrol_box(connection, store.vault, SCHOOL, BOX)
        await bring_in(connection, store.vault, SCHOOL, roster)
        names_key = await school_key(connection, store.vault, SCHOOL)
    sheet = SimulatedClass(parse_assignment(ASSIGNMENT.read_text(encoding="utf-8")), roster, school_key=names_key)
    box = SimulatedBox(SCHOOL, BOX)
    up = topic(SCHOOL, BOX, "up")
    messages = []
    for name in roster.classes():
        envelope = box.envelope(Lane.RESULTS, [sheet.result(pupil) for pupil in roster.of_class(name)])
        messages.append(Message(up, encode_envelope(envelope, key)))
    return messages, key


async def payload_to_commit(config: GatewayConfig, classes: int) -> dict[str, Any]:
    """Figures without a broker."""
    async with open_store(config) as store:
        messages, _ = await prepare(store, classes)
        session = GatewaySession(StoreIngest(store))
        started, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(messages), BATCH):
            await session.handle(messages[start : start + BATCH])
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        sheets = await _counted(store)
        return {
            "sheets": sheets,
            "seconds": round(seconds, 3),
            "sheets_per_s": round(sheets / seconds),
            "cpu_us_per_sheet": round(1e6 * cpu_s / sheets),
        }


async def over_a_broker(config: GatewayConfig, classes: int) -> dict[str, Any]:
    """Figures with a broker on this machine, publisher, gateway and broker sharing its cores."""
    with Broker.start() as broker:
        address = BrokerAddress(url=broker.url)
        async with open_store(config) as store:
            messages, key = await prepare(store, classes)
            link = GatewayLink(ingest=StoreIngest(store), broker=address, batch=BATCH)
            task = asyncio.create_task(link.run())
            await link.wait_connected()
            seconds = await _publish_and_wait(address, messages, key, classes * CLASS_SIZE)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            sheets = await _counted(store)
    return {"broker": broker.kind, "end_to_end_sheets_per_s": round(sheets / seconds)}


async def _publish_and_wait(address: BrokerAddress, messages: Sequence[Message], key: bytes, last_seq: int) -> float:
    async with connected(address.connect_arguments(), identifier="benchmark", keepalive_s=60) as connection:
        await connection.subscribe(topic(SCHOOL, BOX, "down"))
        started = time.perf_counter()
        for message in messages:
            await connection.publish(message.topic, message.payload)
        while True:
            for answer in await connection.arrived(100):
                receipts = open_down(answer.payload, school=SCHOOL, box=BOX, key=key)
                if any(receipt.mark == last_seq for receipt in receipts or ()):
                    return time.perf_counter() - started


async def _counted(store: Store) -> int:
    """How many sheets count; ends the benchmark when the store's own check finds a fault."""
    async with store.reading() as connection:
        result = await check(connection)
    if result.faults:
        raise SystemExit(f"the store is not right: {result.faults[0]}")
    return result.counted


def measure(work: Any, classes: int) -> dict[str, Any]:
    """Run in a store of its own: SQLite beside this program, or where `CLASSBOX_BENCHMARK_STORE` points."""
    with TemporaryDirectory(prefix="classbox-ingest-", dir=Path.cwd()) as folder:
        file = Path(folder) / "gateway.toml"
        file.write_text('data = "data"\n')
        config = load_config(file)
        url = os.environ.get("CLASSBOX_BENCHMARK_STORE")
        if url:
            config = msgspec.structs.replace(config, store_url=url)
        figures: dict[str, Any] = asyncio.run(work(config, classes))
        return figures | {"store": config.store_url.partition("+")[0].partition(":")[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer sheets")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    classes = 32 if options.quick else 320
    figures = measure(payload_to_commit, classes)
    figures |= measure(over_a_broker, classes)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
