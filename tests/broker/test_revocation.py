"""A box that was stolen is locked out while it is connected, and the one in its place loses nothing (D16)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from gateway.box_keys import LASTS_S
from gateway.cli import main
from gateway.config import load_config
from gateway.ingest import StoreIngest
from gateway.store.schools import add_school, enrol_box
from gateway.store.store import Store, open_store
from gateway.store.tables.sheets import page_records
from homework.errors import ClassboxError
from sync.box_link import BoxLink
from sync.box_session import Pace
from sync.connection import Meaning, Refused
from sync.embedded_broker import mosquitto_path
from sync.gateway_link import GatewayLink
from sync.lanes import Lane
from sync.outbox_file import OutboxFile
from sync.simulation import page_record
from tests.broker.guarded import GuardedBroker
from tests.broker.patience import running, until

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")


@pytest.fixture
def broker() -> Iterator[GuardedBroker]:
    with GuardedBroker() as broker:
        (broker.data.parent / "gateway.toml").write_text('data = "data"\n')
        yield broker


@pytest.fixture
async def store(broker: GuardedBroker) -> AsyncIterator[Store]:
    async with open_store(load_config(broker.data.parent / "gateway.toml")) as store:
        yield store


class Box:
    """A box's card, the key on it and its certificate."""

    def __init__(self, broker: GuardedBroker, name: str, card: Path, key: bytes) -> None:
        self.name, self.card, self.key, self._broker = name, card, key, broker
        self.file = OutboxFile(card)
        self.certificate = broker.certificate("no-1", name)
        self.captures: set[bytes] = set()
        self.troubles: list[ClassboxError | None] = []

    def capture(self) -> None:
        capture = secrets.token_bytes(16)
        with self.file.open() as outbox:
            outbox.append(Lane.RESULTS, page_record(capture, 1), subject=capture)
        self.captures.add(capture)

    def waiting(self) -> int:
        with self.file.open() as outbox:
            return outbox.counts()[Lane.RESULTS].waiting

    def link(self) -> BoxLink:
        return BoxLink(
            outbox=self.file.open,
            broker=self._broker.address(self.certificate),
            school="no-1",
            box=self.name,
            key=self.key,
            software="test",
            pace=Pace(resend_after_ms=300, resend_at_most_ms=1000),
            linger_s=0.01,
            poll_s=0.1,
            longest_pause_s=0.5,
            on_trouble=self.troubles.append,
        )

    def is_told(self) -> bool:
        """Whether its page says that it was locked out."""
        last = self.troubles[-1] if self.troubles else None
        return isinstance(last, Refused) and last.meaning is Meaning.SHUT_OUT


async def enrolled(store: Store, broker: GuardedBroker, name: str, card: Path) -> Box:
    async with store.writing() as connection:
        key = await enrol_box(connection, store.vault, "no-1", name)
    return Box(broker, name, card, key)


async def stored(store: Store) -> set[bytes]:
    async with store.reading() as connection:
        return set((await connection.execute(select(page_records.c.capture))).scalars())


def classgate(broker: GuardedBroker, *words: str) -> str:
    toml = str(broker.data.parent / "gateway.toml")
    done = CliRunner().invoke(main, [*words, "--config", toml], env={"CLASSBOX_LANG": "en"})
    assert done.exit_code == 0, done.output
    return done.output


async def test_a_stolen_box_is_locked_out_while_it_is_connected_and_a_new_card_brings_its_sheets(
    broker: GuardedBroker, store: Store, tmp_path: Path
):
    """D16. Its neighbour goes on, and enrolled anew nothing of what it holds is lost."""
    async with store.writing() as connection:
        await add_school(connection, store.vault, "no-1")
    stolen = await enrolled(store, broker, "box-1", tmp_path / "one")
    other = await enrolled(store, broker, "box-2", tmp_path / "two")
    link, neighbour = stolen.link(), other.link()
    gateway = GatewayLink(ingest=StoreIngest(store), broker=broker.address(), longest_pause_s=0.5)
    async with running(gateway), running(neighbour):
        async with running(link):
            stolen.capture()
            await until(lambda: stolen.waiting() == 0)
            said = await asyncio.to_thread(classgate, broker, "box", "revoke", "no-1", "box-1")
            assert "The broker has been told, and refuses it." in said
            # Promised is a minute. The broker reads its files when it comes to it, and the gateway knows a key for a
            # few seconds: what is sent in them may be taken still.
            await asyncio.sleep(LASTS_S + 1)
            stolen.capture()
            other.capture()
            link.wake()
            await until(lambda: not link.connected and other.waiting() == 0)
            await until(stolen.is_told)
            # Not only on the connection that it had: the next ones are refused by its certificate alone.
            stolen.troubles.clear()
            await until(stolen.is_told)
            assert "enrol it again" in str(stolen.troubles[-1])
            assert not other.is_told()
            assert stolen.waiting() == 1
        listed = (await asyncio.to_thread(classgate, broker, "box", "list")).splitlines()
        assert ["locked out" in line for line in listed] == [True, False]
        assert len(await stored(store)) == 2
        again = await enrolled(store, broker, "box-1", tmp_path / "one")
        async with running(again.link()):
            await until(lambda: again.waiting() == 0)
    assert await stored(store) == stolen.captures | other.captures


async def test_where_the_broker_lets_everybody_in_the_key_alone_locks_it_out(
    broker: GuardedBroker, store: Store, tmp_path: Path
):
    """D16: what the gateway takes does not rest on the broker. Its memory of keys lasts seconds."""
    async with store.writing() as connection:
        await add_school(connection, store.vault, "no-1")
    stolen = await enrolled(store, broker, "box-1", tmp_path / "one")
    ingest = StoreIngest(store)
    assert await ingest.box_key("no-1", "box-1") == stolen.key
    (broker.data / "broker.json").unlink()
    said = await asyncio.to_thread(classgate, broker, "box", "revoke", "no-1", "box-1")
    assert "broker" not in said.lower()
    while await ingest.box_key("no-1", "box-1") == stolen.key:  # noqa: ASYNC110 - a memory has no events
        await asyncio.sleep(0.1)
    stolen.capture()
    link = stolen.link()
    async with running(GatewayLink(ingest=ingest, broker=broker.address())), running(link):
        await until(lambda: link.connected)
        await asyncio.sleep(1.0)  # some resendings; nothing is asserted about the time
    assert stolen.waiting() == 1
    assert await stored(store) == set()


def test_a_box_that_nobody_knows_cannot_be_locked_out(broker: GuardedBroker):
    toml = str(broker.data.parent / "gateway.toml")
    done = CliRunner().invoke(main, ["box", "revoke", "no-1", "box-9", "--config", toml], env={"CLASSBOX_LANG": "en"})
    assert (done.exit_code, "is not enrolled here" in done.stderr) == (1, True)


def test_the_plan_of_the_broker_can_be_read_again(broker: GuardedBroker):
    plan = msgspec.json.decode((broker.data / "broker.json").read_bytes())
    assert (plan["folder"], plan["port"]) == (str(broker.folder), broker.port)
    (broker.data / "broker.json").write_text("{")
    toml = str(broker.data.parent / "gateway.toml")
    for words in (["school", "add", "no-1"], ["school", "enrol", "no-1", "box-1", "--broker", "mqtt://h"]):
        CliRunner().invoke(main, [*words, "--config", toml])
    done = CliRunner().invoke(main, ["box", "revoke", "no-1", "box-1", "--config", toml], env={"CLASSBOX_LANG": "en"})
    assert (done.exit_code, "classgate broker write" in done.stderr) == (1, True)
