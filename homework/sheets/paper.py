"""Paper sizes, and where the fixed things of every page stand, in mm from the top left.

Left and right margins are equal, so that both sides of a leaf work and a page can be printed on either.
"""

from __future__ import annotations

import msgspec

from homework.assignment import Paper
from homework.layout import Box, PupilKind

PAGE_MM: dict[Paper, tuple[float, float]] = {
    "A4": (210.0, 297.0),
    "B5": (182.0, 257.0),  # JIS, as sold in China and Japan
    "16K": (184.0, 260.0),
    "8K": (260.0, 368.0),
    "A3": (297.0, 420.0),
}

LINE_MM = 0.35
"""Frames: dark enough to survive a poor photocopy, thin enough not to read as a stroke of a pen."""

MARKER_MM = 9.6  # 1.6 mm a cell: 5 px at 80 dpi, the least that a whole A4 page in a VGA preview leaves
_EDGE_MM = 8.0  # printers and copiers lose up to 5 mm at the edge of the paper
_SIDE_MM = 15.0
_LEAST_MODULE_MM = 0.6  # with 0.55, simulated third copies were often unreadable; with 0.6 hardly ever
_LEAST_CODE_MM = 14.0
_CODE_GAP_MM = 6.0  # four modules of quiet zone beside the code, two cells beside the marker


class Furniture(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The fixed places of a page. `markers` are top left corners of ids 0-3: TL, TR, BR, BL."""

    page_mm: tuple[float, float]
    markers: tuple[tuple[float, float], ...]
    marker_mm: float
    code: Box
    title: Box
    identity: Box
    body: Box
    footer: Box
    corrections: Box | None


def furnish(paper: Paper, *, pupil: PupilKind, code_modules: int, corrections: bool) -> Furniture:
    """The fixed places for a paper; `code_modules` is the side of the largest code of the print run."""
    width, height = PAGE_MM[paper]
    right, low = width - _EDGE_MM - MARKER_MM, height - _EDGE_MM - MARKER_MM
    code = max(_LEAST_CODE_MM, code_modules * _LEAST_MODULE_MM)
    band = _EDGE_MM + max(code, MARKER_MM)
    beside = _EDGE_MM + MARKER_MM + 4 + code + _CODE_GAP_MM
    identity = {"digits": 11.5, "bubbles": 21.0, "printed": 8.0, "order": 9.0}[pupil]
    top = band + 4 + identity + 4.5
    strip = round((width - 2 * _SIDE_MM) * 0.2) if corrections else 0
    body = width - 2 * _SIDE_MM - (strip + 5 if strip else 0)
    return Furniture(
        page_mm=(width, height),
        markers=((_EDGE_MM, _EDGE_MM), (right, _EDGE_MM), (right, low), (_EDGE_MM, low)),
        marker_mm=MARKER_MM,
        code=(right - _CODE_GAP_MM - code, _EDGE_MM, code, code),
        title=(beside, _EDGE_MM, width - 2 * beside, band - _EDGE_MM),
        identity=(_SIDE_MM, band + 4, width - 2 * _SIDE_MM, identity),
        body=(_SIDE_MM, top, body, low - 4 - top),
        footer=(_EDGE_MM + MARKER_MM + 4, low + 2, width - 2 * (_EDGE_MM + MARKER_MM + 4), MARKER_MM - 2),
        corrections=(width - _SIDE_MM - strip, top, strip, low - 4 - top) if strip else None,
    )
