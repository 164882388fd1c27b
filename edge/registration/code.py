"""Read the page's QR code wherever it is in the picture, or exactly where it must be."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp

from edge.frames import Image
from edge.registration.geometry import Points, inverse, to_px
from edge.registration.markers import Pyramid, grey_of, refine
from edge.registration.quality import look_at
from homework.page_code import PageCode, parse_page_code

SEARCH_SIDES_PX = (1000, 2000, 4000)
FLAT_SIDE_PX = 3000
CODE_MODULES = 25
"""About so many modules a side: our codes are of version 2 or 3."""

MARKER_MM: Points = np.array([[0, 0], [9.6, 0], [9.6, 9.6], [0, 9.6]])
BESIDE_MM = (-30.0, -6.0, 29.0, 28.0)
"""Where the code stands from the top left corner of the marker beside it: x, y, width, height."""

BESIDE_PX_PER_MM = 8.0
LEAST_BLUR_MM = 0.15
DEBLURRED = ((1.2, 1e-3), (1.2, 1e-4), (1.0, 1e-3), (1.0, 1e-4), (1.4, 1e-3), (1.4, 1e-4))
"""How the blur is undone, likeliest first: times what the marker tells, which is too little when it is much; noise."""

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


def any_code_at_a_glance(pyramid: Pyramid) -> bool:
    """Whether the smallest picture that is searched shows a code of ours."""
    return bool(_read(pyramid.glance(pyramid.scale_for(SEARCH_SIDES_PX[0]))))


def find_codes_beside(pyramid: Pyramid, markers: list[Points]) -> list[CodeSighting]:
    """The codes beside the sightings of the top right marker, where our sheets have them; blurred ones too.

    A small patch is looked at instead of the picture, and the blur, which the marker's own edges tell, is undone: codes
    are read in pictures that are three times as blurred as those in which the page is readable as a whole.
    """
    found = []
    for corners in markers:
        patch_to_px = cv2.getPerspectiveTransform(
            ((MARKER_MM - BESIDE_MM[:2]) * BESIDE_PX_PER_MM - 0.5).astype(np.float32), corners.astype(np.float32)
        ).astype(np.float64)
        size = (np.array(BESIDE_MM[2:]) * BESIDE_PX_PER_MM).astype(int)
        patch = cv2.warpPerspective(
            pyramid.image,
            patch_to_px,
            (int(size[0]), int(size[1])),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        grey = grey_of(np.asarray(patch, np.uint8))
        seen = _read(grey)
        blur_mm = 0.0 if seen else look_at(pyramid.image, MARKER_MM, corners).blur_mm
        if blur_mm > LEAST_BLUR_MM:
            tries = (_read(_deblurred(grey, factor * blur_mm * BESIDE_PX_PER_MM, noise)) for factor, noise in DEBLURRED)
            seen = next((codes for codes in tries if codes), [])
        found += [CodeSighting(one.code, to_px(patch_to_px, one.corners_px)) for one in seen]
    return found


def _deblurred(grey: Image, sigma_px: float, noise: float) -> Image:
    """The picture before a Gaussian blurred it (N. Wiener's filter, `noise` being that of the signal, in power)."""
    pad = int(4 * sigma_px) + 1
    wide = cv2.copyMakeBorder(grey, pad, pad, pad, pad, cv2.BORDER_REFLECT).astype(np.float32)
    mean = float(wide.mean())
    rows, columns = np.fft.fftfreq(wide.shape[0])[:, None], np.fft.rfftfreq(wide.shape[1])[None]
    softened = np.exp(-2 * np.pi**2 * sigma_px**2 * (rows**2 + columns**2))
    sharp = np.fft.irfft2(np.fft.rfft2(wide - mean) * softened / (softened**2 + noise), wide.shape) + mean
    return np.ascontiguousarray(np.clip(sharp[pad:-pad, pad:-pad], 0, 255), np.uint8)


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


def finder_corners(image: Image, corners_px: Points) -> Points | None:
    """The outer corners TL, TR, BL of the code's three finder patterns to a part of a pixel; None when they are lost.

    What zxing gives is right to a module; these are corners of black squares, seven modules wide.
    """
    three = corners_px[[0, 1, 3]]
    side = float(np.linalg.norm(corners_px - np.roll(corners_px, 1, axis=0), axis=1).mean())
    window = int(np.clip(side / CODE_MODULES, 2, 10))
    refined = refine(image, three, window)
    return refined if np.linalg.norm(refined - three, axis=1).max() > 0 else None
