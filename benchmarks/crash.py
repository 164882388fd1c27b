"""What a box loses or counts twice when it is killed with -9 at every named step of a sheet, and at random moments."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._disks import fill, make_room, small_disk
from benchmarks._killed import BACKUP_POINTS, MIGRATION_POINTS, RETENTION_POINTS, SHEET_POINTS, START_POINTS
from benchmarks._scans import make_scans
from edge.backup import make_backup, restore_backup
from edge.ledger import Ledger
from edge.pictures import Pictures
from sync.clock import SystemClock
from sync.lanes import Lane
from sync.receipts import Receipt
from sync.records import PageResult, decode_record

PUPILS = 12
_KILL_WITHIN_S = (0.2, 1.8)
"""After `ready`: the folder's first look takes half a second, twelve sheets about one more."""
_PATIENCE_S = 60.0
_NOT_REACHED_S = 15.0
_ROOT = Path(__file__).resolve().parents[1]
_OLD_LEDGERS = _ROOT / "tests" / "edge" / "ledgers"
_FULL_DISK_KB = 3000
"""A disk that takes the ledger, and next to no picture."""


@dataclass
class Tally:
    """What was seen so far. `booked_at_kill` counts the sheets that were in the ledger when the kill came."""

    kills: int = 0
    kills_while_grading: int = 0
    random_kills: int = 0
    lost: int = 0
    double: int = 0
    damaged: int = 0
    orphans: int = 0
    rounds: int = 0
    booked_at_kill: int = 0
    full_disk_kills: int = 0
    not_reached: int = 0
    points: Counter[str] = field(default_factory=Counter)
    """Kills at each named point."""

    def killed(self, point: str) -> None:
        self.kills += 1
        self.points[point] += 1


def main() -> None:
    """Kill, start again, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=560, help="at least so many, every point equally often")
    parser.add_argument("--quick", action="store_true", help="one kill at every point")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="points whose name contains this, and nothing else")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="classbox-crash-") as folder:
        crash = Crash(Path(folder), rng=random.Random(wanted.seed), only=wanted.only)
        crash.run(kills=0 if wanted.quick else wanted.kills)
    tally = crash.tally
    figures = {
        **{name: value for name, value in vars(tally).items() if name != "points"},
        "named_points": len(tally.points),
        "fewest_kills_at_a_point": min(tally.points.values(), default=0),
        "points": dict(sorted(tally.points.items())),
        "sheets_a_round": PUPILS,
        "seconds": round(time.monotonic() - began_s, 1),
    }
    print(json.dumps(figures) if wanted.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


class Crash:
    """The whole run: rounds of one class each, in which the box is killed until every sheet is in; then it counts."""

    def __init__(self, folder: Path, *, rng: random.Random, only: str = "") -> None:
        self._folder = folder
        self._rng = rng
        self._only = only
        self.tally = Tally()
        make_scans(folder, pupils=PUPILS, seed=rng.randrange(1000))

    def run(self, *, kills: int) -> None:
        """Every point once, then again until there are so many."""
        while True:
            before = self.tally.kills
            self._sheets(self._chosen(SHEET_POINTS, START_POINTS))
            self._migrations(self._chosen(MIGRATION_POINTS))
            self._retention(self._chosen(RETENTION_POINTS))
            self._backups(self._chosen(BACKUP_POINTS))
            if not self._only:
                self._random_moments(4)
                self._full_disk(self._rng.sample(sorted(SHEET_POINTS), 4))
            if self.tally.kills >= kills or self.tally.kills == before:
                return

    def _chosen(self, *groups: object) -> list[str]:
        names = [name for group in groups for name in group if self._only in name]  # type: ignore[attr-defined]
        self._rng.shuffle(names)
        return names

    # --- while sheets come --------------------------------------------------------------------------------

    def _sheets(self, points: list[str]) -> None:
        """Kill at one point after another; a new class whenever the one before is in."""
        queue = list(points)
        while queue:
            data = self._new_round()
            seen: frozenset[str] = frozenset()
            while queue and len(seen) < PUPILS:
                point = queue.pop()
                # A start that finds nothing to clean up would not come to the points of a clean-up.
                _leave_orphans(data)
                number = 1 if point in START_POINTS else self._rng.randint(1, max(1, min(4, PUPILS - len(seen))))
                seen = self._kill(data, self._folder / "scans", point, number, seen)
            self._finish(data, self._folder / "scans")
            self._count(data)

    def _kill(self, data: Path, scans: Path, point: str, number: int, seen: frozenset[str]) -> frozenset[str]:
        """Start a box that dies at a point. What was in the ledger before must be there afterwards."""
        box = _start(data, scans, point, number)
        try:
            box.wait(timeout=_NOT_REACHED_S)
        except subprocess.TimeoutExpired:
            box.kill()
            box.wait()
            self.tally.not_reached += 1
            self.tally.kills += 1
        else:
            assert box.returncode == -signal.SIGKILL, (point, box.returncode, _errors(scans.parent))
            self.tally.killed(point)
        return self._look(data, seen)

    def _look(self, data: Path, seen: frozenset[str]) -> frozenset[str]:
        after = _digests(data)
        self.tally.kills_while_grading += 0 < len(after) < PUPILS
        self.tally.booked_at_kill += len(after)
        self.tally.lost += len(seen - after)
        self.tally.damaged += not _whole(data)
        return after

    def _random_moments(self, kills: int) -> None:
        data, seen = self._new_round(), frozenset[str]()
        for _ in range(kills):
            box = _start(data, self._folder / "scans")
            _until_ready(box, self._folder / "scans")
            time.sleep(self._rng.uniform(*_KILL_WITHIN_S))
            before = _digests(data)
            box.kill()
            box.wait()
            self.tally.kills += 1
            self.tally.random_kills += 1
            seen = self._look(data, seen | before)
        self._finish(data, self._folder / "scans")
        self._count(data)

    # --- other moments ------------------------------------------------------------------------------------

    def _migrations(self, points: list[str]) -> None:
        """A ledger of an older version, killed while it is brought up to date, has its sheets afterwards."""
        for number, point in enumerate(points):
            dumps = sorted(_OLD_LEDGERS.glob("v*.sql"))
            data = self._folder / f"old-{self.tally.kills}"
            data.mkdir()
            with closing(sqlite3.connect(data / "ledger.sqlite")) as db:
                db.executescript(dumps[number % 3].read_text(encoding="utf-8"))
            before = _digests(data)
            (data / "scans").mkdir()
            self._kill(data, data / "scans", point, 1, before)
            box = _start(data, data / "scans")
            _until_ready(box, data / "scans")
            _end(box)
            self.tally.lost += len(before - _digests(data))
            shutil.rmtree(data)

    def _retention(self, points: list[str]) -> None:
        """A school has every sheet and the disk is short: pictures go. Killed there, no record and no other goes."""
        if not points:
            return
        data = self._new_round()
        self._finish(data, self._folder / "scans")
        _enrol(data)
        everything = _digests(data)
        for number, point in enumerate(points, start=1):
            _let_school_answer(data, up_to=number)
            self._kill(data, self._folder / "scans", point, 1, everything)
        _let_school_answer(data, up_to=PUPILS // 2)
        box = _start(data, self._folder / "scans", keep="short_mb = 100000000")
        _until_ready(box, self._folder / "scans")
        end_s = time.monotonic() + _PATIENCE_S
        while _kept(data) > PUPILS - PUPILS // 2 and time.monotonic() < end_s:
            time.sleep(0.1)
        _end(box)
        self.tally.lost += len(everything - _digests(data)) + abs(PUPILS - PUPILS // 2 - _kept(data))

    def _backups(self, points: list[str]) -> None:
        """A copy that was killed on the way leaves the one before good, and a later one is whole."""
        if not points:
            return
        data = self._new_round()
        self._finish(data, self._folder / "scans")
        copy, clock = self._folder / "copy", SystemClock()
        make_backup(data, copy, clock=clock)
        for point in points:
            for picture in sorted((copy / "pictures").glob("??/*.jpg"))[:3]:
                picture.unlink()
            done = subprocess.run(
                [*_killed(point, 1), "backup", str(copy), "--data", str(data)],
                cwd=_ROOT,
                capture_output=True,
                check=False,
            )
            assert done.returncode == -signal.SIGKILL, (point, done)
            self.tally.killed(point)
            make_backup(data, copy, clock=clock)
            restored = self._folder / "restored"
            restore_backup(copy, restored, clock=clock)
            self.tally.lost += len(_digests(data) - _digests(restored)) + PUPILS - _kept(restored)
            shutil.rmtree(restored)
        shutil.rmtree(copy)

    def _full_disk(self, points: list[str]) -> None:
        """The same on a disk that takes next to nothing: what was not kept is slid again when there is room."""
        disk = self._folder / "small"
        with small_disk(disk, kb=_FULL_DISK_KB) as is_small:
            if not is_small:
                return
            data = self._new_round(disk)
            seen = frozenset[str]()
            for point in points:
                fill(disk, leave_kb=self._rng.choice([0, 64, 256]))
                box = _start(data, self._folder / "scans", point, self._rng.randint(1, 3))
                try:
                    box.wait(timeout=4)
                    self.tally.points[point] += 1
                except subprocess.TimeoutExpired:
                    box.kill()  # a disk this full never comes to that point
                    box.wait()
                self.tally.kills += 1
                self.tally.full_disk_kills += 1
                make_room(disk)
                seen = self._look(data, seen)
            self._finish(data, self._folder / "scans")
            self._count(data, pictures_lost=True)

    # --- what came of it ----------------------------------------------------------------------------------

    def _new_round(self, where: Path | None = None) -> Path:
        self.tally.rounds += 1
        data = (where or self._folder) / f"data-{self.tally.rounds}"
        _classbox("load", self._folder / "sheets", "--roster", self._folder / "roster.csv", "--data", data)
        return data

    def _finish(self, data: Path, scans: Path) -> None:
        """Let the box take what is left, and end it as a person would."""
        box = _start(data, scans)
        _until_ready(box, scans)
        end_s = time.monotonic() + _PATIENCE_S
        while len(_digests(data)) < PUPILS and time.monotonic() < end_s:
            time.sleep(0.1)
        _end(box)

    def _count(self, data: Path, *, pictures_lost: bool = False) -> None:
        """Every sheet once in the ledger, once in what counts, once on its way to the school, with its picture."""
        ledger, pictures = Ledger(data, check=True), Pictures(data / "pictures")
        try:
            digests = ledger.digests()
            pages = ledger.all_current_pages()
            with ledger.outbox() as outbox:
                sent = [
                    record.capture.hex()
                    for _, payload in outbox.waiting(Lane.RESULTS, 10 * PUPILS)
                    if isinstance(payload, bytes) and isinstance(record := decode_record(payload), PageResult)
                ]
        finally:
            ledger.close()
        tally, counting = self.tally, [page.pupil for page in pages]
        tally.lost += PUPILS - len(set(counting))
        tally.lost += len(digests - set(sent))
        tally.lost += sum(page.has_picture and pictures.read(page.digest) is None for page in pages)
        tally.lost += 0 if pictures_lost else sum(not page.has_picture for page in pages)
        tally.double += len(counting) - len(set(counting))
        tally.double += len(sent) - len(set(sent))
        tally.double += max(0, len(digests) - PUPILS)
        tally.orphans += sum(path.stem not in digests for path in (data / "pictures").glob("??/*"))
        tally.orphans += sum(path.stem not in digests for path in (data / "pictures").glob("??/.*"))
        shutil.rmtree(data)


def _start(
    data: Path, scans: Path, point: str | None = None, number: int = 1, *, keep: str = ""
) -> subprocess.Popen[str]:
    """Start a box; one that dies at a point says nothing first, so nothing is waited for."""
    if point in RETENTION_POINTS:
        keep = "short_mb = 100000000"
    elif not keep:
        keep = "reserve_mb = 0"
    config = scans.parent / f"{data.name}.toml"  # not on a disk that may be full
    text = f'data = "{data}"\n[web]\nlisten = "127.0.0.1:0"\n[camera]\nsource = "folder:{scans}"\n[keep]\n{keep}\n'
    config.write_text(text, encoding="utf-8")
    words = [_program()] if point is None else _killed(point, number)
    with (scans.parent / "errors").open("w") as errors:
        return subprocess.Popen(
            [*words, "run", "--config", str(config)], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=_ROOT
        )


def _until_ready(box: subprocess.Popen[str], scans: Path) -> None:
    assert box.stdout is not None
    line = box.stdout.readline()
    assert line.startswith("ready "), f"the box did not start: {line!r} {_errors(scans.parent)}"


def _errors(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8")[-2000:] for path in folder.glob("errors"))


def _end(box: subprocess.Popen[str]) -> None:
    box.send_signal(signal.SIGTERM)
    box.wait(timeout=_PATIENCE_S)


def _killed(point: str, number: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks._killed", point, str(number)]


def _leave_orphans(data: Path) -> None:
    """What a kill leaves between picture and ledger: a picture that nobody knows, and a half one."""
    folder = data / "pictures" / "ab"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("ab" * 16 + ".jpg")).write_bytes(b"nobody's")
    (folder / ".0123456789abcdef").write_bytes(b"half")


def _enrol(data: Path) -> None:
    identity = {"school": "s", "box": "b", "school_key": "A" * 43 + "=", "box_key": "A" * 43 + "="}
    body = {**identity, "broker_url": "mqtt://127.0.0.1:9"}
    (data / "identity.json").write_text(json.dumps(body), encoding="utf-8")


def _let_school_answer(data: Path, *, up_to: int) -> None:
    """Write into the outbox what a receipt of the school would."""
    ledger = Ledger(data)
    try:
        with ledger.outbox() as outbox:
            chain = outbox.chain_at(Lane.RESULTS, up_to)
            assert chain is not None
            outbox.accept(
                Receipt(
                    epoch=outbox.epoch,
                    lane=Lane.RESULTS,
                    incarnation=bytes(8),
                    challenge=outbox.challenge,
                    mark=up_to,
                    chain=chain,
                )
            )
    finally:
        ledger.close()


def _kept(data: Path) -> int:
    """How many pictures lie there whole."""
    pictures = Pictures(data / "pictures")
    return sum(pictures.read(digest) is not None for digest in _digests(data))


def _digests(data: Path) -> frozenset[str]:
    with closing(sqlite3.connect(data / "ledger.sqlite", timeout=10)) as db:
        try:
            return frozenset(row[0] for row in db.execute("SELECT digest FROM capture"))
        except sqlite3.OperationalError:
            return frozenset()  # killed before it had any table


def _whole(data: Path) -> bool:
    with closing(sqlite3.connect(data / "ledger.sqlite")) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def _classbox(*words: object) -> None:
    subprocess.run([_program(), *map(str, words)], check=True, capture_output=True)


def _program() -> str:
    return str(Path(sys.executable).parent / "classbox")


if __name__ == "__main__":
    os.environ.setdefault("CLASSBOX_LANG", "en")
    main()
