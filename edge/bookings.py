"""What pages count as, kept in the ledger: attempts of one pupil's page follow each other without a gap.

What a page counts as is decided in `edge/booking.py`, what a corrected one is worth in `edge/attempts.py`. Here their
answers become rows. A later attempt rests on the one before it: whatever happens to that, it is worked out anew, in the
same transaction.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from dataclasses import dataclass

import msgspec

from edge.attempts import Likeness, Look, comes_before, likeness, own_record, take_over
from edge.booking import Rival, Standing, assignment_key, decide
from edge.correcting import KeyOf
from edge.filed import PageRow, read_row
from homework.results import PageRecord, PageStatus


@dataclass(frozen=True)
class Slot:
    """What is counted once for each attempt: an assignment's page of one pupil."""

    assignment: str
    pupil: str
    page: int


class Bookings(ABC):
    """The part of the ledger that books. `_append` is the ledger's own."""

    _key_of: KeyOf

    @abstractmethod
    def _append(self, db: sqlite3.Connection, row: PageRow) -> None:
        """Add a new revision of a page."""

    def _newest(self, db: sqlite3.Connection, capture: int | None) -> PageRow | None:
        row = db.execute("SELECT body, ink FROM newest WHERE capture = ?", (capture,)).fetchone()
        return None if row is None else read_row(row["body"], row["ink"])

    def _book(self, db: sqlite3.Connection, row: PageRow) -> None:
        """Decide what a page counts as, and add it so. One that counts, and is its pupil's still, keeps its attempt."""
        record = row.record
        graded = row.status is PageStatus.GRADED and record is not None
        slot = _slot(row) if graded else None
        held = self._held(db, row.capture)
        if held is not None and held[0] == slot and record is not None:
            counts = msgspec.structs.replace(record, attempt=held[1])
            self._append(db, msgspec.structs.replace(row, standing=Standing.COUNTS, record=counts))
            return
        if held is not None:
            self._take_away(db, row.capture)
        if not graded or record is None:
            self._append(db, msgspec.structs.replace(row, standing=Standing.NOT_GRADED))
            return
        row = msgspec.structs.replace(row, record=self._own(db, row), read=None, taken=())
        if slot is None:  # `linked` is what it looks like, though nobody says that it is it
            self._append(db, msgspec.structs.replace(row, standing=Standing.ASK))
            return
        place = decide(row.pupil, self._rivals(db, row, slot), again=row.again)
        if place.standing is Standing.COUNTS:
            self._make_room(db, slot, place.attempt)
            self._put(db, row, slot, place.attempt)
            return
        record = msgspec.structs.replace(row.record, attempt=place.attempt) if row.record is not None else None
        self._append(db, msgspec.structs.replace(row, standing=place.standing, linked=place.linked, record=record))

    def _put(self, db: sqlite3.Connection, row: PageRow, slot: Slot, attempt: int) -> None:
        """Book a page as an attempt that nobody holds."""
        assert row.record is not None
        db.execute("INSERT INTO booking VALUES (?, ?, ?, ?, ?)", (*_key(slot), attempt, row.capture))
        record = msgspec.structs.replace(row.record, attempt=attempt)
        linked = None if attempt == 1 else row.linked
        self._append(db, msgspec.structs.replace(row, standing=Standing.COUNTS, record=record, linked=linked))

    def _put_back(self, db: sqlite3.Connection, row: PageRow) -> None:
        """Book a page as it was before; as if it came now where that is not possible any more."""
        slot = _slot(row)
        if row.standing is Standing.COUNTS and slot is not None and row.record is not None:
            attempt = row.record.attempt
            there = [self._capture_at(db, slot, number) for number in (attempt - 1, attempt)]
            if there[1] is None and (attempt == 1 or there[0] is not None):
                self._put(db, row, slot, attempt)
                return
        self._book(db, row)

    def _take_away(self, db: sqlite3.Connection, capture: int) -> None:
        """A page counts no more; the attempts after it are one earlier."""
        held = self._held(db, capture)
        if held is not None:
            db.execute("DELETE FROM booking WHERE capture = ?", (capture,))
            self._close_gaps(db, held[0])

    def _close_gaps(self, db: sqlite3.Connection, slot: Slot) -> None:
        """Number the attempts of a page from 1 again."""
        moved: int | None = None
        for number, (attempt, capture) in enumerate(self._attempts(db, slot), start=1):
            if attempt != number:
                db.execute("UPDATE booking SET attempt = ? WHERE capture = ?", (number, capture))
                moved = number if moved is None else moved
        if moved is not None:
            self._renew(db, slot, moved)

    def _make_room(self, db: sqlite3.Connection, slot: Slot, attempt: int) -> None:
        """The attempts from this one on are one later; each is worked out anew once the one before it stands there."""
        for number, capture in reversed(self._attempts(db, slot)):
            if number >= attempt:
                db.execute("UPDATE booking SET attempt = ? WHERE capture = ?", (number + 1, capture))

    def _renew(self, db: sqlite3.Connection, slot: Slot, attempt: int) -> None:
        """Work an attempt out anew, and through it those after it. Nothing is added where nothing changed."""
        row = self._newest(db, self._capture_at(db, slot, attempt))
        if row is None or row.record is None:
            return
        record = msgspec.structs.replace(row.record, attempt=attempt)
        renewed = self._resting(db, msgspec.structs.replace(row, record=record))
        if (renewed.record, renewed.linked) != (row.record, row.linked):
            self._append(db, renewed)

    def _followed(self, db: sqlite3.Connection, row: PageRow) -> None:
        """A page was added: the attempt after it is worked out anew."""
        slot = _slot(row)
        if row.standing is Standing.COUNTS and slot is not None and row.record is not None:
            self._renew(db, slot, row.record.attempt + 1)

    def _resting(self, db: sqlite3.Connection, row: PageRow) -> PageRow:
        """A page as it is to be added: a later attempt rests on the one before it, everything else on itself."""
        slot = _slot(row)
        record = row.record
        if record is None or slot is None or row.standing is not Standing.COUNTS:
            if row.read is None:
                return row
            return msgspec.structs.replace(row, record=self._own(db, row), read=None, taken=())
        attempt = record.attempt
        before = self._newest(db, self._capture_at(db, slot, attempt - 1)) if attempt > 1 else None
        if before is None or before.record is None:
            if row.read is None:
                return row
            own = self._own(db, row)
            return msgspec.structs.replace(row, record=own, problems=own.problems, read=None, taken=(), linked=None)
        own = self._own(db, row)
        key = self._key_of(record.assignment) if record.assignment is not None else None
        record, taken = take_over(before.record, own, key, attempt=attempt)
        return msgspec.structs.replace(
            row, record=record, problems=record.problems, read=own, taken=taken, linked=before.capture
        )

    def _own(self, db: sqlite3.Connection, row: PageRow) -> PageRecord:
        """What a page says by itself, with what a person has just said of what it took over.

        That is a word which neither the attempt before it nor its own newest revision has.
        """
        assert row.record is not None
        own = own_record(row.record, row.read, row.taken)
        slot = _slot(row)
        if row.read is None or slot is None:
            return own
        earlier = (self._newest(db, row.capture), self._newest(db, self._capture_at(db, slot, row.record.attempt - 1)))
        known = [one.record.items for one in earlier if one is not None and one.record is not None]
        items = tuple(
            msgspec.structs.replace(item, said=now.said)
            if place in row.taken and all(items[place].said != now.said for items in known)
            else item
            for place, (item, now) in enumerate(zip(own.items, row.record.items, strict=True))
        )
        return msgspec.structs.replace(own, items=items) if known else own

    def _rivals(self, db: sqlite3.Connection, row: PageRow, slot: Slot) -> list[Rival]:
        """The captures that count for the same pupil and page, and those that are asked about."""
        assert row.record is not None
        found = db.execute(
            """
            SELECT capture, body, ink FROM newest WHERE capture <> ?1 AND (
                capture IN (SELECT capture FROM booking WHERE (assignment, pupil, page) = (?2, ?3, ?4))
                OR (standing = 'ask' AND pupil = ?3 AND sheet = ?5 AND page = ?4)) ORDER BY capture
            """,
            (row.capture, *_key(slot), row.record.sheet),
        )
        numbers = {capture: attempt for attempt, capture in self._attempts(db, slot)}
        now = Look(row.record, row.ink, row.around)
        restored = row.standing is Standing.WITHDRAWN
        rested_on = self._rested_on(db, row.capture) if restored else frozenset()
        rivals = []
        for each in found:
            other = read_row(each["body"], each["ink"])
            if other.record is None:
                continue
            look, attempt = Look(other.record, other.ink, other.around), numbers.get(other.capture)
            # Known since it was first booked. Looking anew says less: by now what was corrected may be right by itself,
            # what was in doubt be settled, and a page with anything in doubt is no earlier one by its looks.
            after = attempt is not None and (
                row.capture in self._rested_on(db, other.capture) or comes_before(now, look)
            )
            alike = Likeness.CORRECTED if other.capture in rested_on else likeness(look, now)
            rivals.append(Rival(other.capture, attempt, alike, after))
        return rivals

    def _rested_on(self, db: sqlite3.Connection, capture: int) -> frozenset[int]:
        """The captures after which it was booked as a later attempt, since it was last in question; and theirs."""
        found: set[int] = set()
        ahead = [capture]
        while ahead:
            query = "SELECT standing, linked FROM page WHERE capture = ? ORDER BY revision DESC"
            for revision in db.execute(query, (ahead.pop(),)).fetchall():
                if revision["standing"] in (Standing.ASK, Standing.DUPLICATE):
                    break
                linked = revision["linked"]
                if revision["standing"] == Standing.COUNTS and linked is not None and linked not in found:
                    found.add(linked)
                    ahead.append(linked)
        return frozenset(found)

    def _looks_like(self, db: sqlite3.Connection, look: Look, capture: int = 0) -> PageRow | None:
        """The page that counts of which this is a later look, the same or corrected. None: none, or several pupils'."""
        found = db.execute(
            "SELECT body, ink FROM newest WHERE capture <> ? AND capture IN "
            "(SELECT capture FROM booking WHERE assignment = ? AND page = ?) ORDER BY capture",
            (capture, assignment_key(look.record), look.record.page),
        )
        rows = [read_row(each["body"], each["ink"]) for each in found]
        alike = [
            row
            for row in rows
            if row.record is not None
            and likeness(Look(row.record, row.ink, row.around), look) in (Likeness.SAME, Likeness.CORRECTED)
        ]
        return alike[-1] if len({row.pupil for row in alike}) == 1 else None

    def _held(self, db: sqlite3.Connection, capture: int) -> tuple[Slot, int] | None:
        """What a capture counts as."""
        row = db.execute(
            "SELECT assignment, pupil, page, attempt FROM booking WHERE capture = ?", (capture,)
        ).fetchone()
        return None if row is None else (Slot(row["assignment"], row["pupil"], row["page"]), row["attempt"])

    def _attempts(self, db: sqlite3.Connection, slot: Slot) -> list[tuple[int, int]]:
        """The attempts of a page and their captures, in order."""
        query = "SELECT attempt, capture FROM booking WHERE (assignment, pupil, page) = (?, ?, ?) ORDER BY attempt"
        return [(row["attempt"], row["capture"]) for row in db.execute(query, _key(slot)).fetchall()]

    def _capture_at(self, db: sqlite3.Connection, slot: Slot, attempt: int) -> int | None:
        query = "SELECT capture FROM booking WHERE (assignment, pupil, page, attempt) = (?, ?, ?, ?)"
        row = db.execute(query, (*_key(slot), attempt)).fetchone()
        return None if row is None else row["capture"]


def _slot(row: PageRow) -> Slot | None:
    if row.record is None or row.pupil is None:
        return None
    return Slot(assignment_key(row.record), row.pupil, row.record.page)


def _key(slot: Slot) -> tuple[str, str, int]:
    return (slot.assignment, slot.pupil, slot.page)
