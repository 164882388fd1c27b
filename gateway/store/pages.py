"""Writes page records: the rows, which of them count, and the sums over those that count. One transaction.

The caller holds the school's lock (`lock_school`), so that deciding and summing see no other writer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import BookedRow, RowName, Slot, decide
from gateway.store.dialect import add_or_sum
from gateway.store.schema import RowState, class_rollups, field_rollups, page_records
from homework.results import VerdictKind
from sync.records import VERDICT_CODES, PackedItem

_CHUNK = 400
"""How many values stand in one IN list: SQLite's limit on variables is far away, its planner stays quick."""

_items_decoder = msgspec.msgpack.Decoder(tuple[PackedItem, ...])
_items_encoder = msgspec.msgpack.Encoder()
_COUNTED = ("correct", "wrong", "blank", "review", "read")
_COLUMN_OF_CODE: tuple[int, ...] = tuple(_COUNTED.index(kind.value) for kind in VERDICT_CODES)


class PageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A page record as the store keeps it. `items` is packed by `pack_items`; `clock` is the record's, as it came."""

    booked: BookedRow
    digest: bytes
    assignment: str | None
    class_name: str | None
    pupil: bytes | None
    seat: int | None
    sheet: str
    page: int
    attempt: int
    score_hundredths: int | None
    max_score_hundredths: int | None
    pending: int
    items: bytes
    problems: str
    clock: bytes


class PageTotals(msgspec.Struct):
    """The sums of one class's pages of one assignment and attempt, as `class_rollups` has them."""

    pages: int = 0
    score_hundredths: int = 0
    max_score_hundredths: int = 0
    pending: int = 0


class Totals:
    """Sums over pages that count, by class and by field; pages can be taken out again."""

    def __init__(self) -> None:
        self.classes: dict[tuple[str, str, int], PageTotals] = defaultdict(PageTotals)
        self.fields: dict[tuple[str, str, int, str, int, int], list[int]] = defaultdict(lambda: [0] * len(_COUNTED))

    def add(self, page: PageRow, sign: int = 1) -> None:
        """Count a page, or with `sign` -1 count it out."""
        place = (page.assignment or "", page.class_name or "", page.attempt)
        sums = self.classes[place]
        sums.pages += sign
        sums.score_hundredths += sign * (page.score_hundredths or 0)
        sums.max_score_hundredths += sign * (page.max_score_hundredths or 0)
        sums.pending += sign * page.pending
        for position, item in enumerate(unpack_items(page.items), 1):
            self.fields[(*place, page.sheet, page.page, position)][_COLUMN_OF_CODE[item.verdict]] += sign


def pack_items(items: Sequence[PackedItem]) -> bytes:
    """The items of a page as one column."""
    return _items_encoder.encode(items)


def unpack_items(packed: bytes) -> tuple[PackedItem, ...]:
    """The items of a page, in the order of the layout's fields."""
    return _items_decoder.decode(packed)


async def add_pages(connection: AsyncConnection, school: str, pages: Sequence[PageRow]) -> frozenset[tuple[str, str]]:
    """Store pages under names that are not there yet, and book them.

    Returns the (assignment, class) pairs whose reports have changed.
    """
    if not pages:
        return frozenset()
    known = await _related(connection, school, pages)
    every = {page.booked.name: page for page in pages} | {page.booked.name: page for page, _ in known}
    before = {page.booked.name: state for page, state in known}
    after = decide(page.booked for page in every.values())
    vacated = _vacated(every, before, after)
    if vacated:
        for page, state in await _in_slots(connection, school, vacated):
            every[page.booked.name] = page
            before[page.booked.name] = state
        after = decide(page.booked for page in every.values())
    totals = Totals()
    left = [name for name, state in before.items() if state is RowState.CURRENT and after[name] is not state]
    for name in left:
        totals.add(every[name], -1)
    for name, state in after.items():
        if state is RowState.CURRENT and before.get(name) is not RowState.CURRENT:
            totals.add(every[name])
    # A slot is vacated before it is taken again: the unique index looks at every statement.
    moved = [name for name in before if after[name] is not before[name]]
    for leaving in (True, False):
        await _set_states(connection, school, {n: after[n] for n in moved if (n in set(left)) is leaving})
    await connection.execute(page_records.insert(), [_columns(school, page, after[page.booked.name]) for page in pages])
    await add_totals(connection, school, totals)
    touched = [*pages, *(every[name] for name in moved)]
    return frozenset((p.assignment, p.class_name or "") for p in touched if p.assignment is not None)


async def add_totals(connection: AsyncConnection, school: str, totals: Totals) -> None:
    """Add sums to the rollups."""
    classes = [
        {
            "school_id": school,
            "assignment": assignment,
            "class_name": class_name,
            "attempt": attempt,
            **msgspec.structs.asdict(sums),
        }
        for (assignment, class_name, attempt), sums in sorted(totals.classes.items())
    ]
    if classes:
        await connection.execute(add_or_sum(connection, class_rollups), classes)
    fields = [
        {
            "school_id": school,
            "assignment": assignment,
            "class_name": class_name,
            "attempt": attempt,
            "sheet": sheet,
            "page": page,
            "position": position,
            **dict(zip(_COUNTED, counts, strict=True)),
        }
        for (assignment, class_name, attempt, sheet, page, position), counts in sorted(totals.fields.items())
    ]
    if fields:
        await connection.execute(add_or_sum(connection, field_rollups), fields)


async def pages_where(connection: AsyncConnection, query: Select[Any]) -> list[tuple[PageRow, RowState]]:
    """The rows of a select of `page_records`, with their states."""
    return [(_row(r), RowState(r.state)) for r in await connection.execute(query)]


async def _related(
    connection: AsyncConnection, school: str, pages: Sequence[PageRow]
) -> list[tuple[PageRow, RowState]]:
    """Stored rows of the same captures, of captures linked with them, and those that count in their slots."""
    captures = {p.booked.capture for p in pages} | {p.booked.duplicate_of for p in pages if p.booked.duplicate_of}
    found: dict[RowName, tuple[PageRow, RowState]] = {}
    mine = page_records.c.school_id == school
    for some in _chunks(sorted(captures)):
        linked = or_(
            page_records.c.capture.in_(some),
            and_(page_records.c.duplicate_of.is_not(None), page_records.c.duplicate_of.in_(some)),
        )
        for row, state in await pages_where(connection, select(page_records).where(mine, linked)):
            found[row.booked.name] = (row, state)
    slots = {p.booked.slot for p in pages} | {page.booked.slot for page, _ in found.values()}
    for row, state in await _in_slots(connection, school, {s for s in slots if s is not None}, current_only=True):
        found[row.booked.name] = (row, state)
    return list(found.values())


async def _in_slots(
    connection: AsyncConnection, school: str, slots: Iterable[Slot], *, current_only: bool = False
) -> list[tuple[PageRow, RowState]]:
    by_rest: dict[tuple[str, int, int], list[bytes]] = defaultdict(list)
    for slot in slots:
        by_rest[(slot.assignment, slot.page, slot.attempt)].append(slot.pupil)
    found: list[tuple[PageRow, RowState]] = []
    for (assignment, page, attempt), pupils in sorted(by_rest.items()):
        for some in _chunks(sorted(pupils)):
            query = select(page_records).where(
                page_records.c.school_id == school,
                page_records.c.assignment == assignment,
                page_records.c.page == page,
                page_records.c.attempt == attempt,
                page_records.c.pupil.in_(some),
            )
            # As a literal, so that the planner sees that the partial index answers it.
            found += await pages_where(connection, query.where(text("state = 0")) if current_only else query)
    return found


def _vacated(
    every: Mapping[RowName, PageRow], before: Mapping[RowName, RowState], after: Mapping[RowName, RowState]
) -> set[Slot]:
    taken = {every[name].booked.slot for name, state in after.items() if state is RowState.CURRENT}
    left = {every[name].booked.slot for name, state in before.items() if state is RowState.CURRENT}
    return {slot for slot in left - taken if slot is not None}


async def _set_states(connection: AsyncConnection, school: str, states: Mapping[RowName, RowState]) -> None:
    if states:
        statement = (
            update(page_records)
            .where(
                page_records.c.school_id == school,
                tuple_(page_records.c.box_id, page_records.c.epoch, page_records.c.seq)
                == tuple_(bindparam("b_box"), bindparam("b_epoch"), bindparam("b_seq")),
            )
            .values(state=bindparam("b_state"))
        )
        values = [
            {"b_box": n.box, "b_epoch": n.epoch, "b_seq": n.seq, "b_state": int(state)} for n, state in states.items()
        ]
        await connection.execute(statement, values)


def _columns(school: str, page: PageRow, state: RowState) -> dict[str, Any]:
    booked = page.booked
    return {
        "school_id": school,
        "box_id": booked.name.box,
        "epoch": booked.name.epoch,
        "seq": booked.name.seq,
        "digest": page.digest,
        "capture": booked.capture,
        "revision": booked.revision,
        "duplicate_of": booked.duplicate_of,
        "assignment": page.assignment,
        "class_name": page.class_name,
        "pupil": page.pupil,
        "seat": page.seat,
        "sheet": page.sheet,
        "page": page.page,
        "attempt": page.attempt,
        "score_hundredths": page.score_hundredths,
        "max_score_hundredths": page.max_score_hundredths,
        "pending": page.pending,
        "items": page.items,
        "problems": page.problems,
        "clock": page.clock,
        "received_ms": booked.received_ms,
        "state": int(state),
    }


def _row(r: Any) -> PageRow:
    slot = None
    if r.assignment is not None and r.pupil is not None:
        slot = Slot(r.assignment, r.pupil, r.page, r.attempt)
    return PageRow(
        booked=BookedRow(
            name=RowName(r.box_id, r.epoch, r.seq),
            capture=r.capture,
            revision=r.revision,
            duplicate_of=r.duplicate_of,
            slot=slot,
            received_ms=r.received_ms,
        ),
        digest=r.digest,
        assignment=r.assignment,
        class_name=r.class_name,
        pupil=r.pupil,
        seat=r.seat,
        sheet=r.sheet,
        page=r.page,
        attempt=r.attempt,
        score_hundredths=r.score_hundredths,
        max_score_hundredths=r.max_score_hundredths,
        pending=r.pending,
        items=r.items,
        problems=r.problems,
        clock=r.clock,
    )


def _chunks(values: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


assert {kind.value for kind in VerdictKind} == set(_COUNTED)
