"""A box without camera and pages: an outbox in a file and the real link, as a process that can be killed.

`python -m benchmarks._light_box LEDGER URL KEY [--at POINT NUMBER] [--fault NAME]`. A number on standard input is
that many sheets to keep; each is told on standard output once it is committed. `--fault` puts one of the faults of
`benchmarks._mutants` back into the box.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from contextlib import nullcontext
from pathlib import Path

from benchmarks._killed import POINTS, arm
from benchmarks._mutants import MUTANTS
from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.clock import SystemClock
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, SCHOOL, page_record


def keep(file: OutboxFile, sheets: int) -> None:
    """Keep so many sheets, one transaction each, and say so after each."""
    clock = SystemClock()
    for _ in range(sheets):
        capture = secrets.token_bytes(16)
        with file.open() as outbox:
            # Each sheet is of an assignment of its own, so that in the report none stands in for another.
            outbox.append(
                Lane.RESULTS, page_record(capture, 0, clock.read(), assignment=capture.hex()), subject=capture
            )
        print(capture.hex(), flush=True)


async def run(file: OutboxFile, url: str, key: bytes) -> None:
    """Be the box until killed."""
    link = BoxLink(
        outbox=file.open,
        broker=BrokerAddress(url=url),
        school=SCHOOL,
        box=BOX,
        key=key,
        software="light",
        clock=SystemClock(),
        pace=Pace(max_records=5, resend_after_ms=500, resend_at_most_ms=2_000),
        linger_s=0.01,
        poll_s=0.1,
        hello_every_s=1.0,
        longest_pause_s=0.5,
    )
    running = asyncio.create_task(link.run())
    while line := await asyncio.to_thread(sys.stdin.readline):
        await asyncio.to_thread(keep, file, int(line))
        link.wake()
    running.cancel()


def main() -> None:
    """Arm the point, if there is one, and be the box."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("url")
    parser.add_argument("key", type=bytes.fromhex)
    parser.add_argument("--at", nargs=2, metavar=("POINT", "NUMBER"))
    parser.add_argument("--fault", choices=MUTANTS)
    options = parser.parse_args()
    if options.at is not None:
        arm(POINTS[options.at[0]], int(options.at[1]))
    with MUTANTS[options.fault].applied() if options.fault else nullcontext():
        asyncio.run(run(OutboxFile(options.ledger), options.url, options.key))


if __name__ == "__main__":
    main()
