"""What people say of fields, and what a changed key makes of pages, worked out inside the ledger's transactions.

Nothing is written here but the digest of the key that judged a stack: each function gives the rows that the ledger
appends. A person's word and a changed key are worked out from the newest revision, in the transaction that appends
the next, so that neither can overwrite the other.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from edge.booking import Standing
from edge.deeds import About, Deed
from edge.filed import PageRow, read_row
from homework.assignment import Assignment
from homework.corrections import Place, Word, corrected, field_of, said_after, same_field
from homework.errors import UsageError
from homework.grading import WRONG_ASSIGNMENT, regrade
from homework.results import ItemResult, PageRecord, PageStatus, Reading, Said

T = TypeVar("T")
KeyOf = Callable[[str], Assignment | None]
_ANY = Reading(None, 0.0)

JUDGED_BY: Final = """
    CREATE TABLE judged_by (assignment TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
"""The key that judged every page of an assignment, by its digest."""


@dataclass(frozen=True)
class Change:
    """A person's word on one field (`place`) of a capture, as she saw it: at `revision`."""

    capture: int
    revision: int
    place: Place
    word: Word


@dataclass(frozen=True)
class Corrected:
    """What came of changes. `deed` is None when nothing had to be changed.

    `refused` are those on fields of which somebody else had said something meanwhile, or that are not there.
    """

    deed: int | None
    refused: tuple[Change, ...]


@dataclass(frozen=True)
class Plan:
    """The rows to append for some changes, and what is written down of the deed."""

    rows: tuple[PageRow, ...]
    about: About
    refused: tuple[Change, ...]


def planned(db: sqlite3.Connection, changes: Sequence[Change], key_of: KeyOf) -> Plan:
    """What changes make of their pages. A field that says already what is wanted is left alone.

    Raises `UsageError` when the key of a page is not loaded: then nothing of it could be judged.
    """
    by_capture: dict[int, list[Change]] = defaultdict(list)
    for change in changes:
        by_capture[change.capture].append(change)
    rows: list[PageRow] = []
    refused: list[Change] = []
    done: list[tuple[Change, PageRecord, ItemResult, ItemResult]] = []
    for capture, wanted in by_capture.items():
        row = _newest(db, capture)
        if row is None or row.record is None:
            refused += wanted
            continue
        said: dict[Place, Said | None] = {}
        for change in wanted:
            field = field_of(row.record, change.place)
            if field is None:
                refused.append(change)
            elif (word := said_after(field, change.word)) != field.said:
                if not _is_as_seen(db, change, field):
                    refused.append(change)
                else:
                    said[change.place] = word
        if said:
            record = corrected(row.record, said, key_for(row.record, key_of))
            rows.append(_with(row, record))
            for change in wanted:
                before, after = field_of(row.record, change.place), field_of(record, change.place)
                if change.place in said and before is not None and after is not None:
                    done.append((change, row.record, before, after))
    return Plan(tuple(rows), about_of(done), tuple(refused))


def undone(db: sqlite3.Connection, deed: Deed, key_of: KeyOf) -> list[PageRow] | None:
    """The rows that take a deed's words back; None when somebody has said more of one of its fields since, or when it
    said nothing that counts: the school's word, where a later one stands.

    What else became of the pages since (another owner, another key) stays.
    """
    rows: list[PageRow] = []
    for capture, revision in deed.pages:
        before, at, now = _at(db, capture, revision - 1), _at(db, capture, revision), _newest(db, capture)
        if before is None or at is None or now is None or not (before.record and at.record and now.record):
            return None
        said: dict[Place, Said | None] = {}
        for was, then in zip(before.record.items, at.record.items, strict=True):
            if was.said == then.said:
                continue
            place = (then.item, then.blank)
            field = field_of(now.record, place)
            if field is None or _words_of(field) != _words_of(then):
                return None
            said[place] = msgspec.structs.replace(was.said, read=field.read) if was.said is not None else None
        if said:
            rows.append(_with(now, corrected(now.record, said, key_for(now.record, key_of))))
    return rows or None


def rejudged(db: sqlite3.Connection, key: Assignment, sheets: Collection[str]) -> list[tuple[PageRow, bool]]:
    """The pages of an assignment that its key judges otherwise than they were, and those that nothing had judged yet.

    `sheets` are its print runs: of them also the pages that were read before there was a key. Beside each page, whether
    it has to be booked anew: it comes under its assignment for the first time, or fits the key now, or no more.
    """
    found = db.execute(
        "SELECT body, ink FROM newest WHERE assignment = ?1 OR "
        "(assignment IS NULL AND sheet IN (SELECT value FROM json_each(?2))) ORDER BY capture",
        (key.id, msgspec.json.encode(sorted(sheets)).decode()),
    )
    rows = []
    for each in found:
        row = read_row(each["body"], each["ink"])
        if row.record is None or row.record.assignment not in (None, key.id):
            continue
        record = regrade(row.record, key)
        fits = not any(problem.code == WRONG_ASSIGNMENT for problem in record.problems)
        status = PageStatus.GRADED if fits else PageStatus.WRONG_ASSIGNMENT
        if (record, status) != (row.record, row.status):
            stays = (row.record.assignment, row.status) == (record.assignment, status)
            moves = not stays and row.standing is not Standing.WITHDRAWN
            rows.append((msgspec.structs.replace(_with(row, record), status=status), moves))
    return rows


def key_digest(key: Assignment, sheets: Collection[str]) -> bytes:
    """Differs when a key, or which print runs it judges, does."""
    body = msgspec.json.encode([key, sorted(sheets)])
    return hashlib.blake2b(body, digest_size=16).digest()


def is_judged_by(db: sqlite3.Connection, assignment: str, digest: bytes) -> bool:
    """Whether the key of that digest judged every page of an assignment."""
    row = db.execute("SELECT digest FROM judged_by WHERE assignment = ?", (assignment,)).fetchone()
    return row is not None and row["digest"] == digest


def note_key(db: sqlite3.Connection, assignment: str, digest: bytes) -> None:
    """Say that it did."""
    db.execute("INSERT OR REPLACE INTO judged_by (assignment, digest) VALUES (?, ?)", (assignment, digest))


def key_for(record: PageRecord, key_of: KeyOf) -> Assignment | None:
    """The key that judges a page; None where it was read without one. Raises `UsageError` when that is gone."""
    key = key_of(record.assignment) if record.assignment is not None else None
    if key is None and record.assignment is not None:
        raise UsageError(
            "The answers to this worksheet are not loaded now.", remedy="Load the worksheet again, then correct."
        )
    return key


def _is_as_seen(db: sqlite3.Connection, change: Change, field: ItemResult) -> bool:
    """Whether a field is as the person saw it who changes it."""
    row = _at(db, change.capture, change.revision)
    seen = field_of(row.record, change.place) if row is not None and row.record is not None else None
    return seen is not None and same_field(seen, field)


def about_of(done: Sequence[tuple[Change, PageRecord, ItemResult, ItemResult]]) -> About:
    """What is written down of a deed: how many fields, and what they have in common. Never what is longer than a
    reading: that may be a pupil's own words, or words to one.
    """
    if not done:
        return {}
    short = all(after.kind not in ("open", "text") for _, _, _, after in done)
    words = [change.word for change, _, _, _ in done]
    text = _common(None if word.text is msgspec.UNSET else word.text for word in words)
    given = _common(None if word.score_hundredths is msgspec.UNSET else word.score_hundredths for word in words)
    return {
        "fields": len(done),
        "sheets": len({change.capture for change, _, _, _ in done}),
        "assignment": _common(record.assignment for _, record, _, _ in done),
        "item": _common(change.place[0] for change, _, _, _ in done),
        "text": text if short else None,
        "before": _common(before.verdict.kind.value for _, _, before, _ in done),
        "after": _common(after.verdict.kind.value for _, _, _, after in done),
        "points_hundredths": given,
        "remark": int(all(word == Word(comment=word.comment, stamp=word.stamp) for word in words)),
    }


def _common(values: Iterable[T]) -> T | None:
    """What all have, or None."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _words_of(field: ItemResult) -> Said | None:
    """What is said of a field, whatever was read there."""
    return msgspec.structs.replace(field.said, read=_ANY) if field.said is not None else None


def _with(row: PageRow, record: PageRecord) -> PageRow:
    return msgspec.structs.replace(row, record=record, problems=record.problems)


def _newest(db: sqlite3.Connection, capture: int) -> PageRow | None:
    row = db.execute("SELECT body, ink FROM newest WHERE capture = ?", (capture,)).fetchone()
    return None if row is None else read_row(row["body"], row["ink"])


def _at(db: sqlite3.Connection, capture: int, revision: int) -> PageRow | None:
    row = db.execute("SELECT body, ink FROM page WHERE capture = ? AND revision = ?", (capture, revision)).fetchone()
    return None if row is None else read_row(row["body"], row["ink"])
