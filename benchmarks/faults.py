"""The fault matrix of sync: how many sheets are lost or counted twice. Both must be 0.

Simulated: the real sessions in virtual time with loss, doubling, overtaking, crashes of box, broker and gateway,
restores and clones, one seed a run. Real: a broker process killed with SIGKILL while a box sends to a gateway
over loopback, for each kind of broker that this machine has; the gateway's store there is in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.embedded_broker import Broker, BrokerKind, mosquitto_path
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, Faults, MemoryIngest, Simulation, page_record

WORLDS = (
    Faults(),
    Faults(loss=0.6, double=0.3, delay_ms=8_000, restore=0.05),
    Faults(clone=0.02),
    Faults(restore=0.05, replay=0.5),
    Faults(gateway_crash=0.3, box_crash=0.1, broker_crash=0.05),
)
PATIENCE_S = 60.0


def simulated(seeds: int) -> dict[str, int]:
    """Every world with every seed."""
    total = {"simulated_runs": 0, "simulated_sheets": 0, "lost": 0, "double": 0, "unsettled": 0, "misled": 0}
    for seed in range(seeds):
        for faults in WORLDS:
            outcome = Simulation(seed, faults=faults).run()
            total["simulated_runs"] += 1
            total["simulated_sheets"] += outcome.captured
            total["lost"] += outcome.lost
            total["double"] += outcome.double
            total["unsettled"] += outcome.unsettled
            total["misled"] += outcome.misled
    return total


async def real_run(kind: BrokerKind, seed: int, folder: Path, *, kills: int = 3) -> dict[str, int]:
    """A class at a time while the broker is killed again and again; then wait until all is receipted."""
    rng = random.Random(seed)
    file = OutboxFile(folder / f"{kind}-{seed}.sqlite")
    ingest = MemoryIngest(rng)
    captures: set[bytes] = set()

    def capture(count: int) -> None:
        with file.open() as outbox:
            for _ in range(count):
                digest = rng.randbytes(16)
                outbox.append(Lane.RESULTS, page_record(digest, 1), subject=digest)
                captures.add(digest)

    def waiting() -> int:
        with file.open() as outbox:
            return outbox.counts()[Lane.RESULTS].waiting

    with Broker.start(kind=kind) as broker:
        address = BrokerAddress(url=broker.url)
        box = BoxLink(
            outbox=file.open,
            broker=address,
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="bench",
            pace=Pace(max_records=10, resend_after_ms=500, resend_at_most_ms=2_000),
            linger_s=0.01,
            poll_s=0.1,
            hello_every_s=2.0,
            longest_pause_s=0.5,
        )
        gateway = GatewayLink(ingest=ingest, broker=address, longest_pause_s=0.5)
        links = [asyncio.create_task(link.run()) for link in (box, gateway)]
        for _ in range(kills):
            capture(45)
            box.wake()
            await asyncio.sleep(rng.random() * 0.3)
            broker.kill()
            capture(5)
            broker.restart()
        await _until(lambda: waiting() == 0)
        for link in links:
            link.cancel()
        await asyncio.wait(links)
    return {
        "real_runs": 1,
        "real_kills": kills,
        "real_sheets": len(captures),
        "lost": len(captures - ingest.store.counted.keys()),
        "double": ingest.store.again + len(ingest.store.counted.keys() - captures),
        "unsettled": waiting(),
    }


async def _until(done: Callable[[], bool]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while not done():  # noqa: ASYNC110 - what is waited for lies in a database
                await asyncio.sleep(0.05)


def measure(*, seeds: int, rounds: int) -> dict[str, object]:
    """All of it, summed."""
    began_s = time.perf_counter()
    total = simulated(seeds)
    kinds: list[BrokerKind] = ["mosquitto", "amqtt"] if mosquitto_path() else ["amqtt"]
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            for seed in range(rounds):
                for name, value in asyncio.run(real_run(kind, seed, Path(folder))).items():
                    total[name] = total.get(name, 0) + value
    return total | {"brokers": kinds, "seconds": round(time.perf_counter() - began_s, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds and rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the store is killed on purpose, thousands of times
    figures = measure(seeds=25, rounds=1) if options.quick else measure(seeds=500, rounds=10)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
