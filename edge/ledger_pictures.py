"""What the ledger knows of the pictures: which the school has, and which have gone. Nothing of a capture changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from edge.database import Database
from edge.filed import read_clock
from edge.retention import KeptPicture, Mark, Why, next_mark
from sync.clock import ClockReading
from sync.outbox import Outbox

PICTURE_TABLES: Final = """
    CREATE TABLE picture_gone (
        capture INTEGER PRIMARY KEY REFERENCES capture (id), why TEXT NOT NULL, clock BLOB NOT NULL
    ) STRICT;
    CREATE TABLE at_school_since (
        capture INTEGER PRIMARY KEY REFERENCES capture (id), counted_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE clock_mark (id INTEGER PRIMARY KEY, counted_ms INTEGER NOT NULL, clock BLOB NOT NULL) STRICT;
"""


class LedgerPictures:
    """The pictures' part of the ledger. Any thread may call."""

    _file: Database

    def digests_of_pictures(self) -> frozenset[str]:
        """The digest of every capture whose picture has not gone: the files of all others are to be removed."""
        rows = self._file.read("SELECT digest FROM capture WHERE id NOT IN (SELECT capture FROM picture_gone)")
        return frozenset(row["digest"] for row in rows)

    def look_at_school(self, now: ClockReading) -> tuple[Mark, list[KeptPicture]]:
        """Write down what the school has by now. Returns the time, and the pictures of what it has.

        What it no longer has for certain (a new revision, a gateway that was restored) starts anew later.
        """
        with self._file.writing() as db:
            row = db.execute("SELECT counted_ms, clock FROM clock_mark ORDER BY id DESC LIMIT 1").fetchone()
            mark = next_mark(None if row is None else Mark(row["counted_ms"], read_clock(row["clock"])), now)
            db.execute(
                "INSERT INTO clock_mark (counted_ms, clock) VALUES (?, ?)",
                (mark.counted_ms, msgspec.msgpack.encode(now)),
            )
            outbox = Outbox(db)
            rows = db.execute(
                """
                SELECT id, digest, counted_ms, pending > 0 OR standing = 'ask' AS open FROM capture
                JOIN head ON head.capture = id LEFT JOIN at_school_since AS since ON since.capture = id
                WHERE has_picture AND id NOT IN (SELECT capture FROM picture_gone)
                """
            )
            there: list[sqlite3.Row] = []
            lost: list[tuple[int]] = []
            # Asked picture by picture: what the school has of years is more than what lies here, and than memory.
            for each in rows:
                if outbox.state_of(bytes.fromhex(each["digest"])) == "receipted":
                    there.append(each)
                elif each["counted_ms"] is not None:
                    lost.append((each["id"],))
            new = [(each["id"], mark.counted_ms) for each in there if each["counted_ms"] is None]
            db.executemany("DELETE FROM at_school_since WHERE capture = ?", lost)
            db.executemany("INSERT INTO at_school_since VALUES (?, ?)", new)
        return mark, [
            KeptPicture(
                each["id"],
                each["digest"],
                mark.counted_ms if each["counted_ms"] is None else each["counted_ms"],
                bool(each["open"]),
            )
            for each in there
        ]

    def let_pictures_go(self, captures: Sequence[int], why: Why, now: ClockReading) -> list[str]:
        """Say that pictures have gone, of those captures that the school has at this moment for certain.

        Returns their digests: only now may the files be removed. After a kill before that, the start removes them.
        """
        digests = []
        with self._file.writing() as db:
            for capture in captures:
                row = db.execute("SELECT digest FROM capture WHERE id = ?", (capture,)).fetchone()
                if row is not None and Outbox(db).state_of(bytes.fromhex(row["digest"])) == "receipted":
                    values = (capture, why, msgspec.msgpack.encode(now))
                    db.execute("INSERT OR IGNORE INTO picture_gone VALUES (?, ?, ?)", values)
                    digests.append(str(row["digest"]))
        return digests
