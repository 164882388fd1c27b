"""The steps of stacks that are slid in the order of the seats, as the ledger keeps them (`edge/order.py` reads them).

A step is never changed: what is undone has a row that says so, and a step whose sheet was taken back counts no more.
Every function works in the transaction that it is given, so that a page and the step that it was are durable together.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.order import Call, Row, Step, StepKind, absent, call_of
from edge.reading.signature import same_ink
from edge.reading.who import WHO_UNKNOWN
from homework.layout import SheetLayout
from homework.results import PageRecord, Problem, WhoWroteIt
from homework.roster import Pupil

TABLE = """
    CREATE TABLE order_step (
        id INTEGER PRIMARY KEY, class TEXT NOT NULL, kind TEXT NOT NULL, sheet TEXT NOT NULL, seat INTEGER NOT NULL,
        page INTEGER NOT NULL, capture INTEGER REFERENCES capture (id), undoes INTEGER REFERENCES order_step (id)
    ) STRICT;
    CREATE INDEX order_step_by_class ON order_step (class);
    CREATE INDEX order_step_by_capture ON order_step (capture);
"""
NOT_CALLED = Problem(WHO_UNKNOWN, "Another page was called: say whose this one is. The calling goes on from there.")
ALL_CALLED = Problem(WHO_UNKNOWN, "Everybody was called: say whose sheet this is.")
OTHER_SHEET = Problem(
    WHO_UNKNOWN, "Another worksheet is being called: say whose this one is. The calling goes on from there."
)
SLID_TWICE = Problem(WHO_UNKNOWN, "It looks like the sheet before it. Slid twice: take it back. Else say whose it is.")
HERE_BEFORE = Problem(
    WHO_UNKNOWN, "It looks like a sheet that was here before, the same or corrected: say whose it is."
)
CORRECTED_BY_WHOM = Problem(WHO_UNKNOWN, "A corrected sheet is not in its turn: say whose this one is.")
INDEXES = """
    CREATE INDEX order_step_by_sheet ON order_step (class, sheet);
    CREATE INDEX order_step_undone ON order_step (undoes) WHERE undoes IS NOT NULL;
"""
"""A term has as many steps as sheets: only those of one worksheet are read, and never all."""
_LIVE = """
    SELECT id, kind, sheet, seat, page, capture FROM order_step AS step WHERE class = ? AND undoes IS NULL
        AND NOT EXISTS (SELECT 1 FROM order_step AS later WHERE later.undoes = step.id)
        AND NOT EXISTS (SELECT 1 FROM newest WHERE newest.capture = step.capture AND standing = 'withdrawn')
"""


@dataclass(frozen=True)
class SlidClass:
    """The class whose sheets are slid in seat order, and the worksheet; `layout_of` knows the others.

    `beside` is the capture of the facing page in the same picture.
    """

    pupils: tuple[Pupil, ...]
    layout: SheetLayout
    layout_of: Callable[[str], SheetLayout | None]
    beside: int | None = None

    @property
    def name(self) -> str:
        """The class."""
        return self.pupils[0].class_name

    def at(self, seat: int) -> Pupil | None:
        """Who sits there."""
        return next((pupil for pupil in self.pupils if pupil.seat == seat), None)


@dataclass(frozen=True)
class Calling:
    """How far a class's stack has come: who is called (None: everybody was), who is absent, what can be undone."""

    sheet: str
    call: Call | None
    absent: frozenset[int]
    last: Step | None
    lacking: Mapping[int, tuple[int, ...]]
    """The pages that are not there of each seat that lacks any."""

    def likely(self, page: int) -> int | None:
        """Whose a page of that number may be that came out of turn: the called one's, or the next one's."""
        first = self.call.seat if self.call is not None else 1
        return next((seat for seat, pages in self.lacking.items() if seat >= first and page in pages), None)


@dataclass(frozen=True)
class Turn:
    """Whose a page is that came in seat order, as which step; or why nobody knows, and the capture it looks like."""

    who: WhoWroteIt
    step: StepKind | None = None
    sheet: str = ""
    problem: Problem | None = None
    linked: int | None = None


def live_steps(db: sqlite3.Connection, class_name: str, sheet: str) -> list[Step]:
    """The steps of a class's stacks of one worksheet that were not undone, in their order."""
    return [_step(row) for row in db.execute(f"{_LIVE} AND sheet = ? ORDER BY id", (class_name, sheet))]


def last_step(db: sqlite3.Connection, class_name: str) -> Step | None:
    """The last step of a class's stacks, of whatever worksheet, that was not undone."""
    row = db.execute(f"{_LIVE} ORDER BY id DESC LIMIT 1", (class_name,)).fetchone()
    return None if row is None else _step(row)


def _step(row: sqlite3.Row) -> Step:
    return Step(row["id"], StepKind(row["kind"]), row["sheet"], row["seat"], row["page"], row["capture"])


def add_step(db: sqlite3.Connection, class_name: str, step: Step) -> None:
    """Keep a step; its `number` is given here."""
    db.execute(
        "INSERT INTO order_step (class, kind, sheet, seat, page, capture) VALUES (?, ?, ?, ?, ?, ?)",
        (class_name, step.kind, step.sheet, step.seat, step.page, step.capture),
    )


def undo_step(db: sqlite3.Connection, class_name: str, step: Step) -> None:
    """Say that a step does not count any more."""
    db.execute(
        "INSERT INTO order_step (class, kind, sheet, seat, page, undoes) VALUES (?, ?, ?, ?, ?, ?)",
        (class_name, step.kind, step.sheet, step.seat, step.page, step.number),
    )


def beside(db: sqlite3.Connection, class_name: str, number: int) -> list[int]:
    """The captures of facing pages that came with the last step, `number`."""
    rows = db.execute(f"{_LIVE} AND id > ? AND kind = ? ORDER BY id", (class_name, number, StepKind.BESIDE))
    return [row["capture"] for row in rows if row["capture"] is not None]


def calling(db: sqlite3.Connection, slid: SlidClass) -> Calling:
    """How far the class's stack has come: of the worksheet that was slid or called last, else of `slid.layout`."""
    newest = last_step(db, slid.name)
    layout = (slid.layout_of(newest.sheet) if newest is not None else None) or slid.layout
    own = live_steps(db, slid.name, layout.sheet)
    undoable = [step for step in own if step.kind is not StepKind.BESIDE]
    row = _row(db, slid, layout)
    lacking = {seat: row.lacking(seat) for seat in row.seats if row.lacking(seat)}
    return Calling(layout.sheet, call_of(own, row), absent(own), undoable[-1] if undoable else None, lacking)


def turn_of(db: sqlite3.Connection, slid: SlidClass, record: PageRecord, ink: bytes) -> Turn:
    """Whose a page of `slid.layout` is that came now."""
    nobody = WhoWroteIt(class_name=slid.name)
    if slid.beside is not None:
        return _facing(db, slid, nobody)
    now = calling(db, slid)
    if now.sheet != slid.layout.sheet and now.call is not None:
        return Turn(nobody, problem=OTHER_SHEET)
    own = live_steps(db, slid.name, slid.layout.sheet)
    call = call_of(own, _row(db, slid, slid.layout))
    seat = call.seat_for(record.page) if call is not None else None
    before = next((s for s in reversed(own) if s.kind is StepKind.TAKEN and s.page == record.page), None)
    if before is not None and before.seat != seat and _same(db, before.capture, ink):
        return Turn(nobody, problem=SLID_TWICE, linked=before.capture)
    pupil = slid.at(seat) if seat is not None else None
    if pupil is None:
        return Turn(nobody, problem=ALL_CALLED if call is None else NOT_CALLED)
    return Turn(_named(pupil), StepKind.TAKEN, slid.layout.sheet)


def _named(pupil: Pupil) -> WhoWroteIt:
    return WhoWroteIt(pupil.class_name, pupil.seat, pupil.pupil_id, 1.0)


def _facing(db: sqlite3.Connection, slid: SlidClass, nobody: WhoWroteIt) -> Turn:
    """Two pages of one open book are one pupil's."""
    row = db.execute("SELECT pupil FROM newest WHERE capture = ?", (slid.beside,)).fetchone()
    pupil = next((one for one in slid.pupils if row is not None and one.pupil_id == row["pupil"]), None)
    if pupil is None:
        return Turn(nobody, problem=NOT_CALLED)
    last = last_step(db, slid.name)
    if last is None or last.capture != slid.beside:
        return Turn(_named(pupil))
    return Turn(_named(pupil), StepKind.BESIDE, last.sheet)


def _row(db: sqlite3.Connection, slid: SlidClass, layout: SheetLayout) -> Row:
    seats = {pupil.pupil_id: pupil.seat for pupil in slid.pupils}
    held: dict[int, set[int]] = defaultdict(set)
    keys = (f"sheet:{layout.sheet}", layout.assignment)
    for row in db.execute("SELECT pupil, page FROM booking WHERE assignment IN (?, ?) AND attempt = 1", keys):
        if row["pupil"] in seats:
            held[seats[row["pupil"]]].add(row["page"])
    return Row(tuple(sorted(seats.values())), tuple(page.page for page in layout.pages), held)


def _same(db: sqlite3.Connection, capture: int | None, ink: bytes) -> bool:
    row = db.execute("SELECT ink FROM newest WHERE capture = ?", (capture,)).fetchone()
    return row is not None and same_ink(ink, row["ink"])
