"""Finds the stored rows on which the booking of others depends: of their captures, of their twins', of their slots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, Integer, Label, Select, bindparam, literal_column, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import Slot
from gateway.store.asking import Asked
from gateway.store.months import NO_MONTH, months_with
from gateway.store.pages import PageRow, Stored, page_row
from gateway.store.tables.sheets import RowState, page_records

_CAPTURES = Asked("captures", school_id="TEXT", capture="BYTEA")
_SLOTS = Asked(
    "slots", school_id="TEXT", month="INTEGER", assignment="TEXT", page="INTEGER", attempt="INTEGER", pupil="BYTEA"
)
_OF_CAPTURE, _OF_SLOT = 0, 1
_Key = tuple[Any, ...]
# As single values: PostgreSQL leaves out the months that are not among them without opening their tables.
_IN_MONTHS = page_records.c.month.in_(bindparam("months", expanding=True))


async def related(connection: AsyncConnection, pages: Mapping[str, Sequence[PageRow]]) -> dict[str, Stored]:
    """The stored rows on which the booking of new pages depends, by school. Usually there are none."""
    usual: set[_Key] = set()
    anywhere: set[_Key] = set()
    slots: set[_Key] = set()
    months = {NO_MONTH}
    for school, some in pages.items():
        # Only these may have something to do with a page of any month; see `gateway.store.months`.
        moved, _ = _links(page for page in some if is_linked(page) or page.month == NO_MONTH)
        captures, mine = _links(some)
        usual.update([(school, capture) for capture in (captures - moved if moved else captures)])
        anywhere.update([(school, capture) for capture in moved])
        slots |= _slot_keys(school, mine, _months(some))
        months |= {page.month for page in some}
    if usual:
        months |= await months_with(connection, usual)
    dialect = connection.dialect.name
    given = _CAPTURES.values(dialect, usual) | _SLOTS.values(dialect, slots) | {"months": sorted(months)}
    found: dict[str, Stored] = defaultdict(dict)
    in_slots: dict[str, Stored] = defaultdict(dict)
    for row in await connection.execute(_related(dialect), given):
        page, state = page_row(row)
        (found if row.found_by == _OF_CAPTURE else in_slots)[row.school_id][page.booked.name] = (page, state)
    if anywhere:
        given = _CAPTURES.values(dialect, sorted(anywhere))
        for row in await connection.execute(_of_captures(dialect, everywhere=True), given):
            page, state = page_row(row)
            found[row.school_id][page.booked.name] = (page, state)
    for school, rows in found.items():  # old acquaintances: whatever they touch is decided again
        found[school] = await closure(connection, school, rows, pages[school])
    # Where nothing known moves, the row that counts is all that matters of a slot.
    return in_slots | found


def is_linked(page: PageRow) -> bool:
    """Whether it may lie in another month than what else there is of its capture."""
    return page.booked.revision > 1 or page.booked.duplicate_of is not None


async def closure(connection: AsyncConnection, school: str, rows: Stored, new: Collection[PageRow] = ()) -> Stored:
    """`rows`, and all rows of their captures, of linked captures and of their slots, and of those, and so on.

    `new` are pages that are not stored yet, whose slots are looked at as well.
    """
    found = dict(rows)
    months = _months(new)
    seen_captures: set[bytes] = set()
    seen_slots: set[Slot] = set()
    _, todo_slots = _links(new)
    while True:
        stored = [page for page, _ in found.values()]
        captures, more_slots = _links(stored)
        months |= _months(stored)
        captures -= seen_captures
        todo_slots |= more_slots - seen_slots
        if not captures and not todo_slots:
            return found
        found |= await of_captures(connection, school, captures)
        found |= await _in_slots(connection, school, todo_slots, months)
        seen_captures |= captures
        seen_slots |= todo_slots
        todo_slots = set()


async def of_captures(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> Stored:
    """The rows of captures, and of those that the box calls their twins, in all months."""
    if not captures:
        return {}
    dialect = connection.dialect.name
    given = _CAPTURES.values(dialect, [(school, capture) for capture in sorted(captures)])
    return await _stored(connection, _of_captures(dialect, everywhere=True), given)


async def _in_slots(
    connection: AsyncConnection, school: str, slots: Collection[Slot], months: Mapping[str, int]
) -> Stored:
    if not slots:
        return {}
    dialect = connection.dialect.name
    given = _SLOTS.values(dialect, sorted(_slot_keys(school, slots, months)))
    return await _stored(connection, _of_slots(dialect, current_only=False), given)


async def _stored(
    connection: AsyncConnection, query: Select[Any] | CompoundSelect[Any], given: Mapping[str, Any]
) -> Stored:
    rows = [page_row(row) for row in await connection.execute(query, given)]
    return {page.booked.name: (page, state) for page, state in rows}


@cache
def _related(dialect: str) -> CompoundSelect[Any]:
    return union_all(*_linked(dialect, everywhere=False), _of_slots(dialect, current_only=True))


@cache
def _of_captures(dialect: str, *, everywhere: bool) -> CompoundSelect[Any]:
    return union_all(*_linked(dialect, everywhere=everywhere))


def _linked(dialect: str, *, everywhere: bool) -> list[Select[Any]]:
    there = page_records.c.state != int(RowState.ERASED)  # nothing hangs on what is no longer there
    where = (there,) if everywhere else (there, _IN_MONTHS)
    return [
        _CAPTURES.matching(dialect, page_records, *where, capture=linked).add_columns(_found_by(_OF_CAPTURE))
        for linked in ("capture", "duplicate_of")
    ]


@cache
def _of_slots(dialect: str, *, current_only: bool) -> Select[Any]:
    # As a literal, so that the planner sees that the partial index answers it.
    where = (text("state = 0"),) if current_only else ()
    return _SLOTS.matching(dialect, page_records, *where).add_columns(_found_by(_OF_SLOT))


def _found_by(what: int) -> Label[int]:
    return literal_column(str(what), Integer).label("found_by")


def _slot_keys(school: str, slots: Iterable[Slot], months: Mapping[str, int]) -> set[_Key]:
    return {(school, months[s.assignment], s.assignment, s.page, s.attempt, s.pupil) for s in slots}


def _months(pages: Iterable[PageRow]) -> dict[str, int]:
    """In which month each of the assignments lies: all of its rows lie in the same."""
    return {page.assignment: page.month for page in pages if page.assignment is not None}


def _links(pages: Iterable[PageRow]) -> tuple[set[bytes], set[Slot]]:
    captures: set[bytes] = set()
    slots: set[Slot] = set()
    for page in pages:
        captures.add(page.booked.capture)
        if page.booked.duplicate_of is not None:
            captures.add(page.booked.duplicate_of)
        if page.booked.slot is not None:
            slots.add(page.booked.slot)
    return captures, slots
