"""How soon a box is ready, how quick its pages are and what it needs after a term without a network: 18,000 sheets."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks._box import RunningBox, run_classbox
from benchmarks._term import make_term

SHEETS, QUICK_SHEETS = 18_000, 1_800
STARTS = 5
LOOKS = 20
PAGES = {
    "live": "",
    "class_screen": "?screen=class",
    "review": "review",
    "summary": "summary",
    "sheet": "sheets/{middle}",
}


def main() -> None:
    """File the sheets, start the box over them, and look at its pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SHEETS} sheets")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="classbox-term-") as folder:
        figures = measure(Path(folder), sheets=QUICK_SHEETS if wanted.quick else SHEETS)
    print(json.dumps(figures) if wanted.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


def measure(folder: Path, *, sheets: int) -> dict[str, Any]:
    """The figures over a ledger of so many sheets."""
    began_s = time.monotonic()
    make_term(folder / "data", sheets=sheets)
    filing_s = time.monotonic() - began_s
    starts: list[float] = []
    box = RunningBox(folder, folder, load=False)
    try:
        for _ in range(STARTS):
            box.stop()
            began_s = time.monotonic()
            box.start()
            starts.append(time.monotonic() - began_s)
        time.sleep(2)  # what it does after `ready`: documents for the school
        pages = {name: _looks(box, path.format(middle=sheets // 2)) for name, path in PAGES.items()}
        memory = _memory_mb(box)
        began_s = time.monotonic()
        status = json.loads(run_classbox("status", "--json", "--data", box.data))
        status_s = time.monotonic() - began_s
    finally:
        box.stop()
    return {
        "sheets": status["captured"],
        "waiting": status["waiting"],
        "ready_s_median": round(statistics.median(starts), 3),
        "ready_s_max": round(max(starts), 3),
        **{f"{name}_ms_{what}": value for name, looks in pages.items() for what, value in looks.items()},
        "status_command_ms": round(status_s * 1000),
        **memory,
        "ledger_mb": round((box.data / "ledger.sqlite").stat().st_size / 1e6, 1),
        "documents_mb": round((box.data / "documents.json").stat().st_size / 1e6, 1),
        "filing_ms_a_sheet": round(filing_s / sheets * 1000, 2),
    }


def _looks(box: RunningBox, path: str) -> dict[str, float]:
    """How long a page takes, from the request to its last byte: the first look, and the middle and worst of others."""
    times = []
    for _ in range(LOOKS + 1):
        began_s = time.perf_counter()
        with urllib.request.urlopen(f"{box.url}{path}") as answer:
            answer.read()
        times.append((time.perf_counter() - began_s) * 1000)
    return {"first": round(times[0], 1), "p50": round(statistics.median(times[1:]), 1), "max": round(max(times[1:]), 1)}


def _memory_mb(box: RunningBox) -> dict[str, float]:
    status = Path(f"/proc/{box.process.pid}/status").read_text(encoding="utf-8")
    found = {name: round(int(kb) / 1024, 1) for name, kb in re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", status)}
    return {"rss_mb": found["VmRSS"], "peak_rss_mb": found["VmHWM"]}


if __name__ == "__main__":
    main()
