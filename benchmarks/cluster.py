"""Several gateways and a clustered broker: how load is shared, and how long a death is felt.

All are real processes on one machine: PostgreSQL (with `fsync`, in a temporary folder), `classgate run` once or twice,
light boxes in one process, mosquitto or three nats-server nodes. `…_sheets_per_s` drains what waits on the boxes'
cards, from the first row that counts to the last; boxes send five sheets an envelope, four envelopes at once. All share
the machine's cores, so that two gateways need not be quicker than one here.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._nats import NatsCluster
from benchmarks._postgresql import PostgreSQL
from benchmarks._several import Several, until
from sync.embedded_broker import Broker

BOXES = 4


def drained(server: PostgreSQL, broker: str, gateways: int, sheets: int) -> tuple[float, list[int]]:
    """Sheets a second, and how many envelopes each gateway took."""
    with TemporaryDirectory() as folder, Several(Path(folder), server, server.database(), broker, boxes=BOXES) as site:
        site.start_boxes()
        site.show(sheets // BOXES)
        until(lambda: len(site.told) >= sheets)
        site.stop_boxes()
        for number in range(gateways):
            site.start_gateway(number)
        until(lambda: all(site.health(number)["shares"] for number in range(gateways)))
        site.start_boxes()
        until(lambda: bool(site.counted()))
        had = len(site.counted())
        seconds = site.rest(sheets)
        taken = [site.health(number)["counts"].get("envelopes", 0) for number in range(gateways)]
        assert site.lost_and_double() == (0, 0)
    return (sheets - had) / seconds, taken


def a_gateway_dies(server: PostgreSQL, broker: str, sheets: int) -> dict[str, Any]:
    """Two gateways, and the one whose turn it is is killed while sheets come."""
    with TemporaryDirectory() as folder, Several(Path(folder), server, server.database(), broker, boxes=BOXES) as site:
        for number in (0, 1):
            site.start_gateway(number)
        site.start_boxes()
        site.show(5)
        site.rest(5 * BOXES)
        until(lambda: any(site.health(number)["listens"] for number in (0, 1)))
        first = next(number for number in (0, 1) if site.health(number)["listens"])
        site.show(sheets // BOXES)
        until(lambda: len(site.counted()) > 5 * BOXES + sheets // 4)
        site.signal_gateway(first, signal.SIGKILL)
        stalled_s = _seconds_to_the_next(site)
        began_s = time.monotonic()
        until(lambda: bool(site.health(1 - first)["listens"]))
        takeover_s = stalled_s + time.monotonic() - began_s
        site.rest(5 * BOXES + sheets // BOXES * BOXES)
        lost, double = site.lost_and_double()
    return {"stalled_s": round(stalled_s, 2), "takeover_s": round(takeover_s, 2), "lost": lost, "double": double}


def nodes_die(server: PostgreSQL, sheets: int) -> dict[str, Any]:
    """Each of three nodes of a cluster is killed once while sheets come, and comes back."""
    with (
        NatsCluster() as cluster,
        TemporaryDirectory() as folder,
        Several(Path(folder), server, server.database(), cluster.url, boxes=BOXES) as site,
    ):
        for number in (0, 1):
            site.start_gateway(number)
        site.start_boxes()
        site.show(sheets // BOXES)
        seconds = site.rest(sheets // BOXES * BOXES)
        rate, failovers = sheets / seconds, []
        for node in range(3):
            shown = len(site.told)
            site.show(sheets // BOXES)
            until(lambda shown=shown: len(site.counted()) > shown + sheets // 4)  # type: ignore[misc]
            cluster.kill(node)
            failovers.append(round(_seconds_to_the_next(site), 2))
            site.rest(shown + sheets // BOXES * BOXES)
            cluster.start(node)
            cluster.wait(node)
        lost, double = site.lost_and_double()
    return {"sheets_per_s": round(rate, 1), "failover_s": failovers, "lost": lost, "double": double}


def _seconds_to_the_next(site: Several) -> float:
    """From now to the next commit that brings a sheet. What was under way already may count."""
    began_s, had = time.monotonic(), len(site.counted())
    until(lambda: len(site.counted()) > had)
    return time.monotonic() - began_s


def with_mosquitto(work: Callable[[str], Any]) -> Any:
    """With a fresh broker."""
    with Broker.start(kind="mosquitto") as broker:
        return work(broker.url)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sheets = 200 if options.quick else 2000
    load = os.getloadavg()[0]
    with PostgreSQL("shared_buffers = 128MB") as server:
        one, _ = with_mosquitto(lambda url: drained(server, url, 1, sheets))
        two, taken = with_mosquitto(lambda url: drained(server, url, 2, sheets))
        killed = with_mosquitto(lambda url: a_gateway_dies(server, url, sheets))
        nats = nodes_die(server, sheets // 2)
    figures = {
        "sheets": sheets,
        "one_gateway_sheets_per_s": round(one, 1),
        "two_gateways_sheets_per_s": round(two, 1),
        "envelopes_of_each": taken,
        "gateway_killed": killed,
        "nats": nats,
        "load_before": round(load, 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
