"""The gateway on a real PostgreSQL: what only a server can do to it, and two gateways at once."""

import asyncio
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from sqlalchemy import make_url, text

from benchmarks._postgresql import PostgreSQL, programs
from benchmarks._several import Several, until
from gateway.config import GatewayConfig, load_config
from gateway.held import accept, held
from gateway.ingest import StoreIngest
from gateway.simulated_class import SimulatedBox
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.dialect import lock_school
from gateway.store.down_log import append
from gateway.store.store import Store, open_store
from homework.assignment import parse_assignment
from homework.errors import BadFileError, ClassboxError
from sync.embedded_broker import Broker
from sync.errors import FutureVersion, StoreTrouble
from sync.lanes import Lane
from sync.records import PageResult
from tests.gateway.databases import on_postgresql, store_lines

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))
needs_a_server = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")


def at(url: str, folder: Path, name: str = "gateway") -> GatewayConfig:
    """A gateway with a data folder of its own."""
    home = folder / name
    home.mkdir(exist_ok=True)
    (home / "gateway.toml").write_text('data = "data"\n' + store_lines(url))
    return load_config(home / "gateway.toml")


def pages(school: SimulatedSchool, attempt: int) -> list[PageResult]:
    return [school.pupils.result(pupil, attempt=attempt) for pupil in school.pupils.roster.pupils]


def with_the_key_of(config: GatewayConfig, other: GatewayConfig) -> GatewayConfig:
    other.data.mkdir(exist_ok=True)
    shutil.copy(config.data / "gateway.key", other.data)
    return other


# --- trouble ------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(postgresql: PostgreSQL) -> Iterator[str]:
    """The address of a database whose user needs a password, and has given a wrong one."""
    rules = postgresql.data / "pg_hba.conf"
    before = rules.read_text()
    postgresql.sql("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    rules.write_text("local all guarded scram-sha-256\n" + before)
    postgresql.sql("SELECT pg_reload_conf()")
    yield postgresql.url(user="guarded").replace("guarded@", "guarded:wr0ng@")
    rules.write_text(before)
    postgresql.sql("SELECT pg_reload_conf()")
    postgresql.sql("DROP ROLE guarded")


async def opened(config: GatewayConfig) -> str:
    """What is said when a store is opened that cannot be."""
    with pytest.raises(ClassboxError) as caught:
        async with open_store(config):
            pass
    return str(caught.value)


async def test_a_server_that_is_away_refuses_or_has_no_such_database_is_told_with_what_to_do(
    postgresql: PostgreSQL, guarded: str, tmp_path: Path
) -> None:
    away = await opened(at("postgresql+asyncpg://classgate:wr0ng@127.0.0.1:1/classgate", tmp_path))
    assert "cannot be used" in away
    assert "[store] url" in away
    refused = await opened(at(guarded, tmp_path))
    assert "refuses the user or the password" in refused
    assert "pg_hba.conf" in refused
    missing = await opened(at(postgresql.url("nowhere"), tmp_path))
    assert "no such database" in missing
    assert "createdb" in missing
    assert "wr0ng" not in away + refused + missing


async def test_a_standby_is_told_from_the_server_that_takes_what_comes(postgresql: PostgreSQL, tmp_path: Path) -> None:
    name = postgresql.database(template="ready")
    postgresql.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "Let [store] url name the primary" in await opened(at(postgresql.url(name), tmp_path))
    postgresql.drop(name)


async def test_an_address_of_another_kind_of_database_is_none(tmp_path: Path) -> None:
    config = at("mysql+aiomysql://me:secret@host/database", tmp_path)
    with pytest.raises(BadFileError, match="is not a database address") as caught:
        async with open_store(config):
            pass
    assert "secret" not in str(caught.value)


@on_postgresql
@pytest.mark.usefixtures("school")
async def test_the_key_file_of_another_gateway_is_found_out_at_the_start(database: str, tmp_path: Path) -> None:
    """A second gateway whose folder lacks the key makes one that opens nothing."""
    async with open_store(at(database, tmp_path, "other")) as store:
        with pytest.raises(ClassboxError, match="does not fit"):
            await store.check_key()


@pytest.fixture
def small_disk(postgresql: PostgreSQL) -> Iterator[Path]:
    """A disk of 2 MB that the server can use."""
    place = postgresql.folder / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "classbox-small", str(place)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        place.rmdir()
        pytest.skip("no rights to mount a small disk")
    try:
        inside = place / "data"
        inside.mkdir()
        shutil.chown(inside, "postgres", "postgres")
        inside.chmod(0o700)
        yield inside
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(file: Path) -> None:
    with suppress(OSError), file.open("wb") as filler:
        while True:
            filler.write(bytes(4096))
            filler.flush()


@on_postgresql
async def test_no_receipt_goes_out_for_what_a_full_disk_does_not_take_and_all_comes_in_once_there_is_room(
    school: SimulatedSchool, postgresql: PostgreSQL, small_disk: Path, database: str
) -> None:
    """D2, D3."""
    name = make_url(database).database
    assert name is not None
    postgresql.sql(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    months = "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'page_records'::regclass"
    for month in postgresql.sql(months, database=name).split():
        postgresql.sql(f"ALTER TABLE {month} SET TABLESPACE small", database=name)
    filler = small_disk.parent / "filler"
    fill(filler)
    said: list[StoreTrouble | None] = []
    school.store.on_trouble = said.append
    envelopes = [school.box.envelope(Lane.RESULTS, pages(school, n)) for n in range(1, 9)]
    taken = 0

    async def take_all() -> None:
        nonlocal taken
        for envelope in envelopes:
            await school.ingest.take([envelope])
            taken += 1

    with pytest.raises(StoreTrouble, match="no room left"):
        await take_all()
    assert said[-1] is not None
    assert "Make room" in said[-1].remedy
    assert int(postgresql.sql("SELECT count(*) FROM page_records", database=name)) == 12 * taken
    filler.unlink()
    *_, receipt = await school.ingest.take(envelopes)
    assert (receipt.mark, receipt.held) == (12 * len(envelopes), ())
    assert said[-1] is None
    assert (await school.check()).faults == ()
    await school.store.close()
    postgresql.drop(name)
    postgresql.sql(f"CREATE DATABASE {name}")  # for the fixture to drop
    postgresql.sql("DROP TABLESPACE small")


@on_postgresql
async def test_a_server_that_acknowledges_before_it_has_written_does_not_do_so_here(
    postgresql: PostgreSQL, database: str, tmp_path: Path
) -> None:
    """D2."""
    name = make_url(database).database
    postgresql.sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with open_store(at(database, tmp_path, "other")) as other, other.writing() as connection:
        assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
    postgresql.sql(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")  # more than we ask for
    async with open_store(at(database, tmp_path, "other")) as other, other.writing() as connection:
        assert await connection.scalar(text("SHOW synchronous_commit")) == "remote_apply"


# --- two at once --------------------------------------------------------------------------------------------


async def test_two_gateways_that_start_at_once_make_one_schema_and_one_identity(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    name = postgresql.database()

    async def start(number: int) -> bytes:
        async with open_store(at(postgresql.url(name), tmp_path, f"gateway-{number}")) as store:
            return store.incarnation

    assert len(set(await asyncio.gather(*map(start, range(4))))) == 1
    postgresql.drop(name)


@asynccontextmanager
async def another(school: SimulatedSchool, config: GatewayConfig, tmp_path: Path) -> AsyncIterator[StoreIngest]:
    """A second gateway on the same database."""
    async with open_store(with_the_key_of(config, at(config.store_url, tmp_path, "second"))) as store:
        assert store.incarnation == school.store.incarnation
        yield StoreIngest(store)


@on_postgresql
async def test_two_gateways_that_take_one_lane_in_at_once_lose_none_of_its_chain(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    """D3, D4: every envelope goes to both at once, in an order of its own."""
    chance = random.Random(1)
    envelopes = [
        school.box.envelope(Lane.RESULTS, pages(school, n)[part : part + 3])
        for n in range(1, 6)
        for part in (0, 3, 6, 9)
    ]
    async with another(school, config, tmp_path) as second:

        async def send(ingest: StoreIngest) -> None:
            mine = [*envelopes, *envelopes]
            chance.shuffle(mine)
            while mine:
                batch, mine = mine[:3], mine[3:]
                await ingest.take(batch)

        await asyncio.gather(send(school.ingest), send(second), send(school.ingest), send(second))
        (receipt,) = await second.take([envelopes[-1]])
    assert (receipt.mark, receipt.beyond, receipt.held) == (60, (), ())
    result = await school.check()
    assert (result.pages, result.counted, result.faults) == (60, 60, ())


@on_postgresql
async def test_what_two_gateways_take_in_of_several_schools_at_once_never_waits_in_a_circle(
    store: Store, config: GatewayConfig, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    schools = [await make_school(store, ASSIGNMENT, school=f"no-{n}") for n in range(4)]
    async with another(schools[0], config, tmp_path) as second:
        first = schools[0].ingest

        async def send(ingest: StoreIngest, order: list[SimulatedSchool]) -> None:
            for attempt in range(1, 5):
                batch = [SimulatedBox(one.school, "box-1").envelope(Lane.RESULTS, pages(one, attempt)) for one in order]
                await ingest.take(batch)

        await asyncio.gather(send(first, schools), send(second, schools[::-1]), send(first, schools[::-1]))
    for one in schools:
        assert (await one.check()).faults == ()
    assert "deadlock" not in postgresql.log()


@on_postgresql
async def test_what_two_gateways_put_into_a_schools_log_at_once_has_places_without_gaps(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path
) -> None:
    async with open_store(with_the_key_of(config, at(config.store_url, tmp_path, "second"))) as other:

        async def put(store: Store, number: int) -> int | None:
            async with store.writing() as connection:
                await lock_school(connection, "no-1")
                return await append(connection, "no-1", "setting", f"key {number}", b"{}")

        places = await asyncio.gather(*(put((school.store, other)[number % 2], number) for number in range(10)))
    assert sorted(place or 0 for place in places) == list(range(1, 11))


@on_postgresql
async def test_a_transaction_that_had_to_give_way_is_tried_again_and_nobody_notices(
    school: SimulatedSchool, postgresql: PostgreSQL
) -> None:
    """Somebody else's statements take the same rows in the other order."""
    postgresql.sql("ALTER SYSTEM SET deadlock_timeout = '500ms'")
    postgresql.sql("SELECT pg_reload_conf()")
    results = school.pupils.results()
    async with school.store.writing() as other:
        await other.execute(text("SET LOCAL deadlock_timeout = '60s'"))  # whoever looks first gives way
        await other.execute(text("UPDATE boxes SET heard_ms = 1"))
        taking = asyncio.create_task(school.ingest.take([school.box.envelope(Lane.RESULTS, results)]))
        while not await other.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await other.execute(text("UPDATE schools SET added_ms = 1"))
    (receipt,) = await taking
    assert receipt.mark == 12
    assert "deadlock detected" in postgresql.log()


@on_postgresql
async def test_two_people_who_accept_the_same_record_at_once_take_it_in_once(
    school: SimulatedSchool, config: GatewayConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D5."""
    page = school.pupils.results()[0]
    with monkeypatch.context() as older:
        older.setattr("gateway.ingest.read_record", MagicMock(side_effect=FutureVersion("a record", 99)))
        await school.ingest.take([school.box.envelope(Lane.RESULTS, [page])])
    async with school.store.reading() as connection:
        (one,) = await held(connection)
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(open_store(with_the_key_of(config, at(config.store_url, tmp_path, name))))
            for name in ("one", "two")
        ]
        done = await asyncio.gather(*(accept(s, [one.digest.hex()]) for s in stores), return_exceptions=True)
    assert [isinstance(d, ClassboxError) for d in done].count(True) == 1
    assert (await school.report()).sheets == 1


# --- a server that dies, and one that was put back ----------------------------------------------------------


@needs_a_server
@pytest.mark.long
def test_a_server_killed_under_load_costs_no_sheet_and_none_counts_twice(tmp_path: Path) -> None:
    """D2, D3, D4, with a real gateway, broker and boxes; the server's processes die three times with SIGKILL."""
    with (
        PostgreSQL() as server,
        Broker.start() as broker,
        Several(tmp_path, server, server.database(), broker.url, boxes=2) as site,
    ):
        site.start_gateway(0)
        site.start_boxes()
        for deaths in range(1, 4):
            site.show(40)
            until(lambda deaths=deaths: len(site.counted()) > 80 * deaths - 60)
            server.kill()
            site.show(10)
            time.sleep(0.5)
            server.start()
            site.show(10)
        site.rest(2 * 3 * 60)
        assert site.lost_and_double() == (0, 0)
        assert site.check().faults == ()
        said = site.log("gateway-0")
        assert "The database cannot be used" in said
        assert "The database is there again" in said


class Places:
    """A database with a sheet in it, and what becomes of its incarnation."""

    def __init__(self, server: PostgreSQL, folder: Path) -> None:
        self.server, self.name = server, server.database()
        self.config = at(server.url(self.name), folder)

    async def incarnation(self, *, commit: bool = False) -> bytes:
        async with open_store(self.config) as store:
            if commit:
                async with store.writing():
                    pass
            return store.incarnation

    def dumped(self) -> Path:
        file = self.server.folder / "dump"
        self.server.program("pg_dump", "-h", self.server.folder, "-U", "classgate", "-Fc", "-f", file, self.name)
        return file

    def played_in(self, file: Path) -> None:
        self.server.program("pg_restore", "-h", self.server.folder, "-U", "classgate", "-d", self.name, file)


async def test_a_dump_that_is_played_in_is_another_store_wherever_it_is_played_in(
    own_server: PostgreSQL, tmp_path: Path
) -> None:
    """D6: nobody tells the gateway, and its file says nothing against it."""
    places = Places(own_server, tmp_path)
    first = await places.incarnation(commit=True)
    assert await places.incarnation() == first
    dump = places.dumped()
    # pg_restore --clean would do as well, but complains of the keys of months before it drops their tables.
    own_server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", database=places.name)
    places.played_in(dump)
    second = await places.incarnation()
    assert second != first
    assert await places.incarnation() == second
    own_server.drop(places.name)
    own_server.sql(f"CREATE DATABASE {places.name}")
    places.played_in(dump)
    third = await places.incarnation()
    assert len({first, second, third}) == 3
    assert await places.incarnation() == third


async def test_a_gateway_that_outlives_a_server_that_was_put_back_says_so_in_its_next_receipt(
    own_server: PostgreSQL, tmp_path: Path
) -> None:
    """D6: files of the stopped server are copied back while the gateway runs on."""
    places = Places(own_server, tmp_path)
    async with open_store(places.config) as store:
        school = await make_school(store, ASSIGNMENT)
        (before,) = await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results()[:6])])
        # In threads: a gateway that runs on hears at once that its lines are closed.
        await asyncio.to_thread(own_server.stop)
        shutil.copytree(own_server.data, own_server.folder / "copy")
        await asyncio.to_thread(own_server.start)
        await store.move_on()
        await asyncio.to_thread(own_server.stop)
        shutil.rmtree(own_server.data)
        (own_server.folder / "copy").rename(own_server.data)
        own_server.take_over(own_server.data)
        await asyncio.to_thread(own_server.start)
        (after,) = await school.ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results()[6:])])
        assert after.incarnation != before.incarnation
    assert await places.incarnation() == after.incarnation


@pytest.mark.long
async def test_a_standby_that_takes_over_is_another_store(own_server: PostgreSQL, tmp_path: Path) -> None:
    """D6: what was committed after the standby's last word is gone, though no file was put back."""
    places = Places(own_server, tmp_path)
    first = await places.incarnation(commit=True)
    copy = own_server.folder / "standby"
    own_server.program(
        "pg_basebackup", "-h", own_server.folder, "-U", "classgate", "-D", copy, "-X", "stream", "-c", "fast"
    )
    own_server.stop()
    shutil.rmtree(own_server.data)
    copy.rename(own_server.data)
    (own_server.data / "standby.signal").touch()
    own_server.take_over(own_server.data)
    own_server.start()
    assert "Let [store] url name the primary" in await opened(places.config)
    own_server.sql("SELECT pg_promote()")
    assert await places.incarnation() != first


def test_the_program_on_a_server_that_is_away_ends_with_one_line_and_a_remedy(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('data = "data"\n' + store_lines("postgresql://classgate@127.0.0.1:1/classgate"))
    done = subprocess.run(
        [Path(sys.executable).parent / "classgate", "db", "check", "--config", config],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "[store] url" in done.stderr
