"""What it costs to keep the summaries of classes, and how long after its last sheet a class's is there.

Classes of 45 answer a worksheet of 20 items. `cpu_ms_all_anew` is a summary's share when all of a school are made anew,
as after an update. Then sheets arrive at 500 a second, stack by stack, while the worker runs beside the ingest:
`lag_s_*` is from a class's last sheet to the commit of a summary that has it, and holds the 5 s for which a class has
to be quiet. Sheets come without a broker.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import time
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from sqlalchemy import select

from gateway.config import GatewayConfig, load_config
from gateway.ingest import StoreIngest
from gateway.reports.check import check_summaries
from gateway.reports.worker import SummaryWorker
from gateway.simulated_class import SimulatedClass, make_roster
from gateway.simulated_school import make_school
from gateway.store.rosters import bring_in
from gateway.store.store import Store, open_store
from gateway.store.tables.summaries import class_summaries
from homework.assignment import parse_assignment
from homework.roster import Roster
from sync.envelope import Envelope
from sync.lanes import Lane

ASSIGNMENT = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
CLASS_SIZE = 45
SHEETS_PER_S = 500
_LOOK_S = 0.1
_LONGEST_WAIT_S = 120


async def measure(config: GatewayConfig, classes: int) -> dict[str, Any]:
    """All figures, in one store."""
    async with open_store(config) as store:
        stacks = await _stacks(store, 2 * classes)
        await StoreIngest(store).take(stacks[:classes])
        cpu_s = time.process_time()
        made = await SummaryWorker(store).catch_up()
        cpu_ms = 1000 * (time.process_time() - cpu_s) / made
        lags = await _arriving(store, stacks[classes:])
        async with store.reading() as connection:
            checked = await check_summaries(connection, store.vault)
        if checked.faults or checked.waiting:
            raise SystemExit(f"the summaries are not right: {checked.faults[:1] or checked.waiting}")
    cuts = quantiles(lags, n=100, method="inclusive")
    return {
        "store": config.store_url.partition("+")[0].partition(":")[0],
        "classes": made,
        "cpu_ms_all_anew": round(cpu_ms, 2),
        "sheets_per_s": SHEETS_PER_S,
        "lag_s_p50": round(cuts[49], 2),
        "lag_s_p99": round(cuts[98], 2),
    }


async def _stacks(store: Store, classes: int) -> list[Envelope]:
    """A school with so many classes, and an envelope with every sheet of each; the worksheet has come."""
    school = await make_school(store, parse_assignment(ASSIGNMENT.read_text(encoding="utf-8")), class_name="c0")
    roster = Roster(tuple(pupil for n in range(classes) for pupil in make_roster(f"c{n}", CLASS_SIZE).pupils))
    async with store.writing() as connection:
        await bring_in(connection, store.vault, school.school, roster)
    pupils = SimulatedClass(school.pupils.assignment, roster, school_key=school.school_key)
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, pupils.documents())])
    return [
        school.box.envelope(Lane.RESULTS, [pupils.result(pupil) for pupil in roster.of_class(name)])
        for name in roster.classes()
    ]


async def _arriving(store: Store, stacks: list[Envelope]) -> list[float]:
    """A stack every so often, a summary some time after it: how long after, by class."""
    worker = SummaryWorker(store)
    ingest = StoreIngest(store, on_change=worker.tell)
    came_s: dict[str, float] = {}
    lags: dict[str, float] = {}
    first = len(stacks)  # as many classes before these have theirs
    running = asyncio.create_task(worker.run())
    try:
        began_s = time.perf_counter()
        for place, stack in enumerate(stacks):
            await asyncio.sleep(max(0.0, began_s + place * CLASS_SIZE / SHEETS_PER_S - time.perf_counter()))
            await ingest.take([stack])
            came_s[f"c{first + place}"] = time.perf_counter()
            await _note(store, came_s, lags)
        async with asyncio.timeout(_LONGEST_WAIT_S):
            while len(lags) < len(stacks):
                await asyncio.sleep(_LOOK_S)
                await _note(store, came_s, lags)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return list(lags.values())


async def _note(store: Store, came_s: dict[str, float], lags: dict[str, float]) -> None:
    waiting = came_s.keys() - lags.keys()
    async with store.reading() as connection:
        query = select(class_summaries.c.class_name).where(
            class_summaries.c.class_name.in_(waiting), class_summaries.c.handed_in == CLASS_SIZE
        )
        for name in (await connection.execute(query)).scalars():
            lags[name] = time.perf_counter() - came_s[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer classes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="classbox-summaries-", dir=Path.cwd()) as folder:
        file = Path(folder) / "gateway.toml"
        file.write_text('data = "data"\n')
        config = load_config(file)
        url = os.environ.get("CLASSBOX_BENCHMARK_STORE")
        if url:
            config = msgspec.structs.replace(config, store_url=url)
        figures = asyncio.run(measure(config, 40 if options.quick else 400))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
