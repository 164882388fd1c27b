"""Read the page's QR code wherever it is in the picture, or exactly where it must be."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp

from edge.frames import Image
from edge.registration.geometry import Points, inverse, to_px
from edge.registration.markers import Pyramid
from homework.page_code import PageCode, parse_page_code

SEARCH_SIDES_PX = (1000, 2000, 4000)
FLAT_SIDE_PX = 3000

_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


@dataclass(frozen=True)
class CodeSighting:
    """A code of ours and its four corners in the full picture, clockwise from the symbol's own top left."""

    code: PageCode
    corners_px: Points


def find_codes(pyramid: Pyramid) -> list[CodeSighting]:
    """Every code of ours in the picture; stops at the first size that shows one."""
    for scale in dict.fromkeys(pyramid.scale_for(side) for side in SEARCH_SIDES_PX):
        found = [
            CodeSighting(sighting.code, (sighting.corners_px + 0.5) / scale - 0.5)
            for sighting in _read(pyramid.grey(scale))
        ]
        if found:
            return found
    return []


def find_codes_flattened(pyramid: Pyramid, markers: dict[int, Points]) -> list[CodeSighting]:
    """Codes on the plane of the markers, made square first: for slanted and small pictures.

    `markers` holds at least three of the corners, which are those of a page of unknown size.
    """
    quads = {marker: corners[marker] for marker, corners in markers.items()}  # each marker's outermost corner
    for missing in {0, 1, 2, 3} - set(quads):
        quads[missing] = quads[(missing + 1) % 4] + quads[(missing - 1) % 4] - quads[(missing + 2) % 4]
    quad = np.array([quads[i] for i in range(4)])
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    grow = min(2.0, FLAT_SIDE_PX / float(sides.max()))
    width, height = (max(int(grow * max(sides[i], sides[i + 2])), 1) for i in (0, 1))
    square = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    to_flat = cv2.getPerspectiveTransform(quad.astype(np.float32), square).astype(np.float64)
    flat = cv2.warpPerspective(pyramid.grey(1.0), to_flat, (width, height), flags=cv2.INTER_CUBIC)
    back = inverse(to_flat)
    return [CodeSighting(one.code, to_px(back, one.corners_px)) for one in _read(flat.astype(np.uint8, copy=False))]


def _read(grey: Image) -> list[CodeSighting]:
    barcodes = zxingcpp.read_barcodes(grey, formats=_FORMATS, try_invert=False)
    sightings = []
    for barcode in barcodes:
        code = parse_page_code(barcode.text)
        if code is not None:
            at = barcode.position
            corners = [at.top_left, at.top_right, at.bottom_right, at.bottom_left]
            sightings.append(CodeSighting(code, np.array([[p.x, p.y] for p in corners], np.float64)))
    return sightings
