"""Sheets a second from signed payload bytes to a durable commit with rollups and receipts.

Classes of 45 of eight schools answer a worksheet of 20 items (21 fields). Each class is one envelope, as a box sends it
after a stack; 16 envelopes share a transaction, as the link batches them under load. `sheets_per_s` is a gateway's
whole work: signature, decompression, decoding, booking, rollups, commit, receipt, by one, two and four processes, whose
first batch comes before the clock runs. Each has eight schools of its own, as where a broker shares by topic; what it
costs where gateways take turns at the same schools is in `end_to_end_sheets_per_s`. That adds the broker: from the
first publish of a load generator to the last receipt, with as many `classgate run`. `copy_sheets_per_s` is what the
same server takes of the same rows by one COPY into a table with the same indexes, without a gateway, and `of_copy` the
share of it. PostgreSQL runs with `fsync` and `synchronous_commit`, SQLite with `synchronous=FULL`; all on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import time
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import asyncpg

from benchmarks._gateways import Gateways
from benchmarks._ingest_parts import BATCH, Box, Load, write_load
from benchmarks._postgresql import PostgreSQL, programs
from benchmarks._several import until
from gateway.config import GatewayConfig, load_config
from gateway.simulated_class import SimulatedBox, SimulatedClass, make_roster
from gateway.store.check import check
from gateway.store.rosters import bring_in
from gateway.store.schools import add_school, enrol_box, school_key
from gateway.store.store import Store, open_store
from homework.assignment import parse_assignment
from homework.roster import Roster
from sync.embedded_broker import Broker
from sync.envelope import encode_envelope
from sync.lanes import Lane
from sync.topics import topic

ASSIGNMENT = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
SCHOOLS, CLASS_SIZE = 8, 45
PROCESSES = (1, 2, 4)
_SETTINGS = "shared_buffers = 256MB\nmax_wal_size = 4GB"
_COPIES = 3


async def make_load(store: Store, classes: int, warm: int, schools: int) -> Load:
    """Schools with so many classes in all, and the messages in which their boxes send every sheet once.

    Those of the first `warm` classes of all come first. In between boxes take turns by chance.
    """
    by_school: list[list[tuple[str, bytes]]] = []
    boxes: list[Box] = []
    for number in range(schools):
        school, box = f"school-{number}", SimulatedBox(f"school-{number}", "box-1")
        names = [f"c{n}" for n in range(number, classes + warm, schools)]
        roster = Roster(tuple(pupil for name in names for pupil in make_roster(name, CLASS_SIZE).pupils))
        async with store.writing() as connection:
            await add_school(connection, store.vault, school)
            key = await enrol_box(connection, store.vault, school, "box-1")
            await bring_in(connection, store.vault, school, roster)
            names_key = await school_key(connection, store.vault, school)
        sheet = SimulatedClass(parse_assignment(ASSIGNMENT.read_text(encoding="utf-8")), roster, school_key=names_key)
        up = topic(school, "box-1", "up")
        mine = []
        for name in names:
            envelope = box.envelope(Lane.RESULTS, [sheet.result(pupil) for pupil in roster.of_class(name)])
            mine.append((up, encode_envelope(envelope, key)))
        by_school.append(mine)
        boxes.append(Box(school, "box-1", key, len(names) * CLASS_SIZE))
    early = [mine.pop(0) for _ in range(warm // schools) for mine in by_school]
    dice = random.Random(1)
    turns = [number for number, mine in enumerate(by_school) for _ in mine]
    dice.shuffle(turns)
    return Load(tuple(boxes), tuple(early), tuple(by_school[number].pop(0) for number in turns))


class Site:
    """One store, and the figures of what is stored in it. A context manager: it ends its processes."""

    def __init__(self, server: PostgreSQL | None, broker: str = "mqtt://127.0.0.1:1") -> None:
        self._server = server
        self._database = server.database() if server is not None else ""
        self._broker = broker
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="classbox-ingest-", dir=Path.cwd())))
        url = self._server.url(self._database) if self._server is not None else None
        self.gateways = self._stack.enter_context(Gateways(self.folder, url, self._broker))
        self.config: GatewayConfig = load_config(self.gateways.config(0))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if self._server is not None:
            self._server.drop(self._database)

    def load(self, classes: int, warm: int, schools: int = SCHOOLS) -> Load:
        """Make it."""

        async def work() -> Load:
            async with open_store(self.config) as store:
                return await make_load(store, classes, warm, schools)

        return asyncio.run(work())

    def counted(self) -> int:
        """How many sheets count; ends the benchmark when the store's own check finds a fault."""

        async def work() -> int:
            async with open_store(self.config) as store, store.reading() as connection:
                result = await check(connection)
            if result.faults:
                raise SystemExit(f"the store is not right: {result.faults[0]}")
            return result.counted

        return asyncio.run(work())

    def wal_bytes(self) -> int:
        """What the server has written to its log since it was made."""
        return int(self._sql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"))

    def disk_bytes(self) -> int:
        """The size of the store with its indexes."""
        if self._server is None:
            return sum(file.stat().st_size for file in self.config.data.glob("classgate.sqlite*"))
        return int(self._sql("SELECT pg_database_size(current_database())"))

    def copied(self) -> float:
        """Sheets a second by COPY alone: the median of a few, each into an empty table and committed."""
        return asyncio.run(self._copied())

    async def _copied(self) -> float:
        assert self._server is not None
        driver = await asyncpg.connect(host=str(self._server.folder), user="classgate", database=self._database)
        rows = BytesIO()
        await driver.copy_from_query("SELECT * FROM page_records", output=rows, format="binary")
        rates = []
        for number in range(_COPIES):
            await driver.execute(f"CREATE TABLE copied_{number} (LIKE page_records INCLUDING ALL)")
            rows.seek(0)
            began_s = time.perf_counter()
            said: str = await driver.copy_to_table(f"copied_{number}", source=rows, format="binary")
            rates.append(int(said.split()[1]) / (time.perf_counter() - began_s))
        await driver.close()
        return statistics.median(rates)

    def server_cpu_s(self) -> float:
        """What the server's processes have used until now, also those that have ended."""
        if self._server is None or self._server.process is None:
            return 0.0
        pid = self._server.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        ticks = sum(sum(_ticks(int(child))[:2]) for child in children) + sum(_ticks(pid))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _sql(self, statement: str) -> str:
        assert self._server is not None
        return self._server.sql(statement, database=self._database)


def _ticks(pid: int) -> tuple[int, ...]:
    """Of a process in user and system mode, and of those of its children that have ended (proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:  # it has ended meanwhile: then its parent counts it
        return (0, 0, 0, 0)
    return tuple(int(word) for word in stat.rpartition(")")[2].split()[11:15])


def payload_to_commit(server: PostgreSQL | None, classes: int, processes: int) -> dict[str, Any]:
    """Figures without a broker."""
    with Site(server) as site:
        load = site.load(classes, BATCH * processes, SCHOOLS * processes)
        sheets = len(load.messages) * CLASS_SIZE
        parts = []
        for n in range(processes):
            mine = {topic(box.school, box.box, "up") for box in load.boxes[n::processes]}
            warm, messages = (tuple(one for one in some if one[0] in mine) for some in (load.warm, load.messages))
            share = Load(load.boxes, warm, messages)
            file = write_load(site.folder / f"load-{n}", share)
            words = ["-m", "benchmarks._ingest_parts", "take", str(site.gateways.config(n)), str(file)]
            parts.append(site.gateways.start(f"take-{n}", words, stdin=True))
        for n, part in enumerate(parts):
            _hear(site, part, f"take-{n}")
        server_s, disk, wal = site.server_cpu_s(), site.disk_bytes(), site.wal_bytes() if server else 0
        began_s = time.perf_counter()
        for part in parts:
            _go(part)
        answers = [json.loads(_hear(site, part, f"take-{n}")) for n, part in enumerate(parts)]
        seconds = time.perf_counter() - began_s
        row: dict[str, Any] = {
            "store": "postgresql" if server else "sqlite",
            "processes": processes,
            "sheets": sheets,
            "sheets_per_s": round(sheets / seconds),
            "cpu_us_per_sheet": round(1e6 * sum(answer["cpu_s"] for answer in answers) / sheets),
            "disk_bytes_per_sheet": round((site.disk_bytes() - disk) / sheets),
        }
        if server is not None:
            row |= {
                "server_cpu_us_per_sheet": round(1e6 * (site.server_cpu_s() - server_s) / sheets),
                "wal_bytes_per_sheet": round((site.wal_bytes() - wal) / sheets),
                "copy_sheets_per_s": round(copied := site.copied()),
                "of_copy": round(sheets / seconds / copied, 3),
            }
        counted = site.counted()
        if counted != sheets + len(load.warm) * CLASS_SIZE:
            raise SystemExit(f"{counted} sheets count: lost or double")
        return row


def over_a_broker(server: PostgreSQL | None, classes: int, gateways: int) -> dict[str, Any]:
    """Figures with broker, load generator and gateways in processes of their own."""
    with Broker.start() as broker, Site(server, broker.url) as site:
        load = site.load(classes, 0)
        for number in range(gateways):
            site.gateways.start_gateway(number)
        if server is not None:
            until(lambda: all(site.gateways.health(number)["shares"] for number in range(gateways)))
        file = write_load(site.folder / "load", load)
        words = ["-m", "benchmarks._ingest_parts", "send", broker.url, str(file)]
        sender = site.gateways.start("send", words, stdin=True)
        _hear(site, sender, "send")
        _go(sender)
        seconds = json.loads(_hear(site, sender, "send"))["seconds"]
        sheets = site.counted()
        if sheets != classes * CLASS_SIZE:
            raise SystemExit(f"{sheets} sheets count: lost or double")
    return {
        "store": "postgresql" if server else "sqlite",
        "gateways": gateways,
        "broker": broker.kind,
        "end_to_end_sheets_per_s": round(sheets / seconds),
    }


def _hear(site: Site, part: subprocess.Popen[str], name: str) -> str:
    assert part.stdout is not None
    said = part.stdout.readline()
    if not said:
        raise SystemExit(site.gateways.log(name))
    return said


def _go(part: subprocess.Popen[str]) -> None:
    assert part.stdin is not None
    part.stdin.write("\n")
    part.stdin.flush()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer sheets")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--part", choices=["store", "broker"], help="only this part")
    options = parser.parse_args()
    classes = 64 if options.quick else 320
    load = os.getloadavg()[0]
    rows: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    if options.part != "broker":
        rows.append(payload_to_commit(None, classes, 1))
    if options.part != "store":
        ends.append(over_a_broker(None, classes, 1))
    if programs() is not None:
        with PostgreSQL(_SETTINGS) as server:
            for processes in PROCESSES:
                if options.part != "broker":
                    rows.append(payload_to_commit(server, classes, processes))
                if options.part != "store":
                    ends.append(over_a_broker(server, classes, processes))
    figures: dict[str, Any] = {}
    for kind in ("sheets_per_s", "copy_sheets_per_s"):
        if any(kind in row for row in rows):
            figures[kind] = max(row.get(kind, 0) for row in rows)
    if rows:
        figures["store"] = max(rows, key=lambda row: row["sheets_per_s"])["store"]
    if ends:
        figures["end_to_end_sheets_per_s"] = max(row["end_to_end_sheets_per_s"] for row in ends)
    figures |= {"load_before": round(load, 1), "cores": os.cpu_count(), "rows": rows, "over_a_broker": ends}
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(*([name, *value] if isinstance(value, list) else [f"{name:28} {value}"]), sep="\n  ")


if __name__ == "__main__":
    main()
