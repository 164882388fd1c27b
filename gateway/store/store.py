"""The open database: transactions that write, transactions that only read, and which store this is."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.config import GatewayConfig
from gateway.keys import Vault, open_vault
from gateway.store.dialect import add_or_ignore
from gateway.store.engine import open_engine
from gateway.store.schema import gateway_identity
from sync.lanes import INCARNATION_BYTES


class Store:
    """The gateway's database and the vault of its sealed columns."""

    def __init__(self, engine: AsyncEngine, vault: Vault, incarnation: bytes) -> None:
        self._engine = engine
        self.vault = vault
        self.incarnation = incarnation

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed durably at the end, or not at all."""
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

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()


@asynccontextmanager
async def open_store(config: GatewayConfig) -> AsyncIterator[Store]:
    """The store that a configuration names, brought up to date; made when there is none."""
    vault = open_vault(config.data)
    engine = await open_engine(config.store_url)
    store = Store(engine, vault, b"")
    try:
        async with store.writing() as connection:
            await connection.execute(
                add_or_ignore(connection, gateway_identity),
                {"one": 1, "incarnation": secrets.token_bytes(INCARNATION_BYTES)},
            )
            found = await connection.execute(select(gateway_identity.c.incarnation))
            store.incarnation = bytes(found.scalar_one())
        yield store
    finally:
        await store.close()
