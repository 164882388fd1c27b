"""A database that was put back is noticed, and the boxes send again what it lost (D6 in docs/delivery.md)."""

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.cli import main
from gateway.config import GatewayConfig, load_config
from gateway.ingest import StoreIngest
from gateway.simulated_school import BOX, SimulatedSchool, make_school
from gateway.store.schools import add_school
from gateway.store.store import Store, open_store
from gateway.store.tables.sheets import page_records
from homework.assignment import parse_assignment
from sync.box_link import BoxLink
from sync.box_session import BoxSession, Pace
from sync.broker_address import BrokerAddress
from sync.connection import Connection, connected
from sync.embedded_broker import Broker
from sync.envelope import Envelope, decode_envelope
from sync.errors import WireError
from sync.gateway_link import GatewayLink
from sync.gateway_session import GatewaySession, Message
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.records import encode_record
from sync.topics import topic

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))
DATABASE = "classgate.sqlite"
UP, STATE = topic("no-1", BOX, "up"), topic("no-1", BOX, "state")


def copy_by_hand(data: Path, to: Path) -> None:
    """As a careful person copies a database in use."""
    with contextlib.closing(sqlite3.connect(data / DATABASE)) as there, contextlib.closing(sqlite3.connect(to)) as here:
        there.backup(here)


def put_back_by_hand(copy: Path, data: Path) -> None:
    """As a person does who has read that what lies beside the old database must go."""
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(copy, data / DATABASE)


async def incarnation(config: GatewayConfig) -> bytes:
    async with open_store(config) as store:
        return store.incarnation


class Life:
    """A gateway's data folder through commits, minutes, copies, orderly stops and power cuts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = folder / "gateway.toml"
        file.write_text('data = "data"\n')
        self.config = load_config(file)
        self.now_s = 0.0
        self.schools = 0
        self.incarnations: set[bytes] = set()
        self.copies: list[tuple[float, Path]] = []
        self.known_to_be_old: set[Path] = set()
        self.open = AsyncExitStack()

    async def start(self) -> None:
        self.store = await self.open.enter_async_context(open_store(self.config, now_s=lambda: self.now_s))
        self.incarnations.add(self.store.incarnation)
        self.behind: set[Path] = set()

    async def commit(self) -> None:
        self.schools += 1
        async with self.store.writing() as connection:
            await add_school(connection, self.store.vault, f"school-{self.schools}")
        self.behind |= {copy for _, copy in self.copies}
        self.known_to_be_old |= {copy for made_s, copy in self.copies if self.now_s - made_s >= 60}

    async def minute(self) -> None:
        self.now_s += 60

    async def second(self) -> None:
        self.now_s += 1

    async def copy(self) -> None:
        copy = self.folder / f"copy-{len(self.copies)}"
        copy_by_hand(self.config.data, copy)
        self.copies.append((self.now_s, copy))

    async def stop(self) -> None:
        await self.open.aclose()
        self.known_to_be_old |= self.behind
        await self.start()

    async def power_cut(self) -> None:
        await self.end()
        await self.start()

    async def end(self) -> None:
        """What lies on the disk stays as it is in this moment."""
        frozen = self.folder / "frozen"
        shutil.copytree(self.config.data, frozen)
        await self.open.aclose()
        shutil.rmtree(self.config.data)
        frozen.rename(self.config.data)


STEPS = st.lists(st.sampled_from(["commit", "minute", "second", "copy", "stop", "power_cut"]), max_size=12)


@given(STEPS)
@example(["commit", "copy", "minute", "commit"])
@settings(max_examples=40, deadline=None)
def test_whatever_happens_an_old_copy_is_known_and_the_newest_is_not_mistaken_for_one(steps: list[str]):
    """D6: noticed when something was committed a minute after the copy, or before an orderly stop."""

    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder:
            life = Life(Path(folder))
            await life.start()
            for step in steps:
                await getattr(life, step)()
            await life.end()
            (only,) = life.incarnations
            assert await incarnation(life.config) == only
            newest = Path(folder) / "newest"
            shutil.copytree(life.config.data, newest)
            for copy in life.known_to_be_old:
                shutil.rmtree(life.config.data)
                shutil.copytree(newest, life.config.data)
                put_back_by_hand(copy, life.config.data)
                after = await incarnation(life.config)
                assert after != only
                assert await incarnation(life.config) == after

    asyncio.run(live())


async def test_a_database_that_comes_without_its_generation_counts_as_put_back(config: GatewayConfig):
    async with open_store(config) as store:
        before = store.incarnation
        await store.move_on()
    (config.data / "generation").write_text("rubbish")
    after = await incarnation(config)
    assert after != before
    assert await incarnation(config) == after


class Card:
    """A box's card with nothing but the outbox on it, and the conversation of the box that it is in."""

    def __init__(self, path: Path, school: SimulatedSchool) -> None:
        self.file = OutboxFile(path)
        self.school = school
        self.box = BoxSession(school="no-1", box=BOX, key=school.box_key, software="test")
        self.captures: set[bytes] = set()
        self.now_ms = 0.0

    def capture(self, attempt: int) -> None:
        """A page of each of the twelve pupils."""
        with self.file.open() as outbox:
            for pupil in self.school.pupils.roster.pupils:
                page = self.school.pupils.result(pupil, attempt=attempt)
                outbox.append(Lane.RESULTS, encode_record(page), subject=page.capture)
                self.captures.add(page.capture)

    def clone(self, path: Path) -> "Card":
        shutil.copy(self.file.path, path)
        return Card(path, self.school)

    def waiting(self) -> int:
        with self.file.open() as outbox:
            return outbox.counts()[Lane.RESULTS].waiting

    async def talk(self, store: Store) -> None:
        """Say hello and send, until there is nothing more to say."""
        gateway = GatewaySession(StoreIngest(store))
        messages = [Message(STATE, self._hello())]
        for _ in range(50):
            answers = await gateway.handle(messages)
            messages = []
            self.now_ms += 200_000
            for answer in answers:
                with self.file.open() as outbox:
                    received = self.box.receive(outbox, answer.payload)
                if received.say_hello:
                    messages.append(Message(STATE, self._hello()))
            with self.file.open() as outbox:
                message = self.box.next_message(outbox, self.now_ms)
            messages += [] if message is None else [Message(UP, message)]
            if not messages:
                return
        raise AssertionError("they talk for ever")

    def _hello(self) -> bytes:
        with self.file.open() as outbox:
            return self.box.hello(outbox)


async def captures_of(store: Store) -> list[bytes]:
    async with store.reading() as connection:
        return list((await connection.execute(select(page_records.c.capture))).scalars())


async def test_a_copy_put_back_by_hand_loses_nothing_though_a_clone_took_the_same_numbers(
    config: GatewayConfig, tmp_path: Path
):
    """D6, D10: the worst case. The gateway forgot, and before the box comes, its clone has filled the gap."""
    async with open_store(config) as store:
        card = Card(tmp_path / "card", await make_school(store, ASSIGNMENT))
        card.capture(attempt=1)
        await card.talk(store)
        clone = card.clone(tmp_path / "clone")
        copy_by_hand(config.data, tmp_path / "copy")
        card.capture(attempt=2)
        card.capture(attempt=3)
        await card.talk(store)
        assert (card.waiting(), len(await captures_of(store))) == (0, 36)
    put_back_by_hand(tmp_path / "copy", config.data)
    async with open_store(config) as store:
        clone.capture(attempt=4)
        await clone.talk(store)
        assert len(await captures_of(store)) == 24
        await card.talk(store)
        await clone.talk(store)
        await card.talk(store)
        assert (card.waiting(), clone.waiting()) == (0, 0)
        assert set(await captures_of(store)) == card.captures | clone.captures
        assert len(card.captures | clone.captures) == 48


@asynccontextmanager
async def running(link: BoxLink | GatewayLink) -> AsyncIterator[None]:
    task = asyncio.create_task(link.run())
    try:
        yield
    finally:
        task.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait([task])


@asynccontextmanager
async def gateway_running(config: GatewayConfig, broker: Broker) -> AsyncIterator[Store]:
    async with open_store(config) as store:
        link = GatewayLink(ingest=StoreIngest(store), broker=BrokerAddress(url=broker.url), longest_pause_s=0.5)
        async with running(link):
            yield store


@asynccontextmanager
async def overheard(broker: Broker, key: bytes) -> AsyncIterator[list[Envelope]]:
    """Every envelope that the box publishes while the block runs."""
    heard: list[Envelope] = []

    async def listen(connection: Connection) -> None:
        while True:
            for message in await connection.arrived():
                with contextlib.suppress(WireError):
                    heard.append(decode_envelope(message.payload, school="no-1", box=BOX, key=key))

    address = BrokerAddress(url=broker.url).connect_arguments()
    async with connected(address, identifier="overhearing", keepalive_s=60) as connection:
        await connection.subscribe(UP)
        task = asyncio.create_task(listen(connection))
        yield heard
        task.cancel()
        await asyncio.wait([task])


async def until_stored(store: Store, sheets: int) -> None:
    while len(await captures_of(store)) < sheets:  # noqa: ASYNC110 - a database has no events
        await asyncio.sleep(0.02)


def classgate(*words: object) -> str:
    done = CliRunner().invoke(main, [str(word) for word in words], env={"CLASSBOX_LANG": "en"})
    assert done.exit_code == 0, done.output
    return done.output


async def test_a_restored_gateway_is_sent_everything_after_the_mark_of_its_copy_over_a_real_broker(
    config: GatewayConfig, broker: Broker, tmp_path: Path
):
    """D6, with the commands."""
    toml, copy = tmp_path / "gateway.toml", tmp_path / "copy.sqlite"
    async with open_store(config) as store:
        school = await make_school(store, ASSIGNMENT)
    card = Card(tmp_path / "card", school)
    link = BoxLink(
        outbox=card.file.open,
        broker=BrokerAddress(url=broker.url),
        school="no-1",
        box=BOX,
        key=school.box_key,
        software="test",
        pace=Pace(max_records=5, resend_after_ms=400, resend_at_most_ms=1000),
        linger_s=0.01,
        poll_s=0.1,
        hello_every_s=0.5,
        longest_pause_s=0.5,
    )
    async with running(link):
        async with gateway_running(config, broker) as store:
            card.capture(attempt=1)
            await until_stored(store, 12)
            await asyncio.to_thread(classgate, "db", "backup", copy, "--config", toml)
            card.capture(attempt=2)
            await until_stored(store, 24)
            before = store.incarnation
            while card.waiting():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        said = await asyncio.to_thread(classgate, "db", "restore", copy, "--config", toml)
        assert f"lies in {config.data / DATABASE}.before-1" in said
        async with overheard(broker, school.box_key) as envelopes, gateway_running(config, broker) as store:
            assert store.incarnation != before
            assert len(await captures_of(store)) == 12
            await until_stored(store, 24)
        assert {seq for e in envelopes if e.lane is Lane.RESULTS for seq, _ in e.numbered()} == set(range(13, 25))
    async with open_store(config) as store:
        assert sorted(await captures_of(store)) == sorted(card.captures)
