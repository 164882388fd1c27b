"""A sticker with a pupil's code on a page that somebody else printed: it names the pupil, wherever it was stuck."""

from __future__ import annotations

import cv2
import numpy as np
import zxingcpp

from edge.frames import RegisteredPage
from edge.registration.geometry import corners_of
from edge.registration.markers import grey_of
from homework.results import Problem, WhoWroteIt
from homework.roster import Pupil, Roster

SEARCH_SIDE_PX = 2000
_FORMATS = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128])

TWO_STICKERS = Problem("who-unknown", "There are two name stickers on this sheet: say whose it is.")


def sticker_pupils(page: RegisteredPage, roster: Roster, class_name: str | None) -> tuple[Pupil, ...]:
    """The pupils whose codes stand on the page, beyond its fields: their id, or their seat in the class.

    A code that is nobody's on the class list (a publisher's, say) says nothing.
    """
    assert page.mm_to_px is not None
    image = page.capture.image
    scale = min(1.0, SEARCH_SIDE_PX / max(image.shape[:2]))
    small = grey_of(np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8))
    found: dict[str, Pupil] = {}
    for barcode in zxingcpp.read_barcodes(small, formats=_FORMATS, try_invert=False):
        at = barcode.position
        corners = [at.top_left, at.top_right, at.bottom_right, at.bottom_left]
        centre = (np.mean([[p.x, p.y] for p in corners], axis=0) + 0.5) / scale - 0.5
        pupil = _pupil(barcode.text.strip(), roster, class_name)
        if pupil is not None and not _in_a_field(page, centre):
            found[pupil.pupil_id] = pupil
    return tuple(found.values())


def who_is_on_stickers(pupils: tuple[Pupil, ...]) -> WhoWroteIt | None:
    """The one pupil of the stickers; None when there is none, or more than one."""
    if len(pupils) != 1:
        return None
    return WhoWroteIt(pupils[0].class_name, pupils[0].seat, pupils[0].pupil_id, 1.0)


def _pupil(text: str, roster: Roster, class_name: str | None) -> Pupil | None:
    named = roster.by_id(text)
    if named is not None:
        return named
    return roster.at_seat(class_name, int(text)) if class_name and text.isdecimal() and len(text) <= 2 else None


def _in_a_field(page: RegisteredPage, centre: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    assert page.page is not None
    for field in page.page.fields:
        quad = page.to_px(corners_of(field.hull_mm())).astype(np.float32)
        if cv2.pointPolygonTest(quad, (float(centre[0]), float(centre[1])), measureDist=False) >= 0:
            return True
    return False
