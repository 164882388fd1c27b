"""One run of the fault matrix with real processes: a light box, `classgate run` on SQLite, and a real broker.

The seed decides the plan: who is killed at which step, who freezes, whose disk is wiped, what is put back. When the
faults have stopped, every sheet of which the box said that it has it must count in the gateway's database, once.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks._killed import GATEWAY_POINTS, OUTBOX_POINTS
from gateway.config import load_config
from gateway.store.backup import back_up, restore
from gateway.store.schema import RowState
from gateway.store.schools import add_school, enrol_box
from gateway.store.store import open_store
from sync.embedded_broker import Broker
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, SCHOOL

_ROOT = Path(__file__).resolve().parents[1]
_SHEETS = 12
"""Shown to the box in each round."""
_ROUNDS = 4
_DEATH_S = 8.0
"""How long a process may take to come to the step at which it dies."""
_PATIENCE_S = 60.0
_DATABASE = "classgate.sqlite"
_KINDS = ("box killed", "box killed", "gateway killed", "gateway killed", "broker killed", "frozen", "put back", "card")


class RealRun:
    """A run in a folder of its own. `tally` counts what was seen; `fault` is one put back into the box."""

    def __init__(self, seed: int, folder: Path, *, fault: str | None = None) -> None:
        self._rng = random.Random(seed)
        self._fault = [] if fault is None else ["--fault", fault]
        self._folder = folder
        self._config = folder / "gateway.toml"
        self._card = folder / "card.sqlite"
        self._told: set[bytes] = set()
        self._delivered_and_gone: set[bytes] = set()
        self._put_back = False
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self.tally: Counter[str] = Counter()

    def play(self) -> Counter[str]:
        """Play the plan, wait for rest, and count."""
        kinds = [self._rng.choice(_KINDS) for _ in range(_ROUNDS)]
        # Of a store that passes for the newest nobody can tell what another copy of the card did: see docs/delivery.md.
        self._noticed = "card" in kinds
        with Broker.start() as broker:
            self._broker = broker
            self._key = asyncio.run(self._enrolled())
            try:
                self._start_gateway()
                self._start_box()
                self._show(_SHEETS)
                for kind in kinds:
                    self._round(kind)
                self._rest()
            finally:
                for name in list(self._processes):
                    self._kill(name)
        self._count()
        return self.tally

    # --- the plan ------------------------------------------------------------------------------------------

    def _round(self, kind: str) -> None:
        match kind:
            case "box killed":
                point = self._rng.choice(sorted(OUTBOX_POINTS))
                self._hear(self._kill("box"))
                self._start_box(point)
                self._show(_SHEETS)
                self._await_death("box", point)
                self._start_box()
            case "gateway killed":
                point = self._rng.choice(sorted(GATEWAY_POINTS))
                self._kill("gateway")
                self._start_gateway(point)
                self._show(_SHEETS)
                self._await_death("gateway", point)
                self._start_gateway()
            case "broker killed":
                self._show(_SHEETS)
                time.sleep(self._rng.random() * 0.5)
                self._broker.kill()
                self._show(2)
                self._broker.restart()
                self.tally["broker_kills"] += 1
            case "frozen":
                self._show(_SHEETS)
                self._freeze(self._rng.choice(["box", "gateway", "broker"]), self._rng.random() * 3)
            case "put back":
                self._gateway_put_back()
            case "card":
                self._card_put_back()

    def _gateway_put_back(self) -> None:
        config, copy = load_config(self._config), self._folder / f"copy-{self.tally['gateways_put_back']}.sqlite"
        noticed = self._noticed or self._rng.random() < 0.5
        back_up(config, copy)
        self._show(_SHEETS)
        time.sleep(1)
        self._kill("gateway")
        if noticed:
            restore(config, copy)
        else:  # by hand, within the minute in which nobody can see it
            for name in (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm"):
                (config.data / name).unlink(missing_ok=True)
            shutil.copy(copy, config.data / _DATABASE)
        self._put_back = True
        self.tally["gateways_put_back"] += 1
        self._start_gateway()

    def _card_put_back(self) -> None:
        copy = self._folder / "card.copy"
        with closing(sqlite3.connect(self._card)) as there, closing(sqlite3.connect(copy)) as here:
            there.backup(here)
        self._show(_SHEETS)
        time.sleep(self._rng.random())
        self._hear(self._kill("box"))
        with OutboxFile(self._card).open() as outbox:
            delivered = set(outbox.receipted_subjects())
        for name in ("", "-wal", "-shm"):
            Path(f"{self._card}{name}").unlink(missing_ok=True)
        shutil.copy(copy, self._card)
        with OutboxFile(self._card).open() as outbox:
            there_still = {capture for capture in self._told if outbox.state_of(capture) is not None}
            if self._rng.random() < 0.5:
                outbox.restored()
        self._delivered_and_gone |= delivered & (self._told - there_still)
        self._told = there_still
        self.tally["cards_put_back"] += 1
        self._start_box()

    # --- processes -----------------------------------------------------------------------------------------

    async def _enrolled(self) -> bytes:
        self._config.write_text(
            f'data = "data"\n[web]\nlisten = "127.0.0.1:0"\n[broker]\nurl = "{self._broker.url}"\n', encoding="utf-8"
        )
        async with open_store(load_config(self._config)) as store, store.writing() as connection:
            await add_school(connection, store.vault, SCHOOL)
            return await enrol_box(connection, store.vault, SCHOOL, BOX)

    def _start(self, name: str, words: Sequence[str | Path]) -> subprocess.Popen[str]:
        with (self._folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        self._processes[name] = process
        return process

    def _start_gateway(self, point: str | None = None) -> None:
        program = ["-c", "from gateway.cli import main; main()"]
        if point is not None:
            program = ["-m", "benchmarks._killed", point, str(self._rng.randint(1, 3))]
        process = self._start("gateway", [*program, "run", "--config", self._config])
        assert process.stdout is not None
        process.stdout.readline()  # `ready`, or nothing when it died on the way

    def _start_box(self, point: str | None = None) -> None:
        armed = [] if point is None else ["--at", point, str(self._rng.randint(1, 15))]
        box: list[str | Path] = ["-m", "benchmarks._light_box", self._card, self._broker.url, self._key.hex()]
        self._start("box", [*box, *armed, *self._fault])

    def _show(self, sheets: int) -> None:
        box = self._processes["box"]
        assert box.stdin is not None
        try:
            box.stdin.write(f"{sheets}\n")
        except BrokenPipeError:
            return
        self.tally["sheets"] += sheets

    def _kill(self, name: str) -> subprocess.Popen[str]:
        process = self._processes.pop(name)
        process.kill()
        process.wait()
        return process

    def _hear(self, box: subprocess.Popen[str]) -> None:
        """What a box that is dead now had said."""
        assert box.stdout is not None
        self._told |= {bytes.fromhex(line.strip()) for line in box.stdout if len(line) == 33}

    def _await_death(self, name: str, point: str) -> None:
        try:
            self._processes[name].wait(_DEATH_S)
            self.tally[f"at {point}"] += 1
            self.tally["kills_at_a_step"] += 1
        except subprocess.TimeoutExpired:
            self.tally["step_not_reached"] += 1
        dead = self._kill(name)
        if name == "box":
            self._hear(dead)

    def _freeze(self, name: str, seconds: float) -> None:
        process = self._broker.process if name == "broker" else self._processes[name]
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        self.tally["freezes"] += 1

    # --- what came of it -----------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Wait until the box counts everything as delivered and the gateway has it."""
        self._until(lambda: self._waiting() == 0 and self._on_card() <= self._counted().keys())
        self._hear(self._kill("box"))

    def _until(self, done: Callable[[], bool]) -> None:
        end_s = time.monotonic() + _PATIENCE_S
        while not done() and time.monotonic() < end_s:
            time.sleep(0.1)

    def _waiting(self) -> int:
        with OutboxFile(self._card).open() as outbox:
            return sum(lane.waiting for lane in outbox.counts().values())

    def _on_card(self) -> set[bytes]:
        with closing(sqlite3.connect(self._card)) as db:
            return {bytes(subject) for (subject,) in db.execute("SELECT subject FROM outbox_records") if subject}

    def _counted(self) -> Counter[bytes]:
        """In how many places of a report each sheet counts."""
        with closing(sqlite3.connect(load_config(self._config).data / _DATABASE)) as db:
            rows = db.execute("SELECT capture FROM page_records WHERE state = ?", (RowState.CURRENT,))
            return Counter(bytes(capture) for (capture,) in rows)

    def _count(self) -> None:
        counted = self._counted()
        must = self._told if self._put_back else self._told | self._delivered_and_gone
        self.tally["kept"] += len(must)
        self.tally["lost"] += len(must - counted.keys())
        self.tally["double"] += sum(times - 1 for times in counted.values())
        self.tally["unsettled"] += self._waiting()
