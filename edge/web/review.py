"""What waits for a person's look: fields that could not be read for certain, and sheets without a name."""

from __future__ import annotations

from dataclasses import dataclass

from edge.booking import Standing
from edge.documents import Documents
from edge.ledger import Ledger
from edge.stack import owner_of
from edge.web.drawing import crop_size_px
from edge.web.whose import WrittenCrop, written_crops
from homework.results import Candidate, Doubt, VerdictKind

CROP_HEIGHT_PX = 88


@dataclass(frozen=True)
class FieldToReview:
    """One field; `place` is its place among the record's items, from 0, and names its picture."""

    place: int
    label: str
    blank: int
    reading: str | None
    candidates: tuple[Candidate, ...]
    doubt: Doubt | None
    marked: bool
    """The teacher marked it on the paper, and that left it open."""
    size_px: tuple[int, int]


@dataclass(frozen=True)
class PageToReview:
    """One sheet with what waits on it; `whose` says that it is not known whose it is."""

    capture: int
    seat: int | None
    name: str | None
    page: int
    whose: bool
    linked: int | None
    crops: tuple[WrittenCrop, ...]
    version: str
    fields: tuple[FieldToReview, ...]


def review_list(ledger: Ledger, documents: Documents, *, class_name: str | None) -> list[PageToReview]:
    """Every sheet with something to look at, in the order in which they came."""
    roster = documents.roster()
    pages = []
    for filed in ledger.pages_for_review():
        record = filed.record
        if record is None:
            continue
        owner = owner_of(record, roster, class_name)
        assignment = documents.assignment(record.assignment) if record.assignment is not None else None
        labels = {item.id: item.label or item.id for item in assignment.items} if assignment is not None else {}
        layout = documents.layout(record.sheet)
        printed = layout.page(record.page) if layout is not None else None
        hulls = {(f.item, f.blank): f.hull_mm() for f in printed.fields} if printed is not None else {}
        pages.append(
            PageToReview(
                capture=filed.capture,
                seat=owner.seat if owner is not None else record.who.seat,
                name=owner.name if owner is not None else None,
                page=record.page,
                whose=filed.standing is Standing.ASK,
                linked=filed.linked,
                crops=written_crops(filed, documents) if filed.standing is Standing.ASK else (),
                version=f"{filed.revision}-{filed.digest[:8]}",
                fields=tuple(
                    FieldToReview(
                        place=place,
                        label=labels.get(item.item, item.item),
                        blank=item.blank,
                        reading=item.reading.text,
                        candidates=item.reading.candidates[:2],
                        doubt=item.reading.doubt,
                        marked=item.mark is not None,
                        size_px=crop_size_px(hulls.get((item.item, item.blank), (0, 0, 1, 1)), CROP_HEIGHT_PX),
                    )
                    for place, item in enumerate(record.items)
                    if item.verdict.kind is VerdictKind.REVIEW
                ),
            )
        )
    return pages
