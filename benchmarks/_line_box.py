"""A box at the near end of a line, in a process of its own: its outbox and its link, and nothing that grades.

`python -m benchmarks._line_box WHAT`, with what `benchmarks._line_gateway` printed. Each number on its standard input
is so many sheets that come at once; it prints how long they took. The link starts with the first, so that their time
is that of a cold start, and ends with the input.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._class_pages import PUPILS, made_up_class
from sync.box_link import BoxLink
from sync.box_session import BoxSession
from sync.broker_address import BrokerAddress
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.records import encode_record, page_result_from

LIMIT_S = 300.0


class Box:
    """An outbox and its link."""

    def __init__(self, folder: Path, what: dict[str, Any]) -> None:
        self._file = OutboxFile(folder / "ledger.sqlite")
        self._random = random.Random(secrets.randbits(64))
        self._receipted = asyncio.Event()
        self._last_s = 0.0
        self._connections = 0
        self._who = {"school": what["school"], "box": what["box"], "key": bytes.fromhex(what["key"])}
        self._link = BoxLink(
            outbox=self._file.open,
            broker=BrokerAddress(**what["broker"]),
            **self._who,
            software="benchmark",
            spread_s=0.0,  # there is no district here whose boxes must not come at once
            on_progress=self._look,
        )

    async def serve(self) -> None:
        """Do what standard input asks, until it ends."""
        running = None
        while order := await asyncio.to_thread(sys.stdin.readline):
            self._book(int(order))
            size = self._payload_bytes()
            began_s, began_cpu_s = time.monotonic(), time.process_time()
            running = running or asyncio.create_task(self._link.run())
            self._link.wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(LIMIT_S):
                    await self._receipted.wait()
            seconds = self._last_s - began_s if self._receipted.is_set() else None
            cpu_s = time.process_time() - began_cpu_s
            print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_s, "payload_bytes": size}), flush=True)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])

    def _book(self, sheets: int) -> None:
        school_key = secrets.token_bytes(32)
        pages = [p for _ in range(-(-sheets // PUPILS)) for p in made_up_class(self._random, sure=0.9)][:sheets]
        with self._file.open() as outbox:
            for record, clock in pages:
                capture = secrets.token_bytes(16)
                result = page_result_from(record, capture=capture, clock=clock, school_key=school_key)
                outbox.append(Lane.RESULTS, encode_record(result), subject=capture)
        self._receipted.clear()

    def _payload_bytes(self) -> int:
        """The size of the first envelope that waits. A class fits into one."""
        with self._file.open() as outbox:
            return len(BoxSession(software="benchmark", **self._who).next_message(outbox, 0.0) or b"")

    def _look(self) -> None:
        with self._file.open() as outbox:
            counts = outbox.counts()[Lane.RESULTS]
        assert not counts.held
        if not counts.waiting and not self._receipted.is_set():
            self._last_s = time.monotonic()
            self._receipted.set()


def main() -> None:
    with TemporaryDirectory(prefix="classbox-line-box-") as folder:
        asyncio.run(Box(Path(folder), json.loads(sys.argv[1])).serve())


if __name__ == "__main__":
    main()
