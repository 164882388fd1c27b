"""“Whose sheet is this?”: what a person needs to see to answer at a glance, and the likeliest answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from edge.documents import Documents
from edge.ledger import FiledPage
from edge.owners import SECOND_SHEET
from edge.reading.seats import Seat
from edge.web.drawing import crop_size_px
from homework.layout import Box, PupilField
from homework.roster import Pupil

Written = Literal["name", "seat"]
CROP_HEIGHT_PX = 64
CROP_MARGIN_MM = 1.4
"""Room for strokes that leave their line or cell; more would show halves of the words printed beside it."""

MOST_LIKELY = 3
_LEAST_SHARE = 0.01
"""Below it a number is not worth a button: a wrong button is tapped sooner than a list is opened."""


@dataclass(frozen=True)
class WrittenCrop:
    """What the pupil wrote about themselves, as a picture of the sheet: where it is, and how large it is shown."""

    what: Written
    size_px: tuple[int, int]


def written_crops(filed: FiledPage, documents: Documents) -> tuple[WrittenCrop, ...]:
    """The crops that can be shown of a sheet: the written name and the seat number, as far as its layout has them."""
    crops = []
    for what in ("name", "seat"):
        box = written_box(filed, documents, what)
        if box is not None and filed.has_picture:
            crops.append(WrittenCrop(what, crop_size_px(box, CROP_HEIGHT_PX, margin_mm=CROP_MARGIN_MM)))
    return tuple(crops)


def written_box(filed: FiledPage, documents: Documents, what: Written) -> Box | None:
    """Where the name or the seat number stands on the sheet, in millimetres; None when that is not known."""
    record = filed.record
    layout = documents.layout(record.sheet) if record is not None and filed.mm_to_px is not None else None
    page = layout.page(record.page) if layout is not None and record is not None else None
    if page is None or page.pupil is None:
        return None
    return page.pupil.name_mm if what == "name" else _seat_box(page.pupil)


def likely_pupils(seat: Seat | None, pupils: Collection[Pupil], missing: Collection[int]) -> tuple[Pupil, ...]:
    """The two or three pupils whose sheet it most likely is: by the written number, those first who have not handed in.

    Where no number can be read and only so many pupils are missing, it is those.
    """
    weights = {pupil: seat.share_of(pupil.seat) if seat is not None else 0.0 for pupil in pupils}
    likely = [pupil for pupil, share in weights.items() if share >= _LEAST_SHARE]
    if not likely:
        left = [pupil for pupil in pupils if pupil.seat in missing]
        return tuple(left) if len(left) <= MOST_LIKELY else ()
    likely.sort(key=lambda pupil: -weights[pupil] * (1.0 if pupil.seat in missing else SECOND_SHEET))
    return tuple(likely[:MOST_LIKELY])


def _seat_box(pupil: PupilField) -> Box | None:
    boxes = [*pupil.boxes_mm, *(bubble.box_mm for column in pupil.columns for bubble in column)]
    if not boxes:
        return None
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return (left, top, right - left, bottom - top)
