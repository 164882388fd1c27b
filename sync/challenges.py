"""The numbers that a box gives out and the gateway repeats, so that an answer can be told from an echo.

They lie in the box's ledger file, numbered in the order in which the box made them. No method begins or commits.
"""

from __future__ import annotations

import secrets
import sqlite3

from sync.lanes import CHALLENGE_BYTES

TABLE = "CREATE TABLE IF NOT EXISTS outbox_challenges (no INTEGER PRIMARY KEY, challenge BLOB NOT NULL UNIQUE)"
_KEPT = 256
"""An answer to an older one counts as an answer to none."""


class Challenges:
    """The challenges in a connection whose table exists."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @property
    def newest(self) -> bytes:
        """The one in force."""
        ((challenge,),) = self._db.execute(
            "SELECT challenge FROM outbox_challenges ORDER BY no DESC LIMIT 1"
        ).fetchall()
        return bytes(challenge)

    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._db.execute("SELECT 1 FROM outbox_challenges").fetchall())

    def number_of(self, challenge: bytes | None) -> int:
        """The number of a challenge, from 1 in the order of their making; 0 for one not (or no longer) known."""
        found = self._db.execute("SELECT no FROM outbox_challenges WHERE challenge = ?", (challenge,)).fetchall()
        return int(found[0][0]) if found else 0

    def renew(self) -> int:
        """Put a new challenge in force and return its number."""
        number = self._db.execute(
            "INSERT INTO outbox_challenges (challenge) VALUES (?)", (secrets.token_bytes(CHALLENGE_BYTES),)
        ).lastrowid
        assert number is not None
        self._db.execute("DELETE FROM outbox_challenges WHERE no <= ?", (number - _KEPT,))
        return number
