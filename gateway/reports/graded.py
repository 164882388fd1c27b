"""A stored row as the graded page that it is: its items named by the layout, as far as that has come. Pure."""

from __future__ import annotations

from functools import lru_cache

from gateway.store.pages import PageRow, unpack_items
from homework.layout import SheetLayout
from homework.results import ItemResult, PageRecord, Reading, Verdict, WhoWroteIt
from sync.records import DOUBT_CODES, VERDICT_CODES


def graded(row: PageRow, layout: SheetLayout | None) -> PageRecord:
    """The page. Without its layout, or with one that is not the one that was printed, items are named by place."""
    return PageRecord(
        sheet=row.sheet,
        assignment=row.assignment,
        page=row.page,
        who=WhoWroteIt(class_name=row.class_name, seat=row.seat),
        items=_items(row, layout),
        score_hundredths=row.score_hundredths,
        max_score_hundredths=row.max_score_hundredths,
        pending=row.pending,
        attempt=row.attempt,
    )


def _items(row: PageRow, layout: SheetLayout | None) -> tuple[ItemResult, ...]:
    packed = unpack_items(row.items)
    page = layout.page(row.page) if layout else None
    names = [(f.item, f.blank, f.kind) for f in page.fields] if page else []
    if len(names) != len(packed):
        names = [(f"{row.page}-{place}", 1, "text") for place in range(1, len(packed) + 1)]
    return tuple(
        ItemResult(
            item,
            blank,
            kind,
            Reading(one.reading, one.confidence / 255, DOUBT_CODES[one.doubt]),
            _verdict(one.verdict, one.score_hundredths),
        )
        for one, (item, blank, kind) in zip(packed, names, strict=True)
    )


@lru_cache(maxsize=1024)
def _verdict(code: int, score_hundredths: int | None) -> Verdict:
    """Of the thousands in a report a few dozen differ."""
    return Verdict(VERDICT_CODES[code], score_hundredths)
