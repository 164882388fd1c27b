"""Every correction that the box knows of its sheets, as the ledger keeps it: its own people's and the school's.

Nothing is taken out. Every function works in the transaction that it is given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from homework.corrections import Place
from homework.merging import Correction
from sync.corrections import opened
from sync.records import CorrectionRecord, decode_record, encode_record

CORRECTIONS: Final = """
    CREATE TABLE correction (
        no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, capture TEXT NOT NULL, item TEXT NOT NULL,
        blank INTEGER NOT NULL, body BLOB NOT NULL, settled INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX correction_by_field ON correction (capture, item, blank);
    CREATE INDEX correction_waiting ON correction (capture) WHERE settled <> 1;
"""
"""`capture` is a digest: a correction may be of a sheet that is not here. `settled`: 0 waits, 1 the sheet accounts for
it, 2 it did, and the school has said more of it since (its place in the school's order).
"""

MOST_WAITING = 20_000
"""So many may wait for sheets and keys that are not here (4 MB); of more the oldest go. The school keeps them all."""


def keep(db: sqlite3.Connection, record: CorrectionRecord, *, settled: bool = False) -> bool:
    """Keep a correction; says whether that was news. Of one that is known only the school's order can be."""
    body = encode_record(record)
    row = db.execute("SELECT no, body, settled FROM correction WHERE id = ?", (record.id,)).fetchone()
    if row is not None:
        news = record.order is not None and bytes(row["body"]) != body
        if news:
            looked_at = 0 if row["settled"] == 0 else 2
            db.execute("UPDATE correction SET body = ?, settled = ? WHERE no = ?", (body, looked_at, row["no"]))
        return news
    db.execute(
        "INSERT INTO correction (id, capture, item, blank, body, settled) VALUES (?, ?, ?, ?, ?, ?)",
        (record.id, record.capture.hex(), record.item, record.blank, body, settled),
    )
    if not settled:
        db.execute(
            "DELETE FROM correction WHERE settled = 0 AND no <= "
            "(SELECT no FROM correction WHERE settled = 0 ORDER BY no DESC LIMIT 1 OFFSET ?)",
            (MOST_WAITING,),
        )
    return True


def known_of(db: sqlite3.Connection, digest: str, place: Place, school_key: bytes | None) -> list[Correction]:
    """The corrections of one field of the capture of that digest."""
    rows = db.execute(
        "SELECT body FROM correction WHERE (capture, item, blank) = (?, ?, ?) ORDER BY no", (digest, *place)
    )
    return [opened(record, school_key).correction for record in _records(rows.fetchall())]


def settled_ids(db: sqlite3.Connection, digest: str) -> list[bytes]:
    """The corrections that a capture accounts for, the newest first."""
    rows = db.execute("SELECT id FROM correction WHERE capture = ? AND settled <> 0 ORDER BY no DESC", (digest,))
    return [bytes(row["id"]) for row in rows]


def waiting_of(db: sqlite3.Connection, digest: str) -> list[tuple[CorrectionRecord, bool]]:
    """The corrections of a capture that are to be looked at, in the order in which they came.

    Beside each: whether it is new to the sheet, and not only its place.
    """
    rows = db.execute(
        "SELECT body, settled FROM correction WHERE capture = ? AND settled <> 1 ORDER BY no", (digest,)
    ).fetchall()
    return [(record, row["settled"] == 0) for record, row in zip(_records(rows), rows, strict=True)]


def captures_waiting(db: sqlite3.Connection) -> list[str]:
    """The digests of the captures that are here and have corrections which are to be looked at."""
    rows = db.execute(
        "SELECT DISTINCT correction.capture FROM correction JOIN capture ON capture.digest = correction.capture "
        "WHERE settled <> 1 ORDER BY correction.no"
    ).fetchall()
    return [row["capture"] for row in rows]


def settle(db: sqlite3.Connection, record: CorrectionRecord) -> None:
    """Say that the sheet of a correction accounts for it from now on."""
    db.execute("UPDATE correction SET settled = 1 WHERE id = ?", (record.id,))


def body_of(db: sqlite3.Connection, name: bytes) -> bytes | None:
    """The correction of that id as it is kept, or None."""
    row = db.execute("SELECT body FROM correction WHERE id = ?", (name,)).fetchone()
    return None if row is None else bytes(row["body"])


def _records(rows: Iterable[sqlite3.Row]) -> Iterator[CorrectionRecord]:
    for row in rows:
        record = decode_record(row["body"])
        assert isinstance(record, CorrectionRecord)
        yield record
