"""Months of which nothing is left go from PostgreSQL whole: detached without keeping anybody waiting, then dropped.

Killed in between, the next run finishes it. A month that may still get sheets stays.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.clock import unix_ms
from gateway.store.archived import has_rows
from gateway.store.partitions import month_at, table_of

_log = logging.getLogger(__name__)
_DETACHED = text("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(:name)")


async def drop_empty_months(engine: AsyncEngine, months: Collection[int]) -> None:
    """Drop those of these months' tables that are empty and over. What cannot be done now is done another day."""
    now = month_at(unix_ms())
    for month in sorted(months):
        if not 0 < month < now:
            continue
        try:
            async with engine.connect() as one:
                # DETACH … CONCURRENTLY is no part of a transaction (PostgreSQL's manual, ALTER TABLE).
                connection = await one.execution_options(isolation_level="AUTOCOMMIT")
                await _drop(connection, month)
        except DBAPIError as error:
            _log.warning("the place of the month %d cannot go just now: %s", month, error.orig)


async def _drop(connection: AsyncConnection, month: int) -> None:
    name = table_of(month)
    if await connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is None:
        return
    await connection.execute(text("SET lock_timeout = '10s'"))
    pending = await connection.scalar(_DETACHED, {"name": name})
    if pending is None:
        await connection.execute(text(f"DROP TABLE {name}"))  # detached before, by a run that was killed
        return
    if not pending:
        if await has_rows(connection, month):
            return
        await connection.execute(text(f"ALTER TABLE page_records DETACH PARTITION {name} CONCURRENTLY"))
    else:
        await connection.execute(text(f"ALTER TABLE page_records DETACH PARTITION {name} FINALIZE"))
    await connection.execute(text(f"DROP TABLE {name}"))
