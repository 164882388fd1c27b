"""What can be asked of the ledger. Readers have their own connections and never wait for a writer."""

from __future__ import annotations

import json
from collections.abc import Collection

import msgspec

from edge.absences_kept import stands
from edge.database import Database
from edge.deeds import Deed, DeedKind, absences, deeds_on, newest_deeds
from edge.filed import Counts, FiledPage, filed_page
from homework.absences import Absence
from homework.results import PageStatus

_PAGES = (
    "SELECT capture.id, digest, has_picture AND gone.capture IS NULL AS has_picture, source, capture.clock, revision, "
    "body, gone.why AS gone FROM capture JOIN newest ON newest.capture = capture.id "
    "LEFT JOIN picture_gone AS gone ON gone.capture = capture.id "
)


class LedgerQueries:
    """The questions. Any thread may ask."""

    _file: Database

    def knows(self, digest: str) -> bool:
        """Whether a capture of that digest is in the ledger."""
        return bool(self._file.read("SELECT 1 FROM capture WHERE digest = ?", (digest,)))

    def capture_of(self, digest: str) -> int | None:
        """The capture of that digest, or None."""
        found = self._file.read("SELECT id FROM capture WHERE digest = ?", (digest,))
        return found[0]["id"] if found else None

    def digests(self) -> frozenset[str]:
        """The digest of every capture."""
        return frozenset(row["digest"] for row in self._file.read("SELECT digest FROM capture"))

    def page(self, capture: int) -> FiledPage | None:
        """The newest word on a capture, or None when there is no such capture."""
        return next(iter(self._pages("WHERE capture.id = ?", (capture,))), None)

    def newest_page(self, before: int | None = None) -> FiledPage | None:
        """The capture that came last (before capture `before`, when given), or None."""
        limit = 2**62 if before is None else before
        return next(iter(self._pages("WHERE capture.id < ? ORDER BY capture.id DESC LIMIT 1", (limit,))), None)

    def last_pages(self, limit: int) -> list[FiledPage]:
        """The captures that came last, in the order in which they came."""
        return self._pages("ORDER BY capture.id DESC LIMIT ?", (limit,))[::-1]

    def newest_graded(self) -> FiledPage | None:
        """The capture that came last of those that were read, or None."""
        return next(
            iter(self._pages("WHERE capture.id = (SELECT max(capture) FROM head WHERE status = 'graded')")), None
        )

    def current_pages(self, assignment: str) -> list[FiledPage]:
        """Every page that counts for an assignment as a first attempt: the first score stands."""
        return self._pages(
            "WHERE capture.id IN (SELECT capture FROM booking WHERE assignment = ? AND attempt = 1) "
            "ORDER BY capture.id",
            (assignment,),
        )

    def pages_of_attempts(self, assignment: str) -> list[FiledPage]:
        """Every page that counts for an assignment, corrected ones (订正) too."""
        return self._pages(
            "WHERE capture.id IN (SELECT capture FROM booking WHERE assignment = ?) ORDER BY capture.id", (assignment,)
        )

    def pages_of_sheets(self, sheets: Collection[str]) -> list[FiledPage]:
        """Every capture of these print runs, whatever it counts as, in the order of capture."""
        return self._pages(
            "WHERE capture.id IN (SELECT capture FROM head WHERE sheet IN (SELECT value FROM json_each(?))) "
            "ORDER BY capture.id",
            (json.dumps(list(sheets)),),
        )

    def all_current_pages(self) -> list[FiledPage]:
        """Every page that counts, in the order of capture."""
        return self._pages("WHERE standing = 'counts' ORDER BY capture.id")

    def booked_and_asked_pages(self) -> list[FiledPage]:
        """Every page that counts, and every one whose owner is asked, in the order of capture."""
        return self._pages("WHERE standing IN ('counts', 'ask') ORDER BY capture.id")

    def pages_for_review(self) -> list[FiledPage]:
        """Pages that count and have fields for a person to look at, and pages of which nobody knows whose."""
        return self._pages("WHERE (standing = 'counts' AND pending > 0) OR standing = 'ask' ORDER BY capture.id")

    def review_mark(self) -> str:
        """Differs when what waits for a look does; costs no page's body."""
        row = self._file.read(
            "SELECT count(*) AS pages, coalesce(sum(revision), 0) AS revisions, coalesce(sum(capture), 0) AS captures "
            "FROM head WHERE (standing = 'counts' AND pending > 0) OR standing = 'ask'"
        )[0]
        return f"{row['pages']}-{row['revisions']}-{row['captures']}"

    def inks(self, captures: Collection[int]) -> dict[int, bytes]:
        """The ink signatures of captures, for the likeness of their answers."""
        rows = (
            self._file.read(
                "SELECT capture, ink FROM newest WHERE capture IN (SELECT value FROM json_each(?))",
                (msgspec.json.encode(sorted(captures)).decode(),),
            )
            if captures
            else []
        )
        return {row["capture"]: row["ink"] for row in rows}

    def asked_pages(self, sheets: Collection[str]) -> list[FiledPage]:
        """Pages of these sheets of which it is asked whose they are."""
        return self._pages(
            "WHERE standing = 'ask' AND sheet IN (SELECT value FROM json_each(?)) ORDER BY capture.id",
            (json.dumps(list(sheets)),),
        )

    def waiting_for_documents(self) -> list[FiledPage]:
        """Pages that a newly loaded sheet or class list may settle: of an unknown sheet, or of nobody."""
        return self._pages(
            "WHERE (status = ? OR (standing = 'ask' AND pupil IS NULL)) AND has_picture ORDER BY capture.id",
            (PageStatus.UNKNOWN_SHEET,),
        )

    def waiting_for_key(self, sheet: str) -> list[FiledPage]:
        """Pages of a sheet that were read before there was a key to judge them by."""
        pages = self._pages(
            "WHERE sheet = ? AND assignment IS NULL AND standing IN ('counts', 'duplicate', 'ask') ORDER BY capture.id",
            (sheet,),
        )
        return [page for page in pages if page.record is not None and page.record.assignment is None]

    def handed_in(self) -> dict[str, int]:
        """How many pupils' pages of each sheet count or wait for their owner's name; a page of nobody counts as one."""
        rows = self._file.read(
            """
            SELECT sheet, count(DISTINCT coalesce(pupil, '?' || capture)) AS pupils FROM head
            WHERE standing IN ('counts', 'ask') AND sheet IS NOT NULL GROUP BY sheet
            """
        )
        return {row["sheet"]: row["pupils"] for row in rows}

    def counts(self) -> Counts:
        """How many of what there are."""
        row = self._file.read(
            """
            SELECT count(*) AS captured, coalesce(sum(standing = 'counts'), 0) AS graded,
                coalesce(sum(standing = 'duplicate'), 0) AS duplicates, coalesce(sum(standing = 'ask'), 0) AS asked,
                coalesce(sum(status = 'unknown-sheet'), 0) AS unknown_sheet,
                coalesce(sum(standing = 'not-graded' AND status <> 'unknown-sheet'), 0) AS not_graded,
                coalesce(sum(standing = 'withdrawn'), 0) AS withdrawn,
                coalesce(sum(iif(standing = 'counts', pending, 0)), 0) AS review
            FROM head
            """
        )[0]
        return Counts(**dict(row))

    def newest_deeds(self, *, before: int | None = None, limit: int = 100) -> list[Deed]:
        """What people did last, the newest first; `before` a deed, to turn the page."""
        with self._file.reading() as db:
            return newest_deeds(db, before=before, limit=limit)

    def deed(self, number: int) -> Deed | None:
        """The deed of that number, or None."""
        return next((deed for deed in self.newest_deeds(before=number + 1, limit=1) if deed.number == number), None)

    def is_newest(self, deed: Deed) -> bool:
        """Whether nothing else has become of the sheets of a deed since. What corrected answers did is looked at
        field by field when it is undone, so that it does not matter here.
        """
        if deed.kind is DeedKind.CORRECTED:
            return True
        if deed.kind is DeedKind.ABSENCE:
            with self._file.reading() as db:
                return stands(db, deed.number, deed.about)
        heads = self._file.read(
            "SELECT capture, revision FROM head WHERE capture IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode([capture for capture, _ in deed.pages]).decode(),),
        )
        return {(row["capture"], row["revision"]) for row in heads} == set(deed.pages)

    def deeds_on(self, capture: int) -> list[Deed]:
        """What people did with one sheet, the newest first."""
        with self._file.reading() as db:
            return deeds_on(db, capture)

    def absences(self, assignment: str) -> dict[str, Absence]:
        """Who is excused from an assignment or exempt, by pupil."""
        with self._file.reading() as db:
            return dict(absences(db, assignment))

    def _pages(self, rest: str, values: tuple[object, ...] = ()) -> list[FiledPage]:
        return [filed_page(row) for row in self._file.read(_PAGES + rest, values)]
