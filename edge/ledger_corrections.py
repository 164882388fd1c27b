"""What people say of fields, as corrections: a box's own go up to the school, the school's come down and are settled.

Which of several counts is decided by `homework.merging`, here and at the school alike. A sheet's new revision, the
deed, and what is known of the correction are one transaction.
"""

from __future__ import annotations

import secrets
import sqlite3
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from edge.bookings import Bookings
from edge.correcting import Change, about_of, key_for
from edge.corrections_kept import body_of, captures_waiting, keep, known_of, settle, waiting_of
from edge.database import Database
from edge.deeds import About, By, DeedKind, add_deed
from edge.filed import PageRow
from edge.ledger_erased import is_erased
from homework.corrections import Place, Word, corrected, field_of
from homework.errors import UsageError
from homework.merging import Correction, correction_between, counting, said_after_all
from homework.results import ItemResult, PageRecord
from sync.clock import ClockQuality
from sync.corrections import ID_BYTES, Opened, correction_record, opened
from sync.lanes import Lane
from sync.outbox import Outbox
from sync.records import CorrectionRecord, encode_record

SCHOOL = "school"
"""Who did what came from the school without a name."""


class Corrections(Bookings):
    """The part of the ledger that exchanges corrections with the school."""

    _file: Database
    _school_key: bytes | None
    _deed: int | None = None
    """Of the transaction that is open."""

    @abstractmethod
    def _append(self, db: sqlite3.Connection, row: PageRow) -> None:
        """Add a new revision of a page."""

    def take_correction(self, record: CorrectionRecord) -> bool:
        """Keep a correction that came from the school, and let its sheet account for it; whether it was news.

        Twice is once. The correction of a sheet that is not here, or whose key is not, waits (`settle_corrections`).
        Raises `DatabaseError`.
        """
        with self._file.writing() as db:
            news = not is_erased(db, record.capture.hex()) and keep(db, record)
            if news:
                self._settle(db, record.capture.hex())
        return news

    def settle_corrections(self) -> int:
        """Let sheets account for corrections that waited for their key or reading; how many sheets changed."""
        with self._file.reading() as db:
            waiting = captures_waiting(db)
        if not waiting:
            return 0
        with self._file.writing() as db:
            return sum(self._settle(db, digest) for digest in waiting)

    def correction_body(self, name: bytes) -> bytes | None:
        """The correction of that id (16 bytes) as the school sent it, or None."""
        with self._file.reading() as db:
            return body_of(db, name)

    def _say(self, db: sqlite3.Connection, row: PageRow, by: By) -> None:
        """Queue what a person says of fields: that by which `row` differs from the page's newest revision."""
        before, digest = self._newest(db, row.capture), self._digest(db, row.capture)
        if before is None or before.record is None or row.record is None:
            return
        for place, (was, now) in enumerate(zip(before.record.items, row.record.items, strict=True)):
            name = (now.item, now.blank)
            if was.said == now.said:
                continue
            known = known_of(db, digest, name, self._school_key)
            if place in row.taken and not known and self._deed_is_undoing(db):
                continue  # it follows the attempt before, of which this is said
            correction = correction_between(
                was.said,
                now.said,
                known=known,
                name=secrets.token_bytes(ID_BYTES),
                place=name,
                read=now.read,
                synced=by.clock.quality is ClockQuality.SYNCED,
                wall_ms=by.clock.wall_ms,
            )
            record = correction_record(
                correction,
                capture=bytes.fromhex(digest),
                revision=self._revision(db, row.capture),
                who=by.person,
                clock=by.clock,
                school_key=self._school_key,
            )
            keep(db, record, settled=True)
            Outbox(db).append(Lane.RESULTS, encode_record(record), subject=record.capture)

    def _settle(self, db: sqlite3.Connection, digest: str) -> bool:
        """Let a sheet account for what is known of it by now, each correction with a deed; whether it was done.

        Also one that does not count makes a revision: so the school hears that the box knows of it.
        """
        row = db.execute("SELECT id FROM capture WHERE digest = ?", (digest,)).fetchone()
        capture: int | None = None if row is None else row["id"]
        for record, is_new in waiting_of(db, digest):
            page = self._newest(db, capture)
            if page is None or page.record is None:
                return False
            try:
                key = key_for(page.record, self._key_of)
            except UsageError:
                return False
            place, said = (record.item, record.blank), opened(record, self._school_key)
            known = known_of(db, digest, place, self._school_key)
            field = field_of(page.record, place)
            settle(db, record)
            if field is None:
                continue
            after = said_after_all(field, known)
            if after == field.said and not is_new:
                continue
            changed = corrected(page.record, {place: after}, key) if after != field.said else page.record
            about = _about(page, changed, field, said, counts=_counts(said.correction, known), origin=record.origin)
            with self._doing(db, By(said.who or SCHOOL, record.clock), DeedKind.CORRECTED, about):
                self._append(db, msgspec.structs.replace(page, record=changed, problems=changed.problems))
        return True

    def _digest(self, db: sqlite3.Connection, capture: int) -> str:
        row = db.execute("SELECT digest FROM capture WHERE id = ?", (capture,)).fetchone()
        return str(row["digest"])

    def _revision(self, db: sqlite3.Connection, capture: int) -> int:
        row = db.execute("SELECT revision FROM head WHERE capture = ?", (capture,)).fetchone()
        return int(row["revision"])

    def _deed_is_undoing(self, db: sqlite3.Connection) -> bool:
        row = db.execute("SELECT undoes FROM deed WHERE id = ?", (self._deed,)).fetchone()
        return row is not None and row["undoes"] is not None

    @contextmanager
    def _doing(
        self, db: sqlite3.Connection, by: By | None, kind: DeedKind, about: About, *, undoes: int | None = None
    ) -> Iterator[int | None]:
        """Every revision that is added inside is this deed's. Without a person (the box itself) there is no deed."""
        self._deed = add_deed(db, by, kind, about, undoes=undoes) if by is not None else None
        try:
            yield self._deed
        finally:
            self._deed = None


def _counts(correction: Correction, known: list[Correction]) -> bool:
    return any(one is not None and one.id == correction.id for one in counting(known))


def _about(
    page: PageRow, changed: PageRecord, before: ItemResult, said: Opened, *, counts: bool, origin: str | None
) -> About:
    """What is written down of a correction from elsewhere: as of any, and where it came from, and whether it counts."""
    assert page.record is not None
    place: Place = said.correction.place
    after = field_of(changed, place)
    assert after is not None
    change = Change(page.capture, said.revision, place, _word(said.correction))
    return {
        **about_of([(change, page.record, before, after)]),
        "origin": origin or SCHOOL,
        "counts": int(counts),
    }


def _word(correction: Correction) -> Word:
    judgement = correction.judgement
    word = Word() if correction.comment is msgspec.UNSET else Word(comment=correction.comment)
    word = msgspec.structs.replace(word, stamp=correction.stamp)
    if judgement is msgspec.UNSET:
        return word
    return msgspec.structs.replace(
        word, text=judgement.text, right=judgement.right, score_hundredths=judgement.score_hundredths
    )
