"""What the outbox costs a sheet, a receipt and a message in µs, and what memory, with nothing to a term waiting.

The box's own ledger on a real file (WAL, `synchronous=FULL`), filled with records of 20 items; each backlog is measured
in a process of its own that opens the filled file. `append`: what the record adds to the transaction that books a
sheet, from like sheets booked with and without it, in turns. `receipt`: that of a class of 45, opened, judged and
committed. `choose` and `pack`: one envelope. `counts`: what a page and the box's every second ask. Times are of the
processor (`cpu`) and of the clock (`wall`), medians. `new_epoch`: the whole backlog goes into a new epoch, in one
transaction; meanwhile a reader asks for the counts, and a writer waits to book.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks._class_pages import PUPILS, made_up_class
from benchmarks._term import CLASS, clock_of, made_up_page
from edge.frames import Capture
from edge.ledger import FILE_NAME, Ledger
from homework.roster import Pupil
from sync.box_session import BoxSession
from sync.lanes import Lane
from sync.outbox import Outbox
from sync.receipts import NewEpoch, Receipt, encode_receipts
from sync.records import encode_record, page_result_from

BACKLOGS, QUICK_BACKLOGS = (0, 18_000, 200_000), (0, 1_800, 18_000)
SHEETS, QUICK_SHEETS = 400, 100
"""Booked with their records at each backlog, and as many without."""
ROUNDS = 40
"""Receipts, envelopes and looks at the counts."""
SCHOOL, BOX, KEY = "s", "b", bytes(32)
_INCARNATION = b"gateway1"


def fill(folder: Path, records: int) -> None:
    """Queue so many records of a class's sheets in a new ledger."""
    rng, school_key = random.Random(1), secrets.token_bytes(32)
    ledger = Ledger(folder)
    pages = made_up_class(rng, sure=0.9)
    with ledger.outbox() as outbox:
        for number in range(records):
            record, clock = pages[number % PUPILS]
            capture = secrets.token_bytes(16)
            result = page_result_from(record, capture=capture, clock=clock, school_key=school_key)
            outbox.append(Lane.RESULTS, encode_record(result), subject=capture)
    ledger.close()


def measure_one(folder: Path, sheets: int) -> dict[str, Any]:
    """The figures of one backlog, in this process: nothing else may have used its memory."""
    ledger = Ledger(folder, school_key=bytes(32))
    figures = _sheets(ledger, sheets) | _session(ledger)  # so at least as many sheets wait as were booked here
    figures["rss_mb"], figures["peak_rss_mb"] = _memory_mb()
    ledger.close()
    return figures


def _sheets(ledger: Ledger, sheets: int) -> dict[str, float]:
    rng = np.random.default_rng(1)
    capture = Capture(np.zeros((1, 1, 3), np.uint8), "benchmark")
    with_record: list[tuple[float, float]] = []
    without: list[tuple[float, float]] = []
    for number in range(-20, 2 * sheets):  # the first ones warm up
        pupil = Pupil(CLASS, number % 45 + 1, "n", f"P{number}")
        page = made_up_page(rng, number, pupil, assignment=f"a{number // 90}", sheet=f"S{number // 90:07}")
        took = without if number % 2 else with_record
        with patch.object(Outbox, "append", _nothing) if number % 2 else _as_it_is():
            began = time.perf_counter(), time.thread_time()
            ledger.file(
                capture,
                page,
                pupil=pupil.pupil_id,
                digest=secrets.token_hex(16),
                has_picture=True,
                clock=clock_of(abs(number)),
            )
            if number >= 0:
                took.append((time.perf_counter() - began[0], time.thread_time() - began[1]))
    wall, cpu = ([statistics.median(t[n] for t in times) * 1e6 for times in (with_record, without)] for n in (0, 1))
    return {
        "sheet_cpu_us": round(cpu[0]),
        "append_cpu_us": round(cpu[0] - cpu[1]),
        "sheet_wall_us": round(wall[0]),
        "append_wall_us": round(wall[0] - wall[1]),
    }


def _session(ledger: Ledger) -> dict[str, float]:
    """As the link does it: an envelope is chosen in a transaction, packed outside it; then its receipt comes."""
    session = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="benchmark")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ("choose", "pack", "receipt", "counts")}
    for number in range(ROUNDS):
        with _timed(times["choose"]), ledger.outbox() as outbox:
            outgoing = session.next_envelope(outbox, 1e12 * number)
        if outgoing is not None:
            with _timed(times["pack"]):
                session.encoded(outgoing)
        with ledger.outbox() as outbox:
            stream = outbox.stream(outbox.epoch, Lane.RESULTS)
            assert stream is not None
            message = encode_receipts(
                [_receipt(outbox, min(stream.proven + PUPILS, stream.last_seq))], school=SCHOOL, box=BOX, key=KEY
            )
        with _timed(times["receipt"]), ledger.outbox() as outbox:
            received = session.receive(outbox, message)
        assert received.judgements, received
        with _timed(times["counts"]):
            ledger.outbox_counts()
    return {
        f"{name}_{what}_us": round(statistics.median(t[n] for t in took) * 1e6)
        for name, took in times.items()
        for n, what in enumerate(("wall", "cpu"))
        if took
    }


def _receipt(outbox: Outbox, mark: int) -> Receipt:
    chain = outbox.chain_at(Lane.RESULTS, mark)
    assert chain is not None
    return Receipt(
        epoch=outbox.epoch,
        lane=Lane.RESULTS,
        incarnation=_INCARNATION,
        challenge=outbox.challenge,
        mark=mark,
        chain=chain,
    )


def measure_new_epoch(folder: Path) -> dict[str, Any]:
    """Another gateway answers with a history that is not the box's: everything goes into a new epoch."""
    ledger = Ledger(folder)
    with ledger.outbox() as outbox:
        stream = outbox.stream(outbox.epoch, Lane.RESULTS)
        assert stream is not None
        receipt = Receipt(
            epoch=outbox.epoch,
            lane=Lane.RESULTS,
            incarnation=b"gateway2",
            challenge=outbox.challenge,
            mark=1,
            chain=bytes(16),
        )
    before_mb, _ = _memory_mb()
    begun, done = threading.Event(), threading.Event()
    reads: list[float] = []
    waited: list[float] = []
    beside = [
        threading.Thread(target=_read_meanwhile, args=(ledger, done, reads)),
        threading.Thread(target=_write_meanwhile, args=(ledger, begun, waited)),
    ]
    for thread in beside:
        thread.start()
    began = time.perf_counter(), time.thread_time()
    with ledger.outbox() as outbox:
        begun.set()
        judgement = outbox.accept(receipt)
    took_s, cpu_s = time.perf_counter() - began[0], time.thread_time() - began[1]
    done.set()
    for thread in beside:
        thread.join()
    assert judgement == NewEpoch(0), judgement
    _, peak_mb = _memory_mb()
    wal_mb = (folder / f"{FILE_NAME}-wal").stat().st_size / 1e6
    moved = ledger.outbox_counts()[Lane.RESULTS].waiting
    ledger.close()
    return {
        "moved": moved,
        "seconds": round(took_s, 2),
        "cpu_seconds": round(cpu_s, 2),
        "grown_mb": round(peak_mb - before_mb, 1),
        "wal_mb": round(wal_mb, 1),
        "longest_read_ms": round(max(reads) * 1000, 1),
        "writer_waited_ms": round(waited[0] * 1000),
    }


def _read_meanwhile(ledger: Ledger, done: threading.Event, took: list[float]) -> None:
    while True:
        began_s = time.perf_counter()
        ledger.outbox_counts()
        took.append(time.perf_counter() - began_s)
        if done.wait(0.01):
            return


def _write_meanwhile(ledger: Ledger, begun: threading.Event, took: list[float]) -> None:
    begun.wait()
    began_s = time.perf_counter()
    with ledger.outbox() as outbox:
        outbox.append(Lane.HEALTH, b"another sheet")
    took.append(time.perf_counter() - began_s)


def _nothing(*_: object, **__: object) -> int:
    return 0


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _timed(took: list[tuple[float, float]]) -> Iterator[None]:
    began = time.perf_counter(), time.thread_time()
    yield
    took.append((time.perf_counter() - began[0], time.thread_time() - began[1]))


def _memory_mb() -> tuple[float, float]:
    """What this process has in memory, and the most that it ever had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = {name: int(kb) / 1024 for name, kb in re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", status)}
    return round(found["VmRSS"], 1), round(found["VmHWM"], 1)


def _apart(*words: object) -> dict[str, Any]:
    """What a process of its own measures."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.outbox", *map(str, words)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def measure(*, backlogs: tuple[int, ...], sheets: int) -> dict[str, Any]:
    """All of it."""
    rows, moves = [], []
    with TemporaryDirectory(prefix="classbox-outbox-", dir=Path.cwd()) as name:
        for backlog in backlogs:
            folder = Path(name) / str(backlog)
            fill(folder, backlog)
            ledger_mb = (folder / FILE_NAME).stat().st_size / 1e6
            rows.append({"backlog": backlog, "ledger_mb": round(ledger_mb, 1), **_apart("--one", folder, sheets)})
            if backlog:
                moves.append({"backlog": backlog, **_apart("--new-epoch", folder)})
    most = rows[-1]
    return {
        "append_cpu_us": most["append_cpu_us"],
        "append_wall_us": most["append_wall_us"],
        "receipt_cpu_us_a_sheet": round(most["receipt_cpu_us"] / PUPILS, 1),
        "receipt_wall_us_a_sheet": round(most["receipt_wall_us"] / PUPILS, 1),
        "memory_grown_mb": round(most["peak_rss_mb"] - rows[0]["peak_rss_mb"], 1),
        "new_epoch_grown_mb": moves[-1]["grown_mb"],
        "new_epoch_seconds": moves[-1]["seconds"],
        "load_average": round(os.getloadavg()[0], 1),
        "rows": rows,
        "new_epoch": moves,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"backlogs of {QUICK_BACKLOGS}")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "SHEETS"), help=argparse.SUPPRESS)
    parser.add_argument("--new-epoch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        figures = measure_one(Path(options.one[0]), int(options.one[1]))
    elif options.new_epoch is not None:
        figures = measure_new_epoch(options.new_epoch)
    elif options.quick:
        figures = measure(backlogs=QUICK_BACKLOGS, sheets=QUICK_SHEETS)
    else:
        figures = measure(backlogs=BACKLOGS, sheets=SHEETS)
    if options.json or options.one is not None or options.new_epoch is not None:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
