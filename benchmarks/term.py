"""A district's whole term in a gateway's store: how long it takes to load, how large it is, how soon a report is there.

156 schools, 5,608 teachers, 119,932 pupils, 304,000 worksheets given, 11,399,000 sheets in 17 weeks, made up by
`benchmarks._district` and stored through the gateway's ingest (`benchmarks._district_load`). Loading stops after 1 %,
10 % and 100 % of the sheets; each time `classgate run` is asked for 50 pages a second, at a fixed pace, while 500
sheets a second arrive over mosquitto (`benchmarks._district_reports` has the mix), once with pages and ingest in one
process and once apart: one takes in sheets, two share the pages. `--quick` is a tenth of the district. PostgreSQL runs
with `fsync` and `synchronous_commit`; all of it shares this machine, and as boxes have processors of their own in
truth, the process that is all of them is nice to the others. With `--keep DIR` a run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import msgspec

from benchmarks._district import DAYS, TERM, WEEKS, District, Size
from benchmarks._district_hour import Place, make_hour, percentile
from benchmarks._district_load import load_in_processes, make_term_months, prepare
from benchmarks._district_reports import CLASS, DISTRICT, REPORTS, Targets, looks
from benchmarks._postgresql import PostgreSQL
from benchmarks._shared_out import said_by
from benchmarks._spoken_with import Program, cpu_s, given_listener, waited_s
from gateway.config import load_config
from gateway.reports.periods import term_of
from gateway.store.check import check
from gateway.store.schools import school_key
from gateway.store.store import open_store
from sync.embedded_broker import Broker

SHARES = (0.01, 0.1, 1.0)
QUICK = 0.1
LOOKS_PER_S, SHEETS_PER_S = 50.0, 500.0
_ROOT = Path(__file__).resolve().parents[1]
_SETTINGS = "shared_buffers = 1GB\nmax_wal_size = 4GB\ncheckpoint_timeout = 15min"
_DATABASE = "classgate"
_BOXES_BEHIND = 5
_START_S = 0.5
"""Until both generators begin, together."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured. A kept folder says what it was begun with."""

    size: Size
    shares: tuple[float, ...]
    store: str
    seed: int = 1
    first_day: date
    seconds: float
    warming_s: float = 6.0
    looks: int = 20
    looks_per_s: float = LOOKS_PER_S
    sheets_per_s: float = SHEETS_PER_S
    page_processes: int = 2
    """Of their own, on one socket, where pages and ingest are apart."""


class Site:
    """A gateway's data, and the processes round it. A context manager: it ends the database."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.district = District(plan.size, first_day=plan.first_day, seed=plan.seed)
        self.config = folder / "gateway.toml"
        self._server = PostgreSQL(_SETTINGS, keep=folder / "pg") if plan.store == "postgresql" else None

    def __enter__(self) -> Self:
        if self._server is not None:
            self._server.__enter__()
            if self._server.sql(f"SELECT 1 FROM pg_database WHERE datname = '{_DATABASE}'") != "1":
                self._server.sql(f"CREATE DATABASE {_DATABASE}")
        self._write_config("mqtt://127.0.0.1:1")
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)

    def database_cpu_s(self) -> float:
        """The processor's time that the database's processes have had; SQLite has none of its own."""
        return self._server.cpu_s() if self._server is not None else 0.0

    def _write_config(self, broker: str) -> None:
        store = f'[store]\nurl = "{self._server.url(_DATABASE)}"\n' if self._server is not None else ""
        self.config.write_text(
            f'data = "data"\n[web]\nlisten = "127.0.0.1:0"\n[broker]\nurl = "{broker}"\n[stick]\nroots = []\n{store}',
            encoding="utf-8",
        )

    def stage(self, days: int) -> dict[str, Any]:
        """Bring so many days of the term in."""
        asyncio.run(self._prepared())
        loaded = load_in_processes(self.config, self.district, days, processes=self._processes)
        return {"days": days, **loaded, **self.make_summaries(), **self.disk()}

    @property
    def _processes(self) -> int:
        return (os.cpu_count() or 1) if self._server is not None else 1

    def make_summaries(self) -> dict[str, float]:
        """Bring what schools and districts are told up to date, as gateways do a class at a time over the term.

        They share the schools; who is done first leaves the others to those who are at work there.
        """
        began_s = time.perf_counter()
        failed = "Making summaries ended early: start it again, and it goes on."
        figures = said_by("benchmarks._term_summaries", [[str(self.config)]] * self._processes, failed=failed)
        made = sum(one["made"] for one in figures)
        return {
            "summaries": made,
            "summaries_s": round(time.perf_counter() - began_s, 1),
            "summary_cpu_ms": round(1000 * sum(one["cpu_s"] for one in figures) / max(1, made), 1),
        }

    async def _prepared(self) -> None:
        config = load_config(self.config)
        async with open_store(config) as store:
            await prepare(store, self.district)
        await make_term_months(config, self.district)

    def disk(self) -> dict[str, Any]:
        """Megabytes (10⁶ bytes) of the database with its indexes, and of its largest tables."""
        if self._server is None:
            files = (self.folder / "data").glob("classgate.sqlite*")
            return {"disk_mb": round(sum(file.stat().st_size for file in files) / 1e6, 1)}
        rows = self._server.sql(
            "SELECT coalesce(i.inhparent::regclass::text, c.relname), sum(pg_table_size(c.oid)),"
            " sum(pg_indexes_size(c.oid)) FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1"
            " ORDER BY sum(pg_total_relation_size(c.oid)) DESC LIMIT 8",
            database=_DATABASE,
        )
        total = int(self._server.sql("SELECT pg_database_size(current_database())", database=_DATABASE))
        tables = {}
        for row in rows.splitlines():
            name, size, indexes = row.split("|")
            tables[name] = {"mb": round(int(size) / 1e6, 1), "indexes_mb": round(int(indexes) / 1e6, 1)}
        return {"disk_mb": round(total / 1e6, 1), "tables": tables}

    def check(self) -> dict[str, Any]:
        """What `classgate db check` says. Ends the benchmark when it finds a fault."""

        async def work() -> dict[str, Any]:
            began_s = time.perf_counter()
            async with open_store(load_config(self.config)) as store, store.reading() as connection:
                result = await check(connection)
            if result.faults:
                raise SystemExit(f"the store is not right: {result.faults[0]}")
            return {
                "check_s": round(time.perf_counter() - began_s, 1),
                "pages": result.pages,
                "counted": result.counted,
            }

        return asyncio.run(work())

    # --- pages ----------------------------------------------------------------------------------------------

    def alone(self, days: int) -> dict[str, Any]:
        """Ask for each report some times, one look after another and nothing else going on.

        The processor's time in the gateway's process is what a busy machine does not change.
        """
        self.make_summaries()  # and so in `under_load`: of what an hour left behind that was cut off
        rows = []
        with self._gateway("pages") as pages:
            url = pages.hear().split()[1]
            targets = Targets(self.district, days, [], asyncio.run(self._keys()), random.Random(1))
            for report in (one for one in REPORTS if not one.live):
                addresses = [url + report.address(targets, 0.0).removeprefix("/") for _ in range(self.plan.looks + 2)]
                for address in addresses[:2]:
                    _look(address)
                before_s = cpu_s(pages.pid)
                times_s = sorted(_look(address) for address in addresses[2:])
                used_s = cpu_s(pages.pid) - before_s
                rows.append(
                    {
                        "report": report.name,
                        "cpu_ms": round(1000 * used_s / self.plan.looks, 1),
                        "p50_ms": round(1000 * percentile(times_s, 0.5), 1),
                    }
                )
        return {"rows": rows}

    async def _keys(self) -> dict[str, bytes]:
        names = [school.name for school in self.district.schools]
        async with open_store(load_config(self.config)) as store, store.reading() as connection:
            return {name: await school_key(connection, store.vault, name) for name in names}

    # --- under load -----------------------------------------------------------------------------------------

    def under_load(self, *, days: int, number: int, apart: bool) -> dict[str, Any]:
        """Ask for pages while sheets come; `number` tells the hours of a term apart. Figures, and a row a report."""
        plan = self.plan
        self.make_summaries()
        with ExitStack() as stack:
            broker = stack.enter_context(Broker.start(kind="mosquitto"))
            self._write_config(broker.url)
            hour_of_boxes, places = asyncio.run(self._hour(number))
            targets = Targets(self.district, days, places, asyncio.run(self._keys()), random.Random(number))
            at = looks(targets, a_second=plan.looks_per_s, seconds=plan.seconds, warming_s=plan.warming_s, seed=number)
            (self.folder / "hour").write_bytes(hour_of_boxes)
            (self.folder / "looks").write_bytes(msgspec.msgpack.encode(at))
            hour = stack.enter_context(self._process("_district_hour", "hour", niceness=_BOXES_BEHIND))
            reading = stack.enter_context(self._process("_district_looks", "looks"))
            if apart:
                programs = {"ingest": stack.enter_context(self._gateway("boxes"))}
                listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=128)))
                for n in range(1, plan.page_processes + 1):
                    programs[f"pages_{n}"] = stack.enter_context(self._gateway("pages", listener))
            else:
                programs = {"gateway": stack.enter_context(self._gateway("all"))}
            page_url = [one.hear().split()[1] for one in programs.values()][-1]
            for one in (hour, reading):
                if one.hear() != "ready":
                    raise SystemExit("the generators did not start")
            programs |= {"boxes": hour, "readers": reading}
            before = {name: (cpu_s(one.pid), waited_s(one.pid)) for name, one in programs.items()}
            assert broker.process is not None
            database_s, broker_s = self.database_cpu_s(), cpu_s(broker.process.pid)
            began_s = time.monotonic() + _START_S
            hour.say(f"{began_s} {broker.url}\n")
            reading.say(f"{began_s} {page_url}\n")
            rows = json.loads(reading.hear())
            wall_s = time.monotonic() - began_s
            cores = {
                "database_cores": round((self.database_cpu_s() - database_s) / wall_s, 2),
                "broker_cores": round((cpu_s(broker.process.pid) - broker_s) / wall_s, 2),
            }
            for name, one in programs.items():
                cores[f"{name}_cores"] = round((cpu_s(one.pid) - before[name][0]) / wall_s, 2)
                cores[f"{name}_waited"] = round((waited_s(one.pid) - before[name][1]) / wall_s, 2)
            sent = json.loads(hour.hear())
        return {**sent, **cores, "rows": rows}

    async def _hour(self, number: int) -> tuple[bytes, list[Place]]:
        plan = self.plan
        async with open_store(load_config(self.config)) as store:
            hour, places = await make_hour(
                store,
                self.district,
                sheets_per_s=plan.sheets_per_s,
                seconds=plan.seconds + plan.warming_s,
                number=number,
                day=DAYS,
            )
        return msgspec.msgpack.encode(hour), places

    def _gateway(self, parts: str, listener: socket.socket | None = None) -> AbstractContextManager[Program]:
        """`listener` is given to it as a service manager does that listens for several."""
        words = [sys.executable, "-c", "from gateway.cli import main; main()", "run", "--config", str(self.config)]
        words += ["--parts", parts]
        if listener is None:
            return self._running(f"gateway-{parts}", words, signal.SIGTERM)
        number = listener.fileno()
        return self._running(f"gateway-{parts}", given_listener(number, words), signal.SIGTERM, keep=(number,))

    def _process(self, module: str, file: str, *, niceness: int = 0) -> AbstractContextManager[Program]:
        words = ["nice", "-n", str(niceness), sys.executable, "-m", f"benchmarks.{module}", str(self.folder / file)]
        return self._running(module, words)

    @contextmanager
    def _running(
        self, name: str, words: list[str], end: signal.Signals = signal.SIGKILL, *, keep: tuple[int, ...] = ()
    ) -> Iterator[Program]:
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                words,
                cwd=_ROOT,
                pass_fds=keep,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            yield Program(process)
        finally:
            process.send_signal(end)
            process.wait()


def measure(folder: Path, plan: Plan) -> dict[str, Any]:
    """All of it. What a folder has of it already is not done again."""
    known = Known(folder / "figures.json")
    rows: list[dict[str, Any]] = []
    alone_rows: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    with Site(folder, plan) as site:
        for place, share in enumerate(plan.shares):
            days = site.district.days(share)
            stages.append({"share": share, **known.get(f"stage {share}", partial(site.stage, days))})
            alone = known.get(f"alone {share}", partial(site.alone, days))
            alone_rows += [{"share": share, **row} for row in alone["rows"]]
            for apart in (False, True) if plan.store == "postgresql" else (False,):
                work = partial(site.under_load, days=days, number=2 * place + apart, apart=apart)
                load = known.get(f"load {share} {'apart' if apart else 'together'}", work)
                how = {"share": share, "pages": "apart" if apart else "with ingest"}
                rows += [{**how, **row} for row in load.pop("rows")]
                stages[-1]["apart" if apart else "together"] = load
        checked = known.get("check", site.check)
    return {**_figures(plan, stages, rows), **checked, "alone": alone_rows}


def _figures(plan: Plan, stages: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    last = [row for row in rows if row["share"] == plan.shares[-1]]
    load_s = sum(stage["load_s"] for stage in stages)
    records = sum(stage["records"] for stage in stages)
    return {
        "store": plan.store,
        **plan.size._asdict(),
        "load_s": round(load_s, 1),
        "sheets_per_s": round(plan.shares[-1] * plan.size.sheets / load_s),
        "records_per_s": round(records / load_s),
        "summaries_s": round(sum(stage["summaries_s"] for stage in stages), 1),
        "making_share": round(sum(s["made_s"] for s in stages) / sum(s["made_s"] + s["stored_s"] for s in stages), 2),
        "disk_mb": stages[-1]["disk_mb"],
        "tables": stages[-1].get("tables", {}),
        "class_report_ms_p99": _p99_ms(last, CLASS),
        "district_report_ms_p99": _p99_ms(last, DISTRICT),
        "errors": sum(row["errors"] for row in rows),
        "load_average": round(os.getloadavg()[0], 1),
        "stages": [{key: value for key, value in stage.items() if key != "tables"} for stage in stages],
        "rows": rows,
    }


def _p99_ms(rows: list[dict[str, Any]], report: str) -> float | None:
    """With pages in a process of their own where that was measured; None for a report that nobody looked at."""
    return next((row["p99_ms"] for row in reversed(rows) if row["report"] == report), None)


class Known:
    """Figures that a folder has already: each is measured once and kept."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._figures: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def get(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is known under that name; measured and written down when nothing is."""
        if name not in self._figures:
            print(name, file=sys.stderr, flush=True)
            self._figures[name] = work()
            self._file.write_text(json.dumps(self._figures, indent=1), encoding="utf-8")
        return dict(self._figures[name])


def _look(address: str) -> float:
    """How long a page takes, in seconds."""
    began_s = time.perf_counter()
    with urllib.request.urlopen(address, timeout=60) as answer:
        answer.read()
    return time.perf_counter() - began_s


def last_term(today: date) -> date:
    """The Monday on which the latest 17 weeks began that are over and lie in one school term."""
    first = today - timedelta(days=today.weekday(), weeks=WEEKS)
    while term_of(first) != term_of(first + timedelta(weeks=WEEKS)):
        first -= timedelta(weeks=1)
    return first


def begun(folder: Path, plan: Plan) -> Plan:
    """The plan with which a folder was begun; it is kept there."""
    file = folder / "plan.json"
    if file.exists():
        return msgspec.json.decode(file.read_bytes(), type=Plan)
    file.write_bytes(msgspec.json.encode(plan))
    return plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the district")
    parser.add_argument("--part", type=float, help="another part of it, such as 0.01")
    parser.add_argument("--store", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--seconds", type=float, help="how long pages are asked for, each time (60; quick: 20)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the data there, and go on with what is there")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    part = options.part or (QUICK if options.quick else 1.0)
    plan = Plan(
        size=TERM.part(part),
        shares=SHARES,
        store=options.store,
        first_day=last_term(datetime.now(UTC).date()),
        seconds=options.seconds or (20.0 if options.quick else 60.0),
    )
    with ExitStack() as stack:
        if options.keep is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="classbox-term-")))
        else:
            folder = options.keep.resolve()
            folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # the database's own user must find its files
        figures = measure(folder, begun(folder, plan))
    if options.json:
        print(json.dumps(figures))
        return
    rows = [*figures.pop("alone"), *figures.pop("rows")]
    for name, value in figures.items():
        print(f"{name:24} {value}")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
