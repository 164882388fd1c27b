"""Several gateways on one database: whose turn it is, what they tell one another, and how they share a broker."""

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import update

from benchmarks._postgresql import PostgreSQL
from benchmarks._several import Several, until
from gateway.app import _tell
from gateway.config import GatewayConfig, load_config
from gateway.ingest import Changed, StoreIngest
from gateway.keys import Vault
from gateway.simulated_school import SimulatedSchool
from gateway.store.leases import give_lease_back, take_lease
from gateway.store.news import Place
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import leases
from gateway.turn import LeasedTurn, LockedTurn
from gateway.web.changes import Changes
from sync.embedded_broker import Broker, mosquitto_path
from sync.lanes import Lane
from tests.gateway.databases import on_postgresql, store_lines

needs_mosquitto = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")
ON_BOTH = True


async def take(store: Store, holder: str, lasts_ms: int = 60_000) -> bool:
    async with store.writing() as connection:
        return await take_lease(connection, "boxes", holder, lasts_ms=lasts_ms)


async def test_a_lease_is_one_holders_until_it_ends_or_is_given_back(store: Store) -> None:
    assert await take(store, "one")
    assert await take(store, "one")
    assert not await take(store, "two")
    async with store.writing() as connection:
        await give_lease_back(connection, "boxes", "two")
    assert not await take(store, "two")
    async with store.writing() as connection:
        await give_lease_back(connection, "boxes", "one")
    asked_s = time.monotonic()
    assert await take(store, "two", lasts_ms=100)
    async with asyncio.timeout(30):
        while not await take(store, "one"):  # noqa: ASYNC110 - a lease has no events
            await asyncio.sleep(0.01)
    assert time.monotonic() - asked_s > 0.098  # the database's clock counts whole milliseconds


async def test_of_many_who_ask_at_once_one_gets_it(store: Store) -> None:
    taken = await asyncio.gather(*(take(store, f"gateway-{number}") for number in range(8)))
    assert taken.count(True) == 1


@asynccontextmanager
async def taking(turn: LeasedTurn | LockedTurn) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(turn.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def second(config: GatewayConfig, tmp_path: Path) -> AsyncIterator[Store]:
    folder = tmp_path / "second"
    (folder / "data").mkdir(parents=True)
    shutil.copy(config.data / "gateway.key", folder / "data")
    (folder / "gateway.toml").write_text('data = "data"\n' + store_lines(config.store_url))
    async with open_store(load_config(folder / "gateway.toml")) as store:
        yield store


async def test_the_turn_is_taken_over_when_it_is_given_back_and_when_its_holder_is_heard_no_more(
    store: Store, config: GatewayConfig, tmp_path: Path
) -> None:
    async with second(config, tmp_path) as other, asyncio.timeout(60):
        ours, theirs = LeasedTurn(store, lasts_s=60, renew_s=0.1), LeasedTurn(other, lasts_s=60, renew_s=0.1)
        async with taking(ours) as life:
            await ours.mine()
            async with taking(theirs):
                await asyncio.sleep(1)
                assert not theirs._mine.is_set()
                ours._store = None  # type: ignore[assignment]  # it dies of that, and gives nothing back
                await asyncio.wait([life])
                await asyncio.sleep(0.3)
                assert not theirs._mine.is_set()
                async with store.writing() as connection:  # a minute later
                    await connection.execute(update(leases).values(until_ms=leases.c.until_ms - 60_000))
                await theirs.mine()
        again = LeasedTurn(store, lasts_s=60, renew_s=0.1)
        async with taking(again):
            await again.mine()
        async with taking(theirs):
            await theirs.mine()  # given back, or it would take a minute


@on_postgresql
async def test_who_cannot_renew_its_turn_stops_listening_before_another_may_begin(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = LeasedTurn(store, lasts_s=0.5, renew_s=0.1)
    async with taking(turn), asyncio.timeout(10):
        await turn.mine()
        monkeypatch.setattr("gateway.turn.take_lease", _away)
        await turn.over()


async def _away(*_: object, **__: object) -> bool:
    raise ConnectionRefusedError


def test_the_turn_of_a_machine_is_free_in_the_moment_in_which_its_holder_dies(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\nfrom gateway.turn import LockedTurn\n"
        "async def main():\n turn = LockedTurn(pathlib.Path(sys.argv[1]))\n asyncio.create_task(turn.run())\n"
        " await turn.mine()\n print('mine', flush=True)\n await asyncio.sleep(60)\nasyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mine\n"

        async def wait() -> None:
            turn = Looking(tmp_path, look_s=0.05)
            async with taking(turn), asyncio.timeout(60):
                await asyncio.sleep(0.3)
                assert not turn._mine.is_set()
                holder.kill()
                holder.wait()
                before = len(turn.looks)
                await turn.mine()
                assert turn.looks[before:] == [True]

        asyncio.run(wait())


class Looking(LockedTurn):
    """Remembers what each of its looks found."""

    def __init__(self, folder: Path, *, look_s: float) -> None:
        super().__init__(folder, look_s=look_s)
        self.looks: list[bool] = []

    def _locked(self, file: BinaryIO) -> bool:
        self.looks.append(super()._locked(file))
        return self.looks[-1]


async def test_open_pages_hear_what_another_gateway_took_in_and_not_twice_what_their_own_did(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    heard: list[list[Place] | None] = []
    school.store.takes_in = True
    async with second(config, tmp_path) as other:
        listening = asyncio.create_task(school.store.hear_others(heard.append))
        async with asyncio.timeout(10):
            while not heard:  # noqa: ASYNC110 - a list has no events
                await asyncio.sleep(0.01)
            await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results()[:6])])
            await StoreIngest(other).take([school.box.envelope(Lane.RESULTS, school.pupils.results()[6:])])
            while len(heard) < 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        listening.cancel()
        await asyncio.wait([listening])
    assert heard == [None, [("no-1", "g3-mul-2x1", "3-1")]]


async def test_news_of_very_many_classes_are_told_by_school(school: SimulatedSchool) -> None:
    heard: list[list[Place] | None] = []
    school.store.takes_in = True
    listening = asyncio.create_task(school.store.hear_others(heard.append))
    async with asyncio.timeout(10):
        while not heard:  # noqa: ASYNC110 - a list has no events
            await asyncio.sleep(0.2)
        school.store.name, school.store.takes_in = "another", False
        async with school.store.writing() as connection:
            await school.store.tell_others(connection, [("no-1", "sums", f"class {n}") for n in range(500)])
        while len(heard) < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    listening.cancel()
    await asyncio.wait([listening])
    assert heard[1] == [("no-1", None, None)]


async def test_a_page_wakes_for_news_of_its_class_and_for_news_of_anything() -> None:
    changes = Changes()
    with changes.watching(Changed("no-1", "sums", "3-1")) as page:
        tell = _tell(changes)
        tell([("no-1", "sums", "3-2")])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await page.wait()
        for news in ([("no-1", "sums", "3-1")], [("no-1", None, None)], None):
            tell(news)
            async with asyncio.timeout(1):
                assert await page.wait()


def test_the_name_under_which_gateways_share_is_theirs_alone() -> None:
    one, other = Vault(bytes(32)), Vault(bytes(31) + b"\1")
    assert one.derived("share group") == Vault(bytes(32)).derived("share group")
    assert len({one.derived("share group"), other.derived("share group"), one.derived("something else")}) == 3
    assert len(one.derived("share group")) == 32


# --- with processes -----------------------------------------------------------------------------------------


def envelopes(site: Several, *gateways: int) -> list[int]:
    return [site.health(number)["counts"].get("envelopes", 0) for number in gateways]


def listening(site: Several, *gateways: int) -> list[int]:
    return [number for number in gateways if site.health(number)["listens"]]


@pytest.mark.long
@needs_mosquitto
def test_two_gateways_share_what_comes_and_one_that_is_killed_costs_nothing(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """D3, D4."""
    name = postgresql.database(template="ready")
    with Broker.start(kind="mosquitto") as broker, Several(tmp_path, postgresql, name, broker.url, boxes=3) as site:
        site.start_gateway(0)
        site.start_gateway(1)
        until(lambda: all(site.health(number)["shares"] for number in (0, 1)))
        site.start_boxes()
        site.show(40)
        site.rest(120)
        assert min(envelopes(site, 0, 1)) > 0
        until(lambda: len(listening(site, 0, 1)) == 1)
        (listener,) = listening(site, 0, 1)
        site.show(40)
        until(lambda: len(site.counted()) > 150)
        site.signal_gateway(listener, signal.SIGKILL)
        site.show(20)
        site.rest(300)
        until(lambda: listening(site, 1 - listener) == [1 - listener], limit_s=15)
        assert site.lost_and_double() == (0, 0)
        assert site.check().faults == ()
    postgresql.drop(name)


@pytest.mark.long
def test_on_a_broker_that_cannot_share_one_gateway_hears_all_and_another_takes_over(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """D3, D4: amqtt. The first is killed, then the second frozen and thawed while the first is back."""
    name = postgresql.database(template="ready")
    with Broker.start(kind="amqtt") as broker, Several(tmp_path, postgresql, name, broker.url, boxes=2) as site:
        site.start_gateway(0)
        until(lambda: listening(site, 0) == [0])
        site.start_gateway(1)
        site.start_boxes()
        site.show(20)
        site.rest(40)
        assert [site.health(number)["shares"] for number in (0, 1)] == [False, False]
        assert envelopes(site, 1) == [0]
        site.signal_gateway(0, signal.SIGKILL)
        site.show(20)
        until(lambda: listening(site, 1) == [1], limit_s=15)
        site.rest(80)
        site.start_gateway(0)
        site.signal_gateway(1, signal.SIGSTOP)
        site.show(20)
        until(lambda: listening(site, 0) == [0], limit_s=15)
        site.signal_gateway(1, signal.SIGCONT)
        site.show(20)
        site.rest(160)
        until(lambda: len(listening(site, 0, 1)) == 1, limit_s=15)
        assert site.lost_and_double() == (0, 0)
        assert site.check().faults == ()
    postgresql.drop(name)
