"""What the ledger keeps of the crops that go to the school: which were queued; of a settled field none goes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from edge.booking import Standing
from edge.database import Database
from edge.filed import FiledPage, PageRow
from homework.results import ItemResult, PageRecord, VerdictKind
from sync.box_session import latest_greeting
from sync.greeting import Greeting
from sync.lanes import Lane
from sync.outbox import Outbox
from sync.records import CropRecord, encode_record

CROP_TABLE: Final = """
    CREATE TABLE queued_crop (
        capture INTEGER NOT NULL REFERENCES capture (id), item TEXT NOT NULL, blank INTEGER NOT NULL,
        subject BLOB NOT NULL, PRIMARY KEY (capture, item, blank)
    ) STRICT, WITHOUT ROWID;
"""


class LedgerCrops:
    """The crops' part of the ledger. Any thread may call."""

    _file: Database
    pages_for_review: Callable[[], list[FiledPage]]

    def without_crops(self) -> list[tuple[FiledPage, list[ItemResult]]]:
        """Pages that count, and their fields in review of which no crop was queued yet."""
        rows = self._file.read("SELECT capture, item, blank FROM queued_crop")
        queued = {(row["capture"], row["item"], row["blank"]) for row in rows}
        found = []
        for page in self.pages_for_review():
            if page.standing is Standing.COUNTS and page.has_picture and page.record is not None:
                waiting = [item for item in _in_review(page.record) if (page.capture, *_name(item)) not in queued]
                if waiting:
                    found.append((page, waiting))
        return found

    def greeting(self) -> Greeting | None:
        """What the school's program said last that it reads; None while nobody knows."""
        with self._file.reading() as db:
            return latest_greeting(Outbox(db))

    def queue_crop(self, page: FiledPage, crop: CropRecord) -> bool:
        """Queue a crop of a page's field for the school. False when something else was said of the page since."""
        with self._file.writing() as db:
            head = db.execute("SELECT revision FROM head WHERE capture = ?", (page.capture,)).fetchone()
            if head is None or head["revision"] != page.revision:
                return False
            name = (page.capture, crop.item, crop.blank)
            subject = _subject(crop.capture, crop.item, crop.blank)
            db.execute("INSERT OR REPLACE INTO queued_crop VALUES (?, ?, ?, ?)", (*name, subject))
            Outbox(db).append(Lane.CROPS, encode_record(crop), subject=subject)
        return True

    def take_back_crops(self) -> None:
        """Take back every crop that is not at the school yet: the school wants none any more."""
        with self._file.writing() as db:
            _take_back(db, db.execute("SELECT capture, item, blank, subject FROM queued_crop").fetchall())


def settle_crops(db: sqlite3.Connection, row: PageRow) -> None:
    """Take back the crops of a page that are not at the school yet and whose fields nobody has to look at any more."""
    record = row.record if row.standing is Standing.COUNTS else None
    wanted = {_name(item) for item in _in_review(record)} if record is not None else set()
    queued = db.execute("SELECT capture, item, blank, subject FROM queued_crop WHERE capture = ?", (row.capture,))
    _take_back(db, [crop for crop in queued.fetchall() if (crop["item"], crop["blank"]) not in wanted])


def _take_back(db: sqlite3.Connection, crops: Sequence[sqlite3.Row]) -> None:
    """Of these crops, those that are not at the school: their pictures go, their numbers stay in the chain."""
    outbox = Outbox(db)
    for crop in crops:
        if outbox.state_of(crop["subject"]) == "waiting":
            outbox.erase(crop["subject"])
            name = (crop["capture"], crop["item"], crop["blank"])
            db.execute("DELETE FROM queued_crop WHERE (capture, item, blank) = (?, ?, ?)", name)


def _in_review(record: PageRecord) -> list[ItemResult]:
    return [item for item in record.items if item.verdict.kind is VerdictKind.REVIEW]


def _name(item: ItemResult) -> tuple[str, int]:
    return item.item, item.blank


def _subject(capture: bytes, item: str, blank: int) -> bytes:
    name = capture + f"{blank}\0{item}".encode()
    return hashlib.blake2b(name, digest_size=16, person=b"classbox-crop").digest()
