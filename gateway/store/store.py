"""The open database: transactions that write, transactions that only read, and which store this is."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.config import GatewayConfig
from gateway.keys import Vault, open_vault
from gateway.store.engine import open_engine
from gateway.store.generation import GenerationFile, Identity
from gateway.store.month_removal import drop_empty_months
from gateway.store.news import Place, hear_others, tell_others, watch_others
from gateway.store.partitions import keep_months, make_months
from gateway.store.quick import QuickReads
from gateway.store.schools import school_ids, school_key
from gateway.store.trouble import in_trouble, trouble_of
from homework.errors import ClassboxError
from sync.errors import StoreTrouble

_log = logging.getLogger(__name__)
_GENERATION_LASTS_S = 60.0
"""A copy that is older than this, when something is committed, is known for an old one (`gateway.store.generation`)."""


def _for_reads(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for looks, which are each of one moment; SQLite's are anyway."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(reading=True)
    return engine.execution_options(reading=True, isolation_level="REPEATABLE READ")


class Store:
    """The gateway's database and the vault of its sealed columns.

    `on_trouble` is told when the database does not do what it should, and with None when it does again.
    """

    def __init__(
        self, engine: AsyncEngine, vault: Vault, file: GenerationFile, *, data: Path, now_s: Callable[[], float]
    ) -> None:
        """`open_store` makes it ready."""
        self._engine = engine
        self._reads = _for_reads(engine)
        self._identity = Identity(file)
        self._now_s = now_s
        self._moved_s: float | None = None
        self.vault = vault
        self.data = data
        """The folder of what does not lie in the database: the key file, the authority for boxes' certificates."""
        self.name = secrets.token_hex(8)
        """Of this gateway, among those on one server."""
        self.takes_in = False
        """Whether this program takes in what boxes send: of those on one SQLite file the one that makes the sums."""
        self.incarnation = b""
        self.on_trouble: Callable[[StoreTrouble | None], None] = lambda _: None

    @property
    def on_a_server(self) -> bool:
        """Whether several gateways can write at once."""
        return self._engine.dialect.name != "sqlite"

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed durably at the end, or not at all. Raises `StoreTrouble`."""
        if self._moved_s is None or self._now_s() - self._moved_s >= _GENERATION_LASTS_S:
            await self.move_on()
        async with self._watched(), self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent look that keeps no writer waiting. Raises `StoreTrouble`."""
        async with self._watched(clears=False), self._reads.connect() as connection, connection.begin():
            yield QuickReads(connection) if self.on_a_server else connection

    async def incarnation_in(self, connection: AsyncConnection) -> bytes:
        """Which store this transaction is in: what its receipts must say. It may have been put back since the start."""
        self.incarnation = await self._identity.of(connection)
        return self.incarnation

    async def identify(self) -> None:
        """Learn which store this is."""
        async with self._watched(), self._engine.begin() as connection:
            await self.incarnation_in(connection)

    async def check_key(self) -> None:
        """Raises `ClassboxError` when the key file is not the one that belongs to the database."""
        async with self.reading() as connection:
            for school in (await school_ids(connection))[:1]:
                await school_key(connection, self.vault, school)

    async def move_on(self) -> None:
        """Let every copy that was made until now be known for an old one."""
        async with self._watched(), self._engine.begin() as connection:
            generation = await self._identity.move_on(connection)
        self._identity.reached(generation)
        self._moved_s = self._now_s()

    @asynccontextmanager
    async def _watched(self, *, clears: bool = True) -> AsyncIterator[None]:
        """`clears`: what works in the block shows that the trouble is over. A full disk can be read."""
        try:
            yield
        except StoreTrouble as known:
            self.on_trouble(known)
            raise
        except Exception as error:
            if isinstance(error, ClassboxError) or not in_trouble(error):
                raise
            trouble = trouble_of(error)
            if not trouble.passing:
                self.on_trouble(trouble)
            raise trouble from error
        else:
            if clears:
                self.on_trouble(None)

    async def tell_others(self, connection: AsyncConnection, places: Collection[Place] | None) -> None:
        """With the commit, let other programs know which reports have changed; None when it may be any."""
        if self.on_a_server or not self.takes_in:  # it would be the only one to read what it says there with each batch
            await tell_others(connection, places, sender=self.name)

    async def hear_others(self, tell: Callable[[list[Place] | None], None]) -> None:
        """Tell what other programs have changed until cancelled; None when it may be anything."""
        if self.on_a_server:
            await hear_others(self._engine, tell, me=self.name)
        else:
            await watch_others(self._engine, tell, me=self.name, reads=self.takes_in)

    async def keep_months(self) -> None:
        """Make the places of the months ahead, day by day, until cancelled."""
        await keep_months(self._engine)

    async def make_month(self, month: int) -> None:
        """Make the place of one month. Raises `StoreTrouble`."""
        async with self._watched():
            await make_months(self._engine, month, ahead=0)

    async def drop_empty_months(self, months: Collection[int]) -> None:
        """Let the places of months go in which no school has anything any more. SQLite has none of their own."""
        if self.on_a_server:
            await drop_empty_months(self._engine, months)

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
    store = Store(
        await open_engine(config.store_url, connections=config.store_connections),
        vault,
        GenerationFile(config.data),
        data=config.data,
        now_s=now_s,
    )
    try:
        await store.identify()
        yield store
    finally:
        await store.close()
