"""Pictures of what was slid: a sheet flattened to its paper, the crop of one field, the name and number as written."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from edge.documents import Documents
from edge.frames import Image
from edge.ledger import Ledger
from edge.pictures import Pictures
from edge.reading.crops import surroundings_mm
from edge.web import drawing
from edge.web.whose import CROP_MARGIN_MM, Written, written_box
from homework.layout import SheetLayout

_KEPT_SHEETS = 8
WIDE_MARGIN_MM = 0.0


class LastSheets:
    """The flattened pictures of the sheets that came last, so that showing one decodes nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()

    def put(self, key: str, picture: bytes) -> None:
        """Remember a picture; the oldest goes."""
        with self._lock:
            self._pictures[key] = picture
            self._pictures.move_to_end(key)
            while len(self._pictures) > _KEPT_SHEETS:
                self._pictures.popitem(last=False)

    def get(self, key: str) -> bytes | None:
        """The picture of that key, when it is still here."""
        with self._lock:
            return self._pictures.get(key)


class DecodedPicture:
    """The picture that was decoded last: a list of crops asks for the same one again and again."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._lock = threading.Lock()
        self._held: tuple[str, Image] | None = None

    def image(self, digest: str) -> Image | None:
        """The capture of that digest as BGR, or None when its picture is gone."""
        with self._lock:
            if self._held is None or self._held[0] != digest:
                self._held = None
                image = self._pictures.image(digest)
                if image is None:
                    return None
                self._held = (digest, image)
            return self._held[1]


def draw_sheet(image: Image, layout: SheetLayout | None, mm_to_px: NDArray[np.float64] | None) -> bytes:
    """The picture of a sheet for the pages: flat where it is known how it lies, else as it came."""
    if layout is not None and mm_to_px is not None:
        return drawing.flattened(image, mm_to_px, layout.page_mm)
    return drawing.thumbnail(image)


def draw_kept_sheet(ledger: Ledger, documents: Documents, pictures: Pictures, capture: int) -> bytes | None:
    """The picture of a sheet of the ledger, drawn from its kept picture; None when that is gone."""
    filed = ledger.page(capture)
    image = pictures.image(filed.digest) if filed is not None and filed.has_picture else None
    if filed is None or image is None:
        return None
    layout = documents.layout(filed.record.sheet) if filed.record is not None else None
    return draw_sheet(image, layout, filed.mm_to_px)


def draw_kept_field(
    ledger: Ledger, documents: Documents, decoded: DecodedPicture, capture: int, place: int, *, wide: bool = False
) -> bytes | None:
    """The crop of one field (its place among the record's items, from 0), cut from the kept picture.

    `wide`: with all the paper round it on which the pupil's ink is looked for.
    """
    filed = ledger.page(capture)
    if filed is None or filed.record is None or filed.mm_to_px is None or place >= len(filed.record.items):
        return None
    layout = documents.layout(filed.record.sheet)
    page = layout.page(filed.record.page) if layout is not None else None
    item = filed.record.items[place]
    field = next((f for f in page.fields if (f.item, f.blank) == (item.item, item.blank)), None) if page else None
    image = decoded.image(filed.digest) if field is not None else None
    if field is None or image is None:
        return None
    if wide:
        return drawing.field_crop(image, filed.mm_to_px, surroundings_mm(field), margin_mm=WIDE_MARGIN_MM)
    return drawing.field_crop(image, filed.mm_to_px, field.hull_mm())


def draw_kept_written(
    ledger: Ledger, documents: Documents, decoded: DecodedPicture, capture: int, what: Written
) -> bytes | None:
    """The name or the seat number as it stands on the paper, cut from the kept picture."""
    filed = ledger.page(capture)
    box = written_box(filed, documents, what) if filed is not None else None
    image = decoded.image(filed.digest) if filed is not None and box is not None else None
    if filed is None or box is None or image is None or filed.mm_to_px is None:
        return None
    return drawing.field_crop(image, filed.mm_to_px, box, margin_mm=CROP_MARGIN_MM)
