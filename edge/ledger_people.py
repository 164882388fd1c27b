"""What people do with the sheets of the ledger: each a deed, in the transaction of the revisions that it makes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from edge.booking import Standing
from edge.calling import add_step
from edge.correcting import Change, Corrected, planned, undone
from edge.deeds import By, Deed, DeedKind, deed_of
from edge.filed import FiledPage, NamedBy, PageRow, read_row
from edge.ledger_absences import LedgerAbsences
from edge.ledger_corrections import Corrections
from edge.ledger_queries import LedgerQueries
from edge.order import Step, StepKind
from homework.results import WhoWroteIt


class PeoplesDeeds(LedgerQueries, LedgerAbsences, Corrections):
    """The part of the ledger in which people take back, name, correct and excuse; and undo all that."""

    def withdraw(self, capture: int, *, by: By | None = None) -> FiledPage | None:
        """A person takes a sheet back: it stays, and counts nowhere. None when there is no such capture."""
        with self._file.writing() as db:
            if self._counts_somewhere(db, capture):
                with self._doing(db, by, DeedKind.WITHDRAWN, {}):
                    self._withdraw(db, capture)
        return self.page(capture)

    def _counts_somewhere(self, db: sqlite3.Connection, capture: int) -> bool:
        row = self._newest(db, capture)
        return row is not None and row.standing is not Standing.WITHDRAWN

    def _withdraw(self, db: sqlite3.Connection, capture: int) -> None:
        row = self._newest(db, capture)
        if row is not None and row.standing is not Standing.WITHDRAWN:
            self._take_away(db, capture)
            self._append(db, msgspec.structs.replace(row, standing=Standing.WITHDRAWN, linked=None))

    def restore(self, capture: int, *, by: By | None = None) -> FiledPage | None:
        """Undo `withdraw`: the sheet is booked as if it came now. None when there is no such capture."""
        with self._file.writing() as db:
            row = self._newest(db, capture)
            if row is not None and row.standing is Standing.WITHDRAWN:
                with self._doing(db, by, DeedKind.RESTORED, {}):
                    self._book(db, row)
        return self.page(capture)

    def say_whose(
        self, capture: int, who: WhoWroteIt, *, pupil: str, in_order: bool = False, by: By | None = None
    ) -> FiledPage | None:
        """A person says whose sheet it is; it is booked as if the sheet had said so. None: no such page.

        `in_order`: it is slid in seat order; where nobody knew whose it was, the calling goes on from there.
        """
        with self._file.writing() as db:
            row = self._newest(db, capture)
            if row is not None and row.record is not None:
                record = msgspec.structs.replace(row.record, who=who)
                named = msgspec.structs.replace(row, record=record, pupil=pupil, named_by=NamedBy.PERSON)
                with self._doing(db, by, DeedKind.OWNER, {"pupil": pupil, "before": row.pupil}):
                    self._book(db, named)
                # A corrected sheet is not in its turn: the calling stays where it is.
                held = self._held(db, capture)
                turn = in_order and row.pupil is None and (held is None or held[1] == 1)
                if turn and who.class_name is not None and who.seat is not None:
                    step = Step(0, StepKind.TAKEN, row.record.sheet, who.seat, row.record.page, capture)
                    add_step(db, who.class_name, step)
        return self.page(capture)

    def say_again(self, capture: int, *, by: By) -> FiledPage | None:
        """A person says that an asked sheet is its pupil's earlier one, corrected (订正). None: no such capture."""
        with self._file.writing() as db:
            row = self._newest(db, capture)
            if row is not None and row.standing is Standing.ASK and row.pupil is not None:
                with self._doing(db, by, DeedKind.AGAIN, {"pupil": row.pupil}):
                    self._book(db, msgspec.structs.replace(row, again=True))
        return self.page(capture)

    def correct(self, changes: Sequence[Change], *, by: By) -> Corrected:
        """What a person says of fields, of one sheet or of many: one transaction, one deed.

        A change of a field of which somebody else has said something since is refused, and the others are done.
        Raises `UsageError` when a page's answers are not loaded now.
        """
        with self._file.writing() as db:
            plan = planned(db, changes, self._key_of)
            if not plan.rows:
                return Corrected(None, plan.refused)
            with self._doing(db, by, DeedKind.CORRECTED, plan.about) as deed:
                for row in plan.rows:
                    self._say(db, row, by)
                    self._append(db, row)
        return Corrected(deed, plan.refused)

    def undo(self, number: int, *, by: By) -> Deed | None:
        """Take a deed back: each of its sheets is again what it was before. The deed that does so, or None.

        None, and nothing is done, when there is no such deed, when it was undone before, or when somebody has done
        something with one of its sheets since: that would be lost.
        """
        with self._file.writing() as db:
            deed = deed_of(db, number)
            if deed is None or deed.undone or deed.kind is DeedKind.UNDONE:
                return None
            if deed.kind is DeedKind.CORRECTED:
                return self._unsay(db, deed, by)
            if deed.kind is DeedKind.ABSENCE:
                return self._undo_absence(db, deed, by)
            before = [self._before(db, capture, revision) for capture, revision in deed.pages]
            if any(row is None for row in before):
                return None
            with self._doing(db, by, DeedKind.UNDONE, deed.about, undoes=number) as undoing:
                self._undo_pages(db, [row for row in before if row is not None])
            return deed_of(db, undoing) if undoing is not None else None

    def _unsay(self, db: sqlite3.Connection, deed: Deed, by: By) -> Deed | None:
        """Take back what a deed said of fields; what became of their sheets otherwise since then stays."""
        rows = undone(db, deed, self._key_of)
        if rows is None:
            return None
        with self._doing(db, by, DeedKind.UNDONE, deed.about, undoes=deed.number) as undoing:
            for row in rows:
                self._say(db, row, by)
                self._append(db, row)
        return deed_of(db, undoing) if undoing is not None else None

    def _before(self, db: sqlite3.Connection, capture: int, revision: int) -> PageRow | None:
        """What a sheet was before a revision; None when that is not its newest one, or its first."""
        rows = db.execute(
            "SELECT revision, body, ink FROM page WHERE capture = ? ORDER BY revision DESC LIMIT 2", (capture,)
        ).fetchall()
        return read_row(rows[1]["body"], rows[1]["ink"]) if len(rows) == 2 and rows[0]["revision"] == revision else None

    def _undo_pages(self, db: sqlite3.Connection, before: list[PageRow]) -> None:
        """Let sheets be what they were before: first attempts first, for later ones rest on them."""
        slots = []
        for row in before:
            held = self._held(db, row.capture)
            if held is not None:
                slots.append(held[0])
                db.execute("DELETE FROM booking WHERE capture = ?", (row.capture,))
        for row in sorted(before, key=lambda row: row.record.attempt if row.record is not None else 0):
            if row.standing is Standing.WITHDRAWN:
                self._append(db, row)
            else:
                self._put_back(db, row)
        for slot in slots:
            self._close_gaps(db, slot)
