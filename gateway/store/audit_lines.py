"""A line of a school's audit in the transaction of what it tells: both are there, or neither."""

from __future__ import annotations

import secrets

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.people import audit


async def write_line(
    connection: AsyncConnection,
    school: str,
    *,
    deed: str,
    at_ms: int,
    person: int = 0,
    thing: str = "",
    detail: str = "",
) -> None:
    """Write it. `person` 0: the program itself, or whoever sits at this machine. It holds no name."""
    row = {
        "school_id": school,
        "at_ms": at_ms,
        "audit_id": secrets.randbelow(2**48 - 1) + 1,
        "person_id": person,
        "deed": deed,
        "thing": thing,
        "detail": detail,
    }
    await connection.execute(insert(audit), row)
