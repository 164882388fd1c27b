"""The programs of a real run, as somebody beside them sees them: light boxes, and `classgate run`."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks._real_stores import BESIDE, RealStore
from benchmarks._zygote import Forked, Zygote
from gateway.config import load_config
from sync.outbox_file import OutboxFile

Point = tuple[str, int]
"""A step (`benchmarks._killed`), and at which coming to it the process dies."""


class RealBox:
    """A box with its card, a file. `told` are the sheets of which it said that it has them, `refused` how many not."""

    def __init__(
        self, zygote: Zygote, card: Path, url: str, key: bytes, *, log: Path, namespace: str | None, fault: str | None
    ) -> None:
        self.card = card
        self.told: set[bytes] = set()
        self.refused = 0
        self._fork: Callable[[Point | None], Forked] = lambda at: zygote.start(
            "box", [card, url, key.hex()], log=log, at=at, fault=fault, namespace=namespace
        )
        self._process: Forked | None = None
        self._ahead_ms = 0

    def start(self, at: Point | None = None) -> None:
        """Start it (again). With `at` it will die at the n-th coming to a point."""
        self._process = self._fork(at)
        if self._ahead_ms:
            self.set_clock(self._ahead_ms)

    @property
    def process(self) -> Forked:
        """The one that runs."""
        assert self._process is not None
        return self._process

    def show(self, sheets: int) -> None:
        """Show it so many sheets; it may be dead."""
        self._order(str(sheets))

    def set_clock(self, ahead_ms: int) -> None:
        """Set its wall clock to so much beside this machine's, also after a next start."""
        self._ahead_ms = ahead_ms
        self._order(f"clock {ahead_ms}")

    def _order(self, line: str) -> None:
        try:
            self.process.stdin.write(f"{line}\n")
        except (BrokenPipeError, OSError):
            return

    def kill(self) -> None:
        """Kill it, if it is not dead yet, and hear what it had said."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for line in process.stdout:
            self.refused += line == "refused\n"
            if len(line) == 33:
                self.told.add(bytes.fromhex(line.strip()))
        process.close()

    def waiting(self) -> int:
        """Records that it does not count as delivered."""
        with OutboxFile(self.card).open() as outbox:
            return sum(lane.waiting for lane in outbox.counts().values())

    def on_card(self) -> set[bytes]:
        """The sheets on its card."""
        with closing(sqlite3.connect(self.card)) as db:
            return {bytes(subject) for (subject,) in db.execute("SELECT subject FROM outbox_records") if subject}

    def copy_card(self, copy: Path) -> None:
        """A copy of the card as it is now."""
        with closing(sqlite3.connect(self.card)) as there, closing(sqlite3.connect(copy)) as here:
            there.backup(here)

    def put_card_back(self, copy: Path, *, told: bool) -> set[bytes]:
        """Go on with an older card. Returns what was delivered and is on no card any more. Kills the box."""
        self.kill()
        with OutboxFile(self.card).open() as outbox:
            delivered = set(outbox.receipted_subjects())
        for name in BESIDE:
            Path(f"{self.card}{name}").unlink(missing_ok=True)
        shutil.copy(copy, self.card)
        with OutboxFile(self.card).open() as outbox:
            there_still = {capture for capture in self.told if outbox.state_of(capture) is not None}
            if told:
                outbox.restored()
        gone = delivered & (self.told - there_still)
        self.told = there_still
        return gone


class RealGateway:
    """`classgate run` over a folder, `disk`, in which lies its data, and a store."""

    def __init__(
        self,
        zygote: Zygote,
        disk: Path,
        store: RealStore,
        url: str,
        *,
        log: Path,
        namespace: str | None,
        fault: str | None,
    ) -> None:
        self._config = disk / "gateway.toml"
        self._store = store
        self._config.write_text(
            f'data = "data"\n[web]\nlisten = "127.0.0.1:0"\n[broker]\nurl = "{url}"\n{store.lines}', encoding="utf-8"
        )
        self._fork: Callable[[Point | None], Forked] = lambda at: zygote.start(
            "gateway", ["run", "--config", self._config], log=log, at=at, fault=fault, namespace=namespace
        )
        self._process: Forked | None = None

    @property
    def process(self) -> Forked:
        """The one that runs."""
        assert self._process is not None
        return self._process

    def start(self, at: Point | None = None) -> None:
        """Start it (again), and wait until it is ready or has died at the point."""
        self._process = self._fork(at)
        self._process.stdout.readline()

    def kill(self) -> None:
        """Kill it, if it is not dead yet."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.close()

    def give_room_back(self) -> None:
        """Let the next batch need room on the disk."""
        self._store.give_room_back(load_config(self._config))

    def back_up(self, copy: Path) -> None:
        """Copy the database while it runs."""
        self._store.back_up(load_config(self._config), copy)

    def put_back(self, copy: Path, *, noticed: bool) -> None:
        """Go on with an older database. Kills the gateway."""
        self.kill()
        self._store.put_back(load_config(self._config), copy, noticed=noticed)

    def counted(self) -> Counter[bytes]:
        """In how many places of a report each sheet counts."""
        return self._store.counted(load_config(self._config))
