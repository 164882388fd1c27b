"""The rows of page records: what is in one, how it lies in its columns, and what it adds to the rollups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import BookedRow, RowName, Slot
from gateway.overlay import Content
from gateway.store.rollups import ClassPlace, Totals
from gateway.store.tables.sheets import RowState
from sync.records import PackedItem

_items_decoder = msgspec.msgpack.Decoder(tuple[PackedItem, ...])
_contents = msgspec.msgpack.Decoder(Content)
_items_encoder = msgspec.msgpack.Encoder()


class PageRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A page record as the store keeps it. `items` is packed by `pack_items`; `clock` is the record's, as it came.

    `settled` are the beginnings of the ids of the corrections that it accounts for, one after another. Where others
    stand over it (`gateway.overlay`), items and sums are what counts, and `sent` has those that came. `month` is where
    it lies (`gateway.store.months`). `verdicts` are those of its items, where they are known without unpacking.
    """

    booked: BookedRow
    month: int
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
    verdicts: bytes | None = None


Stored = dict[RowName, tuple[PageRow, RowState]]
"""Rows of the store under their names, with their states."""


def count_page(totals: Totals, page: PageRow, sign: int = 1) -> None:
    """Count a page that counts, or with `sign` -1 count it out."""
    place = place_of(page)
    sums = totals.classes[place]
    sums.saw(page.booked.received_ms)
    sums.pages += sign
    sums.score_hundredths += sign * (page.score_hundredths or 0)
    sums.max_score_hundredths += sign * (page.max_score_hundredths or 0)
    sums.pending += sign * page.pending
    totals.add_fields(place, page.sheet, page.page, [_verdicts(page)], sign)


def count_pages(totals: Totals, pages: Iterable[PageRow]) -> None:
    """Count pages that count: many at once, of which most are of a few classes."""
    alike: dict[tuple[str | None, str | None, int, str, int], list[PageRow]] = {}
    for page in pages:
        key = (page.assignment, page.class_name, page.attempt, page.sheet, page.page)
        alike.setdefault(key, []).append(page)
    for mine in alike.values():
        sums = totals.classes[place := place_of(mine[0])]
        came_ms = [page.booked.received_ms for page in mine]
        sums.saw(min(came_ms))
        sums.saw(max(came_ms))
        sums.pages += len(mine)
        sums.score_hundredths += sum([page.score_hundredths or 0 for page in mine])
        sums.max_score_hundredths += sum([page.max_score_hundredths or 0 for page in mine])
        sums.pending += sum([page.pending for page in mine])
        totals.add_fields(place, mine[0].sheet, mine[0].page, [_verdicts(page) for page in mine], 1)


def _verdicts(page: PageRow) -> bytes:
    return verdicts_of(unpack_items(page.items)) if page.verdicts is None else page.verdicts


def place_of(page: PageRow) -> ClassPlace:
    """Where a page stands in the rollups."""
    return ClassPlace(page.assignment or "", page.class_name or "", page.attempt)


def pack_items(items: Sequence[PackedItem]) -> bytes:
    """The items of a page as one column."""
    return _items_encoder.encode(items)


def verdicts_of(items: Sequence[PackedItem]) -> bytes:
    """The codes of the verdicts on a page's fields."""
    return bytes([item.verdict for item in items])


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
    items = pack_items(counts.items)
    return msgspec.structs.replace(
        row,
        items=items,
        verdicts=row.verdicts if items == row.items else None,
        score_hundredths=counts.score_hundredths,
        max_score_hundredths=counts.max_score_hundredths,
        pending=counts.pending,
        sent=None if counts == sent else _items_encoder.encode(sent),
    )


async def pages_where(
    connection: AsyncConnection, query: Select[Any], given: Mapping[str, Any] | None = None
) -> list[tuple[PageRow, RowState]]:
    """The rows of a select of `page_records`, with their states; `given` are its parameters."""
    found = await connection.execute(query, given)
    names = tuple(found.keys())
    if names == COLUMNS:
        return [row_of(row) for row in found]
    places = [names.index(name) for name in COLUMNS]
    return [row_of([row[place] for place in places]) for row in found]


def page_row(r: Any) -> tuple[PageRow, RowState]:
    """A row that has the columns of `page_records`, perhaps among others, with its state."""
    return row_of([getattr(r, name) for name in COLUMNS])


COLUMNS = (
    "school_id",
    "month",
    "box_id",
    "epoch",
    "seq",
    "digest",
    "capture",
    "revision",
    "duplicate_of",
    "assignment",
    "class_name",
    "pupil",
    "seat",
    "sheet",
    "page",
    "attempt",
    "score_hundredths",
    "max_score_hundredths",
    "pending",
    "items",
    "problems",
    "clock",
    "received_ms",
    "state",
    "settled",
    "sent",
)
"""The columns of `page_records` in the order of `values_of`."""


def values_of(school: str, page: PageRow, state: RowState) -> tuple[Any, ...]:
    """The values of a row of `page_records`."""
    booked = page.booked
    return (
        school,
        page.month,
        booked.name.box,
        booked.name.epoch,
        booked.name.seq,
        page.digest,
        booked.capture,
        booked.revision,
        booked.duplicate_of,
        page.assignment,
        page.class_name,
        page.pupil,
        page.seat,
        page.sheet,
        page.page,
        page.attempt,
        page.score_hundredths,
        page.max_score_hundredths,
        page.pending,
        page.items,
        page.problems,
        page.clock,
        booked.received_ms,
        int(state),
        page.settled or None,
        page.sent,
    )


_STATES = {int(state): state for state in RowState}


def row_of(r: Sequence[Any]) -> tuple[PageRow, RowState]:
    """Of the values of `COLUMNS`. To ask a row for each of them by its name takes three times as long."""
    _, month, box_id, epoch, seq, digest, capture, revision, duplicate_of, assignment, class_name, pupil, *rest = r
    seat, sheet, page, attempt, score_hundredths, max_score_hundredths, pending, items, problems, clock, *rest = rest
    received_ms, state, settled, sent = rest
    slot = Slot(assignment, pupil, page, attempt) if assignment is not None and pupil is not None else None
    booked = BookedRow(
        name=RowName(box_id, epoch, seq),
        capture=capture,
        revision=revision,
        duplicate_of=duplicate_of,
        slot=slot,
        received_ms=received_ms,
    )
    row = PageRow(
        booked=booked,
        month=month,
        digest=digest,
        assignment=assignment,
        class_name=class_name,
        pupil=pupil,
        seat=seat,
        sheet=sheet,
        page=page,
        attempt=attempt,
        score_hundredths=score_hundredths,
        max_score_hundredths=max_score_hundredths,
        pending=pending,
        items=items,
        problems=problems,
        clock=clock,
        settled=settled or b"",
        sent=sent,
    )
    return row, _STATES[state]
