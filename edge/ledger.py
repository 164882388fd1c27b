"""The truth on the box: every capture, every page that came of it, and what waits for the school.

SQLite in WAL with `synchronous=FULL`; nothing is changed, only added. A page, its booking and its record on the
wire are one transaction, so that a kill at any moment leaves all of it or none. What counts is one capture for
each (assignment, pupil, page, attempt): the primary key of `booking` says so, not the code.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec

from edge.absences_kept import WORDS
from edge.attempts import Look, own_record
from edge.booking import Standing, assignment_key
from edge.calling import (
    INDEXES,
    TABLE,
    SlidClass,
)
from edge.correcting import (
    JUDGED_BY,
    KeyOf,
    is_judged_by,
    key_digest,
    note_key,
    rejudged,
)
from edge.corrections_kept import CORRECTIONS, settled_ids
from edge.database import Database
from edge.deeds import TABLES, add_page
from edge.filed import Counts, FiledPage, NamedBy, PageRow, page_row, read_clock, read_row, unsaved_page
from edge.frames import Capture
from edge.heads import HEADS
from edge.ledger_boots import BOOT_TABLE, LedgerBoots, note_reading
from edge.ledger_calling import SeatOrder
from edge.ledger_crops import CROP_TABLE, LedgerCrops, settle_crops
from edge.ledger_erased import ERASED_TABLE, LedgerErased
from edge.ledger_pictures import PICTURE_TABLES, LedgerPictures
from edge.ledger_restored import NEXT_REVISION, RESTORED_TABLE, LedgerRestored
from edge.ledger_tallies import LedgerTallies
from edge.owners import StackPage, named_by_stack, with_owner
from edge.pipeline import GradedPage
from homework.assignment import Assignment
from homework.corrections import carried_over
from homework.results import PageRecord, PageStatus, WhoWroteIt
from homework.roster import Roster
from sync.clock import ClockReading
from sync.lanes import Lane
from sync.outbox import LaneCounts, Outbox, create_tables
from sync.records import DocumentRecord, encode_record, page_result_from

__all__ = ["Counts", "FiledPage", "Ledger", "NamedBy", "unsaved_page"]
FILE_NAME = "ledger.sqlite"


_OPEN_DOUBTS = "SELECT body, ink FROM newest WHERE in_doubt = 1 AND standing = 'ask'"
_IN_DOUBT = """
    SELECT body, ink FROM newest WHERE in_doubt = 1 AND (assignment = ?1 OR assignment IS NULL) AND page = ?2
        AND standing IN ('counts', 'duplicate', 'ask') ORDER BY capture
"""
_CERTAIN = """
    SELECT body, ink FROM newest WHERE in_doubt = 0 AND pupil IS NOT NULL AND (
        capture IN (SELECT capture FROM booking WHERE (assignment, page) = (?1, ?2))
        OR (standing IN ('ask', 'duplicate') AND page = ?2 AND (assignment = ?1 OR assignment IS NULL))
    ) ORDER BY capture
"""
StackKey = tuple[str, int]
"""What is slid as one stack: the assignment (see `assignment_key`) and the page, whatever attempts lie in it."""

_MIGRATIONS = (
    """
    CREATE TABLE capture (
        id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, has_picture INTEGER NOT NULL, source TEXT NOT NULL,
        page_of_source INTEGER NOT NULL, clock BLOB NOT NULL
    ) STRICT;
    CREATE TABLE page (
        capture INTEGER NOT NULL REFERENCES capture (id), revision INTEGER NOT NULL, status TEXT NOT NULL,
        standing TEXT NOT NULL, linked INTEGER REFERENCES capture (id), sheet TEXT, page INTEGER, pupil TEXT,
        pending INTEGER NOT NULL, ink BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (capture, revision)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX page_by_pupil ON page (pupil);
    CREATE TABLE booking (
        assignment TEXT NOT NULL, pupil TEXT NOT NULL, page INTEGER NOT NULL, attempt INTEGER NOT NULL,
        capture INTEGER NOT NULL UNIQUE REFERENCES capture (id), PRIMARY KEY (assignment, pupil, page, attempt)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE queued_document (
        document TEXT NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (document, id)
    ) STRICT, WITHOUT ROWID;
    CREATE VIEW newest AS SELECT page.* FROM page
        WHERE revision = (SELECT max(revision) FROM page AS later WHERE later.capture = page.capture);
    """,
    """
    ALTER TABLE page ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX page_in_doubt ON page (capture) WHERE in_doubt = 1;
    """,
    TABLE,
    TABLES,
    HEADS + INDEXES,
    JUDGED_BY,
    PICTURE_TABLES,
    RESTORED_TABLE,
    BOOT_TABLE,
    CROP_TABLE,
    "ALTER TABLE queued_document ADD COLUMN came INTEGER NOT NULL DEFAULT 0;",
    CORRECTIONS,
    WORDS,
    ERASED_TABLE,
)


class Ledger(LedgerBoots, LedgerCrops, LedgerPictures, LedgerRestored, LedgerTallies, SeatOrder, LedgerErased):
    """One box's ledger. Any thread may call; writes queue on one lock, readers never wait for them."""

    def __init__(
        self,
        folder: Path,
        *,
        school_key: bytes | None = None,
        check: bool = False,
        key_of: KeyOf = lambda _assignment: None,
    ) -> None:
        """Open or make the ledger in `folder` and bring its schema up to date; `check` looks for damage first.

        `key_of` gives the answers of an assignment: what people correct is judged by them at once.
        Raises `DatabaseError` when it is damaged, of a newer program, or the disk does not take it.
        """
        self._school_key = school_key
        self._key_of = key_of
        self._touched: set[StackKey] | None = None  # unknown: all of them
        self._file = Database(folder / FILE_NAME, migrations=_MIGRATIONS, prepare=create_tables, check=check)

    def close(self) -> None:
        """Close every connection."""
        self._file.close()

    # --- writing -----------------------------------------------------------------------------------------

    def file(
        self,
        capture: Capture,
        page: GradedPage,
        *,
        pupil: str | None,
        digest: str,
        has_picture: bool,
        clock: ClockReading,
        slid: SlidClass | None = None,
        again: bool = False,
    ) -> FiledPage | None:
        """Book a graded capture, with its record for the school, in one transaction.

        `pupil` is what it is booked under (see `edge.booking.pupil_key`); None when that has to be asked. `slid`: it
        names nobody and came in seat order; then it is the pupil's who is called. `again`: it lies in a stack of
        corrected sheets (订正).
        None when a capture of that digest is in the ledger already: nothing is added. Raises `DatabaseError`.
        """
        with self._file.writing() as db:
            row = db.execute(
                "INSERT INTO capture (digest, has_picture, source, page_of_source, clock) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (digest) DO NOTHING RETURNING id",
                (digest, has_picture, capture.source, capture.page_of_source, msgspec.msgpack.encode(clock)),
            ).fetchone()
            if row is None:
                return None
            note_reading(db, clock)
            if slid is not None and page.record is not None and page.status is PageStatus.GRADED:
                self._take_in_order(db, row["id"], page, slid, again=again)
            else:
                self._add(db, row["id"], page, pupil, again=again)
            self._settle(db, digest)
        return self.page(row["id"])

    def regrade(self, capture: int, page: GradedPage, *, pupil: str | None) -> FiledPage:
        """A new revision of a capture: its assignment has come, or it was read anew. Raises `DatabaseError`.

        What people said of its fields stands in it too.
        """
        with self._file.writing() as db:
            row = self._newest(db, capture)
            if row is not None and row.record is not None and page.record is not None:
                key = self._key_of(page.record.assignment) if page.record.assignment is not None else None
                page = replace(page, record=carried_over(row.record, page.record, key))
            self._add(db, capture, page, pupil, again=row is not None and row.again)
        found = self.page(capture)
        assert found is not None
        return found

    def judge_by(self, key: Assignment, sheets: Collection[str]) -> int:
        """Judge every page of an assignment by its key, unless that key did so before; how many it judged otherwise.

        From the readings and what people said of them: no picture is touched. `sheets` are its print runs: of them also
        the pages that were read before there was a key. What a person took back stays so, under the new key.
        """
        digest = key_digest(key, sheets)
        with self._file.reading() as db:
            if is_judged_by(db, key.id, digest):
                return 0
        with self._file.writing() as db:
            rows = rejudged(db, key, sheets)
            db.executemany("DELETE FROM booking WHERE capture = ?", [(row.capture,) for row, moves in rows if moves])
            for row, moves in rows:
                if moves:
                    self._book(db, row)
                else:
                    self._append(db, row)
            note_key(db, key.id, digest)
        return len(rows)

    # --- the stack ---------------------------------------------------------------------------------------

    def clear_up(self, roster: Roster) -> bool:
        """Name the doubtful pages that their stack makes clear by now; take back a name that it no longer bears out.

        Only stacks in which something was filed since the last call are looked at (at first, those with an open
        question). What a page said for certain and what a person said stays. Says whether anything changed.
        """
        if self._touched is not None and not self._touched:
            return False
        with self._file.writing() as db:
            touched = self._touched
            if touched is None:
                touched = {_stack_of(row.record) for row in _rows(db.execute(_OPEN_DOUBTS)) if row.record is not None}
            changed = False
            for key in sorted(touched):
                rows = _rows(db.execute(_IN_DOUBT, key))
                doubtful = [
                    row
                    for row in rows
                    if row.record is not None and row.named_by is not NamedBy.PERSON and _stack_of(row.record) == key
                ]
                changed = (bool(doubtful) and self._clear_up(db, key, doubtful, roster)) or changed
            self._touched = set()
        return changed

    def queue_documents(self, records: Sequence[DocumentRecord], *, still: Callable[[], bool]) -> int:
        """Queue documents for the school, those that it does not know to be the newest; how many were queued.

        It knows what was queued last, and what it sent down since. `still` says, once nobody else can write, whether
        they are what the box has; if not, nothing is queued.
        """
        with self._file.writing() as db:
            return sum(self._queue_document(db, record) for record in records) if still() else 0

    def has_queued(self, document: str, name: str) -> bool:
        """Whether any document of that kind and name was ever queued, or came down."""
        rows = self._file.read(
            "SELECT 1 FROM queued_document WHERE (document, id) = (?1, ?2)"
            " UNION ALL SELECT 1 FROM inbox_known WHERE (kind, key) = (?1, ?2)",
            (document, name),
        )
        return bool(rows)

    def _queue_document(self, db: sqlite3.Connection, record: DocumentRecord) -> bool:
        key = (record.document, record.id)
        inbox = Outbox(db).inbox
        came = inbox.newest(*key)
        row = db.execute("SELECT digest, came FROM queued_document WHERE (document, id) = (?, ?)", key).fetchone()
        if came is not None and (row is None or row["came"] < came.no):
            known = {came.content, came.own}
        else:
            known = {row["digest"]} if row is not None else set()
        if record.digest in known or inbox.is_coming(*key, record.digest):
            return False
        db.execute(
            "INSERT OR REPLACE INTO queued_document VALUES (?, ?, ?, ?)",
            (*key, record.digest, came.no if came is not None else 0),
        )
        Outbox(db).append(Lane.DOCUMENTS, encode_record(record))
        return True

    def _add(self, db: sqlite3.Connection, capture: int, page: GradedPage, pupil: str | None, *, again: bool) -> None:
        self._book(db, msgspec.structs.replace(page_row(capture, page, pupil=pupil), again=again))

    def _clear_up(self, db: sqlite3.Connection, key: StackKey, doubtful: list[PageRow], roster: Roster) -> bool:
        """Name what is clear in one stack. Names are taken back before others are given: a seat may change hands.

        What comes of a stack does not depend on when it was looked at: of the sheets that name one seat for certain the
        first counts, and none of those that the stack named stands before it.
        """
        certain = [row for row in _rows(db.execute(_CERTAIN, key)) if row.record and _stack_of(row.record) == key]
        named = named_by_stack([*(self._in_stack(db, row) for row in doubtful), *map(_in_stack, certain)], roster)
        # The same paper twice: the look that says its number for certain counts, whichever came first.
        outranked = {row.linked for row in certain if row.standing is Standing.DUPLICATE}
        changed = [
            (row, row.record, who)
            for row in doubtful
            if row.record is not None
            and (
                (who := named.get(row.capture, WhoWroteIt(row.record.who.class_name))).pupil != row.pupil
                or row.capture in outranked
            )
        ]
        for row, _, _ in changed:
            self._take_away(db, row.capture)
        freed = {row.pupil for row, _, _ in changed if row.standing is Standing.COUNTS}
        for row in certain:
            if row.pupil in freed and row.standing in (Standing.ASK, Standing.DUPLICATE):
                self._book(db, row)
        for row, record, who in changed:
            now = self._newest(db, row.capture) or row  # it may have become another attempt meanwhile
            renamed = with_owner(now.record or record, who)
            self._book(
                db,
                msgspec.structs.replace(
                    now,
                    record=renamed,
                    problems=renamed.problems,
                    pupil=who.pupil,
                    named_by=NamedBy.PAGE if who.pupil is None else NamedBy.STACK,
                ),
            )
        return bool(changed)

    def _in_stack(self, db: sqlite3.Connection, row: PageRow) -> StackPage:
        """A doubtful page in its stack; of a corrected sheet the ink that it had before is proof of it."""
        page = _in_stack(row)
        if row.record is None:
            return page
        like = self._looks_like(db, Look(own_record(row.record, row.read, row.taken), row.ink, row.around), row.capture)
        return page if like is None else replace(page, ink=like.ink)

    def _append(self, db: sqlite3.Connection, row: PageRow) -> None:
        """A new revision of a page, and its record for the school when the page was read."""
        row = self._resting(db, row)
        revision: int = db.execute(NEXT_REVISION, (row.capture,)).fetchone()[0]
        record = row.record
        if record is not None and self._touched is not None:
            self._touched.add(_stack_of(record))
        db.execute(
            "INSERT INTO page VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.capture,
                revision,
                row.status,
                row.standing,
                row.linked,
                record and record.sheet,
                record and record.page,
                row.pupil,
                record.pending if record else 0,
                row.ink,
                msgspec.msgpack.encode(msgspec.structs.replace(row, ink=b"")),
                row.seat is not None and row.named_by is not NamedBy.PERSON,
                record and record.assignment,
            ),
        )
        settle_crops(db, row)
        if self._deed is not None:
            add_page(db, self._deed, row.capture, revision)
        if record is not None and row.standing is not Standing.NOT_GRADED:
            self._queue(db, row, record, revision)
            self._followed(db, row)

    def _queue(self, db: sqlite3.Connection, row: PageRow, record: PageRecord, revision: int) -> None:
        """Queue a page's record for the school."""
        digests = db.execute("SELECT id, digest, clock FROM capture WHERE id IN (?, ?)", (row.capture, row.linked))
        found = {each["id"]: each for each in digests}
        repeats = row.linked if row.standing is Standing.DUPLICATE else None
        if row.standing in (Standing.ASK, Standing.WITHDRAWN):
            # It counts for nobody (yet), so nobody's name goes with it.
            record = msgspec.structs.replace(record, who=WhoWroteIt(class_name=record.who.class_name))
        result = page_result_from(
            record,
            capture=bytes.fromhex(found[row.capture]["digest"]),
            clock=read_clock(found[row.capture]["clock"]),
            school_key=self._school_key,
            revision=revision,
            duplicate_of=bytes.fromhex(found[repeats]["digest"]) if repeats is not None else None,
            settled=settled_ids(db, found[row.capture]["digest"]),
        )
        Outbox(db).append(Lane.RESULTS, encode_record(result), subject=result.capture)

    # --- what waits for the school -----------------------------------------------------------------------

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        """The outbox, in a transaction of its own."""
        with self._file.writing() as db:
            yield Outbox(db)

    def outbox_counts(self) -> dict[Lane, LaneCounts]:
        """How many records each lane has, and how many of them the school has for certain."""
        with self._file.reading() as db:
            return Outbox(db).counts()

    def ways_to_school(self, digests: Collection[str]) -> dict[str, Literal["waiting", "receipted", "held"] | None]:
        """How far what was said of each of these captures has come."""
        with self._file.reading() as db:
            outbox = Outbox(db)
            return {digest: outbox.state_of(bytes.fromhex(digest)) for digest in digests}

    def at_school(self, digest: str) -> bool:
        """Whether the school has what was said of that capture."""
        with self._file.reading() as db:
            return Outbox(db).state_of(bytes.fromhex(digest)) == "receipted"


def _stack_of(record: PageRecord) -> StackKey:
    return (assignment_key(record), record.page)


def _in_stack(row: PageRow) -> StackPage:
    who = row.record.who if row.record is not None else WhoWroteIt()
    return StackPage(row.capture, who, row.ink, row.seat if row.named_by is not NamedBy.PERSON else None)


def _rows(found: Iterable[sqlite3.Row]) -> list[PageRow]:
    return [read_row(each["body"], each["ink"]) for each in found]
