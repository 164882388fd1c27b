"""A box without camera and pages: an outbox in a file and the real link, as a process that can be killed.

`_light_box LEDGER URL KEY`, started by `benchmarks._zygote`. Lines on standard input are orders: a number is that many
sheets to keep, `clock MS` sets the wall clock of this process to so many milliseconds beside the machine's. Each sheet
is told on standard output once it is committed, and `refused` where the disk did not take it.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sqlite3
import sys
import time
from pathlib import Path

from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.broker_address import BrokerAddress
from sync.clock import SystemClock
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, SCHOOL, page_record

_time, _time_ns = time.time, time.time_ns


def keep(file: OutboxFile, sheets: int) -> None:
    """Keep so many sheets, one transaction each, and say so after each."""
    clock = SystemClock()
    for _ in range(sheets):
        capture = secrets.token_bytes(16)
        try:
            with file.open() as outbox:
                # Each sheet is of an assignment of its own, so that in the report none stands in for another.
                outbox.append(
                    Lane.RESULTS, page_record(capture, 0, clock.read(), assignment=capture.hex()), subject=capture
                )
        except sqlite3.OperationalError:
            print("refused", flush=True)
        else:
            print(capture.hex(), flush=True)


def set_clock(ahead_ms: int) -> None:
    """Whatever asks Python for the time of day in this process gets another one."""
    time.time = lambda: _time() + ahead_ms / 1000
    time.time_ns = lambda: _time_ns() + ahead_ms * 1_000_000


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
        poll_s=0.2,
        hello_every_s=1.0,
        longest_pause_s=0.5,
    )
    running = asyncio.create_task(link.run())
    while order := await asyncio.to_thread(sys.stdin.readline):
        word, _, value = order.partition(" ")
        if word == "clock":
            set_clock(int(value))
        else:
            await asyncio.to_thread(keep, file, int(word))
            link.wake()
    running.cancel()


def main() -> None:
    """Be the box that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("url")
    parser.add_argument("key", type=bytes.fromhex)
    options = parser.parse_args()
    asyncio.run(run(OutboxFile(options.ledger), options.url, options.key))
