"""Writes page records: the rows, which of them count, and the sums over those that count. One transaction.

The caller holds the school's lock (`lock_school`), so that deciding and summing see no other writer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, and_, bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import BookedRow, RowName, Slot, decide
from gateway.overlay import Content
from gateway.store.dialect import batched
from gateway.store.rollups import ClassPlace, Totals, add_totals
from gateway.store.schema import RowState, page_records
from sync.records import PackedItem

_items_decoder = msgspec.msgpack.Decoder(tuple[PackedItem, ...])
_contents = msgspec.msgpack.Decoder(Content)
_items_encoder = msgspec.msgpack.Encoder()


class PageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A page record as the store keeps it. `items` is packed by `pack_items`; `clock` is the record's, as it came.

    `settled` are the beginnings of the ids of the corrections that it accounts for, one after another. Where others
    stand over it (`gateway.overlay`), items and sums are what counts, and `sent` has those that came.
    """

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
    settled: bytes = b""
    sent: bytes | None = None


Stored = dict[RowName, tuple[PageRow, RowState]]
"""Rows of the store under their names, with their states."""

PutOver = Callable[[Mapping[RowName, PageRow], Collection[RowName]], Awaitable[Mapping[RowName, PageRow]]]
"""Gives those of some rows that read otherwise with the corrections known now; the newest of captures are named."""


class Owner(NamedTuple):
    """Whose a page is."""

    class_name: str
    pupil: bytes


def count_page(totals: Totals, page: PageRow, sign: int = 1) -> None:
    """Count a page that counts, or with `sign` -1 count it out."""
    place = place_of(page)
    sums = totals.classes[place]
    sums.saw(page.booked.received_ms)
    sums.pages += sign
    sums.score_hundredths += sign * (page.score_hundredths or 0)
    sums.max_score_hundredths += sign * (page.max_score_hundredths or 0)
    sums.pending += sign * page.pending
    totals.add_fields(place, page.sheet, page.page, (item.verdict for item in unpack_items(page.items)), sign)


def place_of(page: PageRow) -> ClassPlace:
    """Where a page stands in the rollups."""
    return ClassPlace(page.assignment or "", page.class_name or "", page.attempt)


def pack_items(items: Sequence[PackedItem]) -> bytes:
    """The items of a page as one column."""
    return _items_encoder.encode(items)


def unpack_items(packed: bytes) -> tuple[PackedItem, ...]:
    """The items of a page, in the order of the layout's fields."""
    return _items_decoder.decode(packed)


def content_of(row: PageRow) -> Content:
    """What a box sent of a page, whatever stands over it now."""
    if row.sent is not None:
        return _contents.decode(row.sent)
    return Content(unpack_items(row.items), row.score_hundredths, row.max_score_hundredths, row.pending)


def with_content(row: PageRow, sent: Content, counts: Content) -> PageRow:
    """The row of a page of which `sent` came and `counts` is to count."""
    return msgspec.structs.replace(
        row,
        items=pack_items(counts.items),
        score_hundredths=counts.score_hundredths,
        max_score_hundredths=counts.max_score_hundredths,
        pending=counts.pending,
        sent=None if counts == sent else _items_encoder.encode(sent),
    )


async def add_pages(
    connection: AsyncConnection, school: str, pages: Sequence[PageRow], put_over: PutOver, corrected: Collection[bytes]
) -> frozenset[tuple[str, str]]:
    """Store pages under names that are not there yet, and book them; look again at those of `corrected` captures.

    Returns the (assignment, class) pairs whose reports have changed.
    """
    if not pages and not corrected:
        return frozenset()
    known = await _related(connection, school, pages) if pages else {}
    booked = {page.booked.name: page for page in pages} | {name: page for name, (page, _) in known.items()}
    after = dict(decide(page.booked for page in booked.values()))
    for name, (page, state) in (await _of_captures(connection, school, corrected)).items():
        if name not in booked:  # what it says may change, not what it is
            known[name], after[name] = (page, state), state
    old = {name: page for name, (page, _) in known.items()}
    before = {name: state for name, (_, state) in known.items()}
    every = booked | old
    changed = await put_over(every, [name for name, state in after.items() if state is not RowState.SUPERSEDED])
    now = {**every, **changed}
    totals = Totals()
    for name, state in after.items():
        if name in before and before[name] is state and name not in changed:
            continue
        if before.get(name) is RowState.CURRENT:
            count_page(totals, old[name], -1)
        if state is RowState.CURRENT:
            count_page(totals, now[name])
    await _set_states(connection, school, before, after)
    if pages:
        added = [now[page.booked.name] for page in pages]
        await connection.execute(
            page_records.insert(), [_columns(school, page, after[page.booked.name]) for page in added]
        )
    await _set_contents(connection, school, [page for name, page in changed.items() if name in old])
    touched = [*pages, *(now[name] for name in before if after[name] is not before[name] or name in changed)]
    _note_seen(totals, touched)
    await add_totals(connection, school, totals)
    return frozenset((p.assignment, p.class_name or "") for p in touched if p.assignment is not None)


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
        [_name_values(n) | {"b_class": whose[n].class_name, "b_pupil": whose[n].pupil} for n in moved],
    )
    known = await _closure(connection, school, {n: (page, RowState.UNBOOKED) for n, page in moved.items()})
    every = {name: page for name, (page, _) in known.items()}
    before = {name: state for name, (_, state) in known.items()}
    after = decide(page.booked for page in every.values())
    _count(totals, every, before, after)
    _note_seen(totals, [*(page for page, _ in pages), *every.values()])
    await _set_states(connection, school, before, after)
    await add_totals(connection, school, totals)


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


async def pages_where(connection: AsyncConnection, query: Select[Any]) -> list[tuple[PageRow, RowState]]:
    """The rows of a select of `page_records`, with their states."""
    return [(_row(r), RowState(r.state)) for r in await connection.execute(query)]


async def _related(connection: AsyncConnection, school: str, pages: Sequence[PageRow]) -> Stored:
    """The stored rows on which the booking of new pages depends."""
    captures, slots = _links(pages)
    found = await _of_captures(connection, school, captures)
    if found:  # an old acquaintance: whatever it touches is decided again
        return await _closure(connection, school, found, slots)
    # Nothing known moves, so the row that counts is all that matters of a slot.
    return await _in_slots(connection, school, slots, current_only=True)


async def _closure(connection: AsyncConnection, school: str, rows: Stored, slots: Collection[Slot] = ()) -> Stored:
    """`rows`, and all rows of their captures, of linked captures and of their slots, and of those, and so on."""
    found = dict(rows)
    seen_captures: set[bytes] = set()
    seen_slots: set[Slot] = set()
    todo_slots: set[Slot] = set(slots)
    while True:
        captures, more_slots = _links(page for page, _ in found.values())
        captures -= seen_captures
        todo_slots |= more_slots - seen_slots
        if not captures and not todo_slots:
            return found
        found |= await _of_captures(connection, school, captures)
        found |= await _in_slots(connection, school, todo_slots)
        seen_captures |= captures
        seen_slots |= todo_slots
        todo_slots = set()


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


async def _of_captures(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> Stored:
    found: Stored = {}
    for some in batched(sorted(captures)):
        for linked in (page_records.c.capture.in_(some), page_records.c.duplicate_of.in_(some)):
            query = select(page_records).where(page_records.c.school_id == school, linked)
            found |= _by_name(await pages_where(connection, query))
    return found


async def _in_slots(
    connection: AsyncConnection, school: str, slots: Iterable[Slot], *, current_only: bool = False
) -> Stored:
    by_rest: dict[tuple[str, int, int], list[bytes]] = defaultdict(list)
    for slot in slots:
        by_rest[(slot.assignment, slot.page, slot.attempt)].append(slot.pupil)
    found: Stored = {}
    for (assignment, page, attempt), pupils in sorted(by_rest.items()):
        for some in batched(sorted(pupils)):
            query = select(page_records).where(
                page_records.c.school_id == school,
                page_records.c.assignment == assignment,
                page_records.c.page == page,
                page_records.c.attempt == attempt,
                page_records.c.pupil.in_(some),
            )
            # As a literal, so that the planner sees that the partial index answers it.
            if current_only:
                query = query.where(text("state = 0"))
            found |= _by_name(await pages_where(connection, query))
    return found


def _by_name(rows: Iterable[tuple[PageRow, RowState]]) -> Stored:
    return {page.booked.name: (page, state) for page, state in rows}


async def _set_states(
    connection: AsyncConnection, school: str, before: Mapping[RowName, RowState], after: Mapping[RowName, RowState]
) -> None:
    """Write the states that change. A slot is left before it is taken: the unique index looks at every statement."""
    changed = [name for name, state in before.items() if after[name] is not state]
    leaving = [name for name in changed if before[name] is RowState.CURRENT]
    taking = [name for name in changed if before[name] is not RowState.CURRENT]
    for names in (leaving, taking):
        if names:
            await connection.execute(
                update(page_records).where(_named(school)).values(state=bindparam("b_state")),
                [_name_values(name) | {"b_state": int(after[name])} for name in names],
            )


async def _set_contents(connection: AsyncConnection, school: str, pages: Sequence[PageRow]) -> None:
    """Write what counts of pages that read otherwise now, and what their box sent."""
    names = ("items", "score_hundredths", "max_score_hundredths", "pending", "sent")
    if pages:
        await connection.execute(
            update(page_records).where(_named(school)).values({name: bindparam(f"b_{name}") for name in names}),
            [_name_values(page.booked.name) | {f"b_{name}": getattr(page, name) for name in names} for page in pages],
        )


def _named(school: str) -> ColumnElement[bool]:
    return and_(
        page_records.c.school_id == school,
        page_records.c.box_id == bindparam("b_box"),
        page_records.c.epoch == bindparam("b_epoch"),
        page_records.c.seq == bindparam("b_seq"),
    )


def _name_values(name: RowName) -> dict[str, Any]:
    return {"b_box": name.box, "b_epoch": name.epoch, "b_seq": name.seq}


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
        "settled": page.settled or None,
        "sent": page.sent,
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
        settled=r.settled or b"",
        sent=r.sent,
    )
