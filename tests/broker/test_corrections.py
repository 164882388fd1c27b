"""Boxes, a real broker and a real gateway correct one answer apart: both say the same, both lists show both (D12)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from edge.correcting import Change
from edge.deeds import By
from edge.documents import Documents
from edge.downstream import shelf_of
from edge.frames import Capture
from edge.ledger import Ledger
from edge.pictures import Pictures
from edge.pipeline import GradedPage
from edge.upstream import queue_documents
from edge.web.summary import summary_of
from gateway.config import load_config
from gateway.correcting import Field, Sayer, correct
from gateway.downlink import StoreDownLog
from gateway.ingest import StoreIngest
from gateway.reports.class_report import class_report
from gateway.saying_absent import Whose, say_absent
from gateway.simulated_class import SimulatedClass, make_roster
from gateway.store.check import check
from gateway.store.rosters import bring_in
from gateway.store.schools import add_school, enrol_box, school_key
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import down_log, gateway_identity
from gateway.store.tables.sheets import absences
from homework.absences import Absence
from homework.assignment import parse_assignment
from homework.corrections import Word, field_of
from homework.results import PageStatus, VerdictKind, points
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.clock import ClockQuality, ClockReading, SystemClock
from sync.embedded_broker import Broker
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from tests.broker.patience import running, until
from tests.edge.filing import IMAGE, ink, registered

KEY = parse_assignment("""
[assignment]
id = "tiny"
title = "tiny"
[[item]]
kind = "number"
prompt = "1 + 1 ="
answer = 2
[[item]]
kind = "number"
prompt = "3 + 4 ="
answer = 7
""")
CLASSGATE = Path(sys.executable).with_name("classgate")
RIGHT, WRONG = VerdictKind.CORRECT, VerdictKind.WRONG
DIGEST = f"{1:032x}"
IN_2099 = ClockReading(monotonic_ms=1, wall_ms=4_070_000_000_000, boot=bytes(16), quality=ClockQuality.RESTORED)
CERTAINLY_IN_2099 = ClockReading(monotonic_ms=1, wall_ms=4_070_000_000_000, boot=bytes(16), quality=ClockQuality.SYNCED)


def clock(shown: float | ClockReading) -> ClockReading:
    """A clock, or one that is right and showed this so many seconds ago."""
    if isinstance(shown, ClockReading):
        return shown
    now = SystemClock().read()
    return ClockReading(
        monotonic_ms=now.monotonic_ms,
        wall_ms=now.wall_ms - round(1000 * shown),
        boot=now.boot,
        quality=ClockQuality.SYNCED,
    )


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker.start() as started:
        yield started


class Box:
    """A box without a camera: its ledger, its documents and its line to the school."""

    def __init__(self, folder: Path, name: str, pupils: SimulatedClass, keys: tuple[bytes, bytes], url: str) -> None:
        self.name, self.pupils = name, pupils
        self.documents = Documents(folder)
        self.documents.put_assignment(pupils.assignment)
        self.documents.put_layout(pupils.layout)
        self.documents.put_roster(pupils.roster)
        self.ledger = Ledger(folder, school_key=keys[1], key_of=self.documents.assignment)
        queue_documents(self.documents, self.ledger)
        self.pictures = Pictures(folder / "pictures")
        self._keys, self._url = keys, url

    def line(self) -> BoxLink:
        """The line to the school, as after a start."""
        wake = lambda: link.wake()  # noqa: E731, PLW0108 - it is made below
        takers = shelf_of(self.documents, self.ledger, self._keys[1], self.pictures, on_change=wake)
        link = BoxLink(
            outbox=self.ledger.outbox, broker=BrokerAddress(url=self._url), school="no-1", box=self.name,
            key=self._keys[0], software="test", longest_pause_s=0.5,
            shelf=takers,
        )  # fmt: skip
        return link

    def slide(self, *, only: int | None = None) -> None:
        """Every pupil's sheet, or the first so many; that of the first has the digest that the tests correct."""
        for number, pupil in enumerate(self.pupils.roster.pupils[:only], 1):
            record = self.pupils.graded(pupil)
            page = GradedPage(PageStatus.GRADED, registered(), record, record.problems, ink=ink(number))
            self.ledger.file(
                Capture(IMAGE, "test"), page, pupil=pupil.pupil_id, digest=f"{number:032x}", has_picture=True,
                clock=clock(3600.0),
            )  # fmt: skip

    def say(self, word: Word, at: ClockReading, item: str = "1") -> None:
        capture = self.ledger.capture_of(DIGEST)
        assert capture is not None
        page = self.ledger.page(capture)
        assert page is not None
        assert self.ledger.correct([Change(capture, page.revision, (item, 1), word)], by=By("teacher", at)).deed

    def verdict(self) -> VerdictKind:
        capture = self.ledger.capture_of(DIGEST)
        page = self.ledger.page(capture or 0)
        assert page is not None
        assert page.record is not None
        field = field_of(page.record, ("1", 1))
        assert field is not None
        return field.verdict.kind

    def statuses(self) -> list[str]:
        """Who has handed in, is missing, 请假 or 免做, by seat, in the class summary on the box."""
        figures = summary_of(self.ledger, self.documents, KEY.id, "3-1").report.figures
        return [pupil.status for pupil in figures.pupils]

    def score(self) -> float | None:
        summary = summary_of(self.ledger, self.documents, KEY.id, "3-1")
        pupils = summary.report.figures.pupils
        return points(next(pupil.score_hundredths for pupil in pupils if pupil.pupil == "3-1-S001"))

    def deeds(self) -> list[tuple[object, bool]]:
        """Of the sheet: where each word came from, and whether it counts."""
        found = self.ledger.deeds_on(self.ledger.capture_of(DIGEST) or 0)
        return [(deed.about.get("origin"), bool(deed.about.get("counts", 1))) for deed in found]

    def told(self) -> bool:
        return self.ledger.outbox_counts()[Lane.RESULTS].waiting == 0

    def knows(self, count: int) -> bool:
        return len(self.deeds()) == count and self.told()


@dataclass
class School:
    """A gateway on SQLite, with its folder for `classgate`."""

    folder: Path
    store: Store
    link: GatewayLink
    box: Callable[[str], Box]
    keys: dict[str, tuple[bytes, bytes]]

    async def classgate(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(CLASSGATE), *words, "--config", str(self.folder / "gateway.toml"), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        out, error = await process.communicate()
        assert process.returncode == 0, error.decode()
        return out.decode()

    async def correct(self, *words: str) -> str:
        field = ("--assignment", KEY.id, "--class", "3-1", "--seat", "1")
        return await self.classgate("correct", "no-1", "1", *field, "--by", "the head", *words)

    async def say(self, word: Word, at: ClockReading) -> None:
        async with self.store.writing() as connection:
            field = Field(KEY.id, "3-1", 1, ("1", 1))
            await correct(connection, self.store.vault, "no-1", field, word, who=Sayer("the head", 7), clock=at)

    async def statuses(self) -> list[str]:
        async with self.store.reading() as connection:
            report = await class_report(connection, self.store.vault, "no-1", "3-1", KEY.id)
        return [pupil.status for pupil in report.figures.pupils]

    async def say_absent(self, seat: int, absence: Absence | None) -> None:
        async with self.store.writing() as connection:
            key = await school_key(connection, self.store.vault, "no-1")
            whose = Whose(KEY.id, pseudonym(key, f"3-1-S{seat:03}"))
            await say_absent(
                connection,
                self.store.vault,
                "no-1",
                whose,
                absence,
                who="the head",
                clock=SystemClock().read(),
            )

    async def report(self) -> float | None:
        report = json.loads(await self.classgate("report", "3-1", "--json"))
        return next(pupil["score"] for pupil in report["pupils"] if pupil["pupil"] == "3-1-S001")

    async def corrections(self) -> list[tuple[str | None, str | None, bool]]:
        lines = (await self.classgate("corrections", "no-1", "--json")).splitlines()
        return [(one["origin"], one["who"], one["counts"]) for one in map(json.loads, lines)]

    async def faults(self) -> tuple[str, ...]:
        async with self.store.reading() as connection:
            return (await check(connection)).faults


@pytest.fixture
async def school(tmp_path: Path, broker: Broker) -> AsyncIterator[School]:
    """A school with a class of 2 and the gateway's line; its boxes are made by name."""
    (tmp_path / "gateway.toml").write_text('data = "gateway"\n')
    roster = make_roster("3-1", 2)
    async with open_store(load_config(tmp_path / "gateway.toml")) as store:
        async with store.writing() as connection:
            await add_school(connection, store.vault, "no-1")
            await bring_in(connection, store.vault, "no-1", roster)
            key = await school_key(connection, store.vault, "no-1")
            keys = {name: (await enrol_box(connection, store.vault, "no-1", name), key) for name in ("box-1", "box-2")}
        link = GatewayLink(
            ingest=StoreIngest(store), broker=BrokerAddress(url=broker.url), down_log=StoreDownLog(store)
        )
        made: list[Box] = []

        def box(name: str) -> Box:
            (tmp_path / name).mkdir()
            pupils = SimulatedClass(KEY, roster, school_key=key)
            made.append(Box(tmp_path / name, name, pupils, keys[name], broker.url))
            return made[-1]

        yield School(tmp_path, store, link, box, keys)
        for one in made:
            one.ledger.close()


async def both_agree(school: School, box: Box, verdict: VerdictKind) -> None:
    assert box.verdict() is verdict
    assert box.score() == await school.report()
    assert await school.faults() == ()


async def test_a_word_said_at_the_school_while_the_box_is_away_counts_at_once_and_on_the_box_when_it_is_back(
    school: School,
):
    box = school.box("box-1")
    box.slide()
    async with running(school.link):
        async with running(box.line()):
            await until(box.told)
        before = await school.report()
        said = await school.correct("--points", "0.5")
        assert said.strip().endswith("✗ (0.5)")
        away = await school.report()
        assert away != before
        assert box.score() == before
        async with running(box.line()):
            await until(lambda: box.knows(1))
    assert box.deeds() == [("school", True)]
    assert await school.report() == away
    await both_agree(school, box, WRONG)
    assert await school.corrections() == [(None, "the head", True)]


UNSET_AT_SCHOOL = ClockReading(monotonic_ms=1, wall_ms=1, boot=bytes(16), quality=ClockQuality.UNSET)


@pytest.mark.parametrize(
    ("at_school", "at_box", "stands"),
    [
        (3600.0, 1800.0, RIGHT),
        (1800.0, 3600.0, WRONG),
        (1800.0, IN_2099, WRONG),
        (1800.0, CERTAINLY_IN_2099, WRONG),
        (UNSET_AT_SCHOOL, 1800.0, RIGHT),
        (UNSET_AT_SCHOOL, IN_2099, RIGHT),
    ],
    ids=["box later", "school later", "box in 2099", "time server in 2099", "school without time", "nobody has a time"],
)
async def test_what_both_say_of_one_answer_apart_is_kept_on_both_sides_and_one_counts_on_both(
    school: School, at_school: float | ClockReading, at_box: float | ClockReading, stands: VerdictKind
):
    box = school.box("box-1")
    box.slide()
    async with running(school.link):
        async with running(box.line()):
            await until(box.told)
        await school.say(Word(right=False), clock(at_school))
        box.say(Word(right=True), clock(at_box))
        # A box hears only from the school that its time server's time is not believed: that is a third deed.
        deeds: list[tuple[object, bool]] = [("school", stands is WRONG), (None, True)]
        if at_box is CERTAINLY_IN_2099:
            deeds = [("box-1", False), ("school", False), (None, True)]
        async with running(box.line()):
            await until(lambda: box.knows(len(deeds)))
    assert box.deeds() == deeds
    await both_agree(school, box, stands)
    assert await school.corrections() == [(None, "the head", stands is WRONG), ("box-1", "teacher", stands is RIGHT)]


async def test_two_boxes_with_the_same_sheet_say_the_same_in_the_end(school: School):
    """A card that was copied: what is said on one of the boxes comes to the other."""
    one, other = school.box("box-1"), school.box("box-2")
    one.slide()
    other.slide()
    one.say(Word(right=True), IN_2099)
    other.say(Word(right=False), IN_2099)
    async with running(school.link):
        for box in (one, other, one):
            async with running(box.line()):
                await until(box.told)
                await until(lambda box=box: box is one or box.knows(2))  # type: ignore[misc]
        async with running(one.line()):
            await until(lambda: one.knows(2))
    assert one.verdict() is other.verdict()
    assert await school.faults() == ()
    assert [counts for _, _, counts in await school.corrections()] == [False, True]
    await both_agree(school, one, WRONG)


async def test_a_tap_at_the_box_counts_in_the_schools_report_and_one_at_the_school_at_the_seat_on_every_box(
    school: School,
):
    """请假 and 免做, both ways and back (D12)."""
    box, other = school.box("box-1"), school.box("box-2")
    box.slide(only=1)
    box.ledger.set_absence(KEY.id, "3-1-S002", Absence.EXCUSED, by=By("teacher", SystemClock().read()))
    async with running(school.link):
        assert await school.statuses() == ["missing", "missing"]
        async with running(box.line()):
            await until(box.told)  # the greeting comes first: before it a box does not know that it may say so
            await until(lambda: box.ledger.queue_absences() > 0)
            await until(box.told)
        assert await school.statuses() == ["handed-in", "excused"]
        async with running(other.line()):
            await until(lambda: other.statuses() == ["missing", "excused"])
        await school.say_absent(2, Absence.EXEMPT)
        assert await school.statuses() == ["handed-in", "exempt"]
        for one in (box, other):
            async with running(one.line()):
                await until(lambda one=one: one.statuses()[1] == "exempt")  # type: ignore[misc]
        deed = box.ledger.newest_deeds()[0]
        assert (deed.person, deed.about["origin"]) == ("the head", "school")
        assert box.ledger.undo(deed.number, by=By("teacher", SystemClock().read())) is not None
        async with running(box.line()):
            await until(box.told)
        assert (await school.statuses())[1] == box.statuses()[1] == "excused"
    assert await school.faults() == ()


async def test_what_the_school_said_of_an_absence_outlives_an_older_copy_of_its_database(school: School):
    """The boxes have it, hear that the gateway is another one, and tell it (D6, D12)."""
    box = school.box("box-1")
    box.slide(only=1)
    async with running(school.link), running(box.line()):
        await until(box.told)
        await school.say_absent(2, Absence.EXCUSED)
        await until(lambda: box.statuses()[1] == "excused")
        assert box.ledger.queue_absences() == 0
    await school.store.move_on()
    async with school.store.writing() as connection:  # a copy from before it was said
        await connection.execute(delete(absences))
        await connection.execute(delete(down_log).where(down_log.c.kind == "absence"))
        await connection.execute(update(gateway_identity).values(generation=0))
    assert await school.statuses() == ["handed-in", "missing"]
    async with running(school.link), running(box.line()):
        await until(lambda: box.ledger.queue_absences() == 1)
        await until(box.told)
        assert await school.statuses() == ["handed-in", "excused"]
        assert box.ledger.queue_absences() == 0
    assert box.statuses() == await school.statuses()
    assert await school.faults() == ()
