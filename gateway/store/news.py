"""Tells the other programs on one database which reports have changed: pages are open at any of them, and one of them
makes the summaries.

On a server by LISTEN and NOTIFY. On one SQLite file the program that takes in reads rows of a small table, in which
`classgate correct` and the like, and a process that only shows pages, say what they did. It says nothing there itself,
which would cost a tenth of a small batch: a process that only shows pages looks whether the file has changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any

import msgspec
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store.tables.schools import told

_log = logging.getLogger(__name__)
_CHANNEL = "classbox_changed"
_LONGEST_BYTES = 7_000
"""PostgreSQL takes 8,000 (NOTIFY)."""
_FILE_S = 0.3
"""How often an SQLite file is looked at."""
_LOOK_S = 5.0
"""How often a line that says nothing is looked at."""
_KEPT = 1_000
"""Rows of an SQLite file. Who has not looked for so long has missed some, and looks at everything."""
_TIDIED_EVERY = 100

Place = tuple[str, str | None, str | None]
"""School, assignment, class; None for all."""
_Said = tuple[str, list[Place] | None]
"""Who says it, and what has changed; None when it may be anything."""


async def tell_others(connection: AsyncConnection, places: Collection[Place] | None, *, sender: str) -> None:
    """With the commit of this transaction, tell every program that listens; None: it may be anything."""
    if places is not None and not places:
        return
    body = msgspec.json.encode((sender, None if places is None else sorted(places, key=str)))
    if len(body) > _LONGEST_BYTES:
        body = msgspec.json.encode(
            (sender, [(school, None, None) for school in sorted({s for s, _, _ in places or ()})])
        )
    if len(body) > _LONGEST_BYTES:
        body = msgspec.json.encode((sender, None))
    if connection.dialect.name == "postgresql":
        await connection.execute(
            text("SELECT pg_notify(:channel, :body)"), {"channel": _CHANNEL, "body": body.decode()}
        )
        return
    added = await connection.execute(text("INSERT INTO told (body) VALUES (:body)"), {"body": body.decode()})
    number = added.lastrowid
    if number % _TIDIED_EVERY == 0:
        await connection.execute(delete(told).where(told.c.number <= number - _KEPT))


async def hear_others(engine: AsyncEngine, tell: Callable[[list[Place] | None], None], *, me: str) -> None:
    """Tell what other gateways have changed, until cancelled; None when it may be anything.

    On a line of its own. What was said while there was none was missed, so a new one begins with None.
    """

    def heard(_connection: object, _pid: int, _channel: str, said: str) -> None:
        sender, places = msgspec.json.decode(said, type=_Said)
        if sender != me:
            tell(places)

    while True:
        try:
            async with engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                await driver.add_listener(_CHANNEL, heard)
                try:
                    tell(None)
                    while True:
                        await asyncio.sleep(_LOOK_S)
                        await driver.execute("SELECT 1")
                finally:
                    await connection.invalidate()  # nobody else shall have a connection that listens
        except Exception as error:  # noqa: BLE001 - whatever it is, pages are shown, and it is tried again
            _log.info("what other gateways change is not heard for now: %s", error)
        await asyncio.sleep(1)


async def watch_others(
    engine: AsyncEngine, tell: Callable[[list[Place] | None], None], *, me: str, reads: bool
) -> None:
    """The same on an SQLite file. `reads`: what others say there; else anything may have changed whenever it moves.

    On a connection of its own: `data_version` says what has happened since *it* looked last (sqlite.org/pragma.html).
    """
    while True:
        try:
            async with engine.connect() as connection:
                await connection.execution_options(reading=True)
                version: int | None = None
                seen: int | None = None
                while True:
                    now = (await connection.execute(text("PRAGMA data_version"))).scalar_one()
                    if now != version:
                        version = now
                        if reads:
                            seen = await _hear_rows(connection, seen, tell, me=me)
                        else:
                            tell(None)
                    await connection.rollback()
                    await asyncio.sleep(_FILE_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, pages are shown, and it is tried again
            _log.info("what changes in the database is not seen for now: %s", error)
        await asyncio.sleep(1)


async def _hear_rows(
    connection: AsyncConnection, seen: int | None, tell: Callable[[list[Place] | None], None], *, me: str
) -> int:
    """Tell what the rows after the one of that number say; the number of the newest."""
    newest: int = await connection.scalar(select(func.max(told.c.number))) or 0
    if seen is None or not seen <= newest <= seen + _KEPT - _TIDIED_EVERY:  # rows are gone that nobody has read here
        tell(None)
        return newest
    query = select(told.c.body).where(told.c.number > seen).order_by(told.c.number)
    for body in (await connection.execute(query)).scalars():
        sender, places = msgspec.json.decode(body, type=_Said)
        if sender != me:
            tell(places)
    return newest
