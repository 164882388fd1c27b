"""Opens the database: settings that make a commit durable, and the schema brought up to date.

SQLite runs with WAL, `synchronous=FULL` (a commit survives power loss) and foreign keys on. Each transaction
that writes begins `IMMEDIATE`, so that two writers wait for one another instead of failing half-way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from homework.errors import BadFileError, ClassboxError

_MIGRATIONS = Path(__file__).parent / "migrations"


async def open_engine(url: str) -> AsyncEngine:
    """An engine on a database whose schema is the newest.

    Raises `BadFileError` for an address that is none, `ClassboxError` when the database cannot be opened.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadFileError(
            "[store] url “{url}” is not a database address.",
            remedy="Leave it out for SQLite, or write postgresql+asyncpg://user@host/database.",
            url=url,
        ) from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            _make_folder(Path(parsed.database).parent)
        engine = create_async_engine(parsed, connect_args={"timeout": 30})
        _make_sqlite_durable(engine.sync_engine)
    else:
        engine = create_async_engine(parsed, pool_pre_ping=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    except CommandError as error:  # it names a migration that this program does not have
        await engine.dispose()
        raise ClassboxError("The database was written by a newer Classbox.", remedy="Update this one.") from error
    except (OperationalError, DatabaseError, OSError) as error:
        await engine.dispose()
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise ClassboxError(
            "The database cannot be opened: {reason}.",
            remedy="Check that the disk has room, that the folder is yours, and [store] url in the configuration.",
            reason=reason,
        ) from error
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ClassboxError(
            "The data folder {folder} cannot be used: {reason}.",
            remedy="Choose another with data = … in gateway.toml.",
            folder=folder,
            reason=error.strerror,
        ) from error


def _make_sqlite_durable(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32768"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        # The driver's own implicit BEGIN comes too late to lock; SQLAlchemy's recipe is to emit it ourselves.
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.execute(text("BEGIN" if reading else "BEGIN IMMEDIATE"))


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
