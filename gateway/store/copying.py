"""Many rows at once into PostgreSQL: COPY, for which SQLAlchemy has no word (its issue 11710)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from asyncpg.exceptions import InterfaceError, PostgresError
from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection


def can_copy(connection: AsyncConnection) -> bool:
    """Whether the database takes rows so."""
    return connection.dialect.name == "postgresql"


async def copy_rows(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Collection[tuple[Any, ...]]
) -> None:
    """Add rows in the transaction of `connection`. Raises `DBAPIError` as an INSERT would."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy begins with its first statement. Before it the rows would be there for good at once, also where
        # what belongs to them fails (D1).
        raise RuntimeError("rows are copied before the transaction has begun")
    try:
        await driver.copy_records_to_table(table.name, records=rows, columns=columns)
    except (PostgresError, InterfaceError) as error:  # what SQLAlchemy would have made of them
        raise DBAPIError(f"COPY {table.name}", None, error) from error
