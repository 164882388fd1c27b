"""Notices a database that was put back: by a number that only grows, and by the place where a server keeps it.

A gateway whose database was put back has forgotten what it told its boxes. The boxes believe less from it only under
a new incarnation (docs/delivery.md, D6), and nobody can be relied on to say that a file was copied back. So the
number moves on while the gateway writes, and a database that says less than the file beside it is an older one.
Several gateways on one server have a file each: none says more than the database did.

A server's database also says where it was kept when it was last looked at: system identifier, timeline, numbers of
the database and of one table. A dump that was played in, a recovery to a point in time and a standby that took over
have another place, whatever became of the files (PostgreSQL 15, chapters 26.3.5 and 70.6). It is looked at in every
transaction from which receipts come, because a gateway may outlive its server.

The file moves first. Killed between the two, the gateway takes its own database for an older one: that costs a round
of questions. The other way round, an older one could pass for the newest.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Row, String, literal, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_ignore
from gateway.store.tables.schools import gateway_identity
from sync.errors import StoreTrouble
from sync.lanes import INCARNATION_BYTES
from sync.whole_files import write_whole

FILE_NAME = "generation"
# The log's name begins with its timeline; that of the control file is older for a while after a standby took over.
_SERVERS_PLACE = literal_column(
    "(SELECT system_identifier::text FROM pg_control_system())"
    " || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
    " || '/' || (SELECT oid::text FROM pg_database WHERE datname = current_database())"
    " || '/' || 'gateway_identity'::regclass::oid::text",
    String,
)


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
        """Keep the number durably. Raises `StoreTrouble` when the disk does not take it."""
        try:
            write_whole(self._path, f"{generation}\n".encode(), mode=0o600)
        except OSError as error:
            raise _unusable(self._path, error) from error


class Identity:
    """Which store this is, for as long as a gateway runs: a server may be put back under it."""

    def __init__(self, file: GenerationFile) -> None:
        self._file = file
        self._known: int | None = None
        """The greatest generation that the file or the database is known to have had."""

    async def of(self, connection: AsyncConnection) -> bytes:
        """The incarnation: 8 bytes, made when there are none, and made anew for a database that was put back.

        Call it in a transaction that writes. Raises `StoreTrouble` when the file cannot be read or written.
        """
        if self._known is None:
            self._known = self._file.read()
        query = select(gateway_identity, _place(connection).label("here"))
        found = (await connection.execute(query)).one_or_none()
        if found is None:
            new = {"one": 1, "incarnation": secrets.token_bytes(INCARNATION_BYTES), "generation": 0}
            here = {"place": await connection.scalar(select(_place(connection)))}
            await connection.execute(add_or_ignore(connection, gateway_identity), new | here)
            found = (await connection.execute(query)).one()
        if not self._is_the_newest(connection, found):
            found = (await connection.execute(query.with_for_update())).one()  # another gateway may be quicker
            if not self._is_the_newest(connection, found):
                return await self._renew(connection, found)
        self.reached(found.generation)
        return bytes(found.incarnation)

    async def move_on(self, connection: AsyncConnection) -> int:
        """Let every copy that was made until now be older than this database, once the transaction is committed.

        Then `reached` wants the number that this returns.
        """
        await self.of(connection)  # an older one must not pass for the newest because it moves on
        moved = await connection.execute(
            update(gateway_identity)
            .values(generation=gateway_identity.c.generation + 1)
            .returning(gateway_identity.c.generation)
        )
        generation: int = moved.scalar_one()
        self._file.write(generation)
        return generation

    def reached(self, generation: int) -> None:
        """The database has that generation durably: one that says less has been put back, also under this gateway."""
        self._known = max(generation, self._known or 0)

    def _is_the_newest(self, connection: AsyncConnection, found: Row[Any]) -> bool:
        if found.place != found.here or found.generation < (self._known or 0):
            return False
        # SQLite's file is of no use without the folder in which it lay: one that has counted comes from elsewhere.
        # A server has many gateways, and each begins without a file.
        return self._known is not None or found.generation == 0 or connection.dialect.name != "sqlite"

    async def _renew(self, connection: AsyncConnection, found: Row[Any]) -> bytes:
        fresh = secrets.token_bytes(INCARNATION_BYTES)
        generation = max(found.generation, self._known or 0) + 1
        self._file.write(generation)
        await connection.execute(
            update(gateway_identity).values(incarnation=fresh, generation=generation, place=found.here)
        )
        return fresh


def _place(connection: AsyncConnection) -> ColumnElement[str]:
    return literal("") if connection.dialect.name == "sqlite" else _SERVERS_PLACE


def _unusable(path: Path, error: OSError) -> StoreTrouble:
    return StoreTrouble(
        "{path} cannot be used: {reason}.",
        remedy="Check that the disk has room and that the data folder is yours.",
        path=path,
        reason=error.strerror,
    )
