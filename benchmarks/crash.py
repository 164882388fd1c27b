"""What a box loses, or counts twice, when its process is killed with -9 at random moments while it grades."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._scans import make_scans
from edge.ledger import Ledger
from edge.pictures import Pictures
from sync.lanes import Lane
from sync.records import PageResult, decode_record

PUPILS = 12
_KILL_WITHIN_S = (0.2, 1.8)
"""After `ready`: the folder's first look takes half a second, twelve sheets about one more."""
_PATIENCE_S = 60.0


@dataclass
class Tally:
    """What was seen so far. `booked_at_kill` counts the sheets that were in the ledger when the kill came."""

    kills: int = 0
    kills_while_grading: int = 0
    lost: int = 0
    double: int = 0
    damaged: int = 0
    rounds: int = 0
    booked_at_kill: int = 0


def main() -> None:
    """Kill, start again, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="5 kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="classbox-crash-") as folder:
        tally = torture(Path(folder), kills=5 if wanted.quick else wanted.kills, rng=random.Random(wanted.seed))
    figures = {**vars(tally), "sheets_a_round": PUPILS, "seconds": round(time.monotonic() - began_s, 1)}
    print(json.dumps(figures) if wanted.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


def torture(folder: Path, *, kills: int, rng: random.Random) -> Tally:
    """Rounds of one class each: the box is killed again and again until every sheet is in; then it is counted."""
    make_scans(folder, pupils=PUPILS, seed=rng.randrange(1000))
    tally = Tally()
    while tally.kills < kills:
        tally.rounds += 1
        data = folder / f"data-{tally.rounds}"
        _classbox("load", folder / "sheets", "--roster", folder / "roster.csv", "--data", data)
        seen: frozenset[str] = frozenset()
        while tally.kills < kills and len(seen) < PUPILS:
            box = _start(data, folder / "scans")
            time.sleep(rng.uniform(*_KILL_WITHIN_S))
            before = _digests(data)
            box.kill()
            box.wait()
            tally.kills += 1
            after = _digests(data)
            tally.kills_while_grading += 0 < len(after) < PUPILS
            tally.booked_at_kill += len(after)
            tally.lost += len((seen | before) - after)
            tally.damaged += not _whole(data)
            seen = after
        _finish(data, folder / "scans")
        _count(data, tally)
    return tally


def _start(data: Path, scans: Path) -> subprocess.Popen[str]:
    config = data / "box.toml"
    config.write_text(
        f'data = "{data}"\n[web]\nlisten = "127.0.0.1:0"\n[camera]\nsource = "folder:{scans}"\n', encoding="utf-8"
    )
    box = subprocess.Popen(
        [_program(), "run", "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert box.stdout is not None
    line = box.stdout.readline()
    assert line.startswith("ready "), f"the box did not start: {line!r}"
    return box


def _finish(data: Path, scans: Path) -> None:
    """Let the box take what is left, and end it as a person would."""
    box = _start(data, scans)
    end_s = time.monotonic() + _PATIENCE_S
    while len(_digests(data)) < PUPILS and time.monotonic() < end_s:
        time.sleep(0.1)
    box.send_signal(signal.SIGTERM)
    box.wait(timeout=_PATIENCE_S)


def _count(data: Path, tally: Tally) -> None:
    """Every sheet once in the ledger, once in what counts, once on its way to the school, with its picture."""
    ledger, pictures = Ledger(data, check=True), Pictures(data / "pictures")
    try:
        digests = ledger.digests()
        counting = [page.pupil for page in ledger.all_current_pages()]
        with ledger.outbox() as outbox:
            sent = [
                record.capture.hex()
                for _, payload in outbox.waiting(Lane.RESULTS, 10 * PUPILS)
                if isinstance(payload, bytes) and isinstance(record := decode_record(payload), PageResult)
            ]
    finally:
        ledger.close()
    tally.lost += PUPILS - len(set(counting))
    tally.lost += len(digests - set(sent))
    tally.lost += sum(pictures.read(digest) is None for digest in digests)
    tally.double += len(counting) - len(set(counting))
    tally.double += len(sent) - len(set(sent))
    tally.double += max(0, len(digests) - PUPILS)


def _digests(data: Path) -> frozenset[str]:
    with sqlite3.connect(data / "ledger.sqlite", timeout=10) as db:
        found = frozenset(row[0] for row in db.execute("SELECT digest FROM capture"))
    db.close()
    return found


def _whole(data: Path) -> bool:
    db = sqlite3.connect(data / "ledger.sqlite")
    try:
        return bool(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
    finally:
        db.close()


def _classbox(*words: object) -> None:
    subprocess.run([_program(), *map(str, words)], check=True, capture_output=True)


def _program() -> str:
    return str(Path(sys.executable).parent / "classbox")


if __name__ == "__main__":
    os.environ.setdefault("CLASSBOX_LANG", "en")
    main()
