"""How long a class of 45 takes over a line of 64 kbit/s with losses, and a term of 18,000 sheets over 2 Mbit/s.

The box's link, mosquitto and the gateway with its store run as they are, in processes of their own; between box and
broker lies a line of 600 ms there and back (`benchmarks._line`), with mutual TLS 1.3. From the moment in which the
sheets are booked to the last receipt. `cold`: from a start without a connection, with the sheets waiting. The others:
on the connection that is up, 5 to 7 s after the last receipt of the class before; what follows that one, and may be
lost and come again for long, may then still be on the line. `losing`: which way three packets in ten are lost, each by
itself.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from benchmarks._class_pages import PUPILS
from benchmarks._line import LineError, Way
from benchmarks._line_ends import BoxAtTheLine, Took, school

THIN = Way(bits_per_s=64_000, delay_s=0.3)
BROAD = Way(bits_per_s=2_000_000, delay_s=0.3, queue_bytes=150_000)
LOSS = 0.3
LOSING = {"both": (LOSS, LOSS), "up": (LOSS, 0.0), "down": (0.0, LOSS), "none": (0.0, 0.0)}
CONDITIONS = (
    "64 kbit/s and 2 Mbit/s each way; 600 ms there and back; 30 % of packets lost where losing, none for the term;"
    " mutual TLS 1.3; mosquitto; TCP with cubic; SQLite at both ends; box, broker and gateway share this machine"
)
RUNS, QUICK_RUNS = 20, 4
TERM, QUICK_TERM = 18_000, 1_800
LINES = 10
"""So many at once: they hardly need this machine, they wait."""
_QUIET_S = (5.0, 7.0)
"""How long the line is left alone before the class for which the connection is up already: drawn, because a box that
looks by itself every 2 s would else always be as lucky."""


def classes(losing: str, seeds: range) -> list[tuple[Took, Took]]:
    """For each seed a new box: a class cold, and a class with the connection up."""
    up, down = (msgspec.structs.replace(THIN, loss=loss) for loss in LOSING[losing])
    took = []
    with school() as (line, what):
        for seed in seeds:
            box = BoxAtTheLine(line, what)
            cold = box.sends(PUPILS, up=up, down=down, seed=2 * seed)
            time.sleep(random.Random(seed).uniform(*_QUIET_S))
            took.append((cold, box.sends(PUPILS, up=up, down=down, seed=2 * seed + 1)))
            box.close()
    return took


def term(sheets: int) -> dict[str, Any]:
    """A term's sheets from a cold start, against what the line can carry at best."""
    with school() as (line, what):
        box = BoxAtTheLine(line, what)
        took = box.sends(sheets, up=BROAD, down=BROAD, seed=1)
        box.close()
    assert took.seconds is not None
    sent = took.up.ip_bytes + took.up.tcp_bytes + took.up.payload_bytes
    limit_s = 8 * sent / BROAD.bits_per_s + 2 * BROAD.delay_s
    return {
        "term_sheets": sheets,
        "term_seconds": round(took.seconds, 2),
        "term_line_limit_seconds": round(limit_s, 2),
        "term_box_cpu_seconds": round(took.cpu_seconds, 2),
        "term_bytes_per_sheet_up": round(sent / sheets, 1),
        "term_sheets_per_s": round(sheets / took.seconds),
    }


def summed_up(losing: str, took: list[tuple[Took, Took]]) -> dict[str, Any]:
    """One row of the report. A class that did not arrive in time counts as one that took for ever."""
    cold, warm = (sorted(t.seconds or float("inf") for t in column) for column in zip(*took, strict=True))
    return {
        "losing": losing,
        "runs": len(took),
        "seconds_to_last_receipt_p50": round(statistics.median(warm), 2),
        "seconds_to_last_receipt_p90": round(_p90(warm), 2),
        "slowest": round(warm[-1], 2),
        "cold_p50": round(statistics.median(cold), 2),
        "cold_p90": round(_p90(cold), 2),
        "packets_up": round(statistics.mean(t.up.packets for _, t in took), 1),
        "packets_down": round(statistics.mean(t.down.packets for _, t in took), 1),
    }


def _p90(ordered: list[float]) -> float:
    return ordered[math.ceil(0.9 * len(ordered)) - 1]


def measure(*, runs: int, term_sheets: int) -> dict[str, Any]:
    """All of it. Raises `LineError` where this machine allows no line."""
    shares = [range(n * runs // LINES, (n + 1) * runs // LINES) for n in range(LINES)]
    rows = []
    with ThreadPoolExecutor(LINES) as pool:
        for losing in LOSING:
            lots = pool.map(lambda seeds, losing=losing: classes(losing, seeds), [s for s in shares if s])
            rows.append(summed_up(losing, [took for lot in lots for took in lot]))
    both = rows[0]
    names = ("seconds_to_last_receipt_p50", "seconds_to_last_receipt_p90", "cold_p50", "runs")
    figures = {name: both[name] for name in names} | term(term_sheets)
    return figures | {"conditions": CONDITIONS, "load_average": round(os.getloadavg()[0], 1), "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs, {QUICK_TERM} sheets")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    runs, sheets = (QUICK_RUNS, QUICK_TERM) if options.quick else (RUNS, TERM)
    try:
        figures = measure(runs=runs, term_sheets=sheets)
    except LineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
