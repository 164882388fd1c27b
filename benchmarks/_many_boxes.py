"""Many boxes in one process: each with its own card in a file, its own certificate, and the real link. Nothing grades.

`python -m benchmarks._many_boxes WHAT`, a JSON object that `benchmarks.homecoming` writes. Orders on standard input:
`sheets N` (that many for every box, while the broker is away or not), `report`, which answers with one JSON object of
what happened since the order before: times on the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks._class_pages import made_up_class
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.records import encode_record, page_result_from


class OneBox:
    """A box, and when it was there and when it was done."""

    def __init__(self, what: dict[str, Any], school: str, name: str, key: bytes) -> None:
        self.file = OutboxFile(Path(what["folder"]) / f"{name}.sqlite")
        mine = Path(what["certificates"]) / name
        self.link = BoxLink(
            outbox=self.file.open,
            broker=BrokerAddress(url=what["url"], ca=what["ca"], cert=f"{mine}.cert", key=f"{mine}.key"),
            school=school,
            box=name,
            key=key,
            software="benchmark",
            on_progress=self._look,
        )
        self.connects_s: list[float] = []
        self.done_s: float | None = None
        self._there = False

    def take(self, sheets: int, rng: random.Random) -> list[str]:
        """Keep so many, in one transaction; their captures."""
        captures = []
        with self.file.open() as outbox:
            for record, clock in made_up_class(rng, sure=0.9)[:sheets]:
                capture = secrets.token_bytes(16)
                result = page_result_from(record, capture=capture, clock=clock, school_key=bytes(32))
                outbox.append(Lane.RESULTS, encode_record(result), subject=capture)
                captures.append(capture.hex())
        self.connects_s, self.done_s = [], None
        self.link.wake()
        return captures

    def _look(self) -> None:
        if self.link.connected != self._there:
            self._there = self.link.connected
            if self._there:
                self.connects_s.append(time.monotonic())
        if self.done_s is None:
            with self.file.open() as outbox:
                if not outbox.unproven():
                    self.done_s = time.monotonic()


async def serve(what: dict[str, Any]) -> None:
    """Do what standard input asks, until it ends."""
    rng = random.Random(secrets.randbits(64))
    boxes = [OneBox(what, what["school"], name, bytes.fromhex(key)) for name, key in what["boxes"].items()]
    running = [asyncio.create_task(box.link.run()) for box in boxes]
    print(json.dumps("ready"), flush=True)
    while order := await asyncio.to_thread(sys.stdin.readline):
        word, _, value = order.strip().partition(" ")
        if word == "sheets":
            said: object = [await asyncio.to_thread(box.take, int(value), rng) for box in boxes]
        else:
            used = resource.getrusage(resource.RUSAGE_SELF)
            said = {
                "connects_s": [s for box in boxes for s in box.connects_s],
                "done_s": [box.done_s for box in boxes],
                "there": sum(box.link.connected for box in boxes),
                "cpu_s": used.ru_utime + used.ru_stime,
                "peak_mb": used.ru_maxrss / 1024,
            }
        print(json.dumps(said), flush=True)
    for task in running:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*running, return_exceptions=True)


def main() -> None:
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
