"""A stored row as the graded page that it is: its items named by the layout, as far as that has come. Pure."""

from __future__ import annotations

from gateway.store.pages import PageRow, unpack_items
from homework.layout import SheetLayout
from homework.results import Candidate, Doubt, ItemResult, PageRecord, Reading, Verdict, WhoWroteIt
from sync.records import DOUBT_CODES, VERDICT_CODES, FieldName, PackedItem


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
    names = [FieldName(f.item, f.blank, f.kind) for f in page.fields] if page else []
    if len(names) != len(packed):
        names = [FieldName(f"{row.page}-{place}", 1, "text") for place in range(1, len(packed) + 1)]
    return tuple(_item(item, name) for item, name in zip(packed, names, strict=True))


def _item(item: PackedItem, name: FieldName) -> ItemResult:
    doubt: Doubt | None = DOUBT_CODES[item.doubt]
    candidates: tuple[Candidate, ...] = ()
    return ItemResult(
        item=name.item,
        blank=name.blank,
        kind=name.kind,
        reading=Reading(item.reading, item.confidence / 255, doubt, candidates),
        verdict=Verdict(VERDICT_CODES[item.verdict], item.score_hundredths),
    )
