"""The open database: transactions that write, transactions that only read, and which store this is."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.config import GatewayConfig
from gateway.keys import Vault, open_vault
from gateway.store.engine import open_engine
from gateway.store.generation import GenerationFile, incarnation_of, move_on
from homework.errors import ClassboxError

_log = logging.getLogger(__name__)
_GENERATION_LASTS_S = 60.0
"""A copy that is older than this, when something is committed, is known for an old one (`gateway.store.generation`)."""


class Store:
    """The gateway's database and the vault of its sealed columns."""

    def __init__(self, engine: AsyncEngine, vault: Vault, file: GenerationFile, *, now_s: Callable[[], float]) -> None:
        """`open_store` makes it ready."""
        self._engine = engine
        self._file = file
        self._now_s = now_s
        self._moved_s: float | None = None
        self.vault = vault
        self.incarnation = b""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed durably at the end, or not at all."""
        if self._moved_s is None or self._now_s() - self._moved_s >= _GENERATION_LASTS_S:
            await self.move_on()
        async with self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent look that keeps no writer waiting."""
        async with self._engine.connect() as connection:
            await connection.execution_options(reading=True)
            if connection.dialect.name == "postgresql":  # SQLite's reads are snapshots anyway
                await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield connection

    async def identify(self) -> None:
        """Learn which store this is, or that it has become another one by being put back."""
        async with self._engine.begin() as connection:
            self.incarnation = await incarnation_of(connection, self._file)

    async def move_on(self) -> None:
        """Let every copy that was made until now be known for an old one."""
        async with self._engine.begin() as connection:
            await move_on(connection, self._file)
        self._moved_s = self._now_s()

    async def close(self) -> None:
        """Let go of the database."""
        try:
            if self._moved_s is not None:  # something was written, perhaps within the last minute
                await self.move_on()
        except (ClassboxError, SQLAlchemyError) as error:  # all is committed; only a copy of this minute looks new
            _log.warning("the database's generation could not be moved on: %s", error)
        finally:
            await self._engine.dispose()


@asynccontextmanager
async def open_store(config: GatewayConfig, *, now_s: Callable[[], float] = time.monotonic) -> AsyncIterator[Store]:
    """The store that a configuration names, brought up to date; made when there is none.

    `now_s` is any clock that goes forward, in seconds. Raises `ClassboxError` when the data folder or the database
    cannot be used.
    """
    vault = open_vault(config.data)
    store = Store(await open_engine(config.store_url), vault, GenerationFile(config.data), now_s=now_s)
    try:
        await store.identify()
        yield store
    finally:
        await store.close()
