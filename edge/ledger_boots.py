"""What the box itself knows of its boots, so that a sheet slid before its clock was set has a time afterwards."""

from __future__ import annotations

import sqlite3
from typing import Final

from edge.database import Database
from sync.clock import ClockQuality, ClockReading
from sync.placing import ANCHOR_ERROR_MS, Boot, BoxTimes, Numbered, Seen, decode_boot, encode_boot, with_readings

BOOT_TABLE: Final = """
    CREATE TABLE boot (number INTEGER PRIMARY KEY, boot BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;
"""
_EVERY_MS: Final = 3_600_000
"""A card is not worn out for the sake of seconds: so often a clock that goes on well is noted again."""
_LATEST: Final = 200
"""So many boots are looked at: a school year of days."""


class LedgerBoots:
    """The part of the ledger that knows boots. They are numbered in their order."""

    _file: Database

    def note_clock(self, reading: ClockReading) -> bool:
        """Remember a look at the clock where it says something new of its boot. Says whether it did."""
        found = self._file.read("SELECT body FROM boot WHERE boot = ?", (reading.boot,))
        if found and not _is_news(decode_boot(found[0]["body"]), reading):
            return False
        with self._file.writing() as db:
            note_reading(db, reading)
        return True

    def box_times(self) -> BoxTimes:
        """All that is known of the latest boots, ready to place what was made in them."""
        rows = self._file.read("SELECT body FROM boot WHERE number > (SELECT max(number) FROM boot) - ?", (_LATEST,))
        return BoxTimes(decode_boot(row["body"]) for row in rows)


def note_reading(db: sqlite3.Connection, reading: ClockReading) -> None:
    """Add a reading to what is known of its boot, in the caller's transaction."""
    row = db.execute("SELECT number, body FROM boot WHERE boot = ?", (reading.boot,)).fetchone()
    if row is None:
        (number,) = db.execute("SELECT coalesce(max(number), 0) + 1 FROM boot").fetchone()
        before = Boot(reading.boot)
    else:
        number, before = row["number"], decode_boot(row["body"])
    after = with_readings(before, [Seen(reading, None, Numbered(b"", 0, number))])
    db.execute("INSERT OR REPLACE INTO boot VALUES (?, ?, ?)", (number, reading.boot, encode_boot(after)))


def _is_news(boot: Boot, reading: ClockReading) -> bool:
    if reading.quality is not ClockQuality.SYNCED:
        return False
    if not boot.anchors:
        return True
    then, wall_ms = boot.anchors[-1]
    moved_ms = abs((reading.wall_ms - reading.monotonic_ms) - (wall_ms - then))
    return reading.monotonic_ms - then >= _EVERY_MS or moved_ms > ANCHOR_ERROR_MS
