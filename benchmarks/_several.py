"""Several gateways on one PostgreSQL, several boxes, any brokers: real processes that can be killed, and the count."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarks._gateways import Gateways
from benchmarks._postgresql import PostgreSQL
from gateway.config import GatewayConfig, load_config
from gateway.store.check import CheckResult, check
from gateway.store.schools import add_school, enrol_box
from gateway.store.store import open_store
from gateway.store.tables.sheets import RowState
from sync.simulation import SCHOOL

_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 120.0


class Several(Gateways):
    """A school whose gateways share a database, and its boxes. A context manager: it ends its processes."""

    def __init__(self, folder: Path, server: PostgreSQL, database: str, broker: str, *, boxes: int = 1) -> None:
        """`database` is empty or its schema is the newest; `broker` is what `[broker] url` says."""
        super().__init__(folder, server.url(database), broker)
        self._server, self._database, self._broker = server, database, broker
        self._boxes: subprocess.Popen[str] | None = None
        self._keys: list[bytes] = []
        self._names = [f"box-{number}" for number in range(1, boxes + 1)]
        self.told: set[bytes] = set()
        """Every sheet of which a box said, after its commit, that it has it."""

    def __enter__(self) -> Self:
        asyncio.run(self._enrol())
        return super().__enter__()

    # --- boxes ---------------------------------------------------------------------------------------------

    def start_boxes(self) -> None:
        """Start every box, in one process."""
        words = [f"{name}={key.hex()}" for name, key in zip(self._names, self._keys, strict=True)]
        words = ["-m", "benchmarks._boxes", str(self.folder), self._broker, *words]
        self._boxes = self.start("boxes", words, stdin=True)
        threading.Thread(target=self._hear, args=[self._boxes], daemon=True).start()

    def stop_boxes(self) -> None:
        """End the boxes; their cards stay, and `start_boxes` goes on with them."""
        assert self._boxes is not None
        self._boxes.kill()
        self._boxes.wait()
        self._boxes = None

    def show(self, sheets: int) -> None:
        """Show every box so many sheets."""
        assert self._boxes is not None
        assert self._boxes.stdin is not None
        self._boxes.stdin.write(f"{sheets}\n")
        self._boxes.stdin.flush()

    def _hear(self, box: subprocess.Popen[str]) -> None:
        assert box.stdout is not None
        for line in box.stdout:
            self.told.add(bytes.fromhex(line.strip()))

    # --- what came of it -----------------------------------------------------------------------------------

    def counted(self) -> Counter[bytes]:
        """In how many places of a report each sheet counts."""
        rows = self._server.sql(
            f"SELECT encode(capture, 'hex') FROM page_records WHERE state = {int(RowState.CURRENT)}",
            database=self._database,
        )
        return Counter(bytes.fromhex(row) for row in rows.splitlines())

    def rest(self, sheets: int, limit_s: float = _PATIENCE_S) -> float:
        """Wait until so many sheets have been told of and all are counted; the seconds that it took."""
        began_s = time.monotonic()
        until(lambda: len(self.told) >= sheets and len(self.counted()) >= sheets, limit_s)
        return time.monotonic() - began_s

    def lost_and_double(self) -> tuple[int, int]:
        """Sheets that a box has and no report counts, and sheets that count more than once."""
        counted = self.counted()
        return len(self.told - counted.keys()), sum(times - 1 for times in counted.values())

    def check(self) -> CheckResult:
        """What `classgate db check` says."""

        async def work() -> CheckResult:
            async with open_store(self._read(0)) as store, store.reading() as connection:
                return await check(connection)

        return asyncio.run(work())

    # --- inside --------------------------------------------------------------------------------------------

    def _read(self, number: int) -> GatewayConfig:
        return load_config(self.config(number))

    async def _enrol(self) -> None:
        async with open_store(self._read(0)) as store, store.writing() as connection:
            await add_school(connection, store.vault, SCHOOL)
            self._keys = [await enrol_box(connection, store.vault, SCHOOL, name) for name in self._names]


def until(done: Callable[[], bool], limit_s: float = _PATIENCE_S) -> None:
    """Wait for what must become true."""
    end_s = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end_s, "it did not come"
        time.sleep(0.05)
