"""D13 over a real broker: a box that woke in 1970 learns the time when all its sheets are gone already."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.config import load_config
from gateway.ingest import Changed, StoreIngest
from gateway.reports.export import report_to_json
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.store import open_store
from homework.assignment import parse_assignment
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.clock import ClockQuality, ClockReading
from sync.embedded_broker import Broker
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.records import encode_record
from tests.broker.patience import running, until

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3_600_000
BOOT = b"b" * 16


class BoxClock:
    """Ticks rightly, and says whatever it is set to: 1970 until a server sets it."""

    def __init__(self, *, up_ms: int) -> None:
        self._began_ms = round(time.time() * 1000) - up_ms
        self.off_ms = -self._began_ms
        self.quality = ClockQuality.UNSET

    def read(self) -> ClockReading:
        now_ms = round(time.time() * 1000)
        return self.at(now_ms)

    def at(self, true_ms: int) -> ClockReading:
        """What it says at a moment of this boot."""
        return ClockReading(
            monotonic_ms=true_ms - self._began_ms, wall_ms=true_ms + self.off_ms, boot=BOOT, quality=self.quality
        )

    def set_right(self) -> None:
        self.off_ms, self.quality = 0, ClockQuality.SYNCED


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker.start() as started:
        yield started


async def timings(school: SimulatedSchool) -> list[str | None]:
    return [line["timing"] for line in report_to_json(await school.report())["pupils"]]


async def test_sheets_of_1970_are_judged_by_the_hello_that_knows_the_time(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "gateway.toml").write_text('data = "data"\n')
    text = (ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
    now_ms = round(time.time() * 1000)
    due = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now_ms / 1000 - 6 * 3600))
    assignment = msgspec.structs.replace(parse_assignment(text), due=due)
    async with open_store(load_config(tmp_path / "gateway.toml")) as store:
        school = await make_school(store, assignment, size=3)
        changed: list[Changed] = []
        gateway = GatewayLink(ingest=StoreIngest(store, on_change=changed.extend), broker=BrokerAddress(url=broker.url))
        clock = BoxClock(up_ms=40 * HOUR)
        card = OutboxFile(tmp_path / "card.sqlite")
        with card.open() as outbox:
            for document in school.pupils.documents():
                outbox.append(Lane.DOCUMENTS, encode_record(document))
            # Two in the morning before it was due, the third five hours after.
            for page, hours_ago in zip(school.pupils.results(), (30, 29, 1), strict=True):
                slid = msgspec.structs.replace(page, clock=clock.at(now_ms - hours_ago * HOUR))
                outbox.append(Lane.RESULTS, encode_record(slid), subject=slid.capture)
        link = BoxLink(
            outbox=card.open,
            broker=BrokerAddress(url=broker.url),
            school=school.school,
            box="box-1",
            key=school.box_key,
            software="test",
            clock=clock,
            hello_every_s=0.3,
            longest_pause_s=0.3,
        )

        def proven() -> bool:
            with card.open() as outbox:
                return outbox.counts()[Lane.RESULTS].receipted == 3

        async with running(gateway), running(link):
            await until(proven)
            # The hello came at once, so the boot cannot have begun later: what it says was long ago, was.
            assert await timings(school) == ["in-time", "in-time", "unknown"]
            changed.clear()
            clock.set_right()  # and no sheet comes any more
            await until(lambda: Changed(school.school, None, None) in changed)
            assert await timings(school) == ["in-time", "in-time", "late"]
