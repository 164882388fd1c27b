"""What the second copy on a stick costs at the end of a term: the first one, and the one after another stack."""

from __future__ import annotations

import argparse
import json
import resource
import secrets
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks._term import make_term
from edge.pictures import Pictures, digest_of
from edge.second_copy import FOLDER, SecondCopy, restore_second_copy
from sync.clock import SystemClock

SHEETS, QUICK_SHEETS = 18_000, 1_800
PICTURES, PICTURE_BYTES = 2_000, 120_000
STACK = 45
SAMPLE_S = 0.05


def main() -> None:
    """Make a box at the end of a term, copy it, slide a stack, copy it again, restore it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SHEETS} sheets, a tenth of the pictures")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="classbox-copy-") as folder:
        figures = measure(Path(folder), sheets=QUICK_SHEETS if wanted.quick else SHEETS)
    print(json.dumps(figures) if wanted.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


def measure(folder: Path, *, sheets: int) -> dict[str, Any]:
    """The figures. Pictures are random bytes of a page's size: as little to squeeze as in JPEG."""
    data, stick = folder / "data", folder / "media" / "STICK"
    stick.mkdir(parents=True)
    make_term(data, sheets=sheets)
    pictures = Pictures(data / "pictures")
    _keep(pictures, PICTURES * sheets // SHEETS)
    copy = SecondCopy(data, (stick.parent,), is_stick=Path.is_dir, quiet_s=0)
    key = copy.begin(stick)
    first = _copied(copy, data, stick)
    make_term(data, sheets=STACK, seed=2)
    _keep(pictures, STACK)
    second = _copied(copy, data, stick)
    began_s = time.monotonic()
    made = restore_second_copy(stick / FOLDER, folder / "back", key=key.key, clock=SystemClock())
    return {
        "sheets": made.captures,
        "ledger_mb": round((data / "ledger.sqlite").stat().st_size / 1e6, 1),
        **{f"first_{name}": value for name, value in first.items()},
        **{f"next_{name}": value for name, value in second.items()},
        "restore_s": round(time.monotonic() - began_s, 1),
        "restic_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def _keep(pictures: Pictures, count: int) -> None:
    for _ in range(count):
        picture = secrets.token_bytes(PICTURE_BYTES)
        pictures.keep(digest_of(picture), picture)


def _copied(copy: SecondCopy, data: Path, stick: Path) -> dict[str, float]:
    """One run; beside it somebody writes to the ledger all the time, as sheets do."""
    before, waits, stopping = _size(stick), [], threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(data / "ledger.sqlite", isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            while not stopping.wait(SAMPLE_S):
                began_s = time.perf_counter()
                db.execute("PRAGMA user_version = " + str(db.execute("PRAGMA user_version").fetchone()[0]))
                waits.append((time.perf_counter() - began_s) * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    began_s = time.monotonic()
    trouble = copy.look(lambda: False) or copy.state().trouble
    seconds = time.monotonic() - began_s
    stopping.set()
    writer.join()
    if trouble is not None:
        raise trouble
    return {
        "s": round(seconds, 1),
        "written_mb": round((_size(stick) - before) / 1e6, 1),
        "commit_ms_p50": round(statistics.median(waits), 2),
        "commit_ms_max": round(max(waits), 1),
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
