"""The fields that a person gives for a page, as JSON (see `docs/learned-pages.md`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from edge.registration.geometry import Matrix, corners_of, inverse, to_px
from homework.errors import BadFileError
from homework.layout import Box, Bubble, Field, FieldKind

_REMEDY = "Each field needs item, kind and box_mm = [x, y, width, height]; see docs/learned-pages.md."


class _Bubble(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    box_mm: Box | None = None
    quad_px: tuple[tuple[float, float], ...] = ()


class _Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    item: str
    kind: FieldKind
    page: int = 1
    blank: int = 1
    box_mm: Box | None = None
    quad_px: tuple[tuple[float, float], ...] = ()
    bubbles: tuple[_Bubble, ...] = ()
    around_mm: Box | None = None
    round: bool = False
    score_box_mm: Box | None = None


def parse_fields(text: str | bytes, mm_to_px: Mapping[int, Matrix]) -> dict[int, tuple[Field, ...]]:
    """The fields by page. `mm_to_px` leads from each page to its picture, in whose pixels `quad_px` is.

    Takes a list of fields, `{"fields": [...]}`, or a layout's `{"pages": [{"page": 1, "fields": [...]}]}`.
    Raises `BadFileError` when it is none of these, or a field has no place, or two have one name.
    """
    try:
        fields = msgspec.convert(_list_of(msgspec.json.decode(text)), list[_Field])
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFileError("The fields cannot be read: {reason}.", remedy=_REMEDY, reason=error) from error
    found: dict[int, list[Field]] = defaultdict(list)
    names: set[tuple[str, int]] = set()
    for one in fields:
        if one.page not in mm_to_px:
            raise BadFileError("A field is on page {page}, which was not given.", remedy=_REMEDY, page=one.page)
        if (one.item, one.blank) in names:
            raise BadFileError(
                "Two fields are called {item}.", remedy="Give each its own item or blank.", item=one.item
            )
        names.add((one.item, one.blank))
        found[one.page].append(_field(one, mm_to_px[one.page]))
    return {page: tuple(of_page) for page, of_page in found.items()}


def _list_of(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    if "pages" in raw:
        pages = raw["pages"]
        return [{**field, "page": page.get("page", 1)} for page in pages for field in page.get("fields", ())]
    return raw.get("fields")


def _field(one: _Field, mm_to_px: Matrix) -> Field:
    bubbles = tuple(Bubble(b.label, _box(b.box_mm, b.quad_px, mm_to_px, one.item)) for b in one.bubbles)
    box = None if bubbles else _box(one.box_mm, one.quad_px, mm_to_px, one.item)
    return Field(
        item=one.item,
        blank=one.blank,
        kind=one.kind,
        box_mm=box,
        bubbles=bubbles,
        around_mm=one.around_mm,
        round=one.round,
        score_box_mm=one.score_box_mm,
    )


def _box(box: Box | None, quad: tuple[tuple[float, float], ...], mm_to_px: Matrix, item: str) -> Box:
    if box is None and len(quad) == 4:
        at = to_px(inverse(mm_to_px), np.array(quad, np.float64))
        low, high = at.min(axis=0), at.max(axis=0)
        x, y, width, height = (round(float(v), 2) for v in (*low, *(high - low)))
        box = (x, y, width, height)
    if box is None or min(box[2:]) <= 0 or not np.isfinite(corners_of(box)).all():
        raise BadFileError("Field {item} has no place on the page.", remedy=_REMEDY, item=item)
    return box
