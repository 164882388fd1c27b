"""How long until the box can be used: from the command to `ready`, and to the first verdict.

Every start is `classbox run` in a process of its own, on a class's data, over TLS as in a school. The first verdict is
that of a scan that already lies in the watched folder when the box starts: networks are opened for it. `--busy N` keeps
N processes computing beside it; each start must answer on its page after `ready`, and still be there a second later.
"""

from __future__ import annotations

import argparse
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks._box import RunningBox

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0


def health(url: str) -> dict[str, Any]:
    """What the box says of itself, whatever certificate it has."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url + "health", timeout=20, context=context) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        found = json.load(error)  # 503 is an answer, too
    return found


def captured(url: str) -> int:
    """How many sheets the box has."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(url + "metrics", timeout=20, context=context) as answer:
        lines = answer.read().decode().splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("classbox_captured_sheets "))))


def one_start(folder: Path, made: Path, *, scan: bool) -> tuple[float, float | None, str | None]:
    """Seconds to `ready`, seconds to the first verdict (with `scan`), and what went wrong."""
    folder.mkdir(parents=True)
    if scan:
        (folder / "scans").mkdir()
        (folder / "scans" / "01.jpg").write_bytes((made / "scans" / "01.jpg").read_bytes())
    try:
        box = RunningBox(folder, made, web='tls = "on"\n')
    except (AssertionError, OSError) as error:
        return 0.0, None, f"did not start: {error}"
    # Loading the class is a command of its own, before the start.
    ready_s, verdict_s = box.ready_after_s, None
    begun_s = time.monotonic() - ready_s
    try:
        health(box.url)
        while scan and verdict_s is None and time.monotonic() - begun_s < PATIENCE_S:
            if captured(box.url) > 0:
                verdict_s = time.monotonic() - begun_s
            else:
                time.sleep(0.02)
        time.sleep(0 if scan else 1.0)
        if box.process.poll() is not None:
            return ready_s, verdict_s, f"ended with {box.process.poll()}: {box.errors()[-2000:]}"
        health(box.url)
    except OSError as error:
        return ready_s, verdict_s, f"{error}; exit {box.process.poll()}: {box.errors()[-2000:]}"
    finally:
        box.stop()
    return ready_s, verdict_s, None


def run(starts: int, busy: int) -> dict[str, Any]:
    """The figures of so many starts."""
    spin = [sys.executable, "-c", "while True: sum(range(10_000))"]
    others = [subprocess.Popen(spin) for _ in range(busy)]
    ready, verdicts, wrong = [], [], []
    try:
        with tempfile.TemporaryDirectory(prefix="classbox-start-") as name:
            where = Path(name)
            words = [sys.executable, "-m", "benchmarks._scans", str(where / "made"), "--pupils", "6"]
            subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
            for n in range(starts):
                ready_s, verdict_s, trouble = one_start(where / f"box-{n}", where / "made", scan=n % 2 == 0)
                if trouble is not None:
                    wrong.append(trouble)
                    continue
                ready.append(ready_s)
                if verdict_s is not None:
                    verdicts.append(verdict_s)
    finally:
        for one in others:
            one.kill()
            one.wait()
    return {
        "starts": starts,
        "busy": busy,
        "failed": len(wrong),
        "failures": wrong[:5],
        "ready_s_p50": round(statistics.median(ready), 3) if ready else None,
        "ready_s_max": round(max(ready), 3) if ready else None,
        "first_verdict_s": round(statistics.median(verdicts), 3) if verdicts else None,
        "first_verdict_s_max": round(max(verdicts), 3) if verdicts else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four starts")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--busy", type=int, default=0, help="processes that compute beside it")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = run(4 if arguments.quick else arguments.starts, arguments.busy)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
