"""Sheets that are slid in the order of the seats: whose turn it is. Pure.

The page calls a seat, and the next sheet is that pupil's. What happened is a list of steps; the call is worked out
from it every time, so that nothing but the list has to be kept.

A sheet with several pages may be turned over pupil by pupil (1 2 1 2 …) or all fronts may come before all backs. The
first two pages of a stack say which. From then on a page that is not called is nobody's: it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class StepKind(StrEnum):
    """What happened in a stack."""

    TAKEN = "taken"
    """A sheet was given to the seat that was called, or a person said whose one that was asked is."""
    BESIDE = "beside"
    """The facing page of one that was taken: the same pupil's, and no step further."""
    SKIPPED = "skipped"
    CALLED = "called"
    """A person named the next number."""
    RESTARTED = "restarted"
    """Those who have not handed in are called from the first seat on; nobody is absent any more."""


@dataclass(frozen=True)
class Step:
    """One step of a class's stacks; `number` names it, `seat` and `page` count from 1 (0: none)."""

    number: int
    kind: StepKind
    sheet: str
    seat: int = 0
    page: int = 0
    capture: int | None = None


@dataclass(frozen=True)
class Call:
    """The seat that is called, and which of its pages may come.

    After the first page of a stack another one of the same page may come instead, from the seat `instead`: then all
    fronts come before the backs.
    """

    seat: int
    pages: tuple[int, ...]
    instead: int | None = None
    instead_page: int | None = None

    def seat_for(self, page: int) -> int | None:
        """Whose a page of that number is now; None when another one was called."""
        if page in self.pages:
            return self.seat
        return self.instead if page == self.instead_page else None


@dataclass(frozen=True)
class Row:
    """The class as it is called: its seats, the pages of the sheet, and which pages of each seat count already."""

    seats: tuple[int, ...]
    pages: tuple[int, ...]
    held: Mapping[int, Collection[int]]

    def lacking(self, seat: int) -> tuple[int, ...]:
        """The pages of a seat that are not there."""
        there = self.held.get(seat, ())
        return tuple(page for page in self.pages if page not in there)


def since_restart(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps of the stack that lies there now."""
    last = max((place for place, step in enumerate(steps) if step.kind is StepKind.RESTARTED), default=-1)
    return steps[last + 1 :]


def absent(steps: Sequence[Step]) -> frozenset[int]:
    """The seats that were skipped, and neither called nor taken afterwards."""
    away: set[int] = set()
    for step in since_restart(steps):
        if step.kind is StepKind.SKIPPED:
            away.add(step.seat)
        else:
            away.discard(step.seat)
    return frozenset(away)


def call_of(steps: Sequence[Step], row: Row) -> Call | None:
    """Who is called next. None: everybody was called. `steps` are those of one sheet, none undone."""
    now = [step for step in since_restart(steps) if step.kind is not StepKind.BESIDE]
    away = absent(steps)
    present = tuple(seat for seat in row.seats if seat not in away)
    if not now:
        return _first(present, 0, row, row.pages)
    last = now[-1]
    if last.kind is StepKind.CALLED:
        return Call(last.seat, row.lacking(last.seat) or row.pages) if last.seat in row.seats else None
    taken = [step for step in now if step.kind is StepKind.TAKEN]
    piles = _fronts_first(taken)
    if piles:
        return _call_of_pile(taken, last.seat, present, row)
    onward = _first(present, last.seat, row, row.pages)
    if last.kind is not StepKind.TAKEN:
        return onward
    given = {step.page for step in taken if step.seat == last.seat}
    open_pages = tuple(page for page in row.lacking(last.seat) if page not in given)
    if not open_pages:
        return onward
    if piles is None and onward is not None and last.page in onward.pages:
        return Call(last.seat, open_pages, onward.seat, last.page)
    return Call(last.seat, open_pages)


def _fronts_first(taken: Sequence[Step]) -> bool | None:
    """Whether the stack goes page by page (True) or sheet by sheet (False); None while nothing says so."""
    for one, other in pairwise(taken):
        if one.seat == other.seat and one.page != other.page:
            return False
        if one.seat != other.seat and one.page == other.page:
            return True
    return None


def _call_of_pile(taken: Sequence[Step], after: int, present: Sequence[int], row: Row) -> Call | None:
    page = taken[-1].page
    call = _first(present, after, row, (page,))
    if call is not None:
        return call
    begun = {step.page for step in taken}
    for following in (one for one in row.pages if one not in begun):
        call = _first(present, 0, row, (following,))
        if call is not None:
            return call
    return None


def _first(present: Sequence[int], after: int, row: Row, pages: Sequence[int]) -> Call | None:
    """The first seat behind `after` that lacks one of `pages`."""
    for seat in present:
        lacking = tuple(page for page in row.lacking(seat) if page in pages)
        if seat > after and lacking:
            return Call(seat, lacking)
    return None
