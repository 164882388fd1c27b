"""A box's card: its outbox in a real SQLite database, and the truth of what was said to be kept on it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sync.lanes import Lane
from sync.outbox import Outbox, create_tables

LaneName = tuple[bytes, Lane]


class Card:
    """A card that fails, fills up, is copied and is put back."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._db = _database()
        with self._db:
            create_tables(self._db)
        self.captures: set[bytes] = set()
        """The captures of which the box said that it has them."""
        self.to_hold: set[bytes] = set()
        """The same for records that the gateway cannot understand yet: their payloads."""
        self.told_of: dict[LaneName, int] = {}
        """How many restores of the gateway a lane was told of by being turned back."""
        self.failure = 0.0
        """The chance of each moment round a commit to be its transaction's last."""

    @contextmanager
    def transaction(self) -> Iterator[Outbox]:
        """A transaction that commits when the block ends well. Raises `sqlite3.OperationalError`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield Outbox(self._db)
            self._perhaps_fail()
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self._perhaps_fail()

    def proven(self) -> dict[LaneName, int]:
        """How far the box counts each lane as delivered."""
        return {(stream.epoch, stream.lane): stream.proven for stream in Outbox(self._db).streams()}

    def receipted(self) -> set[bytes]:
        """The captures that the box counts as delivered."""
        return set(Outbox(self._db).receipted_subjects())

    def waiting(self) -> int:
        """The records that are not known to be at the gateway."""
        return sum(lane.waiting for lane in Outbox(self._db).counts().values())

    def epochs(self) -> int:
        """How many epochs there were."""
        return len(Outbox(self._db).epochs)

    def fill(self) -> None:
        """Let the database take no further page."""
        ((pages,),) = self._db.execute("PRAGMA page_count").fetchall()
        self._db.execute(f"PRAGMA max_page_count = {pages}")

    def make_room(self) -> None:
        """Let it grow again."""
        self._db.execute("PRAGMA max_page_count = 4294967294")

    def copy(self) -> Card:
        """Another card with the same on it."""
        card = Card(self._rng)
        self._db.backup(card._db)
        card.captures, card.to_hold, card.told_of = set(self.captures), set(self.to_hold), dict(self.told_of)
        return card

    def _perhaps_fail(self) -> None:
        if self._rng.random() < self.failure:
            raise sqlite3.OperationalError("disk I/O error")


def _database() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)
