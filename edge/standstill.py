"""A database's main file that stands still while others go on writing, so that any program can copy it.

A reader that begins while the write-ahead log is empty reads from the main file alone, and until it has ended SQLite
carries nothing from the log into that file (https://sqlite.org/wal.html, sections 2.2 and 4.1).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.database import DatabaseError

_TRIES, _PAUSE_S = 100, 0.1


@dataclass(frozen=True)
class Moment:
    """What stands still: a connection that reads it, and the log that grows meanwhile."""

    db: sqlite3.Connection
    log: Path

    def is_newest(self) -> bool:
        """Whether nobody has written since."""
        return not self.log.exists() or self.log.stat().st_size == 0


@contextmanager
def standing_still(path: Path) -> Iterator[Moment]:
    """Until the block ends, the file at `path` is one whole moment: the one that its connection reads.

    Writers go on; what they write stays in the log meanwhile. Raises `DatabaseError` when somebody reads without
    end, or the file cannot be opened.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)) as db:
            moment = Moment(db, path.with_name(f"{path.name}-wal"))
            for _ in range(_TRIES):
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                db.execute("BEGIN")
                db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                # Empty after the reader has begun: nobody can empty a log that a reader has a part of.
                if moment.is_newest():
                    yield moment
                    db.execute("ROLLBACK")
                    return
                db.execute("ROLLBACK")
                time.sleep(_PAUSE_S)
    except sqlite3.Error as error:
        raise DatabaseError(
            "{path} cannot be copied: {reason}.", remedy="It is tried again by itself.", path=path, reason=error
        ) from error
    raise DatabaseError(
        "{path} cannot be copied: {reason}.", remedy="It is tried again by itself.", path=path, reason="busy"
    )
