"""How far each field's surroundings are free of print: where ink can only be the pupil's.

The blank page is rendered and every field grows outwards, all at the same pace and one side after the other,
until it meets print, a neighbour's ground, or the limit. So the ground between two fields is shared fairly and
belongs to one of them only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pypdfium2

from homework.layout import Box, Field, Page

_PX_PER_MM = 5.0
_REACH_MM = 8.0
_CLEAR_PX = 2  # kept from print, so that a photo's blur does not bring it in
_PRINT_BELOW = 245
_PAPER_EDGE_MM = 4.0


def with_surroundings(
    pages: Sequence[Page], page_mm: tuple[float, float], pdf: bytes, clear: Mapping[int, Sequence[Box]]
) -> tuple[Page, ...]:
    """The pages with `around_mm` in every field.

    `pdf` is the blank master, its pages in the same order; `clear` are boxes of a page that belong to nobody's
    surroundings (where a name is written, corrections are made).
    """
    document = pypdfium2.PdfDocument(pdf)
    try:
        return tuple(
            msgspec.structs.replace(
                page, fields=_grown(page, _printed(document[index], page_mm), clear.get(page.page, ()))
            )
            for index, page in enumerate(pages)
        )
    finally:
        document.close()


def _printed(page: pypdfium2.PdfPage, page_mm: tuple[float, float]) -> np.ndarray:
    """Where the page has print, bool (height, width) at `_PX_PER_MM`."""
    picture = page.render(scale=_PX_PER_MM * 25.4 / 72, grayscale=True).to_numpy()
    picture = picture.reshape(picture.shape[0], picture.shape[1])
    width, height = round(page_mm[0] * _PX_PER_MM), round(page_mm[1] * _PX_PER_MM)
    printed: np.ndarray = np.less(picture[:height, :width], _PRINT_BELOW)
    return printed


def _grown(page: Page, taken: np.ndarray, clear: Sequence[Box]) -> tuple[Field, ...]:
    taken = _widened(taken)
    edge = int(_PAPER_EDGE_MM * _PX_PER_MM)
    taken[:edge] = taken[-edge:] = True
    taken[:, :edge] = taken[:, -edge:] = True
    for box in clear:
        x0, y0, x1, y1 = _pixels(box)
        taken[max(y0, 0) : y1, max(x0, 0) : x1] = True
    # A field owns its hull, its frame line and the clearance round it; growth begins there.
    grounds = []
    for field in page.fields:
        x0, y0, x1, y1 = _pixels(field.hull_mm())
        margin = _CLEAR_PX + 3
        grounds.append([x0 - margin, y0 - margin, x1 + margin, y1 + margin])
    for x0, y0, x1, y1 in grounds:
        taken[y0:y1, x0:x1] = True
    limit = int(_REACH_MM * _PX_PER_MM) - _CLEAR_PX - 3
    growing = [(ground, side) for ground in grounds for side in range(4)]
    for _ in range(limit):
        growing = [(ground, side) for ground, side in growing if _grow(ground, side, taken)]
    return tuple(
        msgspec.structs.replace(field, around_mm=_millimetres(ground))
        for field, ground in zip(page.fields, grounds, strict=True)
    )


def _widened(mask: np.ndarray) -> np.ndarray:
    wide = mask.copy()
    for _ in range(_CLEAR_PX):
        wide[1:] |= wide[:-1].copy()
        wide[:-1] |= wide[1:].copy()
        wide[:, 1:] |= wide[:, :-1].copy()
        wide[:, :-1] |= wide[:, 1:].copy()
    return wide


def _grow(ground: list[int], side: int, taken: np.ndarray) -> bool:
    """Move one side (left, top, right, bottom) out by a pixel when the strip there is free; claims it."""
    x0, y0, x1, y1 = ground
    strip = (
        np.s_[y0:y1, x0 - 1 : x0],
        np.s_[y0 - 1 : y0, x0:x1],
        np.s_[y0:y1, x1 : x1 + 1],
        np.s_[y1 : y1 + 1, x0:x1],
    )[side]
    if taken[strip].size == 0 or taken[strip].any():
        return False
    taken[strip] = True
    ground[side] += -1 if side < 2 else 1
    return True


def _pixels(box: Box) -> tuple[int, int, int, int]:
    x, y, width, height = (value * _PX_PER_MM for value in box)
    return int(x), int(y), int(np.ceil(x + width)), int(np.ceil(y + height))


def _millimetres(ground: Sequence[int]) -> Box:
    x0, y0, x1, y1 = (value / _PX_PER_MM for value in ground)
    return (round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2))
