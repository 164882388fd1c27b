"""Reads a gateway's pages at a fixed pace, whatever the gateway does meanwhile.

`python -m benchmarks._district_looks FILE`: every look has its time. What is counted is from that time to the last
byte, so that a gateway that stalls is charged for all who wait (no coordinated omission). It prints one JSON object:
for each report the milliseconds of its looks, and what came instead of a page.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from benchmarks._district_hour import begin, percentile

_PATIENCE_S = 30.0
_OK = 200


class Look(msgspec.Struct, frozen=True, array_like=True):
    """A look at a page; `report` is under which name it counts, "" for one that only warms up."""

    at_s: float
    report: str
    path: str


class _Reading:
    def __init__(self) -> None:
        self.times_s: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, Counter[str]] = defaultdict(Counter)
        self.bytes: Counter[str] = Counter()

    async def run(self, looks: list[Look]) -> list[dict[str, Any]]:
        """Look at everything; a row a report."""
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
        print("ready", flush=True)
        began_s, url = begin(await asyncio.to_thread(sys.stdin.readline))
        # Each look is another person's, so that it comes over a connection of its own.
        own = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(url, timeout=timeout, connector=own) as session:
            tasks = []
            for look in looks:
                at_s = began_s + look.at_s
                if (pause_s := at_s - time.monotonic()) > 0:
                    await asyncio.sleep(pause_s)
                tasks.append(asyncio.create_task(self._look(session, look, at_s)))
            await asyncio.gather(*tasks)
        return [self._row(report) for report in dict.fromkeys(look.report for look in looks if look.report)]

    async def _look(self, session: aiohttp.ClientSession, look: Look, at_s: float) -> None:
        try:
            async with session.get(look.path) as answer:
                body = await answer.read()
                error = "" if answer.status == _OK else str(answer.status)
        except (aiohttp.ClientError, TimeoutError) as trouble:
            body, error = b"", type(trouble).__name__
        if not look.report:
            return
        if error:
            self.errors[look.report][error] += 1
        else:
            self.times_s[look.report].append(time.monotonic() - at_s)
            self.bytes[look.report] += len(body)

    def _row(self, report: str) -> dict[str, Any]:
        times_s, errors = sorted(self.times_s[report]), self.errors[report]
        return {
            "report": report,
            "n": len(times_s),
            "p50_ms": round(1000 * percentile(times_s, 0.5), 1),
            "p99_ms": round(1000 * percentile(times_s, 0.99), 1),
            "max_ms": round(1000 * max(times_s, default=0.0), 1),
            "kb": round(self.bytes[report] / 1000 / max(1, len(times_s)), 1),
            "errors": sum(errors.values()),
            **({"error": errors.most_common(1)[0][0]} if errors else {}),
        }


def main() -> None:
    looks = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=list[Look])
    print(json.dumps(asyncio.run(_Reading().run(looks))))


if __name__ == "__main__":
    main()
