"""Who of several gateways does what only one does at a time, until when. The database's clock decides, and only it."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import insert_into
from gateway.store.tables.schools import leases


async def take_lease(connection: AsyncConnection, name: str, holder: str, *, lasts_ms: int) -> bool:
    """Take a lease that is free, or keep one that is the holder's own, from now on so long. False for another's."""
    given = {"of_name": name, "of_holder": holder, "lasts_ms": lasts_ms}
    return (await connection.execute(_take(connection.dialect.name), given)).first() is not None


@cache
def _take(dialect: str) -> Any:
    """Built once: gateways keep a lease in every transaction that makes summaries."""
    holder, now_ms = bindparam("of_holder", type_=leases.c.holder.type), _now_ms(dialect)
    until_ms = now_ms + bindparam("lasts_ms", type_=BigInteger)
    statement = insert_into(dialect, leases).values(name=bindparam("of_name"), holder=holder, until_ms=until_ms)
    return statement.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={"holder": holder, "until_ms": until_ms},
        where=or_(leases.c.holder == holder, leases.c.until_ms <= now_ms),
    ).returning(leases.c.holder)


async def is_leased(connection: AsyncConnection, name: str) -> bool:
    """Whether somebody holds a lease just now."""
    query = select(leases.c.name).where(leases.c.name == name, leases.c.until_ms > _now_ms(connection.dialect.name))
    return (await connection.execute(query)).first() is not None


async def give_lease_back(connection: AsyncConnection, name: str, holder: str) -> None:
    """Let another take it at once; nothing for who does not hold it."""
    mine = (leases.c.name == name, leases.c.holder == holder)
    await connection.execute(update(leases).where(*mine).values(until_ms=0))


async def give_leases_back(connection: AsyncConnection, prefix: str, holder: str) -> None:
    """The same of all leases whose names begin so."""
    mine = (leases.c.name.startswith(prefix, autoescape=True), leases.c.holder == holder)
    await connection.execute(update(leases).where(*mine).values(until_ms=0))


async def holder_of(connection: AsyncConnection, name: str) -> str | None:
    """Who took a lease last, whether it still lasts or not; None where nobody ever did."""
    holder: str | None = await connection.scalar(_HOLDER, {"name": name})
    return holder


_HOLDER = select(leases.c.holder).where(leases.c.name == bindparam("name"))


def _now_ms(dialect: str) -> ColumnElement[int]:
    if dialect == "sqlite":
        return literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", BigInteger)
    return literal_column("(extract(epoch FROM clock_timestamp()) * 1000)::bigint", BigInteger)
