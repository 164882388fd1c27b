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
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._matrix import Run, outcome_of, outcomes, quiet
from benchmarks._mutants import MUTANTS
from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.embedded_broker import Broker, BrokerKind, mosquitto_path
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, WORLDS, MemoryIngest, page_record

PATIENCE_S = 60.0


_WRONG = ("lost", "double", "unsettled", "untrue", "misled")


def simulated(seeds: int) -> dict[str, object]:
    """Every world with every seed: sums, and a row for each world."""
    began_s = time.perf_counter()
    found = outcomes(Run(world, seed) for world in WORLDS for seed in range(seeds))
    rows = [
        {
            "world": world,
            "runs": seeds,
            "sheets": sum(outcome.captured for outcome in mine),
            "messages": sum(outcome.messages for outcome in mine),
            **{name: sum(getattr(outcome, name) for outcome in mine) for name in _WRONG},
        }
        for world in WORLDS
        if (mine := [outcome for run, outcome in found.items() if run.world == world])
    ]
    return {
        "simulated_runs": len(found),
        "simulated_sheets": sum(outcome.captured for outcome in found.values()),
        **{name: sum(getattr(outcome, name) for outcome in found.values()) for name in _WRONG},
        "simulated_seconds": round(time.perf_counter() - began_s, 1),
        "bad_runs": [f"{run.world}, seed {run.seed}" for run, outcome in found.items() if not outcome.clean],
        "worlds": rows,
    }


def mutants(seeds: int) -> dict[str, object]:
    """Each fault put back into the code: in how many runs of the world that shows it best it was found out."""
    runs = [Run(mutant.world, seed, name) for name, mutant in MUTANTS.items() for seed in range(seeds)]
    found = outcomes(runs)
    caught = [
        {
            "fault put back": name,
            "breaks": mutant.breaks,
            "world": mutant.world,
            "runs": seeds,
            "caught": sum(not outcome.clean for run, outcome in found.items() if run.mutant == name),
        }
        for name, mutant in MUTANTS.items()
    ]
    return {"faults_put_back": len(caught), "caught": sum(bool(row["caught"]) for row in caught), "put_back": caught}


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


def measure(*, seeds: int, mutant_seeds: int, rounds: int) -> dict[str, object]:
    """All of it."""
    began_s = time.perf_counter()
    total: dict[str, Any] = simulated(seeds)
    kinds: list[BrokerKind] = ["mosquitto", "amqtt"] if mosquitto_path() else ["amqtt"]
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            for seed in range(rounds):
                for name, value in asyncio.run(real_run(kind, seed, Path(folder))).items():
                    total[name] = total.get(name, 0) + value
    return total | {"brokers": kinds} | mutants(mutant_seeds) | {"seconds": round(time.perf_counter() - began_s, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds and rounds")
    parser.add_argument("--world", choices=WORLDS, help="one simulated run alone: its world")
    parser.add_argument("--seed", type=int, default=0, help="and its seed")
    parser.add_argument("--fault", choices=MUTANTS, help="with this fault put back into the code")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    quiet()
    if options.world is not None:
        figures: dict[str, object] = outcome_of(Run(options.world, options.seed, options.fault))._asdict()
    elif options.quick:
        figures = measure(seeds=10, mutant_seeds=20, rounds=1)
    else:
        figures = measure(seeds=150, mutant_seeds=60, rounds=10)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
