"""Records that can be read but that the store refuses, every time: they must not keep back what follows them."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.intake import Arrived, take_in
from homework.errors import ClassboxError

REFUSED = "the store refused it"
"""Why such a record is held."""


def in_trouble(error: Exception) -> bool:
    """Whether the store itself is in trouble (disk, lock, connection, data folder), whatever it was given."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OSError | OperationalError | InterfaceError | PoolTimeoutError | ClassboxError)


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
