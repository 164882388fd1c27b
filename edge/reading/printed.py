"""What is printed on a learned page is print, not ink: it is taken out of the crops of its fields.

Our own sheets have one frame round a field, whose place is known. A bought page has anything: a rule under the
answer, a bracket beside it, the question. All of it stands on the picture of the page while it was empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image, RegisteredPage
from edge.registration.print_proof import print_mask
from homework.layout import Box

RIM_MM = 0.3
"""Print is taken out with so much around it: it may lie a little off, and a lens softens it."""

BUBBLE_RIM_MM = 1.2
"""So far round a bubble its own print is left in the crop."""

INSIDE_SHARE = 0.16
"""What lies so deep in a bubble is its letter, not its outline."""

_AROUND_MM = 4.0
"""The paper around a crop that tells what is darker than paper in it."""


def without_print(
    page: RegisteredPage, image: Image, region_mm: Box, px_per_mm: float, *, bubbles: Sequence[Box] = ()
) -> Image:
    """A grey crop of `region_mm` without what is printed there on a learned page; of our own sheets, itself.

    Each pixel of print becomes what lies on its two sides, along the row or the column: where both are dark, a stroke
    crosses the print, and stays. `bubbles` (mm) keep their outlines, by which they are read, and lose their letters.
    """
    if page.empty is None or page.layout is None:
        return image
    mask = _print_in(page.empty, page.layout.page_mm, region_mm, px_per_mm, image.shape)
    for box in bubbles:
        inner = _part(mask, _grown(box, -INSIDE_SHARE * min(box[2:])), region_mm, px_per_mm)
        letter = inner.copy()
        _part(mask, _grown(box, BUBBLE_RIM_MM), region_mm, px_per_mm)[:] = False
        inner[:] = letter
    if not mask.any():
        return image
    along, across = _bridged(image, mask), _bridged(image.T, mask.T).T
    return np.where(mask, np.minimum(along, across), image)


def _grown(box: Box, by_mm: float) -> Box:
    x, y, width, height = box
    return (x - by_mm, y - by_mm, width + 2 * by_mm, height + 2 * by_mm)


def _part(mask: NDArray[np.bool_], box: Box, region_mm: Box, px_per_mm: float) -> NDArray[np.bool_]:
    """The part of a crop's mask that shows a box."""
    x, y, width, height = box
    x0, y0 = (max(round((v - start) * px_per_mm), 0) for v, start in ((x, region_mm[0]), (y, region_mm[1])))
    return mask[y0 : y0 + round(height * px_per_mm), x0 : x0 + round(width * px_per_mm)]


def _print_in(
    empty: Image, page_mm: tuple[float, float], region_mm: Box, px_per_mm: float, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Where something is printed in a region of the empty page, on the pixels of a crop of it."""
    scale = empty.shape[1] / page_mm[0]
    pad = round(_AROUND_MM * px_per_mm)
    x, y = region_mm[0] - pad / px_per_mm, region_mm[1] - pad / px_per_mm
    step = scale / px_per_mm
    to_empty = np.array([[step, 0, x * scale + 0.5 * step - 0.5], [0, step, y * scale + 0.5 * step - 0.5]])
    size = (shape[1] + 2 * pad, shape[0] + 2 * pad)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(empty, to_empty, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    rim = round(RIM_MM * px_per_mm)
    mask = print_mask(np.asarray(seen, np.uint8), px_per_mm).view(np.uint8)
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
    return np.ascontiguousarray(grown[pad : pad + shape[0], pad : pad + shape[1]] > 0)


def _bridged(image: Image, mask: NDArray[np.bool_]) -> Image:
    """Each masked pixel of a row as the paler of the nearest ones left and right of it that are not masked."""
    columns = np.broadcast_to(np.arange(image.shape[1]), image.shape)
    last = len(columns[0]) - 1
    left = np.maximum.accumulate(np.where(mask, -1, columns), axis=1)
    right = np.minimum.accumulate(np.where(mask, last + 1, columns)[:, ::-1], axis=1)[:, ::-1]
    paper = np.uint8(np.percentile(image, 80))
    rows = np.arange(image.shape[0])[:, None]
    before = np.where(left >= 0, image[rows, np.maximum(left, 0)], paper)
    after = np.where(right <= last, image[rows, np.minimum(right, last)], paper)
    return np.maximum(before, after)
