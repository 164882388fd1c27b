"""Tells the other gateways on one server which reports have changed: LISTEN and NOTIFY. Pages are open at any of them.

SQLite has one gateway that takes in, and it knows by itself; a process that only shows pages looks whether the file has
changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_log = logging.getLogger(__name__)
_CHANNEL = "classbox_changed"
_LONGEST_BYTES = 7_000
"""PostgreSQL takes 8,000 (NOTIFY)."""
_FILE_S = 0.3
"""How often an SQLite file is looked at by a process that only shows pages."""
_LOOK_S = 5.0
"""How often a line that says nothing is looked at."""

Place = tuple[str, str | None, str | None]
"""School, assignment, class; None for all."""


async def tell_others(connection: AsyncConnection, places: Collection[Place], *, sender: str) -> None:
    """With the commit of this transaction, tell every gateway that listens."""
    if connection.dialect.name != "postgresql" or not places:
        return
    told = msgspec.json.encode((sender, sorted(places, key=str)))
    if len(told) > _LONGEST_BYTES:
        told = msgspec.json.encode((sender, [(school, None, None) for school in sorted({s for s, _, _ in places})]))
    if len(told) > _LONGEST_BYTES:
        told = msgspec.json.encode((sender, None))
    await connection.execute(text("SELECT pg_notify(:channel, :told)"), {"channel": _CHANNEL, "told": told.decode()})


async def hear_others(engine: AsyncEngine, tell: Callable[[list[Place] | None], None], *, me: str) -> None:
    """Tell what other gateways have changed, until cancelled; None when it may be anything.

    On a line of its own. What was said while there was none was missed, so a new one begins with None.
    """

    def heard(_connection: object, _pid: int, _channel: str, said: str) -> None:
        sender, places = msgspec.json.decode(said, type=tuple[str, list[Place] | None])
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


async def watch_others(engine: AsyncEngine, tell: Callable[[list[Place] | None], None]) -> None:
    """Tell that anything may have changed whenever another connection has written to the SQLite file.

    On a connection of its own: `data_version` says what has happened since *it* looked last (sqlite.org/pragma.html).
    """
    while True:
        try:
            async with engine.connect() as connection:
                seen: int | None = None
                while True:
                    await connection.execution_options(reading=True)
                    version = (await connection.execute(text("PRAGMA data_version"))).scalar_one()
                    await connection.rollback()
                    if version != seen:
                        seen = version
                        tell(None)
                    await asyncio.sleep(_FILE_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, pages are shown, and it is tried again
            _log.info("what changes in the database is not seen for now: %s", error)
        await asyncio.sleep(1)
