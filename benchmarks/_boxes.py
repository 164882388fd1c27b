"""Boxes without camera and pages in one process: for each an outbox in a file and the real link.

`python -m benchmarks._boxes FOLDER URL NAME=KEY …`. A number on standard input is that many sheets for each box to
keep; each is told on standard output once it is committed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks._light_box import keep
from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.clock import SystemClock
from sync.outbox_file import OutboxFile
from sync.simulation import SCHOOL


async def run(folder: Path, url: str, keys: dict[str, bytes]) -> None:
    """Be the boxes until killed."""
    files = {name: OutboxFile(folder / f"{name}.sqlite") for name in keys}
    links = [
        BoxLink(
            outbox=files[name].open,
            broker=BrokerAddress(url=url),
            school=SCHOOL,
            box=name,
            key=key,
            software="light",
            clock=SystemClock(),
            pace=Pace(max_records=5, resend_after_ms=1_000, resend_at_most_ms=4_000),
            linger_s=0.01,
            poll_s=0.2,
            hello_every_s=5.0,
            longest_pause_s=0.5,
        )
        for name, key in keys.items()
    ]
    running = [asyncio.create_task(link.run()) for link in links]
    while line := await asyncio.to_thread(sys.stdin.readline):
        for file, link in zip(files.values(), links, strict=True):
            await asyncio.to_thread(keep, file, int(line))
            link.wake()
    for task in running:
        task.cancel()


def main() -> None:
    """Be the boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    parser.add_argument("boxes", nargs="+", metavar="NAME=KEY")
    options = parser.parse_args()
    pairs = (box.partition("=") for box in options.boxes)
    asyncio.run(run(options.folder, options.url, {name: bytes.fromhex(key) for name, _, key in pairs}))


if __name__ == "__main__":
    main()
