"""Records that can be read but that the store refuses, every time: they must not keep back what follows them."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.arrivals import Arrived
from gateway.intake import take_in
from gateway.store.trouble import in_trouble

REFUSED = "the store refused it"
"""Why such a record is held."""


async def refuses(connection: AsyncConnection, school: str, one: Arrived) -> bool:
    """Whether the store refuses this record alone; nothing of the attempt stays.

    The caller holds the school's lock. Raises what the store raises when it is in trouble.
    """
    savepoint = await connection.begin_nested()
    try:
        await take_in(connection, school, [one])
    except Exception as error:
        if in_trouble(error):
            raise
        return True
    finally:
        await savepoint.rollback()
    return False
