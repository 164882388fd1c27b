"""Notices a database that was put back: a number that only grows, in the database and in a file beside it.

A gateway whose database was put back has forgotten what it told its boxes. The boxes believe less from it only under
a new incarnation (docs/delivery.md, D6), and nobody can be relied on to say that a file was copied back. So the
number moves on while the gateway writes, and a database that says less than the file is an older one.

The file moves first. Killed between the two, the gateway takes its own database for an older one: that costs a round
of questions. The other way round, an older one could pass for the newest.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_ignore
from gateway.store.schema import gateway_identity
from homework.errors import ClassboxError
from sync.lanes import INCARNATION_BYTES
from sync.whole_files import write_whole

FILE_NAME = "generation"


class GenerationFile:
    """The file `generation` of a data folder: one number."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def read(self) -> int | None:
        """The number; None where there is no file, or none that can be read: then nobody knows, as if it were lost."""
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise _unusable(self._path, error) from error

    def write(self, generation: int) -> None:
        """Keep the number durably. Raises `ClassboxError` when the disk does not take it."""
        try:
            write_whole(self._path, f"{generation}\n".encode(), mode=0o600)
        except OSError as error:
            raise _unusable(self._path, error) from error


async def incarnation_of(connection: AsyncConnection, file: GenerationFile) -> bytes:
    """Which store this is: 8 bytes, made when there are none, and made anew for a database that was put back.

    Call it in a transaction that writes. Raises `ClassboxError` when the file cannot be read or written.
    """
    new = {"one": 1, "incarnation": secrets.token_bytes(INCARNATION_BYTES), "generation": 0}
    await connection.execute(add_or_ignore(connection, gateway_identity), new)
    found = (await connection.execute(select(gateway_identity).with_for_update())).one()
    written = file.read()
    # Without a file a database that has counted comes from elsewhere; one that never counted has just been made.
    if found.generation >= (written or 0) and (written is not None or found.generation == 0):
        return bytes(found.incarnation)
    fresh = secrets.token_bytes(INCARNATION_BYTES)
    generation = max(found.generation, written or 0) + 1
    file.write(generation)
    await connection.execute(update(gateway_identity).values(incarnation=fresh, generation=generation))
    return fresh


async def move_on(connection: AsyncConnection, file: GenerationFile) -> None:
    """Let every copy that was made until now be older than this database, once the transaction is committed."""
    moved = await connection.execute(
        update(gateway_identity)
        .values(generation=gateway_identity.c.generation + 1)
        .returning(gateway_identity.c.generation)
    )
    file.write(moved.scalar_one())


def _unusable(path: Path, error: OSError) -> ClassboxError:
    return ClassboxError(
        "{path} cannot be used: {reason}.",
        remedy="Check that the disk has room and that the data folder is yours.",
        path=path,
        reason=error.strerror,
    )
