"""Opens the database: settings that make a commit durable, and the schema brought up to date.

SQLite runs with WAL, `synchronous=FULL` (a commit survives power loss) and foreign keys on. Each transaction
that writes begins `IMMEDIATE`, so that two writers wait for one another instead of failing half-way. PostgreSQL runs
READ COMMITTED: writers of a school take turns (`lock_school`), and what is read under its lock is the latest.
"""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.clock import unix_ms
from gateway.store.asking import FROM_HEX
from gateway.store.partitions import try_to_make_months
from gateway.store.trouble import in_trouble, trouble_of
from homework.errors import BadFileError, ClassboxError

_log = logging.getLogger(__name__)
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING: Final = 0x636C617373626F78
"""The number of the lock under which gateways that start together bring the schema up to date one after another."""
_CONNECT_S = 10.0
_PATIENCE_S = 60.0
"""How long a server may take for a statement, and a transaction may wait for a connection, before it counts as away."""
_ASKED_AFTER_S = 0.25
"""A line to the server that lay for so long is asked whether it is still there: less than a server takes to restart."""
_NAME: Final = "classgate"
_SETTINGS: Final = {
    # Whoever was frozen, or cut off, in the middle of a transaction must not hold a school's lock for ever.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
    "jit": "off",  # statements are short
}


async def open_engine(url: str, *, connections: int = 10) -> AsyncEngine:
    """An engine on a database whose schema is the newest. A server is given at most so many `connections`.

    Raises `BadFileError` for an address that is none, `ClassboxError` when the database cannot be opened.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _no_address(url) from error
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database:
                _make_folder(Path(parsed.database).parent)
            engine = create_async_engine(parsed, connect_args={"timeout": 30})
            _make_sqlite_durable(engine.sync_engine)
            await _bring_up_to_date(engine)
        case "postgresql":
            parsed = parsed.set(drivername="postgresql+asyncpg")
            # A migration may take its time. Under a name of its own: gateways that start together are none at work.
            patient = _server(parsed, connections=1, patience_s=None, name=f"{_NAME} starts")
            await _bring_up_to_date(patient)
            await patient.dispose()
            engine = _server(parsed, connections=connections, patience_s=_PATIENCE_S)
            await try_to_make_months(engine, unix_ms())
        case _:
            raise _no_address(url)
    return engine


def _no_address(url: str) -> BadFileError:
    return BadFileError(
        "[store] url “{url}” is not a database address.",
        remedy="Leave it out for SQLite, or write postgresql+asyncpg://user@host/database.",
        url=url.rpartition("@")[2],  # a password is not for the screen
    )


def _server(url: URL, *, connections: int, patience_s: float | None, name: str = _NAME) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,  # the line that was used last is surely there
        pool_timeout=_PATIENCE_S,
        connect_args={
            "timeout": _CONNECT_S,
            "command_timeout": patience_s,
            "server_settings": _SETTINGS | {"application_name": name},
        },
    )

    _look_at_lines(engine.sync_engine)

    @event.listens_for(engine.sync_engine, "connect")
    def _durable(connection: Any, _: Any) -> None:
        # A receipt must not go out before what it proves is on the disk (D2), whatever the server does for others.
        cursor = connection.cursor()
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.close()
        connection.commit()

    return engine


def _look_at_lines(engine: Engine) -> None:
    """Let nobody have a line that is dead: one that the driver knows to be closed, or that lay for a while and says
    nothing when it is asked. To ask each time, as SQLAlchemy would, is three of the five round trips of a small page.
    """

    @event.listens_for(engine, "checkin")
    def _back(_connection: Any, record: Any) -> None:
        record.info["back_s"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _out(connection: Any, record: Any, _lent: Any) -> None:
        back_s = record.info.get("back_s")
        if back_s is None:  # made just now
            return
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - back_s >= _ASKED_AFTER_S:
            try:
                connection.ping()
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error


async def _bring_up_to_date(engine: AsyncEngine) -> None:
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await _look_at_server(connection)
                if await connection.run_sync(_has_steps_that_want_to_be_alone):
                    await _refuse_beside_others(connection)
            await connection.run_sync(_migrate)
    except CommandError as error:  # it names a migration that this program does not have
        await engine.dispose()
        raise ClassboxError("The database was written by a newer Classbox.", remedy="Update this one.") from error
    except Exception as error:
        await engine.dispose()
        if isinstance(error, ClassboxError) or not (isinstance(error, DatabaseError) or in_trouble(error)):
            raise
        raise trouble_of(error) from error


async def _look_at_server(connection: AsyncConnection) -> None:
    """Wait for another gateway that starts in the same moment, and say when the server forgets what it promised."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
    if await connection.scalar(text("SELECT current_setting('fsync') = 'off'")):
        _log.warning("PostgreSQL runs with fsync = off: what it says it has stored does not survive a power cut")


def _has_steps_that_want_to_be_alone(connection: Connection) -> bool:
    """Whether a database with something in it lacks a step beside which an older gateway must not work.

    Those beside which it may say `rolling = True` (docs/operations.md).
    """
    there = MigrationContext.configure(connection).get_current_heads()
    if not there:
        return False
    steps = ScriptDirectory.from_config(_alembic(connection)).iterate_revisions("head", there)
    return any(not getattr(step.module, "rolling", False) for step in steps)


async def _refuse_beside_others(connection: AsyncConnection) -> None:
    at_work = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name"
    if await connection.scalar(text(at_work), {"name": _NAME}):
        raise ClassboxError(
            "This version changes the database, and an older gateway that must not go on beside it is at work.",
            remedy="Stop every `classgate run` on this database, then start this one. Nothing was changed, and boxes "
            "keep what they have.",
        )


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
        connection.create_function(FROM_HEX, 1, bytes.fromhex, deterministic=True)
        # The driver's own implicit BEGIN comes too late to lock; SQLAlchemy's recipe is to emit it ourselves.
        connection.isolation_level = None

    @event.listens_for(engine, "invalidate")
    def _roll_back(connection: Any, _record: Any, _error: Any) -> None:
        """Give the lock back that somebody has who was cut off.

        SQLite closes a connection only once its last statement is gone, which an error that is still looked at keeps:
        until then nobody could write. The driver's thread takes this in its turn, before the close.
        """
        rolling_back = connection.driver_connection.rollback()
        with contextlib.suppress(ValueError):  # it is closed already
            rolling_back.send(None)  # hands it to the thread; nobody waits for the answer
        rolling_back.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.execute(text("BEGIN" if reading else "BEGIN IMMEDIATE"))


def _migrate(connection: Connection) -> None:
    command.upgrade(_alembic(connection), "head")


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config
