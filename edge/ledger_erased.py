"""Takes a pupil out of the ledger: what the sheets said, what people said of them, what still waits for the school.

Of each sheet the digest of its picture stays, so that it is not graded anew, and of each record its number and digest
in the outbox, on which the proof for all others rests (D9).
"""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from edge.booking import Standing
from edge.database import Database
from edge.filed import NamedBy, PageRow
from edge.owners import with_owner
from edge.retention import Why
from homework.results import PageStatus, WhoWroteIt
from sync.clock import ClockReading
from sync.outbox import Outbox
from sync.pseudonym import pseudonym

ERASED_TABLE: Final = """
    CREATE TABLE erased (pseudonym TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
_SEAT_KEY: Final = "#"
"""Stands in what a sheet is booked under on a box without a class list (`edge.booking.pupil_key`)."""


class LedgerErased:
    """The erasing part of the ledger."""

    _file: Database
    _school_key: bytes | None

    @abstractmethod
    def _append(self, db: sqlite3.Connection, row: PageRow) -> None:
        """Add a new revision of a page."""

    @abstractmethod
    def _newest(self, db: sqlite3.Connection, capture: int | None) -> PageRow | None:
        """The newest revision of a page."""

    def erased_content(self, key: str) -> bytes | None:
        """The content digest of the erasure of that pseudonym that was done last, None for none."""
        rows = self._file.read("SELECT content FROM erased WHERE pseudonym = ?", (key,))
        return bytes(rows[0]["content"]) if rows else None

    def erase_pupil(self, alias: bytes, captures: Collection[bytes], *, content: bytes, now: ClockReading) -> list[str]:
        """Erase a pupil in one transaction; `captures` are papers that the school knows to be theirs.

        Returns the digests of the pictures: only now may the files be removed. After a kill before that, the start
        removes them. Raises `DatabaseError`.
        """
        with self._file.reading() as db:
            ids = self._ids(db, alias)
            stale = _stale_revisions(db, ids)
        with self._file.writing() as db:
            db.execute("PRAGMA secure_delete = 1")  # what goes is overwritten, not only let go of
            digests = {name.hex() for name in captures}
            theirs, asked = self._papers(db, ids, digests)
            for capture in theirs:
                self._blank(db, capture, now)
            for capture in asked:
                self._unname(db, capture)
            kept = stale - set(theirs) - set(asked)
            for capture in kept:
                _drop_older(db, capture)
            _drop_words(db, alias)
            _drop_deeds(db, theirs, ids)
            db.execute("INSERT OR REPLACE INTO erased VALUES (?, ?)", (alias.hex(), content))
            rows = db.execute(f"SELECT digest FROM capture WHERE id IN ({_marks(theirs)})", theirs)  # noqa: S608
            found = [str(row["digest"]) for row in rows]
        self._file.shorten_log()
        return found

    def _ids(self, db: sqlite3.Connection, alias: bytes) -> frozenset[str]:
        """What the pupil's sheets may be booked under here."""
        if self._school_key is None:
            return frozenset()
        rows = db.execute("SELECT pupil FROM head UNION SELECT pupil FROM booking UNION SELECT pupil FROM absence")
        known = [row["pupil"] for row in rows if row["pupil"] is not None]
        return frozenset(name for name in known if pseudonym(self._school_key, name) == alias)

    def _papers(
        self, db: sqlite3.Connection, ids: frozenset[str], digests: Collection[str]
    ) -> tuple[list[int], list[int]]:
        """The captures that are the pupil's, and those that may be: another of theirs counts already."""
        rows = db.execute("SELECT capture, pupil, standing, linked, digest FROM head JOIN capture ON id = capture")
        every = rows.fetchall()
        theirs, asked = set[int](), set[int]()
        for row in every:
            name = row["pupil"]
            if name in ids and name is not None:
                (asked if row["standing"] == Standing.ASK else theirs).add(row["capture"])
            elif row["digest"] in digests and (name is None or _SEAT_KEY in name):
                theirs.add(row["capture"])
        theirs |= {row["capture"] for row in every if row["standing"] == Standing.DUPLICATE and row["linked"] in theirs}
        return sorted(theirs), sorted(asked - theirs)

    def _blank(self, db: sqlite3.Connection, capture: int, now: ClockReading) -> None:
        """Nothing is left of a sheet but that it was here."""
        digest: str = db.execute("SELECT digest FROM capture WHERE id = ?", (capture,)).fetchone()["digest"]
        outbox = Outbox(db)
        for crop in db.execute("SELECT subject FROM queued_crop WHERE capture = ?", (capture,)).fetchall():
            outbox.erase(crop["subject"])
        outbox.erase(bytes.fromhex(digest))
        for table in ("queued_crop", "at_school_since", "booking", "deed_page"):
            db.execute(f"DELETE FROM {table} WHERE capture = ?", (capture,))  # noqa: S608
        db.execute("DELETE FROM correction WHERE capture = ?", (digest,))
        db.execute("UPDATE capture SET source = '' WHERE id = ?", (capture,))
        values = (capture, Why.ERASED, msgspec.msgpack.encode(now))
        db.execute("INSERT OR REPLACE INTO picture_gone VALUES (?, ?, ?)", values)
        row = PageRow(
            capture=capture,
            status=PageStatus.NOT_A_SHEET,
            standing=Standing.WITHDRAWN,
            linked=None,
            pupil=None,
            record=None,
            problems=(),
            ink=b"",
            mm_to_px=None,
        )
        self._append(db, row)
        _drop_older(db, capture)

    def _unname(self, db: sqlite3.Connection, capture: int) -> None:
        """A sheet whose owner is asked is nobody's that was erased: a person says whose it is, or takes it back."""
        row = self._newest(db, capture)
        if row is None or row.record is None:
            return
        record = with_owner(row.record, WhoWroteIt(class_name=row.record.who.class_name))
        read = None if row.read is None else with_owner(row.read, record.who)
        nobodys = msgspec.structs.replace(
            row, pupil=None, record=record, read=read, linked=None, seat=None, named_by=NamedBy.PAGE
        )
        self._append(db, nobodys)
        _drop_older(db, capture)


def is_erased(db: sqlite3.Connection, digest: str) -> bool:
    """Whether the sheet of that capture was erased."""
    query = "SELECT 1 FROM picture_gone JOIN capture ON id = capture WHERE digest = ? AND why = ?"
    return db.execute(query, (digest, Why.ERASED)).fetchone() is not None


def _drop_older(db: sqlite3.Connection, capture: int) -> None:
    """Let go of what was said of a sheet before its newest revision."""
    older = "capture = ?1 AND revision < (SELECT revision FROM head WHERE capture = ?1)"
    db.execute(f"DELETE FROM page WHERE {older}", (capture,))  # noqa: S608
    db.execute(f"DELETE FROM deed_page WHERE {older}", (capture,))  # noqa: S608


def _drop_words(db: sqlite3.Connection, alias: bytes) -> None:
    """Let go of what was said of a pupil's absence, here and elsewhere, also where it waits for the school."""
    for word in db.execute("SELECT id FROM absence_word WHERE pseudonym = ?", (alias,)).fetchall():
        Outbox(db).erase(bytes(word["id"]))
    db.execute("DELETE FROM absence_word WHERE pseudonym = ?", (alias,))


def _drop_deeds(db: sqlite3.Connection, captures: Collection[int], ids: Collection[str]) -> None:
    """Let go of what people did with these sheets alone, and of what they said of the pupil."""
    db.execute(f"DELETE FROM absence WHERE pupil IN ({_marks(ids)})", tuple(ids))  # noqa: S608
    rows = db.execute(
        "SELECT id, about, EXISTS (SELECT 1 FROM deed_page WHERE deed = deed.id) AS has_pages,"
        " EXISTS (SELECT 1 FROM absence WHERE deed = deed.id) AS has_absence, kind FROM deed"
    ).fetchall()
    about = {row["id"]: msgspec.json.decode(row["about"]) for row in rows}
    going = {row["id"] for row in rows if str(about[row["id"]].get("pupil") or "") in ids}
    if captures:
        going |= {
            row["id"] for row in rows if not row["has_pages"] and not row["has_absence"] and row["kind"] != "absence"
        }
    undoing = {row["id"] for row in db.execute("SELECT id, undoes FROM deed") if row["undoes"] in going}
    for some in (undoing, going - undoing):
        values = sorted(some)
        db.execute(f"DELETE FROM deed_page WHERE deed IN ({_marks(values)})", values)  # noqa: S608
        db.execute(f"UPDATE deed SET undoes = NULL WHERE undoes IN ({_marks(values)})", values)  # noqa: S608
        db.execute(f"DELETE FROM deed WHERE id IN ({_marks(values)})", values)  # noqa: S608


def _stale_revisions(db: sqlite3.Connection, ids: Collection[str]) -> set[int]:
    """Sheets that were taken for the pupil's once. Looks at every revision: seconds, for a term on a card."""
    if not ids:
        return set()
    rows = db.execute(f"SELECT DISTINCT capture FROM page WHERE pupil IN ({_marks(ids)})", tuple(ids))  # noqa: S608
    return {row["capture"] for row in rows}


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
