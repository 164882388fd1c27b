"""The answers of pages one by one, for people with SQL and spreadsheets: a row for each field of each page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.archived import going
from gateway.store.corrections import field_names
from gateway.store.pages import PageRow, page_row, unpack_items
from gateway.store.reading import layouts_named
from gateway.store.tables.sheets import RowState, page_records
from sync.records import DOUBT_CODES, VERDICT_CODES, FieldName, PackedItem

Row = tuple[Any, ...]
COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("school_id", "string"),
    ("month", "int32"),
    ("box_id", "string"),
    ("epoch", "string"),
    ("seq", "int64"),
    ("received_ms", "int64"),
    ("state", "string"),
    ("assignment", "string"),
    ("class_name", "string"),
    ("pupil", "string"),
    ("seat", "int32"),
    ("sheet", "string"),
    ("page", "int16"),
    ("attempt", "int16"),
    ("place", "int32"),
    ("item", "string"),
    ("blank", "int32"),
    ("verdict", "string"),
    ("reading", "string"),
    ("score_hundredths", "int64"),
    ("confidence", "int16"),
    ("doubt", "string"),
)
"""Names and kinds. `pupil` and `epoch` are hexadecimal, `place` the field's place on the page, from 1. Where the layout
has not come, `item` and `blank` are NULL."""
_PAGES_AT_ONCE = 500


async def page_items(
    connection: AsyncConnection, school: str, *, month: int | None = None, everything: bool = False
) -> AsyncIterator[list[Row]]:
    """The fields of a school's pages, of a month or all, some at a time; with `everything` also what does not count."""
    columns = page_records.c
    query = select(page_records).where(columns.school_id == school, columns.state != int(RowState.ERASED))
    if not everything:
        query = query.where(columns.state == int(RowState.CURRENT))
    gone = sorted(await going(connection, school))
    if gone:
        query = query.where(columns.month.not_in(gone))
    if month is not None:
        query = query.where(columns.month == month)
    names: dict[tuple[str, int], list[FieldName]] = {}
    result = await connection.stream(query.order_by(columns.month, columns.box_id, columns.epoch, columns.seq))
    async for some in result.partitions(_PAGES_AT_ONCE):
        pages = [page_row(row) for row in some]
        new = {page.sheet for page, _ in pages if (page.sheet, page.page) not in names}
        layouts = await layouts_named(connection, school, new) if new else {}
        for page, _ in pages:
            if (page.sheet, page.page) not in names:
                names[page.sheet, page.page] = field_names(layouts.get(page.sheet), page.page)
        yield [row for page, state in pages for row in _rows(school, page, state, names[page.sheet, page.page])]


def _rows(school: str, page: PageRow, state: RowState, names: Sequence[FieldName]) -> list[Row]:
    items = unpack_items(page.items)
    known = names if len(names) == len(items) else [None] * len(items)
    name = page.booked.name
    head = (school, page.month, name.box, name.epoch.hex(), name.seq, page.booked.received_ms, state.name.lower())
    who = (page.assignment, page.class_name, page.pupil.hex() if page.pupil is not None else None, page.seat)
    where = (page.sheet, page.page, page.attempt)
    return [
        (*head, *who, *where, place, *_field(field), *_said(item))
        for place, (item, field) in enumerate(zip(items, known, strict=True), start=1)
    ]


def _field(name: FieldName | None) -> tuple[str | None, int | None]:
    return (None, None) if name is None else (name.item, name.blank)


def _said(item: PackedItem) -> tuple[str, str | None, int | None, int, str | None]:
    doubt = DOUBT_CODES[item.doubt]
    verdict = VERDICT_CODES[item.verdict].value
    return verdict, item.reading, item.score_hundredths, item.confidence, None if doubt is None else doubt.value
