"""The tables of single months on PostgreSQL: made ahead of time, so that ingest never waits for one.

`page_records` is partitioned by `month` (PostgreSQL's manual, 5.11). A month's table is made apart and then attached:
that locks the parent against other changes of the schema only, and `boxes`, to which rows point, for a moment. There is
no default partition, because to attach a month would mean to look through it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.clock import unix_ms

_log = logging.getLogger(__name__)
_MAKING: Final = 0x6D6F6E7468
"""The number of the lock under which gateways make months one after another."""
_AHEAD = 2
_TRIES = 5
_DAY_S = 86_400.0


def month_at(unix_ms: int) -> int:
    """The month (UTC) as a number: 202612 for December 2026."""
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return 100 * at.year + at.month


def month_after(month: int) -> int:
    """202701 for 202612."""
    return month + 1 if month % 100 < 12 else month + 89


async def is_there(connection: AsyncConnection, month: int) -> bool:
    """Whether rows of that month can be stored. SQLite has one table for all."""
    if connection.dialect.name != "postgresql":
        return True
    there = text(
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'page_records'::regclass"
        " AND inhrelid = to_regclass(:name) AND NOT inhdetachpending)"
    )
    return bool(await connection.scalar(there, {"name": table_of(month)}))


def table_of(month: int) -> str:
    """The name of a month's table."""
    return f"page_records_{month}"


def is_described(_object: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:
    """For Alembic's comparison: whether the schema says anything of what is there. Of months it does not."""
    return not (reflected and kind == "table" and (name or "").startswith(table_of(0)[:-1]))


async def make_months(engine: AsyncEngine, first: int, *, ahead: int = _AHEAD) -> None:
    """Make the table of month `first` and of those after it, where they are missing.

    Raises `DBAPIError` when it cannot be done, also later.
    """
    if engine.dialect.name != "postgresql":
        return
    months = [first]
    for _ in range(ahead):
        months.append(month_after(months[-1]))
    async with engine.connect() as connection:
        missing = [month for month in months if not await is_there(connection, month)]
    for month in missing:
        for tries in range(1, _TRIES + 1):
            try:
                await _make(engine, month)
                break
            except DBAPIError as error:
                if tries == _TRIES:
                    raise
                _log.info("the month %d cannot be made just now: %s", month, error.orig)
                await asyncio.sleep(0.2 * tries)


async def _make(engine: AsyncEngine, month: int) -> None:
    name = table_of(month)
    async with engine.begin() as connection:
        # Ingest, which changes `boxes` all the time, is not to queue up behind this: rather another try.
        await connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MAKING})
        if await is_there(connection, month):  # another gateway was quicker
            return
        for statement in statements_for(name, month):
            await connection.execute(text(statement))


def statements_for(name: str, month: int) -> tuple[str, ...]:
    """What makes a month's table."""
    like = "LIKE page_records INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
    return (
        f"CREATE TABLE {name} ({like}, CONSTRAINT is_month CHECK (month = {month}))",
        f"ALTER TABLE page_records ATTACH PARTITION {name} FOR VALUES IN ({month})",
        f"ALTER TABLE {name} DROP CONSTRAINT is_month",  # the bound says the same, and is not checked row by row
    )


async def keep_months(engine: AsyncEngine) -> None:
    """Make months ahead, once a day, until cancelled."""
    while True:
        await asyncio.sleep(_DAY_S)
        await try_to_make_months(engine, unix_ms())


async def try_to_make_months(engine: AsyncEngine, now_ms: int) -> None:
    """Make the tables of this month and of two ahead. What cannot be made now is tried again another day."""
    try:
        await make_months(engine, month_at(now_ms))
    except Exception as error:  # noqa: BLE001 - without it sheets lie less tidily, and nothing else
        _log.warning("the months ahead cannot be made: %s", error)
