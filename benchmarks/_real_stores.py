"""What the gateway of a real run stores in: SQLite on its small disk, or a PostgreSQL server that can be killed.

The school and its box are enrolled once in each process, and copied for each run.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from benchmarks._postgresql import PostgreSQL, programs
from gateway.config import GatewayConfig, load_config
from gateway.store.backup import back_up, restore
from gateway.store.schools import add_school, enrol_box
from gateway.store.store import open_store
from gateway.store.tables.sheets import RowState
from sync.simulation import BOX, SCHOOL

BESIDE = ("", "-wal", "-shm")
_DATABASE = "classgate.sqlite"
_COUNTING = f"SELECT capture FROM page_records WHERE state = {int(RowState.CURRENT)}"
_ENROLLED = "enrolled"


class RealStore(Protocol):
    """A store under a gateway's configuration. The gateway is killed before it is put back."""

    lines: str
    """For the configuration."""

    def counted(self, config: GatewayConfig) -> Counter[bytes]:
        """In how many places of a report each sheet counts."""

    def give_room_back(self, config: GatewayConfig) -> None:
        """Leave no room in files that are there already, so that a full disk is met by the next batch."""

    def back_up(self, config: GatewayConfig, copy: Path) -> None:
        """Copy it while it is written to."""

    def put_back(self, config: GatewayConfig, copy: Path, *, noticed: bool) -> None:
        """Go on with a copy. Not `noticed`: within the minute in which nobody can see it, where there is one."""


class OnDisk:
    """SQLite in the gateway's data folder."""

    lines = ""

    def counted(self, config: GatewayConfig) -> Counter[bytes]:
        with closing(sqlite3.connect(config.data / _DATABASE)) as db:
            return Counter(bytes(capture) for (capture,) in db.execute(_COUNTING))

    def give_room_back(self, config: GatewayConfig) -> None:
        with closing(sqlite3.connect(config.data / _DATABASE)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def back_up(self, config: GatewayConfig, copy: Path) -> None:
        back_up(config, copy)

    def put_back(self, config: GatewayConfig, copy: Path, *, noticed: bool) -> None:
        if noticed:
            restore(config, copy)
            return
        for name in BESIDE:
            (config.data / f"{_DATABASE}{name}").unlink(missing_ok=True)
        shutil.copy(copy, config.data / _DATABASE)


class OnServer:
    """A database of a PostgreSQL server. What is put back lies at another place: it is always noticed."""

    def __init__(self, server: PostgreSQL, database: str) -> None:
        self._server, self._database = server, database
        self.lines = f'[store]\nurl = "{server.url(database)}"\n'

    def counted(self, _config: GatewayConfig) -> Counter[bytes]:
        rows = self._server.sql(_COUNTING, database=self._database).splitlines()
        return Counter(bytes.fromhex(row.removeprefix("\\x")) for row in rows)

    def give_room_back(self, _config: GatewayConfig) -> None:
        """A server's disk is not filled up here."""

    def back_up(self, _config: GatewayConfig, copy: Path) -> None:
        dump = self._server.program("pg_dump", "-h", self._server.folder, "-U", "classgate", self._database)
        copy.write_text(dump, encoding="utf-8")

    def put_back(self, _config: GatewayConfig, copy: Path, *, noticed: bool) -> None:
        self._server.drop(self._database)
        self._server.sql(f"CREATE DATABASE {self._database}")
        script = self._server.folder / "script.sql"  # where the server's user may read
        shutil.copyfile(copy, script)
        script.chmod(0o644)
        psql = ("psql", "-h", self._server.folder, "-U", "classgate", "-d", self._database, "-qf", script)
        self._server.program(*psql)


@contextmanager
def on_disk(data: Path) -> Iterator[tuple[RealStore, bytes]]:
    """An SQLite database in a new data folder; with the box's key."""
    made, key = _enrolled_on_disk()
    shutil.copytree(Path(made.name) / "data", data)
    yield OnDisk(), key


@contextmanager
def on_server(data: Path) -> Iterator[tuple[OnServer, bytes]]:
    """A database of this process's server, and the data folder beside it; with the box's key."""
    made, key = _enrolled_on_server()
    shutil.copytree(Path(made.name) / "data", data)
    server = the_server()
    database = server.database(_ENROLLED)
    try:
        yield OnServer(server, database), key
    finally:
        if not server.answers():  # a run that ended in the middle of its death
            server.start()
        server.drop(database)


def has_server() -> bool:
    """Whether PostgreSQL is installed."""
    return programs() is not None


@cache
def the_server() -> PostgreSQL:
    """The server of this process, started when it is first asked for; see `end_server`."""
    return PostgreSQL().__enter__()


def end_server() -> None:
    """End it, if there is one."""
    if the_server.cache_info().currsize:
        the_server().__exit__(None, None, None)
        the_server.cache_clear()


@cache
def _enrolled_on_disk() -> tuple[tempfile.TemporaryDirectory[str], bytes]:
    return _enrolled("")


@cache
def _enrolled_on_server() -> tuple[tempfile.TemporaryDirectory[str], bytes]:
    the_server().sql(f"CREATE DATABASE {_ENROLLED}")
    return _enrolled(f'[store]\nurl = "{the_server().url(_ENROLLED)}"\n')


def _enrolled(lines: str) -> tuple[tempfile.TemporaryDirectory[str], bytes]:
    made = tempfile.TemporaryDirectory(prefix="classbox-faults-")
    config = Path(made.name) / "gateway.toml"
    config.write_text(f'data = "data"\n{lines}', encoding="utf-8")

    async def make() -> bytes:
        async with open_store(load_config(config)) as store, store.writing() as connection:
            await add_school(connection, store.vault, SCHOOL)
            return await enrol_box(connection, store.vault, SCHOOL, BOX)

    return made, asyncio.run(make())
