"""The inbox: what came down from the school and is not in its place yet, inside the box's own ledger file.

It lives in the caller's SQLite connection and transaction, as the outbox does. Entries wait here until they are
compared with what the box has, their parts until they are whole; what was taken in is remembered by its content, so
that a gateway that offers everything anew (it was put back) brings back nothing that a person changed since.
"""

from __future__ import annotations

import sqlite3
from enum import Enum, auto
from typing import Any, NamedTuple

from sync.challenges import Challenges
from sync.down_bodies import EACH_COUNTS, FIRST_CHAIN
from sync.down_messages import PART_BYTES, Entry, Having, Offer, Part

_TABLES = (
    """CREATE TABLE IF NOT EXISTS inbox_state (
        one INTEGER PRIMARY KEY CHECK (one = 1), incarnation BLOB, place INTEGER NOT NULL, chain BLOB NOT NULL,
        under BLOB, believed_from INTEGER NOT NULL DEFAULT 0, again_until INTEGER NOT NULL DEFAULT 0, reader BLOB)""",
    """CREATE TABLE IF NOT EXISTS inbox_entries (
        place INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, content BLOB NOT NULL,
        digest BLOB NOT NULL, size INTEGER NOT NULL, wanted INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS inbox_parts (
        digest BLOB NOT NULL, start INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (digest, start)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS inbox_known (
        no INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, content BLOB NOT NULL,
        own BLOB, UNIQUE (kind, key, content))""",
    """CREATE TABLE IF NOT EXISTS inbox_refused (
        kind TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID""",
)
MAX_WAITING = 192
"""While more entries than this wait, no further offer is taken."""
_KNOWN_OF_A_KEY = 16
_MAX_REFUSED = 256


class Heard(Enum):
    """What came of an offer."""

    TAKEN = auto()
    BEGUN_AGAIN = auto()
    """All that it was told before counts no more: say hello for the rest."""
    ASK_AFRESH = auto()
    """It may be an echo of the past: say hello with the new challenge."""
    ELSEWHERE = auto()
    """It does not begin where the box is, and there is more: say hello for what does."""
    IGNORED = auto()


class Waiting(NamedTuple):
    """An entry that is not in its place yet. `wanted`: the box has something else under its name; `got`: bytes here."""

    entry: Entry
    wanted: bool
    got: int

    @property
    def whole(self) -> bool:
        """Whether all parts are here."""
        return self.got == self.entry.size


class Known(NamedTuple):
    """What came down last under a kind and key. Numbers grow.

    `own` is the content digest of what the box made of it: another version may write the same in other words.
    """

    no: int
    content: bytes
    own: bytes | None


def begin(connection: sqlite3.Connection) -> None:
    """Make the inbox's tables where they are missing: a box that was told nothing. Does not commit."""
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("INSERT OR IGNORE INTO inbox_state (one, place, chain) VALUES (1, 0, ?)", (FIRST_CHAIN,))


class Inbox:
    """The inbox in a connection whose tables exist. No method begins or commits a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._challenges = Challenges(connection)

    def opened(self, reader: bytes) -> None:
        """Say who reads: a digest of the program's version and its keys.

        Another reader may understand what the one before refused: then everything is offered anew.
        """
        state = self._state()
        if state["reader"] != reader and self.refused():
            self._db.execute("DELETE FROM inbox_refused")
            self._set(place=0, chain=FIRST_CHAIN, again_until=max(state["place"], state["again_until"]))
        if state["reader"] != reader:
            self._set(reader=reader)

    def having(self) -> Having:
        """What the hello says."""
        state = self._state()
        ((waiting,),) = self._db.execute("SELECT count(*) FROM inbox_entries").fetchall()
        return Having(state["incarnation"], state["place"], state["chain"], waiting, self.refused())

    def offered(self, offer: Offer) -> Heard:
        """Take an offer in, or see that it is an old one.

        One that turns the box back is believed only when it answers a challenge that is younger than what was taken
        in last, as it is with receipts (`sync.receipts.judge`).
        """
        state = self._state()
        answers = self._challenges.number_of(offer.challenge)
        if answers == 0 or answers < state["believed_from"]:
            return Heard.IGNORED
        first = state["incarnation"] is None
        again = not first and (offer.anew or offer.incarnation != state["incarnation"])
        if again and answers <= self._challenges.number_of(state["under"]):
            if state["under"] == self._challenges.newest:
                self._challenges.renew()
            return Heard.ASK_AFRESH
        after = 0 if again else state["place"]
        if not again and (offer.after, offer.before) != (after, state["chain"]):
            # It answers an older hello, perhaps out of another log than the one that the box was told of since.
            return Heard.ELSEWHERE if offer.last > after else Heard.IGNORED
        if (again and offer.after) or (not again and offer.through <= after) or self._full(again=again):
            return Heard.IGNORED
        if again:
            self._db.execute("DELETE FROM inbox_entries")
            self._set(again_until=offer.last)
        for entry in offer.entries:
            if entry.place > after:
                self._add(entry, again=entry.place <= self._state()["again_until"])
        self._set(incarnation=offer.incarnation, place=offer.through, chain=offer.chain)
        self._set(under=self._challenges.newest)
        if again:
            self._set(believed_from=self._challenges.renew())
        if offer.through >= self._state()["again_until"]:
            self._sweep()
        return Heard.BEGUN_AGAIN if again else Heard.TAKEN

    def told(self) -> tuple[bytes | None, int]:
        """The gateway's incarnation, and up to which place it told."""
        state = self._state()
        return state["incarnation"], state["place"]

    def waiting(self) -> list[Waiting]:
        """All entries that are not in their place yet, by place."""
        rows = self._db.execute(
            "SELECT place, kind, key, content, digest, size, wanted, (SELECT coalesce(sum(length(body)), 0)"
            " FROM inbox_parts p WHERE p.digest = e.digest) FROM inbox_entries e ORDER BY place"
        ).fetchall()
        return [Waiting(Entry(*row[:6]), bool(row[6]), row[7]) for row in map(tuple, rows)]

    def want(self, place: int) -> None:
        """The box has something else under the entry's name: its body is wanted."""
        self._db.execute("UPDATE inbox_entries SET wanted = 1 WHERE place = ?", (place,))

    def keep(self, part: Part) -> bool:
        """Keep a part of an entry that waits. Says whether it was one that was lacking."""
        rows = self._db.execute(
            "SELECT size FROM inbox_entries WHERE (place, digest) = (?, ?)", (part.place, part.digest)
        ).fetchall()
        if not rows or len(part.body) != min(PART_BYTES, rows[0][0] - part.offset):
            return False
        return self._keep(part.digest, part.offset, part.body)

    def lacking(self, entry: Entry) -> list[int]:
        """Where the parts begin that are not here, in order."""
        rows = self._db.execute("SELECT start FROM inbox_parts WHERE digest = ?", (entry.digest,)).fetchall()
        here = {start for (start,) in map(tuple, rows)}
        return [start for start in range(0, entry.size, PART_BYTES) if start not in here]

    def stored_bytes(self) -> int:
        """How much all parts take."""
        ((size,),) = self._db.execute("SELECT coalesce(sum(length(body)), 0) FROM inbox_parts").fetchall()
        return int(size)

    def body(self, entry: Entry) -> bytes:
        """The packed body of an entry of which all parts are here."""
        rows = self._db.execute("SELECT body FROM inbox_parts WHERE digest = ? ORDER BY start", (entry.digest,))
        return b"".join(bytes(body) for (body,) in map(tuple, rows.fetchall()))

    def done(self, entry: Entry, own: bytes | None) -> None:
        """It is in its place, or the box had it; `own` is the content digest of what stands there."""
        name = (entry.kind, entry.key)
        self._db.execute("DELETE FROM inbox_known WHERE (kind, key, content) = (?, ?, ?)", (*name, entry.content))
        self._db.execute(
            "INSERT INTO inbox_known (kind, key, content, own) VALUES (?, ?, ?, ?)", (*name, entry.content, own)
        )
        if entry.kind not in EACH_COUNTS:
            self._db.execute(
                "DELETE FROM inbox_known WHERE (kind, key) = (?1, ?2) AND no NOT IN (SELECT no FROM inbox_known"
                " WHERE (kind, key) = (?1, ?2) ORDER BY no DESC LIMIT ?3)",
                (*name, _KNOWN_OF_A_KEY),
            )
        self._db.execute("DELETE FROM inbox_refused WHERE (kind, key) = (?, ?)", name)
        self._drop(entry.place)

    def refuse(self, entry: Entry) -> None:
        """The box cannot use it: the others go on."""
        if self.refused() < _MAX_REFUSED:
            self._db.execute("INSERT OR IGNORE INTO inbox_refused VALUES (?, ?)", (entry.kind, entry.key))
        self._drop(entry.place)

    def refused(self) -> int:
        """How many kinds and keys have come of which the newest cannot be used; 256 at most."""
        ((count,),) = self._db.execute("SELECT count(*) FROM inbox_refused").fetchall()
        return int(count)

    def newest(self, kind: str, key: str) -> Known | None:
        """What came down last under that name and is in its place."""
        rows = self._db.execute(
            "SELECT no, content, own FROM inbox_known WHERE (kind, key) = (?, ?) ORDER BY no DESC LIMIT 1", (kind, key)
        ).fetchall()
        return Known(*rows[0]) if rows else None

    def is_coming(self, kind: str, key: str, content: bytes) -> bool:
        """Whether exactly this waits to be put in its place, and so is no news for the school."""
        found = self._db.execute(
            "SELECT 1 FROM inbox_entries WHERE (kind, key, content) = (?, ?, ?)", (kind, key, content)
        ).fetchall()
        return bool(found)

    def _add(self, entry: Entry, *, again: bool) -> None:
        name = (entry.kind, entry.key)
        replaced = 0
        if entry.kind not in EACH_COUNTS:
            replaced = self._db.execute("DELETE FROM inbox_entries WHERE (kind, key) = (?, ?)", name).rowcount
        newest = self.newest(*name)
        # One that waited may have been put in its place just before the power went: then only a look can tell.
        if newest is not None and newest.content == entry.content and not replaced:
            self._db.execute("DELETE FROM inbox_refused WHERE (kind, key) = (?, ?)", name)
            return
        if (
            again
            and self._db.execute(
                "SELECT 1 FROM inbox_known WHERE (kind, key, content) = (?, ?, ?)", (*name, entry.content)
            ).fetchall()
        ):
            return  # older than what the box had of it: the gateway has forgotten the rest
        self._db.execute(
            "INSERT OR REPLACE INTO inbox_entries (place, kind, key, content, digest, size) VALUES (?, ?, ?, ?, ?, ?)",
            (entry.place, *name, entry.content, entry.digest, entry.size),
        )
        if entry.inline is not None:
            self._keep(entry.digest, 0, entry.inline)

    def _keep(self, digest: bytes, start: int, body: bytes) -> bool:
        changed = self._db.execute("INSERT OR IGNORE INTO inbox_parts VALUES (?, ?, ?)", (digest, start, body)).rowcount
        return changed > 0

    def _drop(self, place: int) -> None:
        self._db.execute("DELETE FROM inbox_entries WHERE place = ?", (place,))
        self._sweep()

    def _sweep(self) -> None:
        """Forget parts that belong to nothing any more, unless the entries are just being told anew."""
        if self._state()["place"] >= self._state()["again_until"]:
            self._db.execute("DELETE FROM inbox_parts WHERE digest NOT IN (SELECT digest FROM inbox_entries)")

    def _full(self, *, again: bool) -> bool:
        ((waiting,),) = self._db.execute("SELECT count(*) FROM inbox_entries").fetchall()
        return not again and waiting > MAX_WAITING

    def _state(self) -> dict[str, Any]:
        cursor = self._db.execute("SELECT * FROM inbox_state")
        names = [column[0] for column in cursor.description]
        (row,) = cursor.fetchall()
        return dict(zip(names, tuple(row), strict=True))

    def _set(self, **values: object) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE inbox_state SET {names}", tuple(values.values()))  # noqa: S608 - our own names
