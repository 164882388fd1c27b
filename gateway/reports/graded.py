"""A stored row as the graded page that it is: its items named by the layout, as far as that has come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from gateway.store.pages import PageRow, unpack_items
from homework.layout import SheetLayout
from homework.results import ItemResult, PageRecord, Reading, Verdict, WhoWroteIt
from sync.records import DOUBT_CODES, VERDICT_CODES


class FieldName(NamedTuple):
    """What a field of a page is called."""

    item: str
    blank: int
    kind: str


def graded(row: PageRow, layout: SheetLayout | None) -> PageRecord:
    """The page. Without its layout, or with one that is not the one that was printed, items are named by place."""
    return _record(row, field_names(layout, row.page))


def all_graded(rows: Iterable[PageRow], layouts: Mapping[str, SheetLayout]) -> list[PageRecord]:
    """The same for many pages of few sheets, in their order; `layouts` by sheet."""
    names: dict[tuple[str, int], tuple[FieldName, ...]] = {}
    records = []
    for row in rows:
        place = (row.sheet, row.page)
        if place not in names:
            names[place] = field_names(layouts.get(row.sheet), row.page)
        records.append(_record(row, names[place]))
    return records


def field_names(layout: SheetLayout | None, number: int) -> tuple[FieldName, ...]:
    """The fields of a page, in their order; none where it is not known."""
    page = layout.page(number) if layout else None
    return tuple(FieldName(f.item, f.blank, f.kind) for f in page.fields) if page else ()


def _record(row: PageRow, names: tuple[FieldName, ...]) -> PageRecord:
    return PageRecord(
        sheet=row.sheet,
        assignment=row.assignment,
        page=row.page,
        who=WhoWroteIt(class_name=row.class_name, seat=row.seat),
        items=_items(row, names),
        score_hundredths=row.score_hundredths,
        max_score_hundredths=row.max_score_hundredths,
        pending=row.pending,
        attempt=row.attempt,
    )


def _items(row: PageRow, names: tuple[FieldName, ...]) -> tuple[ItemResult, ...]:
    packed = unpack_items(row.items)
    if len(names) != len(packed):
        names = tuple(FieldName(f"{row.page}-{place}", 1, "text") for place in range(1, len(packed) + 1))
    return tuple(
        [  # a list, because a class report makes a thousand of them, and a generator takes half as long again
            ItemResult(
                item,
                blank,
                kind,
                Reading(one.reading, one.confidence / 255, DOUBT_CODES[one.doubt]),
                _verdict(one.verdict, one.score_hundredths),
            )
            for one, (item, blank, kind) in zip(packed, names, strict=True)
        ]
    )


@lru_cache(maxsize=1024)
def _verdict(code: int, score_hundredths: int | None) -> Verdict:
    """Of the thousands in a report a few dozen differ."""
    return Verdict(VERDICT_CODES[code], score_hundredths)
