"""What a ledger must know that was restored from a copy: its other life, after the copy was made, is not known here."""

from __future__ import annotations

from typing import Final

import msgspec

from edge.database import Database
from sync.clock import ClockReading
from sync.outbox import Outbox

RESTORED_TABLE: Final = "CREATE TABLE restored (id INTEGER PRIMARY KEY, clock BLOB NOT NULL) STRICT"
NEXT_REVISION: Final = """
    SELECT max(coalesce(max(revision), 0), 1000 * (SELECT count(*) FROM restored)) + 1
    FROM page WHERE capture = ?
"""
"""A page's next revision. After a restore it is above all that the ledger may have given out in its other life: of two
equal ones the school would take the first, and a teacher's word would be lost without a sound."""


class LedgerRestored:
    """The restoring part of the ledger."""

    _file: Database

    def note_restored(self, now: ClockReading) -> None:
        """Begin a life of its own: a new epoch for the school, new revisions above the old ones."""
        with self._file.writing() as db:
            db.execute("INSERT INTO restored (clock) VALUES (?)", (msgspec.msgpack.encode(now),))
            Outbox(db).restored()

    def restores(self) -> int:
        """How often this ledger was restored from a copy."""
        return int(self._file.read("SELECT count(*) FROM restored")[0][0])
