"""Finds the stored rows on which the booking of others depends: of their captures, of their twins', of their slots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import Slot
from gateway.store.dialect import among, batched
from gateway.store.months import NO_MONTH, months_with
from gateway.store.pages import PageRow, Stored, pages_where
from gateway.store.tables.sheets import RowState, page_records


async def related(connection: AsyncConnection, school: str, pages: Sequence[PageRow]) -> Stored:
    """The stored rows on which the booking of new pages depends."""
    # Only these may have something to do with a page of any month; see `gateway.store.months`.
    moved = [page for page in pages if is_linked(page) or page.month == NO_MONTH]
    anywhere, _ = _links(moved)
    captures, slots = _links(pages)
    usual = captures - anywhere
    months = {NO_MONTH, *(page.month for page in pages)}
    found: Stored = {}
    if usual:
        found |= await of_captures(connection, school, usual, months | await months_with(connection, school, usual))
    found |= await of_captures(connection, school, anywhere)
    if found:  # an old acquaintance: whatever it touches is decided again
        return await closure(connection, school, found, pages)
    # Nothing known moves, so the row that counts is all that matters of a slot.
    return await _in_slots(connection, school, slots, _months(pages), current_only=True)


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


async def of_captures(
    connection: AsyncConnection, school: str, captures: Collection[bytes], months: Collection[int] | None = None
) -> Stored:
    """The rows of captures and of those that the box calls their twins, in some months or (None) in all."""
    found: Stored = {}
    given: dict[str, Any] = {"school": school}
    if months is not None:
        given["months"] = sorted(months)
    for some in batched(sorted(captures)):
        for linked in ("capture", "duplicate_of"):
            query = _of_captures(connection.dialect.name, linked, everywhere=months is None)
            found |= _by_name(await pages_where(connection, query, given | {"captures": some}))
    return found


@cache
def _of_captures(dialect: str, linked: str, *, everywhere: bool) -> Select[Any]:
    columns = page_records.c
    query = select(page_records).where(
        columns.school_id == bindparam("school"),
        among(dialect, columns[linked], "captures"),
        columns.state != int(RowState.ERASED),  # nothing hangs on what is no longer there
    )
    return query if everywhere else query.where(columns.month.in_(bindparam("months", expanding=True)))


async def _in_slots(
    connection: AsyncConnection,
    school: str,
    slots: Iterable[Slot],
    months: Mapping[str, int],
    *,
    current_only: bool = False,
) -> Stored:
    by_rest: dict[tuple[str, int, int], list[bytes]] = defaultdict(list)
    for slot in slots:
        by_rest[(slot.assignment, slot.page, slot.attempt)].append(slot.pupil)
    found: Stored = {}
    for (assignment, page, attempt), pupils in sorted(by_rest.items()):
        for some in batched(sorted(pupils)):
            given = {
                "school": school,
                "in_month": months[assignment],
                "of": assignment,
                "on_page": page,
                "in_attempt": attempt,
                "pupils": some,
            }
            query = _of_slots(connection.dialect.name, current_only=current_only)
            found |= _by_name(await pages_where(connection, query, given))
    return found


@cache
def _of_slots(dialect: str, *, current_only: bool) -> Select[Any]:
    columns = page_records.c
    query = select(page_records).where(
        columns.school_id == bindparam("school"),
        columns.month == bindparam("in_month"),
        columns.assignment == bindparam("of"),
        columns.page == bindparam("on_page"),
        columns.attempt == bindparam("in_attempt"),
        among(dialect, columns.pupil, "pupils"),
    )
    # As a literal, so that the planner sees that the partial index answers it.
    return query.where(text("state = 0")) if current_only else query


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


def _by_name(rows: Iterable[tuple[PageRow, RowState]]) -> Stored:
    return {page.booked.name: (page, state) for page, state in rows}
