"""Opens the outbox in a SQLite file, for whoever has no ledger's connection at hand: tools, benchmarks, tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.outbox import Outbox, create_tables


class OutboxFile:
    """The outbox in `path`, whose tables are made when missing. WAL and `synchronous=FULL`, as in the ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._transaction() as connection:
            create_tables(connection)

    @contextmanager
    def open(self) -> Iterator[Outbox]:
        """The outbox in a transaction that commits when the block ends well. From any thread; may wait for locks."""
        with self._transaction() as connection:
            yield Outbox(connection)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()  # rolls back what was not committed
