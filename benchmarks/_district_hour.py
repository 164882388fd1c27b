"""The hour before school: many boxes slide a stack each, sheet by sheet, while somebody reads reports.

What the boxes will say is made beforehand (`make_hour`), so that the machine that is measured has little to do with it.
`python -m benchmarks._district_hour FILE` then is all of them, over a real broker and at a fixed pace. Each does as the
real link does (`sync.box_link`): half a second after a sheet it sends what it has, but not before 2.5 s after what it
sent last, and not while that is on the way; a worksheet is not held back; what gets no receipt is sent again. It prints
one JSON object; times are a sheet's, from the moment when it was slid to the receipt for it.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks._district import District, Given
from benchmarks._district_load import Numbered
from benchmarks._district_sheets import SchoolTerm
from gateway.store.schools import enrol_box, school_key
from gateway.store.store import Store
from sync.box_link import PACE
from sync.broker_address import BrokerAddress
from sync.connection import Connection, connected
from sync.envelope import Envelope, encode_envelope
from sync.lanes import EPOCH_BYTES, Lane
from sync.receipts import open_down
from sync.records import encode_record
from sync.topics import topic

_BOXES = 500
"""That slide at once: each takes about a second for a sheet."""
_LINGER_S = 0.5
_PATIENCE_S = 60.0
"""How long receipts are waited for after the last sheet."""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """A record, and when its box has it (seconds from the beginning)."""

    at_s: float
    lane: Lane
    entry: bytes


class BoxHour(msgspec.Struct, frozen=True, array_like=True):
    """What one box says, in order."""

    school: str
    box: str
    key: bytes
    said: list[Said]


class Place(NamedTuple):
    """A class report that sheets come for."""

    school: str
    class_name: str
    assignment: str


async def make_hour(
    store: Store, district: District, *, sheets_per_s: float, seconds: float, number: int, day: int
) -> tuple[list[BoxHour], list[Place]]:
    """Boxes of as many classes as needed, enrolled anew, and what they say; and the reports that will change.

    `number` tells the hours of one term apart: each has worksheets of its own.
    """
    rng = random.Random(number)
    classes = [(school.number, n) for school in district.schools for n in range(len(school.classes))]
    chosen = rng.sample(classes, min(_BOXES, len(classes)))
    hour: list[BoxHour] = []
    places: list[Place] = []
    for order, (school_no, class_no) in enumerate(chosen):
        plan, box = district.schools[school_no], f"class-{class_no + 1}"
        async with store.writing() as connection:
            key = await enrol_box(connection, store.vault, plan.name, box)
            names_key = await school_key(connection, store.vault, plan.name)
        term, one = SchoolTerm(district, school_no, names_key), plan.classes[class_no]
        sheets = round(sheets_per_s * seconds / len(chosen))
        given = [term.extra(class_no, number=100 * number + n, day=day) for n in range(-(-sheets // one.pupils))]
        places += [Place(plan.name, one.name, term.worksheet(each).name) for each in given]
        times = ((order + n * len(chosen)) / sheets_per_s for n in range(sheets))
        hour.append(BoxHour(plan.name, box, key, list(_said(term, given, times))))
    return hour, places


def _said(term: SchoolTerm, given: list[Given], times: Iterator[float]) -> Iterator[Said]:
    """Of each stack the documents, its sheets as long as there are times for them, and after the last one the count."""
    at_s = 0.0
    for each in given:
        begun_ms = time.time_ns() // 1_000_000
        lanes = term.whole_stack(each, begun_ms=begun_ms)
        yield from (Said(at_s, Lane.DOCUMENTS, encode_record(record)) for record in lanes[Lane.DOCUMENTS])
        slid = 0
        for record, when_s in zip(lanes[Lane.RESULTS], times):  # noqa: B905 - what has no time is not slid
            at_s, slid = when_s, slid + 1
            yield Said(at_s, Lane.RESULTS, encode_record(record))
        if slid == len(lanes[Lane.RESULTS]):
            yield from (Said(at_s, Lane.HEALTH, encode_record(record)) for record in lanes[Lane.HEALTH])


class _Box:
    """One box: sends, and waits for receipts."""

    def __init__(self, what: BoxHour, line: Connection, began_s: float) -> None:
        self._what, self._line, self._began_s = what, line, began_s
        self._numbered = Numbered(what.school, what.box, secrets.token_bytes(EPOCH_BYTES))
        self._todo = list(reversed(what.said))
        self._marks: Counter[Lane] = Counter()
        self._slid_s: list[float] = []
        self._heard = asyncio.Event()
        self.envelopes = self.again = 0
        self.receipts_s: list[float] = []

    @property
    def waiting(self) -> int:
        """Sheets without a receipt."""
        return sum(said.lane is Lane.RESULTS for said in self._what.said) - len(self.receipts_s)

    async def run(self) -> None:
        """Say everything at its time."""
        gathered_s = 0.0
        while self._todo:
            due_s = self._began_s + self._todo[-1].at_s + _LINGER_S
            if self._todo[-1].lane is not Lane.DOCUMENTS:
                due_s = max(due_s, gathered_s)
            await asyncio.sleep(due_s - time.monotonic())
            gathered_s = time.monotonic() + PACE.gather_ms / 1000
            sent = list(self._ready())
            for envelope in sent:
                self.envelopes += 1
                await self._publish(envelope)
            await self._receipted(sent)

    def _ready(self) -> Iterator[Envelope]:
        """What the box has by now, as many records as go into an envelope of each lane."""
        now_s = time.monotonic() - self._began_s
        ready = list(takewhile(lambda said: said.at_s <= now_s, reversed(self._todo)))[: PACE.max_records]
        del self._todo[len(self._todo) - len(ready) :]
        self._slid_s += [said.at_s for said in ready if said.lane is Lane.RESULTS]
        for lane in Lane:
            entries = [said.entry for said in ready if said.lane is lane]
            if entries:
                yield self._numbered.envelope(lane, entries)

    async def _publish(self, envelope: Envelope) -> None:
        await self._line.publish(topic(envelope.school, envelope.box, "up"), encode_envelope(envelope, self._what.key))

    async def _receipted(self, sent: list[Envelope]) -> None:
        pause_s = PACE.resend_after_ms / 1000
        while missing := [one for one in sent if self._marks[one.lane] < one.last_seq]:
            self._heard.clear()
            try:
                async with asyncio.timeout(pause_s):
                    await self._heard.wait()
            except TimeoutError:
                for envelope in missing:
                    self.again += 1
                    await self._publish(envelope)
                pause_s = min(2 * pause_s, PACE.resend_at_most_ms / 1000)

    def hear(self, message: bytes) -> None:
        """What came on the box's topic."""
        now_s = time.monotonic() - self._began_s
        what = self._what
        for receipt in open_down(message, school=what.school, box=what.box, key=what.key) or ():
            self._marks[receipt.lane] = max(self._marks[receipt.lane], receipt.mark)
        new = self._slid_s[len(self.receipts_s) : self._marks[Lane.RESULTS]]
        self.receipts_s += [now_s - slid_s for slid_s in new]
        self._heard.set()


async def _run(hour: list[BoxHour]) -> dict[str, float]:
    """Be all boxes."""
    print("ready", flush=True)
    began_s, url = begin(await asyncio.to_thread(sys.stdin.readline))
    async with connected(BrokerAddress(url=url).connect_arguments(), identifier="boxes", keepalive_s=60) as line:
        await line.subscribe("classbox/1/+/+/down")
        boxes = {(what.school, what.box): _Box(what, line, began_s) for what in hour}
        hearing = asyncio.create_task(_hear(line, boxes))
        seconds = max(said.at_s for what in hour for said in what.said)
        _, late = await asyncio.wait(
            [asyncio.create_task(box.run()) for box in boxes.values()],
            timeout=began_s + seconds + _PATIENCE_S - time.monotonic(),
        )
        for task in (hearing, *late):
            task.cancel()
    times_s = sorted(s for box in boxes.values() for s in box.receipts_s)
    sheets = sum(said.lane is Lane.RESULTS for what in hour for said in what.said)
    return {
        "boxes": len(boxes),
        "sheets": sheets,
        "sheets_per_s": round(sheets / seconds, 1),
        "sheets_an_envelope": round(sheets / sum(box.envelopes for box in boxes.values()), 1),
        "envelopes_again": sum(box.again for box in boxes.values()),
        "without_receipt": sum(box.waiting for box in boxes.values()),
        "receipt_s_p50": round(percentile(times_s, 0.5), 2),
        "receipt_s_p99": round(percentile(times_s, 0.99), 2),
    }


async def _hear(line: Connection, boxes: dict[tuple[str, str], _Box]) -> None:
    while True:
        for arrived in await line.arrived(200):
            _, _, school, name, _ = arrived.topic.split("/")
            if (box := boxes.get((school, name))) is not None:
                box.hear(arrived.payload)


def begin(line: str) -> tuple[float, str]:
    """When to begin, on the clock that all processes of a machine share, and at which address."""
    began_s, url = line.split()
    return float(began_s), url


def percentile(ascending: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) - 1, max(0, -(-round(share * 1000) * len(ascending) // 1000) - 1))]


def main() -> None:
    hour = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=list[BoxHour])
    print(json.dumps(asyncio.run(_run(hour))))


if __name__ == "__main__":
    main()
