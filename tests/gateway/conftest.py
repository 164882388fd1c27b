"""A gateway's store in a real SQLite file or on a real PostgreSQL, a class that sends to it, and a broker."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from benchmarks._postgresql import PostgreSQL, programs
from gateway.config import GatewayConfig, load_config
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.engine import open_engine
from gateway.store.store import Store, open_store
from homework.assignment import parse_assignment
from sync.embedded_broker import Broker
from tests.gateway.databases import POSTGRESQL, SQLITE, store_lines
from tests.gateway.joins import strangers

ROOT = Path(__file__).resolve().parents[2]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = any("database" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "database" in metafunc.fixturenames and getattr(metafunc.module, "ON_BOTH", False) and not chosen:
        metafunc.parametrize("database", [SQLITE, POSTGRESQL], indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server with an empty database `ready`, whose schema is the newest."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgreSQL() as server:
        server.sql("CREATE DATABASE ready")
        with ThreadPoolExecutor(1) as apart:  # a test that asks for the server by name has a loop already
            apart.submit(lambda: asyncio.run(_bring_up_to_date(server.url("ready")))).result()
        yield server


async def _bring_up_to_date(url: str) -> None:
    await (await open_engine(url)).dispose()


@pytest.fixture
def own_server() -> Iterator[PostgreSQL]:
    """One that may be killed and copied."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def joined() -> Iterator[list[str]]:
    """The statements that join tables by something else than the school; see `tests.gateway.joins`."""
    found: list[str] = []

    def look(_connection: object, statement: object, *_: object) -> None:
        if strangers(statement):
            found.append(str(statement))

    event.listen(Engine, "before_execute", look)
    yield found
    event.remove(Engine, "before_execute", look)


@pytest.fixture(autouse=True)
def _every_join_carries_the_school(joined: list[str]) -> Iterator[None]:
    yield
    told = [*joined]
    joined.clear()
    assert told == []


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The `[store] url` of an empty database, None for SQLite in the data folder. See `tests.gateway.databases`."""
    if getattr(request, "param", SQLITE) == SQLITE:
        yield None
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.database(template="ready")
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def config(tmp_path: Path, database: str | None) -> GatewayConfig:
    file = tmp_path / "gateway.toml"
    file.write_text('data = "data"\n[web]\nlisten = "127.0.0.1:0"\n' + store_lines(database))
    return load_config(file)


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database whose schema is the newest: to bring one there costs more than most tests."""
    file = tmp_path_factory.mktemp("ready") / "classgate.sqlite"
    asyncio.run(_bring_up_to_date(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture
async def store(config: GatewayConfig, database: str | None, ready_file: Path) -> AsyncIterator[Store]:
    if database is None and not config.data.exists():
        config.data.mkdir(mode=0o700)
        shutil.copy(ready_file, config.data)
    async with open_store(config) as opened:
        yield opened


@pytest.fixture
async def school(store: Store) -> SimulatedSchool:
    """A school with a class of 12, their roster brought in, and one box."""
    text = (ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
    return await make_school(store, parse_assignment(text))


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker.start() as started:
        yield started
