"""Writes page records: the rows, which of them count, and the sums over those that count. One transaction.

The caller holds the school's lock (`lock_school`), so that deciding and summing see no other writer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName, Slot, decide
from gateway.store.copying import can_copy, copy_rows
from gateway.store.months import note_captures
from gateway.store.pages import COLUMNS, PageRow, Stored, count_page, count_pages, place_of, values_of
from gateway.store.related import closure, is_linked, of_captures, related
from gateway.store.rollups import Totals, add_totals
from gateway.store.tables.sheets import RowState, page_records

PutOver = Callable[[str, Mapping[RowName, PageRow], Collection[RowName]], Awaitable[Mapping[RowName, PageRow]]]
"""Gives those of some rows of a school that read otherwise with the corrections known now; the newest of captures are
named."""


_INSERT = f"INSERT INTO page_records ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
"""Of SQLite."""


class Owner(NamedTuple):
    """Whose a page is."""

    class_name: str
    pupil: bytes


async def add_pages(
    connection: AsyncConnection,
    pages: Mapping[str, Sequence[PageRow]],
    put_over: PutOver,
    *,
    said: Mapping[str, Collection[bytes]],
    corrected: Mapping[str, Collection[bytes]],
) -> dict[str, frozenset[tuple[str, str]]]:
    """Store pages of schools under names that are not there yet, and book them; look again at `corrected` captures.

    `said` are those captures of the pages on which there are corrections. Returns the (assignment, class) pairs whose
    reports have changed, by school.
    """
    known = await related(connection, pages) if pages else {}
    booked: dict[str, _Booked] = {}
    for school in sorted(pages.keys() | corrected.keys()):
        one = _Booked(school, pages.get(school, ()), known.get(school, {}))
        if corrected.get(school):
            one.look_again(await of_captures(connection, school, corrected[school]))
        if one.before or said.get(school):
            one.change(await put_over(school, one.every(), one.newest()))
        booked[school] = one
    for school, one in booked.items():
        await _set_states(connection, school, one.old, one.before, one.after)
    added = [(one, page) for one in booked.values() for page in one.added()]
    if added:
        rows = [values_of(one.school, page, one.after[page.booked.name]) for one, page in added]
        await _insert(connection, rows)
        await note_captures(connection, [(one.school, *where) for one, page in added for where in _elsewhere(page)])
    for school, one in booked.items():
        await _set_contents(connection, school, [page for name, page in one.changed.items() if name in one.old])
    await add_totals(connection, {school: one.totals() for school, one in booked.items()})
    return {
        school: frozenset((p.assignment, p.class_name or "") for p in one.touched() if p.assignment is not None)
        for school, one in booked.items()
    }


class _Booked:
    """What becomes of a school's new pages, and of the stored ones that have to do with them."""

    def __init__(self, school: str, pages: Sequence[PageRow], known: Stored) -> None:
        self.school, self._pages = school, pages
        self.old = {name: page for name, (page, _) in known.items()}
        self.before = {name: state for name, (_, state) in known.items()}
        self.after = dict(decide(page.booked for page in (*pages, *self.old.values())))
        self.changed: Mapping[RowName, PageRow] = {}

    def look_again(self, stored: Stored) -> None:
        """What these say may change, not what they are."""
        for name, (page, state) in stored.items():
            if name not in self.after:
                self.old[name], self.before[name], self.after[name] = page, state, state

    def change(self, changed: Mapping[RowName, PageRow]) -> None:
        """These read otherwise now."""
        self.changed = changed

    def every(self) -> dict[RowName, PageRow]:
        """All of them, as they were or came."""
        return {page.booked.name: page for page in self._pages} | self.old

    def newest(self) -> list[RowName]:
        """Those over which corrections stand."""
        return [name for name, state in self.after.items() if state is not RowState.SUPERSEDED]

    def added(self) -> Sequence[PageRow]:
        """The new ones."""
        return [self.changed.get(page.booked.name, page) for page in self._pages] if self.changed else self._pages

    def touched(self) -> list[PageRow]:
        """Those of which reports say something else now."""
        before, after, changed = self.before, self.after, self.changed
        again = [name for name in before if after[name] is not before[name] or name in changed]
        return [*self._pages, *(changed.get(name, self.old[name]) for name in again)]

    def totals(self) -> Totals:
        """What is to be added to the sums."""
        totals = Totals()
        for name, state in self.before.items():
            if self.after[name] is state and name not in self.changed:
                continue
            if state is RowState.CURRENT:
                count_page(totals, self.old[name], -1)
            if self.after[name] is RowState.CURRENT:
                count_page(totals, self.changed.get(name, self.old[name]))
        after = self.after
        count_pages(totals, [page for page in self.added() if after[page.booked.name] is RowState.CURRENT])
        _note_seen(totals, [page for page in self.touched() if after[page.booked.name] is not RowState.CURRENT])
        return totals


async def reassign(
    connection: AsyncConnection, school: str, pages: Sequence[tuple[PageRow, RowState]], whose: Mapping[RowName, Owner]
) -> None:
    """Give stored pages to other pupils or classes (the roster now knows them), and book them anew."""
    if not pages:
        return
    totals = Totals()
    moved: dict[RowName, PageRow] = {}
    for page, state in pages:
        name = page.booked.name
        owner = whose[name]
        if state is RowState.CURRENT:
            count_page(totals, page, -1)
        slot = Slot(page.assignment, owner.pupil, page.page, page.attempt) if page.assignment is not None else None
        booked = msgspec.structs.replace(page.booked, slot=slot)
        moved[name] = msgspec.structs.replace(page, booked=booked, class_name=owner.class_name, pupil=owner.pupil)
    await connection.execute(
        update(page_records)
        .where(_named(school))
        .values(state=int(RowState.UNBOOKED), class_name=bindparam("b_class"), pupil=bindparam("b_pupil")),
        [_name_values(p) | {"b_class": p.class_name, "b_pupil": p.pupil} for p in moved.values()],
    )
    known = await closure(connection, school, {n: (page, RowState.UNBOOKED) for n, page in moved.items()})
    every = {name: page for name, (page, _) in known.items()}
    before = {name: state for name, (_, state) in known.items()}
    after = decide(page.booked for page in every.values())
    _count(totals, every, before, after)
    _note_seen(totals, [*(page for page, _ in pages), *every.values()])
    await _set_states(connection, school, every, before, after)
    await add_totals(connection, {school: totals})


def _count(
    totals: Totals,
    every: Mapping[RowName, PageRow],
    before: Mapping[RowName, RowState],
    after: Mapping[RowName, RowState],
) -> None:
    for name, state in after.items():
        was = before.get(name)
        if was is not state and RowState.CURRENT in (was, state):
            count_page(totals, every[name], 1 if state is RowState.CURRENT else -1)


def _note_seen(totals: Totals, pages: Iterable[PageRow]) -> None:
    """A report shows pages too that count nowhere: twins, seconds, those that nobody knows the pupil of."""
    for page in pages:
        if page.assignment is not None:
            totals.classes[place_of(page)].saw(page.booked.received_ms)


async def _insert(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """No row meets another of its name: the lanes tell what is new, and the school is locked."""
    if can_copy(connection):
        await copy_rows(connection, page_records, COLUMNS, rows)
    else:
        await connection.exec_driver_sql(_INSERT, rows)  # without making a dictionary of each row first


async def _set_states(
    connection: AsyncConnection,
    school: str,
    rows: Mapping[RowName, PageRow],
    before: Mapping[RowName, RowState],
    after: Mapping[RowName, RowState],
) -> None:
    """Write the states that change. A slot is left before it is taken: the unique index looks at every statement."""
    changed = [name for name, state in before.items() if after[name] is not state]
    leaving = [name for name in changed if before[name] is RowState.CURRENT]
    taking = [name for name in changed if before[name] is not RowState.CURRENT]
    for names in (leaving, taking):
        if names:
            await connection.execute(
                update(page_records).where(_named(school)).values(state=bindparam("b_state")),
                [_name_values(rows[name]) | {"b_state": int(after[name])} for name in names],
            )


async def _set_contents(connection: AsyncConnection, school: str, pages: Sequence[PageRow]) -> None:
    """Write what counts of pages that read otherwise now, and what their box sent."""
    names = ("items", "score_hundredths", "max_score_hundredths", "pending", "sent")
    if pages:
        await connection.execute(
            update(page_records).where(_named(school)).values({name: bindparam(f"b_{name}") for name in names}),
            [_name_values(page) | {f"b_{name}": getattr(page, name) for name in names} for page in pages],
        )


def _named(school: str) -> ColumnElement[bool]:
    return and_(
        page_records.c.school_id == school,
        page_records.c.month == bindparam("b_month"),
        page_records.c.box_id == bindparam("b_box"),
        page_records.c.epoch == bindparam("b_epoch"),
        page_records.c.seq == bindparam("b_seq"),
    )


def _name_values(page: PageRow) -> dict[str, Any]:
    name = page.booked.name
    return {"b_month": page.month, "b_box": name.box, "b_epoch": name.epoch, "b_seq": name.seq}


def _elsewhere(page: PageRow) -> list[tuple[bytes, int]]:
    """Captures and months that would be missed by whoever looks only where first records lie."""
    if not is_linked(page):
        return []
    captures = {page.booked.capture, page.booked.duplicate_of or page.booked.capture}
    return [(capture, page.month) for capture in captures]
