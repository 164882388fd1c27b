"""What people did: who changed what and when, as the ledger keeps it beside the revisions, and taking it back.

A deed is never changed. What is undone has a deed that says so. Every function works in the transaction that it is
given, so that a deed and the revisions that it made are durable together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from homework.absences import Absence
from sync.clock import ClockReading

TABLES = """
    CREATE TABLE deed (
        id INTEGER PRIMARY KEY, person TEXT NOT NULL, clock BLOB NOT NULL, kind TEXT NOT NULL, about BLOB NOT NULL,
        undoes INTEGER REFERENCES deed (id)
    ) STRICT;
    CREATE UNIQUE INDEX deed_undone_once ON deed (undoes) WHERE undoes IS NOT NULL;
    CREATE TABLE deed_page (
        capture INTEGER NOT NULL, revision INTEGER NOT NULL, deed INTEGER NOT NULL REFERENCES deed (id),
        PRIMARY KEY (capture, revision)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deed_page_by_deed ON deed_page (deed);
    CREATE TABLE absence (
        id INTEGER PRIMARY KEY, assignment TEXT NOT NULL, pupil TEXT NOT NULL, absence TEXT,
        deed INTEGER NOT NULL REFERENCES deed (id)
    ) STRICT;
    CREATE INDEX absence_by_assignment ON absence (assignment, pupil);
"""

About = dict[str, str | int | None]
"""What a deed was about, in names and codes: never a pupil's name, which the class list may give or forget."""


class DeedKind(StrEnum):
    """What a person did."""

    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    OWNER = "owner"
    """Said whose sheet it is."""
    AGAIN = "again"
    """Said that a sheet is an earlier one, corrected by its pupil."""
    CORRECTED = "corrected"
    """Gave readings or verdicts of their own, or confirmed what was read."""
    ABSENCE = "absence"
    """Said that a pupil is excused or exempt, or is not any more."""
    UNDONE = "undone"


@dataclass(frozen=True)
class By:
    """Who does something now: the name of a person, and the box's clock."""

    person: str
    clock: ClockReading


@dataclass(frozen=True)
class Deed:
    """One thing that a person did. `pages` are the (capture, revision) that it made; `undone`: it was taken back."""

    number: int
    person: str
    clock: ClockReading
    kind: DeedKind
    about: About
    undoes: int | None
    undone: bool
    pages: tuple[tuple[int, int], ...]


# Made once: msgspec (0.22) works a type out at its first use, and two threads that do so at once crash the process.
_CLOCKS = msgspec.msgpack.Decoder(ClockReading)
_ABOUTS = msgspec.json.Decoder(About)
_DEEDS = """
    SELECT id, person, clock, kind, about, undoes,
        EXISTS (SELECT 1 FROM deed AS later WHERE later.undoes = deed.id) AS undone FROM deed
"""
_PAGES = "SELECT capture, revision FROM deed_page WHERE deed = ? ORDER BY capture, revision"


def add_deed(db: sqlite3.Connection, by: By, kind: DeedKind, about: About, *, undoes: int | None = None) -> int:
    """Keep a deed and return its number."""
    row = db.execute(
        "INSERT INTO deed (person, clock, kind, about, undoes) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (by.person, msgspec.msgpack.encode(by.clock), kind, msgspec.json.encode(about), undoes),
    ).fetchone()
    number: int = row["id"]
    return number


def add_page(db: sqlite3.Connection, deed: int, capture: int, revision: int) -> None:
    """Say that a deed made a revision."""
    db.execute("INSERT INTO deed_page (deed, capture, revision) VALUES (?, ?, ?)", (deed, capture, revision))


def deed_of(db: sqlite3.Connection, number: int) -> Deed | None:
    """The deed of that number, or None."""
    return next(iter(_read(db, "WHERE id = ?", (number,))), None)


def newest_deeds(db: sqlite3.Connection, *, before: int | None = None, limit: int = 100) -> list[Deed]:
    """What was done last, the newest first; `before` a deed, to turn the page."""
    limit_number = 2**62 if before is None else before
    return _read(db, "WHERE id < ? ORDER BY id DESC LIMIT ?", (limit_number, limit))


def deeds_on(db: sqlite3.Connection, capture: int) -> list[Deed]:
    """What was done with one sheet, the newest first."""
    return _read(db, "WHERE id IN (SELECT deed FROM deed_page WHERE capture = ?) ORDER BY id DESC", (capture,))


def set_absence(
    db: sqlite3.Connection, deed: int, assignment: str, pupil: str, absence: Absence | None, *, word: bytes | None
) -> None:
    """Say of a pupil that a sheet is not to come, or (None) that it is; `word` is the id under which the school knows
    of it, None where it does not.
    """
    db.execute(
        "INSERT INTO absence (assignment, pupil, absence, deed, word) VALUES (?, ?, ?, ?, ?)",
        (assignment, pupil, absence, deed, word),
    )


def absences(db: sqlite3.Connection, assignment: str) -> Mapping[str, Absence]:
    """Who is excused from an assignment or exempt, by pupil: the last word on each."""
    rows = db.execute(
        "SELECT pupil, absence FROM absence WHERE assignment = ?1 AND id IN "
        "(SELECT max(id) FROM absence WHERE assignment = ?1 GROUP BY pupil) AND absence IS NOT NULL",
        (assignment,),
    )
    return {row["pupil"]: Absence(row["absence"]) for row in rows}


def _read(db: sqlite3.Connection, rest: str, values: tuple[object, ...]) -> list[Deed]:
    rows = db.execute(f"{_DEEDS} {rest}", values).fetchall()
    return [
        Deed(
            number=row["id"],
            person=row["person"],
            clock=_CLOCKS.decode(row["clock"]),
            kind=DeedKind(row["kind"]),
            about=_ABOUTS.decode(row["about"]),
            undoes=row["undoes"],
            undone=bool(row["undone"]),
            pages=tuple(
                (page["capture"], page["revision"])
                for page in db.execute(
                    "SELECT capture, revision FROM deed_page WHERE deed = ? ORDER BY 1", (row["id"],)
                )
            ),
        )
        for row in rows
    ]
