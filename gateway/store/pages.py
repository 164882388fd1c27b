"""The rows of page records: what is in one, how it lies in its columns, and what it adds to the rollups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    verdicts = verdicts_of(unpack_items(page.items)) if page.verdicts is None else page.verdicts
    totals.add_fields(place, page.sheet, page.page, verdicts, sign)


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
    return [page_row(r) for r in await connection.execute(query, given)]


def page_row(r: Any) -> tuple[PageRow, RowState]:
    """A row of `page_records`, with its state."""
    return _row(r), RowState(r.state)


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
        month=r.month,
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
