"""The places to answer of a learned page, corrected on the box's page: names, kinds, one drawn anew, one taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import cv2
import msgspec

from edge.documents import Documents
from edge.learning.key import assignment_id
from edge.learning.propose import room_around
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.errors import UsageError
from homework.layout import Field, FieldKind, SheetLayout

MOST_FIELDS = 199
BUBBLE_KINDS: tuple[FieldKind, ...] = ("choice", "choices")
WRITTEN_KINDS: tuple[FieldKind, ...] = tuple(kind for kind in get_args(FieldKind) if kind not in BUBBLE_KINDS)


@dataclass(frozen=True)
class Place:
    """One field as the page shows it; `body` is the field itself, which the page sends back."""

    number: int
    field: Field
    body: str
    kinds: tuple[FieldKind, ...]


def learned_sheets(documents: Documents) -> list[SheetLayout]:
    """The sheets that were learned, the newest first."""
    return [layout for layout in reversed(documents.layouts()) if layout.register == "print"]


def sheet_to_correct(documents: Documents, sheet: str) -> UnmarkedSheet | None:
    """A learned sheet with its pictures; None when it is not there."""
    return next((one for one in documents.unmarked() if one.layout.sheet == sheet and one.references), None)


def has_key(layout: SheetLayout, documents: Documents) -> bool:
    """Whether its answers are known: its places stay as they are then."""
    return documents.assignment(assignment_id(layout)) is not None


def places_of(layout: SheetLayout, page: int) -> list[Place]:
    """The fields of a page, numbered from 1."""
    side = layout.page(page)
    fields = side.fields if side is not None else ()
    return [
        Place(n, field, msgspec.json.encode(field).decode(), BUBBLE_KINDS if field.bubbles else WRITTEN_KINDS)
        for n, field in enumerate(fields, start=1)
    ]


def corrected(sheet: UnmarkedSheet, page: int, given: Mapping[str, str]) -> SheetLayout:
    """The layout with the fields of one page as a person has them. Raises `UsageError` when that cannot be."""
    layout = sheet.layout
    numbers = sorted(int(n) for name in given if (n := name.removeprefix("field-")).isdecimal() and len(n) < 5)
    if len(numbers) > MOST_FIELDS:
        raise UsageError("There are too many places on this page.", remedy="Take some out.")
    fields = [_field(given, n) for n in numbers if f"remove-{n}" not in given]
    at = next((i for i, side in enumerate(layout.pages) if side.page == page), None)
    if at is None:
        raise UsageError("This page is not there.", remedy="Choose one of the list.")
    image = sheet.references[at]
    inside = [_inside(field, layout.page_mm) for field in fields]
    around = room_around(inside, image, image.shape[1] / layout.page_mm[0])
    pages = tuple(
        msgspec.structs.replace(side, fields=around) if i == at else side for i, side in enumerate(layout.pages)
    )
    names = [(field.item, field.blank) for side in pages for field in side.fields]
    twice = next((item for item, blank in names if names.count((item, blank)) > 1), None)
    if twice is not None:
        raise UsageError(
            "Two fields are called {item}.", remedy="Give each a name of its own, like 3 and 3-2.", item=twice
        )
    return msgspec.structs.replace(layout, pages=pages)


def picture(sheet: UnmarkedSheet, page: int) -> bytes | None:
    """The empty page as JPEG."""
    for side, image in zip(sheet.layout.pages, sheet.references, strict=True):
        if side.page == page:
            return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])
    return None


def _field(given: Mapping[str, str], number: int) -> Field:
    try:
        field = msgspec.json.decode(given[f"field-{number}"], type=Field)
        kind = msgspec.convert(given.get(f"kind-{number}", field.kind), FieldKind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError("This page was sent in another form.", remedy="Load the page again.") from error
    item = given.get(f"item-{number}", field.item).strip()[:32]
    if not item:
        raise UsageError("A place has no name.", remedy="Give it a number.")
    if not field.bubbles and (field.box_mm is None or min(field.box_mm[2:]) < 2):
        raise UsageError("A place is too small to write in.", remedy="Draw it larger.")
    if bool(field.bubbles) != (kind in BUBBLE_KINDS):
        raise UsageError("This page was sent in another form.", remedy="Load the page again.")
    return msgspec.structs.replace(field, item=item, kind=kind)


def _inside(field: Field, page_mm: tuple[float, float]) -> Field:
    x, y, w, h = field.hull_mm()
    if x < 0 or y < 0 or x + w > page_mm[0] or y + h > page_mm[1]:
        raise UsageError("A place lies beyond the page.", remedy="Draw it within the page.")
    return field
