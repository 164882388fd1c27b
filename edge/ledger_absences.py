"""请假 and 免做 in the ledger: what is said here goes up to the school, what is said elsewhere is settled here.

Which of several words counts is decided by `homework.absences`, here and at the school alike. The deed, what the seat
says from then on, the word and its record for the school are one transaction.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable

from edge.absences_kept import (
    Waiting,
    keep_word,
    note_queued,
    note_told,
    settle_words,
    stands,
    tell_back,
    unsent,
    untold,
    waiting,
    word_body,
    words_on,
)
from edge.database import Database
from edge.deeds import About, By, Deed, DeedKind, absences, add_deed, deed_of, set_absence
from edge.ledger_corrections import SCHOOL
from homework.absences import Absence, word_after
from homework.merging import winner
from sync.absences import absence_record, who_said, word_of
from sync.box_session import latest_greeting
from sync.clock import ClockQuality
from sync.inbox import Inbox
from sync.lanes import Lane
from sync.outbox import Outbox
from sync.pseudonym import pseudonym
from sync.records import ABSENCE_CODES, ABSENCE_KIND, AbsenceRecord, encode_record

_ID_BYTES = 16
_TOLD = "absences told to"
"""Under which the outbox has the incarnation of the gateway that knows the school's words."""
_NO_ASSIGNMENT = "sheet:"
_LONGEST_NAME = 64
PupilOf = Callable[[bytes], str | None]
"""Who has that pseudonym, by the class lists that are here."""


class LedgerAbsences:
    """The part of the ledger that knows who is away."""

    _file: Database
    _school_key: bytes | None

    def set_absence(self, assignment: str, pupil: str, absence: Absence | None, *, by: By) -> None:
        """Say that a pupil's sheet is not to come, and why; None: it is to come. A sheet that is there counts."""
        with self._file.writing() as db:
            before = absences(db, assignment).get(pupil)
            if before != absence:
                about: About = {"assignment": assignment, "pupil": pupil, "before": before, "after": absence}
                self._set_absence(db, add_deed(db, by, DeedKind.ABSENCE, about), about, by)

    def take_absence(self, record: AbsenceRecord, pupil_of: PupilOf) -> bool:
        """Keep a word that came from the school, and let its pupil's seat account for it; whether it was news.

        Twice is once. A word on a pupil whom the class lists here do not have waits (`settle_absences`).
        Raises `DatabaseError`.
        """
        with self._file.writing() as db:
            self._find_words(db)  # or what is said of it here would not be known when it is decided what counts
            news = keep_word(db, record)
            if news:
                self._settle_absence(db, Waiting(record.assignment, record.pseudonym), pupil_of)
        return news

    def settle_absences(self, pupil_of: PupilOf) -> int:
        """Let seats account for words that waited for their pupil; of how many pupils something changed."""
        with self._file.reading() as db:
            if not any(pupil_of(one.pseudonym) is not None for one in waiting(db)):
                return 0
        with self._file.writing() as db:
            return sum(self._settle_absence(db, one, pupil_of) for one in waiting(db))

    def absence_body(self, name: bytes) -> bytes | None:
        """The word of that id (16 bytes) as the school sent it, or None."""
        with self._file.reading() as db:
            return word_body(db, name)

    def queue_absences(self) -> int:
        """Queue for the school what was said before it was known to take such records; how many records that were.

        A school whose database was put back is told its own words again: only the boxes have the newest of them.
        """
        if self._school_key is None:
            return 0
        with self._file.reading() as db:
            told, school = Outbox(db).noted(_TOLD), Inbox(db).told()[0]
            if not (unsent(db) or untold(db) or told != school) or not _is_read(db):
                return 0
        with self._file.writing() as db:
            self._find_words(db)
            if told != school:
                Outbox(db).note(_TOLD, school)
                if told is not None:
                    tell_back(db)
            return _queue(db)

    def _find_words(self, db: sqlite3.Connection) -> None:
        """Make words of what was said before there were any, as it was said then."""
        for row, number, assignment, pupil, absence in untold(db) if self._school_key is not None else ():
            deed = deed_of(db, number)
            if deed is not None and len(assignment) <= _LONGEST_NAME:
                by = By(deed.person, deed.clock)
                note_told(db, row, self._say_away(db, assignment, pupil, absence, by))

    def _set_absence(self, db: sqlite3.Connection, deed: int, about: About, by: By) -> None:
        """What a deed here says of a pupil's absence (`about["after"]`), and the word of it for the school."""
        assignment, pupil, after = str(about["assignment"]), str(about["pupil"]), about["after"]
        absence = Absence(str(after)) if after is not None else None
        named = not assignment.startswith(_NO_ASSIGNMENT) and len(assignment) <= _LONGEST_NAME
        word = self._say_away(db, assignment, pupil, absence, by) if self._school_key is not None and named else None
        set_absence(db, deed, assignment, pupil, absence, word=word)
        if word is not None:
            _queue(db)

    def _undo_absence(self, db: sqlite3.Connection, deed: Deed, by: By) -> Deed | None:
        """Let a pupil's absence be as it was before; None where somebody has said something else since."""
        if not stands(db, deed.number, deed.about):
            return None
        undoing = add_deed(db, by, DeedKind.UNDONE, deed.about, undoes=deed.number)
        self._set_absence(db, undoing, {**deed.about, "after": deed.about["before"]}, by)
        return deed_of(db, undoing)

    def _say_away(self, db: sqlite3.Connection, assignment: str, pupil: str, absence: Absence | None, by: By) -> bytes:
        """The word of this box's own, kept; returns its id."""
        assert self._school_key is not None
        whose = Waiting(assignment, pseudonym(self._school_key, pupil))
        self._settle_absence(db, whose, lambda _: pupil)
        word = word_after(
            [word_of(known.record) for known in words_on(db, whose)],
            absence,
            name=secrets.token_bytes(_ID_BYTES),
            synced=by.clock.quality is ClockQuality.SYNCED,
            wall_ms=by.clock.wall_ms,
        )
        record = absence_record(
            word, assignment=assignment, pseudonym=whose.pseudonym, who=by.person, clock=by.clock,
            school_key=self._school_key,
        )  # fmt: skip
        keep_word(db, record, own=True)
        return word.id

    def _settle_absence(self, db: sqlite3.Connection, whose: Waiting, pupil_of: PupilOf) -> bool:
        """Let a pupil's seat account for all that is known of it, each new word with a deed; whether it changed."""
        known = words_on(db, whose)
        pupil = pupil_of(whose.pseudonym)
        counts = winner([word_of(one.record) for one in known])
        if pupil is None or counts is None:
            return False
        now = absences(db, whose.assignment).get(pupil)
        for record, is_new in known:
            if is_new and record.id != counts.id:
                said = ABSENCE_CODES[record.absence]
                self._elsewhere(db, record, {"before": now, "after": said, "pupil": pupil, "counts": 0})
        (winning,) = (one for one in known if one.record.id == counts.id)
        if winning.is_new or counts.absence != now:
            about: About = {"before": now, "after": counts.absence, "pupil": pupil, "counts": 1}
            deed = self._elsewhere(db, winning.record, about)
            set_absence(db, deed, whose.assignment, pupil, counts.absence, word=counts.id)
        settle_words(db, whose)
        return counts.absence != now

    def _elsewhere(self, db: sqlite3.Connection, record: AbsenceRecord, about: About) -> int:
        """Write down a word that was said elsewhere, or that counts since more is known of where it stands."""
        by = By(who_said(record, self._school_key) or SCHOOL, record.clock)
        about = {"assignment": record.assignment, **about, "origin": record.origin or SCHOOL}
        return add_deed(db, by, DeedKind.ABSENCE, about)


def _is_read(db: sqlite3.Connection) -> bool:
    """Whether the school's program has said that it takes such records: an older one would only hold them."""
    greeting = latest_greeting(Outbox(db))
    return greeting is not None and greeting.reads(ABSENCE_KIND)


def _queue(db: sqlite3.Connection) -> int:
    """Queue what waits, where the school takes it."""
    if not _is_read(db):
        return 0
    records = unsent(db)
    for record in records:
        Outbox(db).append(Lane.RESULTS, encode_record(record), subject=record.id)
        note_queued(db, record)
    return len(records)
