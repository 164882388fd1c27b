"""Sheets in the order of the seats, in the ledger: who is called, and the page that comes at a call."""

from __future__ import annotations

import sqlite3

import msgspec

from edge.attempts import Look
from edge.calling import (
    CORRECTED_BY_WHOM,
    HERE_BEFORE,
    Calling,
    SlidClass,
    Turn,
    add_step,
    beside,
    calling,
    turn_of,
    undo_step,
)
from edge.filed import NamedBy, page_row
from edge.ledger_people import PeoplesDeeds
from edge.order import Step, StepKind
from edge.pipeline import GradedPage
from homework.results import WhoWroteIt


class SeatOrder(PeoplesDeeds):
    """The part of the ledger that calls the seats."""

    def calling(self, slid: SlidClass) -> Calling:
        """Who is called in a class, and what can be undone."""
        with self._file.reading() as db:
            return calling(db, slid)

    def skip(self, slid: SlidClass, seat: int) -> bool:
        """The called pupil is absent; says whether it was `seat` that was called (a second tap skips nobody else)."""
        with self._file.writing() as db:
            now = calling(db, slid)
            if now.call is None or now.call.seat != seat:
                return False
            add_step(db, slid.name, Step(0, StepKind.SKIPPED, now.sheet, seat))
        return True

    def call_seat(self, slid: SlidClass, seat: int) -> bool:
        """Call a number out of its turn; says whether somebody sits there."""
        if slid.at(seat) is None:
            return False
        with self._file.writing() as db:
            add_step(db, slid.name, Step(0, StepKind.CALLED, calling(db, slid).sheet, seat))
        return True

    def call_anew(self, slid: SlidClass) -> None:
        """Call those who are missing from the first seat on; who was skipped is called again."""
        with self._file.writing() as db:
            add_step(db, slid.name, Step(0, StepKind.RESTARTED, calling(db, slid).sheet))

    def undo_step(self, slid: SlidClass, number: int) -> bool:
        """Undo the last step (its `number`): its sheets go back, and its number is called again.

        Says whether that was the last one: a second tap undoes no other.
        """
        with self._file.writing() as db:
            last = calling(db, slid).last
            if last is None or last.number != number:
                return False
            if last.capture is not None:
                for capture in (last.capture, *beside(db, slid.name, number)):
                    self._withdraw(db, capture)
            undo_step(db, slid.name, last)
        return True

    def _take_in_order(
        self, db: sqlite3.Connection, capture: int, page: GradedPage, slid: SlidClass, *, again: bool
    ) -> None:
        """Book a page that names nobody under the pupil who is called."""
        assert page.record is not None
        turn = turn_of(db, slid, page.record, page.ink)
        if slid.beside is None and turn.linked is None:
            # The call is the only proof, and nobody is called for a sheet that was here before: it is asked.
            like = self._looks_like(db, Look(page.record, page.ink, page.around))
            if like is not None and like.pupil != turn.who.pupil:
                turn = Turn(WhoWroteIt(class_name=slid.name), problem=HERE_BEFORE, linked=like.capture)
            elif like is None and again:
                turn = Turn(WhoWroteIt(class_name=slid.name), problem=CORRECTED_BY_WHOM)
        problems = (*page.record.problems, turn.problem) if turn.problem is not None else page.record.problems
        record = msgspec.structs.replace(page.record, who=turn.who, problems=problems)
        row = msgspec.structs.replace(page_row(capture, page, pupil=turn.who.pupil), again=again)
        named_by = NamedBy.ORDER if turn.who.pupil is not None else NamedBy.PAGE
        self._book(
            db,
            msgspec.structs.replace(row, record=record, problems=problems, named_by=named_by, linked=turn.linked),
        )
        if turn.step is not None and turn.who.seat is not None:
            add_step(db, slid.name, Step(0, turn.step, turn.sheet, turn.who.seat, record.page, capture))
