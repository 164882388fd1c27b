"""The schema of every older version comes up to date with all that is in it."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks._postgresql import PostgreSQL
from gateway.config import GatewayConfig
from gateway.held import held
from gateway.store.schema import metadata
from gateway.store.store import open_store
from sync.lanes import Lane
from tests.gateway.revisions import make_database, move, take_back

FILE = "classgate.sqlite"


def test_the_migrations_make_the_schema_that_the_program_describes(tmp_path: Path) -> None:
    make_database(tmp_path / FILE, "head")
    with create_engine(f"sqlite:///{tmp_path / FILE}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_step_can_be_taken_back_and_taken_again(tmp_path: Path) -> None:
    make_database(tmp_path / FILE, "head")
    take_back(tmp_path / FILE, "0001")
    make_database(tmp_path / FILE, "head")
    with create_engine(f"sqlite:///{tmp_path / FILE}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


async def test_on_a_server_the_steps_make_the_same_schema_and_can_be_taken_back(postgresql: PostgreSQL) -> None:
    name = postgresql.database()
    engine = create_async_engine(postgresql.url(name))
    for step, revision in ((command.upgrade, "head"), (command.downgrade, "0001"), (command.upgrade, "head")):
        async with engine.begin() as connection:
            await connection.run_sync(move, revision, step)
    async with engine.connect() as connection:
        differences = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    await engine.dispose()
    postgresql.drop(name)
    assert differences == []


async def test_what_was_held_before_decisions_were_kept_waits_for_one(config: GatewayConfig) -> None:
    """D5."""
    config.data.mkdir()
    make_database(config.data / FILE, "0002")
    db = sqlite3.connect(config.data / FILE)
    db.execute("INSERT INTO schools VALUES ('no-1', x'00', 0)")
    db.execute("INSERT INTO boxes (school_id, box_id, key_sealed, added_ms) VALUES ('no-1', 'box-1', x'00', 0)")
    db.execute(
        "INSERT INTO held_records VALUES"
        " ('no-1', 'box-1', x'0102030405060708', 1, 7, zeroblob(16), x'920163', 'new', 5)"
    )
    db.commit()
    db.close()
    async with open_store(config) as store, store.reading() as connection:
        (one,) = await held(connection)
    assert (one.lane.box, one.lane.lane, one.seq, one.size, one.decision) == ("box-1", Lane.RESULTS, 7, 3, None)
