"""What a school gives its boxes comes down over a real broker, into real boxes (D11)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edge.documents import Documents
from edge.ledger import Ledger
from homework.roster import Pupil, Roster, parse_roster, roster_to_csv
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.down_messages import PART_BYTES
from sync.embedded_broker import Broker, mosquitto_path
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest
from sync.simulation.documents import MemoryDownLog, MemoryShelf
from tests.broker.patience import running, until
from tests.edge.test_app import Box
from tests.gateway.test_program import Gateway, classgate, write_config

KIND = "mosquitto" if mosquitto_path() else "amqtt"
PATIENCE_S = 90


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker.start(kind=KIND) as broker:
        yield broker


class SchoolOfTwo(NamedTuple):
    """A school with two boxes, and the class of which sheets were scanned."""

    config: Path
    made: Path
    boxes: tuple[Box, Box]

    def say(self, *words: object) -> str:
        done = classgate(*map(str, words), "--config", self.config)
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture
def school(tmp_path: Path, broker: Broker, scanned_class: Path) -> Iterator[SchoolOfTwo]:
    config = write_config(tmp_path, broker.url)
    boxes = (Box(tmp_path / "box-1"), Box(tmp_path / "box-2"))
    found = SchoolOfTwo(config, scanned_class, boxes)
    found.say("school", "add", "no-1")
    for number, box in enumerate(boxes, start=1):
        code = found.say("school", "enrol", "no-1", f"box-{number}", "--broker", broker.url).strip().split()[-1]
        assert box.run("enrol", code).returncode == 0
    gateway = Gateway(config)
    yield found
    for box in boxes:
        if box.process is not None:
            box.process.kill()
            box.process.wait()
    gateway.process.terminate()
    gateway.process.wait()


def comes(what: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end_s, "it did not come"
        time.sleep(0.2)


def renamed(roster: bytes, seat: int, name: str) -> str:
    pupils = parse_roster(roster).pupils
    return roster_to_csv(
        Roster(tuple(Pupil(p.class_name, p.seat, name if p.seat == seat else p.name, p.pupil_id) for p in pupils))
    )


def documents_sent(box: Box) -> int:
    ledger = Ledger(box.data)
    try:
        return ledger.outbox_counts()[Lane.DOCUMENTS].captured
    finally:
        ledger.close()


def test_what_is_loaded_at_the_school_while_the_box_is_away_is_there_when_it_comes(school: SchoolOfTwo):
    """D11: worksheets and class list stand on its pages, and sheets that were there before grade themselves.

    Who is erased at the school then is erased on the box.
    """
    box = school.boxes[0]
    for scan in (school.made / "scans").iterdir():
        (box.scans / scan.name).write_bytes(scan.read_bytes())
    box.start()
    box.until(captured=6)
    assert box.status()["graded"] == 0
    box.stop()
    school.say("load", "no-1", school.made / "sheets")
    school.say("import-roster", school.made / "roster.csv", "--school", "no-1")
    box.start()
    assert box.until(graded=6)["pupils"] == 6
    (assignment,) = Documents(box.data).assignments()
    assert assignment.title in box.page("homework")
    comes(lambda: "up to date" in school.say("box", "list"))

    roster = school.made / "roster.csv"
    (box.data.parent / "new.csv").write_text(renamed(roster.read_bytes(), 3, "改名"), encoding="utf-8-sig")
    school.say("import-roster", box.data.parent / "new.csv", "--school", "no-1")
    comes(lambda: "改名" in box.page("classes/one?class=3-1") or "改名" in box.page("classes/list.csv"))
    assert documents_sent(box) == 0, "what came down is no news for the school"

    school.say("db", "forget", "no-1", "3-1#3", "--yes")
    comes(lambda: "改名" not in box.page("classes/list.csv"))
    comes(lambda: box.status()["pupils"] == 5)
    comes(lambda: "up to date" in school.say("box", "list"))


def test_what_one_box_was_given_the_other_has_too(school: SchoolOfTwo):
    """D11: any box takes any class."""
    box, other = school.boxes
    box.load(school.made)
    box.start()
    other.start()
    comes(lambda: other.status()["assignments"] == 1)
    comes(lambda: len(Documents(other.data).layouts()) == 1)
    assert Documents(other.data).layouts() == Documents(box.data).layouts()
    assert documents_sent(other) == 0


class Line:
    """A box's card and shelf, and a gateway in memory, for links over a real broker."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.broker = broker
        self.card, self.shelf = OutboxFile(folder / "card.sqlite"), MemoryShelf()
        self.log = MemoryDownLog(b"gateway1")

    def box(self) -> BoxLink:
        return BoxLink(
            outbox=self.card.open,
            broker=BrokerAddress(url=self.broker.url),
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="test",
            shelf=self.shelf,
            poll_s=0.1,
            longest_pause_s=0.2,
        )

    def gateway(self) -> GatewayLink:
        return GatewayLink(
            ingest=MemoryIngest(random.Random(1)),
            broker=BrokerAddress(url=self.broker.url),
            down_log=self.log,
            longest_pause_s=0.2,
        )

    def stored(self) -> int:
        with self.card.open() as outbox:
            return outbox.inbox.stored_bytes()


async def test_a_large_document_over_a_line_that_is_cut_again_and_again_comes_about_once(
    tmp_path: Path, broker: Broker
):
    """D11: counted are the bytes that the gateway gave out."""
    line = Line(tmp_path, broker)
    body = random.Random(1).randbytes(1 << 20)
    line.log.append("reference", "p.png", body)
    cuts = 0
    async with running(line.gateway()):
        while not line.shelf.taken:
            before = line.stored()
            async with running(line.box()):
                await until(lambda n=before: line.shelf.taken > 0 or line.stored() >= n + (96 << 10))
            cuts += 1
    assert line.shelf.bodies["reference", "p.png"] == body
    assert cuts > 5
    assert line.log.given <= len(body) + 64 + 5 * PART_BYTES * cuts


async def test_what_another_process_puts_into_the_log_is_told_at_once(tmp_path: Path, broker: Broker):
    """D11: nobody waits for the next hello."""
    line = Line(tmp_path, broker)
    async with running(line.gateway()), running(line.box()):
        line.log.append("setting", "report", b"1")
        await until(lambda: line.shelf.taken == 1)
        line.log.append("setting", "report", b"2")
        await until(lambda: line.shelf.taken == 2, limit_s=30)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.down_bodies import content_of
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL

class Shelf:
    def content(self, kind, key):
        file = Path(sys.argv[3]) / key
        return content_of(file.read_bytes()) if file.exists() else None
    def take(self, kind, key, body):
        (Path(sys.argv[3]) / key).write_bytes(body)
        with (Path(sys.argv[3]) / "taken").open("a") as taken:
            taken.write(key + "\\n")
        os.kill(os.getpid(), signal.SIGKILL)

link = BoxLink(outbox=OutboxFile(Path(sys.argv[1])).open, broker=BrokerAddress(url=sys.argv[2]), school=SCHOOL,
               box=BOX, key=KEY, software="test", shelf=Shelf())
asyncio.run(link.run())
"""


async def test_a_box_killed_between_a_document_in_its_place_and_the_word_that_it_is(tmp_path: Path, broker: Broker):
    """D11: it is put in its place once more, or found there; nothing is lost and nothing waits."""
    line = Line(tmp_path, broker)
    line.log.append("assignment", "g3", b"body")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    async with running(line.gateway()):
        process = subprocess.Popen(  # noqa: ASYNC220 - it only starts
            [sys.executable, "-c", KILLED, line.card.path, broker.url, shelf]
        )
        try:
            await until(lambda: process.poll() is not None)
        finally:
            process.kill()
            process.wait()
        assert (shelf / "g3").read_bytes() == b"body"
        with line.card.open() as outbox:
            assert len(outbox.inbox.waiting()) == 1
        line.shelf.put("assignment", "g3", (shelf / "g3").read_bytes())

        def nothing_waits() -> bool:
            with line.card.open() as outbox:
                return outbox.inbox.waiting() == [] and outbox.inbox.told()[1] == 1

        async with running(line.box()):
            await until(nothing_waits)
    assert line.shelf.taken <= 1
