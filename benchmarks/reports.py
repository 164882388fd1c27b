"""What a look at each report costs the processor, cold and again, with a term's sheets and boots in the store.

A school's whole term of the district of `benchmarks.term` is loaded (`--part` of it). Then each page is asked for as a
browser does, one look after another: `cold_ms` with nothing kept of reports and worksheets, every address once;
`warm_ms` again at once. Both are processor time of the gateway's process, `db_ms` that of PostgreSQL's for a cold look
(SQLite's is in the gateway's). `look_ms` is the mean of a cold look in the mix of `benchmarks.term`, with the
database's. What the loading took is left out, but for `summary_ms`: a summary's share when all of a term are made anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web
from sqlalchemy import Table, func, select

from benchmarks._district import DAYS, TERM
from benchmarks._district_reports import REPORTS, Targets
from benchmarks._postgresql import programs
from benchmarks.term import Known, Plan, Site, begun, last_term
from gateway.config import Parts, load_config
from gateway.garbage import calm_collector
from gateway.store.parsed import assignment_in
from gateway.store.schools import school_key
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import documents
from gateway.store.tables.sheets import boots
from gateway.web.changes import Changes
from gateway.web.found import REPORTS as REPORTS_KEPT
from gateway.web.rooms import Status
from gateway.web.site import make_site

PART, QUICK_PART = 0.005, 0.001
"""Of the district: a school of 600 pupils, or of 120."""
LOOKS = 20
FEW_AGAIN = 8
"""So often each of three addresses or fewer is looked at."""
Ask = Callable[[str], Awaitable[int]]
"""Asks for a page and gives its length as it came."""
_OK = b"200"
_READER = """
import http.client, sys
line = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=120)
for path in sys.stdin:
    line.request("GET", path.rstrip(), headers={"Accept-Encoding": "gzip"})
    answer = line.getresponse()
    print(answer.status, len(answer.read()), flush=True)
"""
"""A process of its own, so that what it costs to ask is not counted."""


async def measure(site: Site) -> dict[str, Any]:
    """Every report's figures in a store that is filled."""
    async with open_store(load_config(site.config)) as store:
        targets = Targets(site.district, DAYS, [], await _keys(site, store), random.Random(1))
        async with _answering(store) as (app, ask):
            calm_collector()
            rows = [await _row(site, app, ask, report.name, targets) for report in REPORTS if not report.live]
        shares = {report.name: report.share for report in REPORTS}
        weight = sum(shares[row["report"]] for row in rows)
        return {
            "worksheets": await _count(store, documents),
            "boots": await _count(store, boots),
            "look_ms": round(sum(shares[r["report"]] * (r["cold_ms"] + r["db_ms"]) for r in rows) / weight, 1),
            "rows": rows,
        }


async def _row(site: Site, app: web.Application, ask: Ask, name: str, targets: Targets) -> dict[str, Any]:
    report = next(one for one in REPORTS if one.name == name)
    paths = list(dict.fromkeys(report.address(targets, 0.0) for _ in range(LOOKS + 3)))
    first, paths = (paths[:3], paths[3:]) if len(paths) > 3 else (paths, paths * FEW_AGAIN)
    for path in first:  # templates, statements and plans are made once for all
        await ask(path)
    size = 0
    used_s, database_s = time.process_time(), site.database_cpu_s()
    for path in paths:
        app[REPORTS_KEPT].forget()
        assignment_in.cache_clear()
        size += await ask(path)
    cold_s, database_s = time.process_time() - used_s, site.database_cpu_s() - database_s
    for path in paths:
        await ask(path)
    used_s = time.process_time()
    for path in paths:
        await ask(path)
    warm_s = time.process_time() - used_s
    return {
        "report": name,
        "cold_ms": round(1000 * cold_s / len(paths), 2),
        "db_ms": round(1000 * database_s / len(paths), 2),
        "warm_ms": round(1000 * warm_s / len(paths), 2),
        "looks": len(paths),
        "bytes": round(size / len(paths)),
    }


@asynccontextmanager
async def _answering(store: Store) -> AsyncIterator[tuple[web.Application, Ask]]:
    """The pages in this process, and who asks for them in another."""
    nobody = Status(broker_connected=False, counts={})
    app = make_site(store, Changes(), lambda: nobody, parts=Parts.PAGES)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    port = site.name.rpartition(":")[2]
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _READER, port, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    to_it, from_it = reader.stdin, reader.stdout
    assert to_it is not None
    assert from_it is not None

    async def ask(path: str) -> int:
        to_it.write(f"{path}\n".encode())
        status, size = (await from_it.readline()).split()
        if status != _OK:
            raise SystemExit(f"{path} was answered with {status.decode()}")
        return int(size)

    try:
        yield app, ask
    finally:
        to_it.close()
        await reader.wait()
        await runner.cleanup()


async def _keys(site: Site, store: Store) -> dict[str, bytes]:
    names = [school.name for school in site.district.schools]
    async with store.reading() as connection:
        return {name: await school_key(connection, store.vault, name) for name in names}


async def _count(store: Store, table: Table) -> int:
    async with store.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller school")
    parser.add_argument("--part", type=float, help=f"of the district ({PART})")
    parser.add_argument("--store", choices=["postgresql", "sqlite"], help="one of the two alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the stores there, and go on with what is there")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    part = options.part or (QUICK_PART if options.quick else PART)
    stores = [options.store] if options.store else ["sqlite", *(["postgresql"] if programs() else [])]
    figures: dict[str, Any] = {"rows": []}
    with ExitStack() as stack:
        if options.keep is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="classbox-reports-")))
        else:
            folder = options.keep.resolve()
            folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # the database's own user must find its files
        for store in stores:
            found = _of_store(folder / store, store, part)
            figures["rows"] += [{"store": store, **row} for row in found.pop("rows")]
            figures |= {f"{store}_{name}": value for name, value in found.items()}
    figures |= {"part": part, "load_average": round(os.getloadavg()[0], 1)}
    if options.json:
        print(json.dumps(figures))
        return
    rows = figures.pop("rows")
    for name, value in figures.items():
        print(f"{name:24} {value}")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


def _of_store(folder: Path, store: str, part: float) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    first_day = last_term(datetime.now(UTC).date())
    plan = begun(folder, Plan(size=TERM.part(part), shares=(1.0,), store=store, first_day=first_day, seconds=0))
    with Site(folder, plan) as site:
        loaded = Known(folder / "figures.json").get("stage 1.0", partial(site.stage, DAYS))
        return {"sheets": plan.size.sheets, "summary_ms": loaded["summary_cpu_ms"], **asyncio.run(measure(site))}


if __name__ == "__main__":
    main()
