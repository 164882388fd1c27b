"""What the ledger gives to the tallies: which sheets something was said of, and the tally in the outbox."""

from __future__ import annotations

import hashlib
import json

import msgspec

from edge.database import Database
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane, record_digest
from sync.outbox import Outbox
from sync.records import Tally, encode_record

_NO_CLOCK = ClockReading(monotonic_ms=0, wall_ms=0, boot=bytes(16), quality=ClockQuality.UNSET)


class LedgerTallies:
    """The tallies' part of the ledger. Any thread may call."""

    _file: Database

    def said_until(self) -> tuple[bytes, int]:
        """The epoch, and the number of the newest record about a sheet: both grow or change with every word."""
        with self._file.reading() as db:
            newest = [stream for stream in Outbox(db).streams() if stream.lane is Lane.RESULTS][-1]
            return newest.epoch, newest.last_seq

    def last_absence(self) -> int:
        """The number of the newest word on an absence, 0 before the first."""
        return int(self._file.read("SELECT coalesce(max(id), 0) AS last FROM absence")[0]["last"])

    def away_said_of(self, after: int) -> frozenset[tuple[str, str]]:
        """Assignments and pupils of whose absence something was said after that number."""
        rows = self._file.read("SELECT DISTINCT assignment, pupil FROM absence WHERE id > ?", (after,))
        return frozenset((row["assignment"], row["pupil"]) for row in rows)

    def sheets_said_of(self, after: int) -> frozenset[str]:
        """The print runs of the captures that records of this epoch after that number are about."""
        with self._file.reading() as db:
            digests = [subject.hex() for subject in Outbox(db).subjects(Lane.RESULTS, after)]
            rows = db.execute(
                "SELECT DISTINCT sheet FROM head JOIN capture ON capture.id = head.capture "
                "WHERE digest IN (SELECT value FROM json_each(?)) AND sheet IS NOT NULL",
                (json.dumps(digests),),
            ).fetchall()
        return frozenset(row["sheet"] for row in rows)

    def tallied_classes(self, assignment: str) -> frozenset[str]:
        """The classes that the school was told of: one that has nothing any more must be told again."""
        rows = self._file.read("SELECT id FROM queued_document WHERE document = 'tally'")
        names = [row["id"].partition("\n") for row in rows]
        return frozenset(class_name for class_name, _, name in names if name == assignment)

    def queue_tally(self, tally: Tally) -> bool:
        """Queue a tally for the school in the place of the one before. Says whether it differs from that one."""
        name = f"{tally.class_name}\n{tally.assignment}"
        subject = hashlib.blake2b(name.encode(), digest_size=16, person=b"classbox-tally").digest()
        digest = record_digest(encode_record(msgspec.structs.replace(tally, clock=_NO_CLOCK)))
        with self._file.writing() as db:
            key = ("tally", name)
            row = db.execute("SELECT digest FROM queued_document WHERE (document, id) = (?, ?)", key).fetchone()
            if row is not None and row["digest"] == digest:
                return False
            db.execute("INSERT OR REPLACE INTO queued_document (document, id, digest) VALUES (?, ?, ?)", (*key, digest))
            outbox = Outbox(db)
            outbox.erase(subject)  # what is not sent yet need not be: the newest says all
            outbox.append(Lane.HEALTH, encode_record(tally), subject=subject)
        return True
