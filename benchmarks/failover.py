"""A gateway and PostgreSQL, killed while sheets come: how long that is felt, and whether a sheet is lost or double.

Real processes on one machine: PostgreSQL (`fsync` and `synchronous_commit` on), mosquitto, two gateways, boxes with the
real link that are shown sheets at an even pace. In turn the gateway that listens is killed with SIGKILL and started
again when the other has taken over, and every process of PostgreSQL, which is started again at once.

`sheets_wait_s` is the longest time without a new sheet in the store, from the kill on; `all_in_s` the time until every
sheet is there that a box had by then, also those that the dead gateway had taken from the broker; `database_away_s` the
part of it in which PostgreSQL took no connection. Beside it somebody asks a gateway that lives for a page, ten times a
second: `page_waits_s` is the longest time between two that came; whatever came instead is counted by its status.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import asyncpg

from benchmarks._postgresql import PostgreSQL
from benchmarks._several import Several, until
from sync.embedded_broker import Broker

BOXES = 20
_SHOWS_A_SECOND = 5.0
_SETTLED_S = 3.0
"""So long everything goes well again, before the next death."""
_PAGE_S = 0.1
_LOOK_S = 0.02
_LIMIT_S = 120.0


class Beside:
    """Something that is done again and again beside the rest. A context manager."""

    def __init__(self, work: Callable[[], None], every_s: float) -> None:
        self._work, self._every_s = work, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._ended.is_set():
            self._work()
            due_s = max(due_s + self._every_s, time.monotonic())
            self._ended.wait(due_s - time.monotonic())


class Seen:
    """Moments at which something went well (`time.monotonic`)."""

    def __init__(self) -> None:
        self._at_s = [time.monotonic()]

    def note(self) -> None:
        """It went well now."""
        self._at_s.append(time.monotonic())

    @property
    def last_s(self) -> float:
        """When it did last."""
        return self._at_s[-1]

    def longest_s(self, since_s: float) -> float:
        """The longest time without, that ended after `since_s`; it may have begun before."""
        known = self._at_s.copy()
        return max((after_s - at_s for at_s, after_s in pairwise(known) if after_s > since_s), default=0.0)


class Rows:
    """Looks at the store whether sheets come in, over a connection of its own. A context manager."""

    def __init__(self, folder: Path, database: str) -> None:
        self._where = {"host": str(folder), "user": "classgate", "database": database}
        self.came, self.answered = Seen(), Seen()
        self._known = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    async def _run(self) -> None:
        connection: asyncpg.Connection | None = None
        while not self._ended.is_set():
            try:
                if connection is None or connection.is_closed():
                    connection = await asyncpg.connect(**self._where)
                now = await connection.fetchval("SELECT count(*) FROM page_records WHERE state = 0")
                self.answered.note()
                if now > self._known:
                    self._known = now
                    self.came.note()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
                connection = None
            await asyncio.sleep(_LOOK_S)
        if connection is not None:
            await connection.close()


class Reader:
    """Asks gateways for a page, as somebody behind a balancer does who is sent to one that lives."""

    def __init__(self, site: Several) -> None:
        self._site = site
        self.came = Seen()
        self.statuses: Counter[str] = Counter()

    def look(self) -> None:
        """One look, at the first gateway that answers at all."""
        for number in (0, 1):
            try:
                with urllib.request.urlopen(self._site.url(number), timeout=5) as answer:
                    answer.read()
            except urllib.error.HTTPError as error:
                self.statuses[str(error.code)] += 1
                error.close()
                return
            except (OSError, KeyError):
                continue
            else:
                self.came.note()
                return
        self.statuses["nobody answered"] += 1


def deaths(times: int) -> dict[str, Any]:
    """So many deaths of each kind, one after another, on one district that goes on all the time."""
    rows: list[dict[str, Any]] = []
    with PostgreSQL("shared_buffers = 128MB") as server, TemporaryDirectory() as folder:
        database = server.database()
        with (
            Broker.start(kind="mosquitto") as broker,
            Several(Path(folder), server, database, broker.url, boxes=BOXES) as site,
        ):
            for number in (0, 1):
                site.start_gateway(number)
            site.start_boxes()
            reader = Reader(site)
            with Rows(server.folder, database) as store, Beside(reader.look, _PAGE_S):
                with Beside(lambda: site.show(1), 1 / _SHOWS_A_SECOND):
                    began_s = time.monotonic()
                    _settle(store)
                    for number in range(times):
                        for what, kill in (("gateway", _kill_the_one), ("postgresql", _kill_the_database)):
                            killed_s = time.monotonic()
                            had = site.told.copy()
                            kill(site, server)
                            until(lambda had=had: site.counted().keys() >= had, _LIMIT_S)  # type: ignore[misc]
                            all_in_s = time.monotonic() - killed_s
                            _start_again(site)
                            _settle(store)
                            rows.append(
                                {
                                    "death": what,
                                    "number": number + 1,
                                    "sheets_wait_s": round(store.came.longest_s(killed_s), 2),
                                    "all_in_s": round(all_in_s, 2),
                                    "database_away_s": round(store.answered.longest_s(killed_s), 2),
                                    "page_waits_s": round(reader.came.longest_s(killed_s), 2),
                                }
                            )
                    shown, shown_s = len(site.told), time.monotonic() - began_s
                site.rest(_all_told(site), _LIMIT_S)
            lost, double = site.lost_and_double()
            faults = site.check().faults
            return {
                "sheets": len(site.told),
                "sheets_a_second": round(shown / shown_s, 1),
                "lost": lost,
                "double": double,
                "faults_of_db_check": len(faults),
                **_middle(rows),
                "pages_that_did_not_come": dict(reader.statuses),
                "rows": rows,
            }


def _kill_the_one(site: Several, server: PostgreSQL) -> None:
    """The gateway that listens, until the other does."""
    del server
    first = next(number for number in (0, 1) if site.health(number)["listens"])
    site.signal_gateway(first, signal.SIGKILL)
    until(lambda: bool(site.health(1 - first)["listens"]), _LIMIT_S)


def _kill_the_database(site: Several, server: PostgreSQL) -> None:
    del site
    server.kill()
    server.start()


def _start_again(site: Several) -> None:
    """What died, as systemd would."""
    for number in (0, 1):
        if not site.lives(number):
            site.start_gateway(number)


def _settle(store: Rows) -> None:
    """Wait until sheets come without a break."""
    began_s = time.monotonic()
    until(lambda: time.monotonic() - began_s > _SETTLED_S and store.came.longest_s(time.monotonic() - 2.0) < 1.0)


def _all_told(site: Several) -> int:
    """How many sheets there are, once boxes have kept all that they were shown."""
    had = -1
    while len(site.told) > had:
        had = len(site.told)
        time.sleep(2.0)
    return had


def _middle(rows: list[dict[str, Any]]) -> dict[str, float]:
    found = {}
    for death in ("gateway", "postgresql"):
        for what in ("sheets_wait_s", "all_in_s"):
            waits_s = [row[what] for row in rows if row["death"] == death]
            found[f"{death}_killed_{what}_p50"] = round(statistics.median(waits_s), 2)
            found[f"{death}_killed_{what}_max"] = max(waits_s)
    return found


def main() -> None:
    """Measure, and print. Exit 1 where a sheet was lost or counts twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two deaths of each kind instead of ten")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    figures = deaths(2 if options.quick else 10) | {"load_before": round(load, 1), "cores": os.cpu_count()}
    if options.json:
        print(json.dumps(figures))
    else:
        rows = figures.pop("rows")
        for line in (*(f"{name:40} {value}" for name, value in figures.items()), *map(str, rows)):
            print(line)
    if figures["lost"] or figures["double"] or figures["faults_of_db_check"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
