"""Loads a district's term into a gateway's store through the gateway's own ingest, and goes on where it stopped.

`StoreIngest.take` gets the envelopes that the boxes would send: every record is decoded, checked against its lane's
chain, booked and summed, and receipted, in one transaction for each school and half day. Only what lies between a box
and that is left out: signature, compression, broker. The gateway's clock is that of the term's day.

`python -m benchmarks._district_load WHAT.json` is one of several processes; each has schools of its own. A school's
boxes were heard of last in the half day that was stored last: from there it goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks._district import DAYS, District, SchoolPlan, Size
from benchmarks._district_sheets import SchoolTerm, Session
from benchmarks._shared_out import said_by
from gateway.config import GatewayConfig, load_config
from gateway.ingest import StoreIngest
from gateway.store.documents import publish_classes
from gateway.store.engine import open_engine
from gateway.store.lanes import load_lanes
from gateway.store.partitions import make_months, month_at
from gateway.store.rosters import bring_in
from gateway.store.schools import add_school, enrol_box, school_ids, school_key
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import boxes
from sync.envelope import Envelope, chain_after
from sync.lanes import CHALLENGE_BYTES, EPOCH_BYTES, Lane, first_link
from sync.records import encode_record

_RECORDS = 500
"""In an envelope: as many as a box sends of a long backlog."""


class Numbered:
    """The lanes of one box: each record gets its number and its link of the chain."""

    def __init__(self, school: str, box: str, epoch: bytes) -> None:
        self.school, self.box, self.epoch = school, box, epoch
        self._last = {lane: (0, first_link(epoch, lane)) for lane in Lane}

    def goes_on(self, lane: Lane, mark: int, chain: bytes) -> None:
        """The lane has got so far already."""
        self._last[lane] = (mark, chain)

    def envelope(self, lane: Lane, entries: Sequence[bytes]) -> Envelope:
        """The next envelope of a lane."""
        mark, before = self._last[lane]
        self._last[lane] = (mark + len(entries), chain_after(before, entries))
        return Envelope(
            school=self.school,
            box=self.box,
            epoch=self.epoch,
            lane=lane,
            first_seq=mark + 1,
            before=before,
            challenge=bytes(CHALLENGE_BYTES),
            entries=tuple(entries),
        )


async def prepare(store: Store, district: District) -> None:
    """Make the schools that are not there yet, with boxes and class lists, as a person would before the term."""
    async with store.reading() as connection:
        there = set(await school_ids(connection))
    for plan in district.schools:
        if plan.name in there:
            continue
        async with store.writing() as connection:
            await add_school(connection, store.vault, plan.name)
            for box in plan.boxes:
                await enrol_box(connection, store.vault, plan.name, box)
            key = await school_key(connection, store.vault, plan.name)
            roster = SchoolTerm(district, plan.number, key).roster()
            await bring_in(connection, store.vault, plan.name, roster)
            await publish_classes(connection, store.vault, plan.name, roster.by_class())


async def make_term_months(config: GatewayConfig, district: District) -> None:
    """Make the tables of the term's months, as a gateway that ran all the time would have made them."""
    engine = await open_engine(config.store_url)
    try:
        for month in sorted({month_at(district.at_ms(day, 9)) for day in range(DAYS)}):
            await make_months(engine, month)
    finally:
        await engine.dispose()


async def load_schools(store: Store, district: District, schools: Iterable[int], days: int) -> dict[str, float]:
    """Load the first `days` days of some schools, day by day. Returns the seconds that making and storing took."""
    loading = [await _Loading.of(store, district, number) for number in schools]
    for day in range(days):
        for one in loading:
            await one.day(day)
    return {
        "made_s": sum(one.made_s for one in loading),
        "stored_s": sum(one.stored_s for one in loading),
        "records": sum(one.records for one in loading),
    }


class _Loading:
    """One school on its way through the term."""

    def __init__(self, store: Store, term: SchoolTerm) -> None:
        self._term = term
        self._now_ms = self._done_ms = 0
        self._ingest = StoreIngest(store, now_ms=lambda: self._now_ms)
        self._boxes = {box: Numbered(term.plan.name, box, epoch_of(term.plan, box)) for box in term.plan.boxes}
        self.made_s = self.stored_s = 0.0
        self.records = 0

    @classmethod
    async def of(cls, store: Store, district: District, number: int) -> _Loading:
        """A school, as far as it has come."""
        name = district.schools[number].name
        async with store.reading() as connection:
            one = cls(store, SchoolTerm(district, number, await school_key(connection, store.vault, name)))
            mine = boxes.c.school_id == name, boxes.c.box_id.in_(one._boxes)
            heard_ms = await connection.scalar(select(func.max(boxes.c.heard_ms)).where(*mine))
            known = await load_lanes(connection, {(name, box, mine.epoch) for box, mine in one._boxes.items()})
        one._done_ms = heard_ms or 0
        for lane, state in known.items():
            one._boxes[lane.box].goes_on(lane.lane, state.mark, state.chain)
        return one

    async def day(self, day: int) -> None:
        """Store a day's two halves, unless they are there."""
        if self._done_ms >= self._term.ends_ms(day):
            return
        began_s = time.perf_counter()
        sessions = self._term.sessions(day)
        self.made_s += time.perf_counter() - began_s
        for session in sessions:
            if session.received_ms > self._done_ms:
                await self._half(session)

    async def _half(self, session: Session) -> None:
        began_s = time.perf_counter()
        envelopes = list(self._envelopes(session))
        made_s = time.perf_counter()
        self._now_ms = session.received_ms
        if envelopes:
            receipts = await self._ingest.take(envelopes)
            for envelope, receipt in zip(envelopes, receipts, strict=True):
                if receipt.mark < envelope.last_seq or receipt.held:
                    raise SystemExit(f"{envelope.school}/{envelope.box}: record {receipt.mark + 1} was not taken in")
        self.made_s += made_s - began_s
        self.stored_s += time.perf_counter() - made_s
        self.records += sum(len(envelope.entries) for envelope in envelopes)

    def _envelopes(self, session: Session) -> Iterator[Envelope]:
        for box, lanes in session.boxes.items():
            for lane, records in lanes.items():
                entries = [encode_record(record) for record in records]
                for start in range(0, len(entries), _RECORDS):
                    yield self._boxes[box].envelope(lane, entries[start : start + _RECORDS])


def epoch_of(plan: SchoolPlan, box: str) -> bytes:
    """A box's epoch in the term: the same in every run, so that loading can go on."""
    return hashlib.blake2b(f"{plan.name}/{box}".encode(), digest_size=EPOCH_BYTES).digest()


def load_in_processes(config: Path, district: District, days: int, *, processes: int) -> dict[str, float]:
    """Load the first `days` days, schools shared out among processes. Raises `SystemExit` when one fails."""
    numbers = sorted(range(len(district.schools)), key=lambda n: -sum(c.first for c in district.schools[n].classes))
    files = []
    began_s = time.perf_counter()
    for number in range(min(processes, len(numbers))):
        what = {
            "config": str(config),
            "size": list(district.size),
            "first_day": district.first_day.isoformat(),
            "seed": district.seed,
            "schools": sorted(numbers[number::processes]),
            "days": days,
        }
        file = config.parent / f"loading-{number}.json"
        file.write_text(json.dumps(what), encoding="utf-8")
        files.append([str(file)])
    failed = "Loading ended early: start it again, and it goes on."
    figures = said_by("benchmarks._district_load", files, failed=failed)
    total = {key: sum(one[key] for one in figures) for key in figures[0]}
    return {**total, "load_s": time.perf_counter() - began_s}


async def _work(what: dict[str, Any]) -> dict[str, float]:
    district = District(Size(*what["size"]), first_day=date.fromisoformat(what["first_day"]), seed=what["seed"])
    async with open_store(load_config(Path(what["config"]))) as store:
        return await load_schools(store, district, what["schools"], what["days"])


def main() -> None:
    print(json.dumps(asyncio.run(_work(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))))


if __name__ == "__main__":
    main()
