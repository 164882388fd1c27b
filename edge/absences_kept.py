"""Every word on absences that the box knows of, as the ledger keeps it: its own people's and the school's.

Nothing is taken out. Every function works in the transaction that it is given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from edge.deeds import About
from homework.absences import Absence
from sync.records import AbsenceRecord, decode_record, encode_record

WORDS: Final = """
    CREATE TABLE absence_word (
        no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, assignment TEXT NOT NULL, pseudonym BLOB NOT NULL,
        body BLOB NOT NULL, settled INTEGER NOT NULL, queued INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX absence_word_by_pupil ON absence_word (assignment, pseudonym);
    CREATE INDEX absence_word_waiting ON absence_word (no) WHERE settled <> 1;
    CREATE INDEX absence_word_unsent ON absence_word (no) WHERE queued = 0;
    ALTER TABLE absence ADD COLUMN word BLOB;
    CREATE INDEX absence_untold ON absence (id) WHERE word IS NULL;
"""
"""`settled`: 0 waits for its pupil, 1 the seat accounts for it, 2 it did, and the school has said more of it since (its
place). `queued`: 0 waits until the school is known to take such records: this box's own, or one to be told back.
`absence.word` is the word by which something was said; NULL where the school was told of none.
"""

MOST_WAITING = 20_000
"""So many may wait for pupils who are on no class list here (4 MB); of more the oldest go. The school has all."""

TOLD_BACK_MS: Final = 120 * 86_400_000
"""No copy of the school's database that is put back is older than that; of these days a school has some thousand words
(250 bytes each).
"""


class Waiting(NamedTuple):
    """Whose words are to be looked at: an assignment, and a pupil's pseudonym."""

    assignment: str
    pseudonym: bytes


class Known(NamedTuple):
    """A word, and whether it is new here (and not only its place)."""

    record: AbsenceRecord
    is_new: bool


class Untold(NamedTuple):
    """What the school was never told: the number of the row, who said it and when, and what."""

    row: int
    deed: int
    assignment: str
    pupil: str
    absence: Absence


def keep_word(db: sqlite3.Connection, record: AbsenceRecord, *, own: bool = False) -> bool:
    """Keep a word; says whether that was news. Of one that is known only its place can be, never what it says."""
    body = encode_record(record)
    row = db.execute("SELECT no, body, settled FROM absence_word WHERE id = ?", (record.id,)).fetchone()
    if row is not None:
        (known,) = _records([row])
        same = (known.assignment, known.pseudonym, known.absence) == (
            record.assignment, record.pseudonym, record.absence,
        )  # fmt: skip
        news = same and record.order is not None and bytes(row["body"]) != body
        if news:
            looked_at = 0 if row["settled"] == 0 else 2
            db.execute("UPDATE absence_word SET body = ?, settled = ? WHERE no = ?", (body, looked_at, row["no"]))
        return news
    db.execute(
        "INSERT INTO absence_word (id, assignment, pseudonym, body, settled, queued) VALUES (?, ?, ?, ?, ?, ?)",
        (record.id, record.assignment, record.pseudonym, body, own, not own),
    )
    if not own:
        db.execute(
            "DELETE FROM absence_word WHERE settled = 0 AND no <= "
            "(SELECT no FROM absence_word WHERE settled = 0 ORDER BY no DESC LIMIT 1 OFFSET ?)",
            (MOST_WAITING,),
        )
    return True


def words_on(db: sqlite3.Connection, whose: Waiting) -> list[Known]:
    """All words on a pupil and an assignment, in the order in which they came."""
    rows = db.execute(
        "SELECT body, settled FROM absence_word WHERE (assignment, pseudonym) = (?, ?) ORDER BY no", whose
    ).fetchall()
    return [Known(record, row["settled"] == 0) for record, row in zip(_records(rows), rows, strict=True)]


def settle_words(db: sqlite3.Connection, whose: Waiting) -> None:
    """Say that the seat of a pupil accounts for all that is known of it."""
    db.execute("UPDATE absence_word SET settled = 1 WHERE (assignment, pseudonym) = (?, ?) AND settled <> 1", whose)


def waiting(db: sqlite3.Connection) -> list[Waiting]:
    """Whose words are to be looked at, the oldest first."""
    rows = db.execute(
        "SELECT assignment, pseudonym FROM absence_word WHERE settled <> 1 GROUP BY 1, 2 ORDER BY min(no)"
    ).fetchall()
    return [Waiting(row["assignment"], bytes(row["pseudonym"])) for row in rows]


def unsent(db: sqlite3.Connection) -> list[AbsenceRecord]:
    """The words that are to be queued for the school, in the order in which they were said or came."""
    return list(_records(db.execute("SELECT body FROM absence_word WHERE queued = 0 ORDER BY no").fetchall()))


def note_queued(db: sqlite3.Connection, record: AbsenceRecord) -> None:
    """Say that a word is queued."""
    db.execute("UPDATE absence_word SET queued = 1 WHERE id = ?", (record.id,))


def tell_back(db: sqlite3.Connection) -> None:
    """Let the school's own words be told to it again: it was put back from an older copy, and has lost the newest.

    Those of `TOLD_BACK_MS` before its newest; what it still has it knows by their ids.
    """
    rows = db.execute("SELECT no, body FROM absence_word WHERE queued = 1").fetchall()
    said = [
        (row["no"], record.clock.wall_ms)
        for row, record in zip(rows, _records(rows), strict=True)
        if record.origin == "" and record.order is not None
    ]
    newest_ms = max((wall_ms for _, wall_ms in said), default=0)
    again = [(no,) for no, wall_ms in said if wall_ms > newest_ms - TOLD_BACK_MS]
    db.executemany("UPDATE absence_word SET queued = 0 WHERE no = ?", again)


def word_body(db: sqlite3.Connection, name: bytes) -> bytes | None:
    """The word of that id as it is kept, or None."""
    row = db.execute("SELECT body FROM absence_word WHERE id = ?", (name,)).fetchone()
    return None if row is None else bytes(row["body"])


def untold(db: sqlite3.Connection) -> list[Untold]:
    """Who is away by a word that no record was made of: it was said before this box had a school, or knew of such.

    What was said of a sheet without a key is not among them: it is of no assignment that the school could know.
    """
    rows = db.execute(
        "SELECT id, deed, assignment, pupil, absence FROM absence WHERE word IS NULL AND absence IS NOT NULL "
        "AND assignment NOT LIKE 'sheet:%' AND id = (SELECT max(id) FROM absence AS later "
        "WHERE (later.assignment, later.pupil) = (absence.assignment, absence.pupil)) ORDER BY id"
    ).fetchall()
    return [Untold(row["id"], row["deed"], row["assignment"], row["pupil"], Absence(row["absence"])) for row in rows]


def note_told(db: sqlite3.Connection, row: int, word: bytes) -> None:
    """Say by which word the school is told of what a row says."""
    db.execute("UPDATE absence SET word = ? WHERE id = ?", (word, row))


def stands(db: sqlite3.Connection, deed: int, about: About) -> bool:
    """Whether what a deed said of a pupil is still the last word."""
    row = db.execute(
        "SELECT deed FROM absence WHERE (assignment, pupil) = (?, ?) ORDER BY id DESC LIMIT 1",
        (about.get("assignment"), about.get("pupil")),
    ).fetchone()
    return row is not None and row["deed"] == deed


def _records(rows: Iterable[sqlite3.Row]) -> Iterator[AbsenceRecord]:
    for row in rows:
        record = decode_record(row["body"])
        assert isinstance(record, AbsenceRecord)
        yield record
