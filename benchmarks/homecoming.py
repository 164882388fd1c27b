"""How long until a district's boxes, which all lost their broker at once, have delivered what waits: 45 sheets each.

The real links with a card in a file each, fifty in a process; mosquitto as `classgate broker write` sets it up, with a
certificate for every box; `classgate run` on SQLite. All boxes are connected; the broker is killed with SIGKILL; while
it is away every box keeps a class of 45; it is started again `away_s` later, and from that moment times count.
`short`: it is back at once, as a supervisor starts it. `long`: attempts of all have failed for a while. Boxes, broker
and gateway share this machine: `cpu_s` says who needed it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.broker import CONFIGURATION, open_authority, set_up
from gateway.config import load_config
from gateway.store.schools import add_school, enrol_box
from gateway.store.store import open_store
from gateway.store.tables.sheets import RowState
from provisioning.mosquitto import BrokerPlan
from sync.embedded_broker import free_port, mosquitto_path

BOXES, QUICK_BOXES = 1_000, 100
IN_A_PROCESS = 50
SHEETS = 45
AWAY_S = {"short": 1.0, "long": 30.0}
_PATIENCE_S = 300.0
_SCHOOL = "district"
_ROOT = Path(__file__).resolve().parents[1]
_FILES_OF_A_SERVICE = 1_024
"""Open files that a service may have, unless its unit says otherwise (systemd's soft limit)."""


class District:
    """A folder with a gateway's data, a broker's files, and the boxes' cards and certificates."""

    def __init__(self, folder: Path, boxes: int) -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.port = free_port()
        self.url = f"mqtts://127.0.0.1:{self.port}"
        self._names = [f"box-{number:04}" for number in range(boxes)]
        for name in ("cards", "certificates"):
            (folder / name).mkdir()

    def make(self) -> list[Path]:
        """Enrol every box; what each process of boxes has to know, in files."""
        self.config.write_text('data = "data"\n', encoding="utf-8")
        data, now = load_config(self.config).data, datetime.now(UTC)
        keys = asyncio.run(self._enrolled())
        plan = BrokerPlan(folder=self.folder / "broker", addresses=("127.0.0.1",), port=self.port)
        mine = set_up(data, plan, now=now)
        broker = f'url = "{self.url}"\nca = "{mine.ca}"\ncert = "{mine.cert}"\nkey = "{mine.key}"\n'
        self.config.write_text(
            f'data = "data"\n[web]\nlisten = "127.0.0.1:0"\n[broker]\n{broker}[stick]\nroots = []\n', encoding="utf-8"
        )
        authority = open_authority(data, now=now)
        for name in self._names:
            issued = authority.for_box(_SCHOOL, name, now=now)
            assert issued.key is not None
            (self.folder / "certificates" / f"{name}.cert").write_bytes(issued.certificate)
            (self.folder / "certificates" / f"{name}.key").write_bytes(issued.key)
        files = []
        for start in range(0, len(self._names), IN_A_PROCESS):
            what = {
                "url": self.url,
                "ca": str(mine.ca),
                "school": _SCHOOL,
                "folder": str(self.folder / "cards"),
                "certificates": str(self.folder / "certificates"),
                "boxes": {name: keys[name].hex() for name in self._names[start : start + IN_A_PROCESS]},
            }
            files.append(self.folder / f"boxes-{start}.json")
            files[-1].write_text(json.dumps(what), encoding="utf-8")
        return files

    async def _enrolled(self) -> dict[str, bytes]:
        async with open_store(load_config(self.config)) as store, store.writing() as connection:
            await add_school(connection, store.vault, _SCHOOL)
            return {name: await enrol_box(connection, store.vault, _SCHOOL, name) for name in self._names}

    def counted(self) -> Counter[str]:
        """In how many places of a report each sheet counts."""
        with closing(sqlite3.connect(load_config(self.config).data / "classgate.sqlite")) as db:
            return Counter(
                bytes(capture).hex()
                for (capture,) in db.execute("SELECT capture FROM page_records WHERE state <> ?", (RowState.DUPLICATE,))
            )


class Boxes:
    """The processes with the boxes."""

    def __init__(self, stack: ExitStack, files: list[Path], log: Path) -> None:
        self._processes = []
        errors = stack.enter_context(log.open("wb"))
        for file in files:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks._many_boxes", str(file)],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            self._processes.append(process)
        self._answers()

    def sheets(self) -> set[str]:
        """Let every box keep a class; the captures."""
        return {capture for said in self._ask(f"sheets {SHEETS}") for box in said for capture in box}

    def report(self) -> dict[str, Any]:
        """What all of them say together."""
        each = self._ask("report")
        return {
            "connects_s": sorted(s for one in each for s in one["connects_s"]),
            "done_s": [s for one in each for s in one["done_s"]],
            "there": sum(one["there"] for one in each),
            "cpu_s": sum(one["cpu_s"] for one in each),
        }

    def _ask(self, order: str) -> list[Any]:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{order}\n")
            process.stdin.flush()
        return self._answers()

    def _answers(self) -> list[Any]:
        answers = []
        for process in self._processes:
            assert process.stdout is not None
            answers.append(json.loads(process.stdout.readline()))
        return answers


@contextmanager
def _running(words: list[str], log: Path, *, files: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A program, killed at the end. `files`: with so many open files, and no more unless it asks."""
    limit = None if files is None else lambda: _few_files(files)
    with log.open("ab") as errors:
        process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=_ROOT,
            preexec_fn=limit,  # noqa: PLW1509 - no threads here
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _few_files(files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def measure(*, boxes: int, files: int = _FILES_OF_A_SERVICE) -> dict[str, Any]:
    """All of it. `files`: how many the broker may have open when it starts."""
    mosquitto = mosquitto_path()
    if mosquitto is None:
        raise SystemExit("There is no mosquitto here. Install it: apt install mosquitto.")
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="classbox-homecoming-")))
        folder.chmod(0o755)  # mosquitto does not stay root, and must find its files
        district = District(folder, boxes)
        what = district.make()
        broker_words = [mosquitto, "-c", str(folder / "broker" / CONFIGURATION)]
        brokers = stack.enter_context(ExitStack())
        brokers.enter_context(_running(broker_words, folder / "broker.log", files=files))
        words = [sys.executable, "-c", "from gateway.cli import main; main()", "run", "--config", str(district.config)]
        gateway = stack.enter_context(_running(words, folder / "gateway.log"))
        assert gateway.stdout is not None
        gateway.stdout.readline()
        many = Boxes(stack, what, folder / "boxes.log")
        kept: set[str] = set()
        all_there = _until(lambda: many.report()["there"] == boxes)
        for name, away_s in AWAY_S.items():
            brokers.close()
            gone_s = time.monotonic()
            kept |= many.sheets()
            time.sleep(max(0.0, gone_s + away_s - time.monotonic()))  # keeping takes its time too
            before = many.report()["cpu_s"], _cpu_s(gateway.pid)
            broker = brokers.enter_context(_running(broker_words, folder / "broker.log", files=files))
            began_s = time.monotonic()
            _until(lambda: all(s is not None for s in many.report()["done_s"]))
            report = many.report()
            row = {"away": name, "away_s": round(began_s - gone_s, 1), **_row(report, began_s)}
            row |= {
                "boxes_cpu_s": round(report["cpu_s"] - before[0], 1),
                "gateway_cpu_s": round(_cpu_s(gateway.pid) - before[1], 1),
                "broker_cpu_s": round(_cpu_s(broker.pid), 1),
                "broker_peak_mb": _peak_mb(broker.pid),
                "gateway_peak_mb": _peak_mb(gateway.pid),
            }
            rows.append(row)
            print(row, file=sys.stderr, flush=True)  # it takes minutes
        counted = district.counted()
        dropped = (folder / "gateway.log").read_text(encoding="utf-8").count("full")
    return {
        "boxes": boxes,
        "all_connected_at_first": all_there,
        "sheets": len(kept),
        "lost": len(kept - counted.keys()),
        "double": sum(times - 1 for times in counted.values()),
        "broker_files_at_start": files,
        "gateway_queue_full": dropped,
        "load_average": round(os.getloadavg()[0], 1),
        "rows": rows,
    }


def _row(report: dict[str, Any], began_s: float) -> dict[str, Any]:
    done = sorted(s - began_s for s in report["done_s"] if s is not None)
    connects = [s - began_s for s in report["connects_s"] if s >= began_s]
    a_second = Counter(int(s) for s in connects)
    return {
        "drained_boxes": len(done),
        "seconds_to_drain": round(done[-1], 1) if done else None,
        "last_receipt_p50": round(statistics.median(done), 1) if done else None,
        "last_receipt_p99": round(done[max(0, -(-99 * len(done) // 100) - 1)], 1) if done else None,
        "connects": len(connects),
        "most_connects_in_a_second": max(a_second.values(), default=0),
        "connects_in_each_second": [a_second[n] for n in range(min(30, max(a_second, default=-1) + 1))],
    }


def _until(done: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end_s:
        if done():
            return True
        time.sleep(0.5)
    return False


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return round(int(found[1]) / 1024, 1)


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_BOXES} boxes")
    parser.add_argument("--boxes", type=int, default=None)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    figures = measure(boxes=options.boxes or (QUICK_BOXES if options.quick else BOXES))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
