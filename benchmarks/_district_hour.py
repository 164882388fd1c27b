"""The hour before school: many boxes slide a stack each, sheet by sheet, while somebody reads reports.

`python -m benchmarks._district_hour FILE` is all of the boxes, over a real broker and at a fixed pace. It shares its
machine with what is measured, so everything that can be is made beforehand (`make_hour`): each envelope that goes out
when receipts come in time, packed and sealed. Each box does as the real link does (`sync.box_link`): half a second
after a sheet it sends what it has, but not before 2.5 s after what it sent last, a worksheet apart; while an envelope
of a lane is on the way the next records gather (such an envelope is made only then), and what gets no receipt goes
again. It prints one JSON object; times are a sheet's, from the moment when it was slid to the receipt for it.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count, takewhile
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
from sync.dictionaries import NEWEST_ID
from sync.envelope import Envelope, encode_envelope
from sync.lanes import CHALLENGE_BYTES, EPOCH_BYTES, Lane
from sync.receipts import open_down
from sync.records import encode_record
from sync.topics import topic

_BOXES = 500
"""That slide at once: each takes about a second for a sheet."""
_LINGER_S = 0.5
_GATHER_S = PACE.gather_ms / 1000
_TICK_S = 0.01
"""What is due within it goes together: boxes need not be more punctual, and each waking up costs."""
_PATIENCE_S = 60.0
"""How long receipts are waited for after the last sheet."""


class Said(NamedTuple):
    """A record, and when its box has it (seconds from the beginning)."""

    at_s: float
    lane: Lane
    entry: bytes


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Records that share an envelope when receipts come in time; it is due then, and its records came at `at_s`."""

    due_s: float
    at_s: list[float]
    first_seq: int
    before: bytes
    entries: list[bytes]
    message: bytes

    @property
    def last_seq(self) -> int:
        """The number of its last record."""
        return self.first_seq + len(self.entries) - 1


class BoxHour(msgspec.Struct, frozen=True, array_like=True):
    """What one box says in each lane, in order."""

    school: str
    box: str
    key: bytes
    epoch: bytes
    lanes: dict[Lane, list[Part]]

    def envelope(self, lane: Lane, parts: Sequence[Part]) -> Envelope:
        """Several parts that follow one another, as one."""
        return Envelope(
            school=self.school,
            box=self.box,
            epoch=self.epoch,
            lane=lane,
            first_seq=parts[0].first_seq,
            before=parts[0].before,
            challenge=bytes(CHALLENGE_BYTES),
            entries=tuple(entry for part in parts for entry in part.entries),
        )


class Place(NamedTuple):
    """A class report that sheets come for, the first of them `from_s` seconds after the beginning."""

    school: str
    class_name: str
    assignment: str
    from_s: float


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
        times_s = [(order + n * len(chosen)) / sheets_per_s for n in range(sheets)]
        places += [
            Place(plan.name, one.name, term.worksheet(each).name, from_s)
            for each, from_s in zip(given, times_s[:: one.pupils], strict=True)
        ]
        hour.append(_box_hour(plan.name, box, key, list(_said(term, given, iter(times_s)))))
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


def _box_hour(school: str, box: str, key: bytes, said: Sequence[Said]) -> BoxHour:
    """What a box sends, made ready to go."""
    numbered = Numbered(school, box, secrets.token_bytes(EPOCH_BYTES))
    lanes = {lane: list(_parts(numbered, lane, [one for one in said if one.lane is lane], key)) for lane in Lane}
    return BoxHour(school, box, key, numbered.epoch, lanes)


def _parts(numbered: Numbered, lane: Lane, said: Sequence[Said], key: bytes) -> Iterator[Part]:
    """The envelopes of a lane, cut as the link cuts them whose receipts come in time."""
    at, due_s = 0, -math.inf
    while at < len(said):
        due_s = max(said[at].at_s + _LINGER_S, _next_s(lane, due_s))
        part = list(takewhile(lambda one: one.at_s <= due_s, said[at : at + PACE.max_records]))  # noqa: B023 - at once
        at += len(part)
        envelope = numbered.envelope(lane, [one.entry for one in part])
        message = encode_envelope(envelope, key, dictionary=NEWEST_ID)
        times_s = [one.at_s for one in part]
        yield Part(due_s, times_s, envelope.first_seq, envelope.before, [one.entry for one in part], message)


def _next_s(lane: Lane, sent_s: float) -> float:
    """Before when the link sends no more of a lane."""
    return sent_s if lane is Lane.DOCUMENTS else sent_s + _GATHER_S


class _Stream:
    """One lane of one box: what it sends next, and what of it is on the way. Times are seconds from the beginning."""

    def __init__(self, what: BoxHour, lane: Lane, number: int) -> None:
        self._what, self._lane, self.number = what, lane, number
        self._parts, self._next = what.lanes[lane], 0
        self._message, self._awaits, self._tries = b"", 0, 0
        self.topic = topic(what.school, what.box, "up")
        self.wake_s = self._parts[0].due_s if self._parts else math.inf
        """When it has to act, if nothing is heard before."""
        self._sent_s = -math.inf
        self.envelopes = self.again = 0
        self.receipts_s: list[float] = []
        self._slid_s = [at_s for part in self._parts for at_s in part.at_s]

    @property
    def waiting(self) -> int:
        """Records without a receipt."""
        return len(self._slid_s) - len(self.receipts_s)

    def act(self, now_s: float) -> bytes:
        """The message that has to go out now, since `wake_s` has come."""
        if self._awaits:
            self.again += 1
        else:
            self._take(now_s)
        pause_ms = min(PACE.resend_after_ms * 2**self._tries, PACE.resend_at_most_ms)
        self._tries += 1
        self.wake_s = now_s + pause_ms / 1000
        return self._message

    def _take(self, now_s: float) -> None:
        """What is due by now, in one envelope: mostly one part, as it was made."""
        due = list(takewhile(lambda part: part.due_s <= now_s, self._parts[self._next :]))
        what = self._what
        self._message = due[0].message
        if len(due) > 1:
            self._message = encode_envelope(what.envelope(self._lane, due), what.key, dictionary=NEWEST_ID)
        self._next += len(due)
        self._awaits, self._tries = due[-1].last_seq, 0
        self._sent_s = max(self.wake_s, now_s - 2 * _TICK_S)  # what is a tick late does not put off the next
        self.envelopes += 1

    def hear(self, mark: int, now_s: float) -> bool:
        """The gateway has everything up to that number. Says whether `wake_s` has changed."""
        self.receipts_s += [now_s - slid_s for slid_s in self._slid_s[len(self.receipts_s) : mark]]
        if not self._awaits or mark < self._awaits:
            return False
        self._awaits, rest = 0, self._parts[self._next : self._next + 1]
        self.wake_s = max(rest[0].due_s, _next_s(self._lane, self._sent_s)) if rest else math.inf
        return True


class _Boxes:
    """All of them on one line."""

    def __init__(self, hour: Iterable[BoxHour], line: Connection, began_s: float) -> None:
        self._line, self._began_s = line, began_s
        self._keys = {topic(what.school, what.box, "down"): what for what in hour}
        numbers = count()
        self.streams = {
            where: {lane: _Stream(what, lane, next(numbers)) for lane in Lane} for where, what in self._keys.items()
        }
        self._all = [one for box in self.streams.values() for one in box.values()]
        self._due: list[tuple[float, int]] = []
        """When which of them acts, the soonest first; where it has another time by now it does not."""
        for one in self._all:
            self._wait(one)
        self._sending: set[asyncio.Task[bool]] = set()

    def of(self, lane: Lane) -> list[_Stream]:
        """That lane of every box."""
        return [box[lane] for box in self.streams.values()]

    async def run(self) -> None:
        """Say everything at its time, until there is a receipt for all."""
        hearing = asyncio.create_task(self._hear())
        while self._due:
            self._act(self._now_s())
            await asyncio.sleep(max(_TICK_S, min(1.0, self._due[0][0] - self._now_s())) if self._due else 0)
        hearing.cancel()

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _act(self, now_s: float) -> None:
        while self._due and (self._due[0][0] <= now_s or self._is_over(*self._due[0])):
            at_s, number = heappop(self._due)
            one = self._all[number]
            if not self._is_over(at_s, number):
                task = asyncio.create_task(self._line.publish(one.topic, one.act(now_s)))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
                self._wait(one)

    def _is_over(self, at_s: float, number: int) -> bool:
        return at_s != self._all[number].wake_s

    def _wait(self, one: _Stream) -> None:
        if one.wake_s < math.inf:
            heappush(self._due, (one.wake_s, one.number))

    async def _hear(self) -> None:
        while True:
            for arrived in await self._line.arrived(200):
                what, now_s = self._keys.get(arrived.topic), self._now_s()
                if what is None:
                    continue
                for receipt in open_down(arrived.payload, school=what.school, box=what.box, key=what.key) or ():
                    one = self.streams[arrived.topic][receipt.lane]
                    if one.hear(receipt.mark, now_s):
                        self._wait(one)


async def _run(hour: list[BoxHour]) -> dict[str, float]:
    """Be all boxes."""
    print("ready", flush=True)
    began_s, url = begin(await asyncio.to_thread(sys.stdin.readline))
    async with connected(BrokerAddress(url=url).connect_arguments(), identifier="boxes", keepalive_s=60) as line:
        await line.subscribe("classbox/1/+/+/down")
        boxes = _Boxes(hour, line, began_s)
        seconds = max(at_s for what in hour for parts in what.lanes.values() for part in parts for at_s in part.at_s)
        used_s = time.process_time()
        with suppress(TimeoutError):
            async with asyncio.timeout(began_s + seconds + _PATIENCE_S - time.monotonic()):
                await boxes.run()
        used_s = time.process_time() - used_s
        wall_s = time.monotonic() - began_s
    sheets = boxes.of(Lane.RESULTS)
    times_s = sorted(s for one in sheets for s in one.receipts_s)
    sheets_sent = sum(one.waiting + len(one.receipts_s) for one in sheets)
    streams = [one for lane in Lane for one in boxes.of(lane)]
    return {
        "boxes": len(hour),
        "boxes_cores": round(used_s / wall_s, 3),
        "sheets": sheets_sent,
        "sheets_per_s": round(sheets_sent / seconds, 1),
        "sheets_an_envelope": round(sheets_sent / sum(one.envelopes for one in sheets), 1),
        "envelopes_again": sum(one.again for one in streams),
        "without_receipt": sum(one.waiting for one in sheets),
        "receipt_s_p50": round(percentile(times_s, 0.5), 2),
        "receipt_s_p99": round(percentile(times_s, 0.99), 2),
    }


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
