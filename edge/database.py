"""A SQLite file that loses nothing that it said it has: WAL, `synchronous=FULL`, one writer, readers beside it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from homework.errors import ClassboxError

_FAILED = {
    "opened": "{path} cannot be opened: {reason}.",
    "read": "{path} cannot be read: {reason}.",
    "written": "{path} cannot be written: {reason}.",
}
_DISK_REMEDY = "Make room on the disk, or check who may write there."


class DatabaseError(ClassboxError):
    """The file cannot be opened, read or written."""


class Database:
    """One file. Any thread may call: writes queue on one lock, and every thread reads on its own connection."""

    def __init__(
        self,
        path: Path,
        *,
        migrations: Sequence[str],
        prepare: Callable[[sqlite3.Connection], None] = lambda _: None,
        check: bool = False,
    ) -> None:
        """Open or make the file; run the `migrations` (scripts, the n-th makes version n) that it lacks.

        `prepare` is called in the same transaction; `check` looks for damage first. Raises `DatabaseError` when it
        is damaged, of a newer program, or the disk does not take it.
        """
        self._path = path
        self._lock = threading.RLock()
        self._readers = threading.local()
        self._all: list[sqlite3.Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._connect()
            if check:
                self._check()
            self._migrate(migrations, prepare)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise self._failed("opened", error) from error

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the one writing connection: all of it is durable at the end, or none."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._failed("written", error) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of the calling thread's own, that cannot write."""
        try:
            connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
            if connection is None:
                connection = self._readers.connection = self._connect()
                connection.execute("PRAGMA query_only = 1")
            yield connection
        except sqlite3.Error as error:
            raise self._failed("read", error) from error

    def shorten_log(self) -> None:
        """Carry the log over into the file and empty it, as far as nobody reads in it just now."""
        with self._lock:
            try:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise self._failed("written", error) from error

    def read(self, text: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """The rows of one query."""
        with self.reading() as connection:
            return connection.execute(text, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        with self._lock:
            self._all.append(connection)
        connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = 1"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _check(self) -> None:
        words = self._db.execute("PRAGMA quick_check").fetchone()[0]
        if words != "ok":
            raise sqlite3.DatabaseError(words)

    def _migrate(self, migrations: Sequence[str], prepare: Callable[[sqlite3.Connection], None]) -> None:
        with self.writing() as db:
            version: int = db.execute("PRAGMA user_version").fetchone()[0]
            if version > len(migrations):
                raise DatabaseError(
                    "{path} was written by a newer Classbox.", remedy="Update Classbox.", path=self._path
                )
            for number, script in enumerate(migrations[version:], start=version + 1):
                for statement in _statements(script):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
            prepare(db)

    def _failed(self, what: Literal["opened", "read", "written"], error: Exception) -> DatabaseError:
        if type(error) is sqlite3.DatabaseError:  # its subclasses are about one statement, not about the file
            return DatabaseError(
                "{path} is damaged: {reason}.",
                remedy="Keep the folder as it is for a technician, and start with another --data.",
                path=self._path,
                reason=error,
            )
        return DatabaseError(_FAILED[what], remedy=_DISK_REMEDY, path=self._path, reason=error)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script. A trigger holds statements of its own, so not every `;` ends one."""
    statement = ""
    for part in script.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
