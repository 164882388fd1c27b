"""The machine's marks on the paper: corner markers and the page's code, as small vector pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import zxingcpp

MARKER_CELLS = 6
"""An ArUco 4x4 marker is its 4 x 4 bits and one black cell all round."""

# The inner bits of DICT_4X4_50, ids 0 to 3 (1 is white): Garrido-Jurado et al., "Automatic generation and detection of
# highly reliable fiducial markers under occlusion", 2014, as published in OpenCV's dictionary.
_MARKER_BITS = (
    ("1011", "0101", "0011", "0010"),
    ("0000", "1111", "1001", "1010"),
    ("0011", "0011", "0010", "1101"),
    ("1001", "1001", "0100", "0110"),
)


@cache
def marker_svg(marker_id: int) -> str:
    """The marker 0 to 3 as SVG, `MARKER_CELLS` units wide, without its quiet zone."""
    rows = ["0" * MARKER_CELLS, *(f"0{bits}0" for bits in _MARKER_BITS[marker_id]), "0" * MARKER_CELLS]
    return _svg([[cell == "0" for cell in row] for row in rows])


def code_svg(text: str) -> tuple[str, int]:
    """A QR symbol (ISO/IEC 18004, error correction M) as SVG without quiet zone, and its modules a side."""
    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    picture = np.array(symbol.to_image(scale=1, add_quiet_zones=False))
    return _svg((picture < 128).tolist()), picture.shape[0]


def _svg(black: Sequence[Sequence[bool]]) -> str:
    # One path for all cells: renderers then add up coverage exactly, and no hairlines show between the rows.
    runs = []
    for y, row in enumerate(black):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                runs.append(f"M{x} {y}h{end - x}v1H{x}z")
            x = max(end, x + 1)
    size = len(black)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}"><path d="{"".join(runs)}"/></svg>'
