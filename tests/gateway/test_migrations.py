"""The schema of every older version comes up to date with all that is in it."""

import re
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks._postgresql import PostgreSQL
from gateway.config import GatewayConfig
from gateway.held import held
from gateway.store import migrations
from gateway.store.check import check
from gateway.store.engine import open_engine
from gateway.store.pages import pack_items
from gateway.store.partitions import is_described
from gateway.store.schema import metadata
from gateway.store.store import open_store
from gateway.store.tables.sheets import RowState
from homework.errors import ClassboxError
from sync.lanes import Lane
from sync.records import PackedItem
from tests.gateway.databases import POSTGRESQL, SQLITE
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
        differences = await connection.run_sync(
            lambda c: compare_metadata(MigrationContext.configure(c, opts={"include_object": is_described}), metadata)
        )
    await engine.dispose()
    postgresql.drop(name)
    assert differences == []


STEPS = ScriptDirectory(str(Path(migrations.__file__).parent))
ROLLING = [step.revision for step in STEPS.walk_revisions() if getattr(step.module, "rolling", False)]
ADDS = re.compile(
    r"\s*(CREATE (UNIQUE )?INDEX|CREATE (OR REPLACE )?(FUNCTION|TRIGGER)|CREATE TABLE"
    r"|ALTER TABLE \w+ ADD COLUMN \w+ \w+( DEFAULT '?\w+'?)?( NOT NULL)?\s*$"
    r"|(INSERT INTO|UPDATE|DELETE FROM) alembic_version|SELECT|PRAGMA)",
)
"""What a gateway that knows nothing of it can go on beside."""


@pytest.mark.parametrize("revision", ROLLING)
def test_a_step_beside_which_older_gateways_may_go_on_only_adds(tmp_path: Path, revision: str) -> None:
    """A new column may be left out by whoever does not know it. No index forbids what an older one writes."""
    before = str(STEPS.get_revision(revision).down_revision)
    make_database(tmp_path / FILE, before)
    engine = create_engine(f"sqlite:///{tmp_path / FILE}")
    old = set(inspect(engine).get_table_names())
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: said.append(statement))
    with engine.begin() as connection:
        move(connection, revision, command.upgrade)
    engine.dispose()
    assert [statement for statement in said if not ADDS.match(statement)] == []
    assert [s for s in said if "UNIQUE INDEX" in s and re.search(r" ON (\w+)", s)[1] in old] == []  # type: ignore[index]
    assert [s for s in said if "ADD COLUMN" in s and "NOT NULL" in s and "DEFAULT" not in s] == []


async def test_a_step_that_wants_to_be_alone_waits_until_the_older_gateways_are_gone(postgresql: PostgreSQL) -> None:
    alone = next(step for step in STEPS.walk_revisions() if step.revision not in ROLLING)
    name = postgresql.database(template="ready")
    patient = create_async_engine(postgresql.url(name))
    async with patient.begin() as connection:
        await connection.run_sync(move, alone.down_revision, command.downgrade)
    await patient.dispose()
    older = create_async_engine(
        postgresql.url(name), connect_args={"server_settings": {"application_name": "classgate"}}
    )
    async with older.connect() as connection:
        await connection.execute(text("SELECT 1"))
        with pytest.raises(ClassboxError, match="an older gateway that must not go on beside it is at work"):
            await open_engine(postgresql.url(name))
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == alone.down_revision
    await older.dispose()
    newer = await open_engine(postgresql.url(name))
    async with newer.connect() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == STEPS.get_current_head()
    await newer.dispose()
    postgresql.drop(name)


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


@pytest.mark.parametrize("database", [SQLITE, POSTGRESQL])
async def test_a_database_full_of_sheets_comes_up_to_date_and_back(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    """Of each class the arrivals are known afterwards, also of one that nobody knows."""
    server: PostgreSQL | None = request.getfixturevalue("postgresql") if database == POSTGRESQL else None
    name = server.database() if server is not None else ""
    url = server.url(name) if server is not None else f"sqlite+aiosqlite:///{tmp_path / FILE}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(move, "0010", command.upgrade)
        await connection.run_sync(_fill)
    for revision, step in (("head", command.upgrade), ("0010", command.downgrade), ("head", command.upgrade)):
        async with engine.begin() as connection:
            await connection.run_sync(move, revision, step)
    async with engine.connect() as connection:
        query = "SELECT class_name, first_ms, last_ms, version FROM class_rollups ORDER BY class_name"
        assert list(map(tuple, await connection.execute(text(query)))) == [("", 4, 4, 0), ("3-1", 1, 3, 0)]
        faults = (await check(connection)).faults
    await engine.dispose()
    if server is not None:
        server.drop(name)
    assert faults == ()


def _fill(connection: Connection) -> None:
    """A school of revision 0010 with four sheets: three of a class, the last of which is a twin, one of nobody's."""
    items = pack_items((PackedItem(verdict=1, score_hundredths=100, reading="1", confidence=255, doubt=0),))
    sheets = (("3-1", b"a" * 16, 1), ("3-1", b"b" * 16, 2), ("3-1", b"a" * 16, 3), (None, b"c" * 16, 4))
    connection.execute(text("INSERT INTO schools (school_id, key_sealed, added_ms) VALUES ('no-1', :key, 0)"), KEY)
    connection.execute(
        text("INSERT INTO boxes (school_id, box_id, key_sealed, added_ms) VALUES ('no-1', 'box-1', :key, 0)"), KEY
    )
    for class_name, pupil, at in sheets:
        row = {
            "epoch": bytes(8),
            "at": at,
            "digest": bytes([at]) * 16,
            "assignment": "a",
            "class": class_name,
            "pupil": pupil,
            "items": items,
            "state": int(RowState.SECOND if at == 3 else RowState.CURRENT),
        }
        connection.execute(
            text(
                "INSERT INTO page_records (school_id, box_id, epoch, seq, digest, capture, revision, assignment,"
                " class_name, pupil, sheet, page, attempt, pending, items, problems, clock, received_ms, state)"
                " VALUES ('no-1', 'box-1', :epoch, :at, :digest, :digest, 1, :assignment,"
                " :class, :pupil, 'sheet', 1, 1, 0, :items, '', :epoch, :at, :state)"
            ),
            row,
        )
    for class_name, pages in (("3-1", 2), ("", 1)):
        place = {"class": class_name, "pages": pages}
        connection.execute(text("INSERT INTO class_rollups VALUES ('no-1', 'a', :class, 1, :pages, 0, 0, 0)"), place)
        connection.execute(
            text("INSERT INTO field_rollups VALUES ('no-1', 'a', :class, 1, 'sheet', 1, 1, :pages, 0, 0, 0, 0)"), place
        )


KEY = {"key": b"\0"}
