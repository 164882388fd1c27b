"""What a sheet costs the box's card: bytes written and fsyncs, by kind of file, counted at the system calls."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks._box import RunningBox
from benchmarks._scans import make_scans
from edge.ledger import Ledger

_CALL = re.compile(r"(?:^|\s)(write|pwrite64|fsync|fdatasync)\(\d+<([^>]*)>.*?\)\s+= (-?\d+)")
_PATIENCE_S = 180.0


def main() -> None:
    """Trace one class through a running box, and print what it wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="6 sheets")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if shutil.which("strace") is None:
        raise SystemExit("strace is not installed: apt-get install strace")
    with tempfile.TemporaryDirectory(prefix="classbox-wear-") as folder:
        figures = trace(Path(folder), pupils=6 if wanted.quick else 45)
    print(json.dumps(figures) if wanted.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


def trace(folder: Path, *, pupils: int) -> dict[str, object]:
    """Slide a class one sheet after the other; only what the box's own process writes is counted."""
    made = folder / "made"
    make_scans(made, pupils=pupils)
    box = RunningBox(folder / "box", made)
    try:
        time.sleep(2)  # what the start writes is over
        words = ["strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", str(folder / "calls")]
        tracer = subprocess.Popen([*words, "-p", str(box.process.pid)], stderr=subprocess.DEVNULL)
        time.sleep(1)
        for number in range(1, pupils + 1):
            box.slide(number)
            _until(box.data, number)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(timeout=30)
    finally:
        box.stop()
    written, fsyncs = _counted((folder / "calls").read_text(encoding="utf-8", errors="replace"), str(box.data))
    sheets = pupils
    return {
        "sheets": sheets,
        "fsyncs_a_sheet": round(sum(fsyncs.values()) / sheets, 2),
        "kb_a_sheet_beside_pictures": round(
            sum(size for kind, size in written.items() if kind != "pictures") / sheets / 1024, 1
        ),
        "kb_a_sheet": {kind: round(size / sheets / 1024, 1) for kind, size in sorted(written.items())},
        "fsyncs": {kind: round(count / sheets, 2) for kind, count in sorted(fsyncs.items())},
    }


def _counted(calls: str, data: str) -> tuple[Counter[str], Counter[str]]:
    written: Counter[str] = Counter()
    fsyncs: Counter[str] = Counter()
    for line in calls.splitlines():
        found = _CALL.search(line)
        if found is None or not found[2].startswith(data):
            continue
        kind = found[2].removeprefix(data).strip("/").split("/")[0].split(" ")[0]
        if found[1] in ("write", "pwrite64"):
            written[kind] += max(0, int(found[3]))
        else:
            fsyncs[kind] += 1
    return written, fsyncs


def _until(data: Path, captured: int) -> None:
    give_up_s = time.monotonic() + _PATIENCE_S
    ledger = Ledger(data)
    try:
        while ledger.counts().captured < captured:
            if time.monotonic() > give_up_s:
                raise SystemExit("the box stands still")
            time.sleep(0.1)
    finally:
        ledger.close()


if __name__ == "__main__":
    main()
