"""What is printed on a learned page is print, not ink: it is taken out of the crops of its fields.

Our own sheets have one frame round a field, whose place is known. A bought page has anything: a rule under the
answer, a bracket beside it, the question. All of it stands on the picture of the page while it was empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

FADED = 0.88
"""Print has ended where the paper is so bright again, as a part of clean paper."""

HIDDEN, LONGEST_HIDDEN_MM = 0.7, 1.2
"""A stroke that ran along print, not across it, and went with it: so dark, and so long. The foot of a 2 is 2 mm."""

_AROUND_MM = 4.0
"""The paper around a crop that tells what is darker than paper in it."""


@dataclass(frozen=True)
class Writing:
    """A crop without print; `hidden` tells that a stroke lay along the print, and part of it went with that."""

    image: Image
    hidden: bool


def writing_alone(page: RegisteredPage, image: Image, region_mm: Box, px_per_mm: float) -> Writing:
    """What a recogniser looks at, without what is printed there on a learned page; of our own sheets, itself.

    The print is looked for in the crop itself and taken out as narrowly as its own softness allows: the foot of a 2
    often lies on the rule.
    """
    if page.empty is None or page.layout is None:
        return Writing(image, hidden=False)
    core = _print_in(page.empty, page.layout.page_mm, region_mm, px_per_mm, image.shape, rim_mm=0.0)
    if not core.any():
        return Writing(image, hidden=False)
    paper = float(np.percentile(image, 80))
    most = round(RIM_MM * px_per_mm)
    core = _moved(core, image, paper, most)
    mask = _grown_by(core, most)
    for rim in range(1, most):
        narrow = _grown_by(core, rim)
        if np.median(image[_grown_by(core, rim + 1) & ~narrow]) > FADED * paper:
            mask = narrow
            break
    clean = _bridged_both(image, mask)
    lost = mask & ~core & (image < HIDDEN * paper) & (clean > FADED * paper)
    _, _, stats, _ = cv2.connectedComponentsWithStats(lost.view(np.uint8), connectivity=8)
    longest = int(stats[1:, 2:4].max(initial=0))
    return Writing(clean, hidden=longest >= LONGEST_HIDDEN_MM * px_per_mm)


def without_print(
    page: RegisteredPage, image: Image, region_mm: Box, px_per_mm: float, *, bubbles: Sequence[Box] = ()
) -> Image:
    """A grey crop of `region_mm` without what is printed there on a learned page; of our own sheets, itself.

    Each pixel of print becomes what lies on its two sides, along the row or the column: where both are dark, a stroke
    crosses the print, and stays. `bubbles` (mm) keep their outlines, by which they are read, and lose their letters.
    """
    if page.empty is None or page.layout is None:
        return image
    mask = _print_in(page.empty, page.layout.page_mm, region_mm, px_per_mm, image.shape, rim_mm=RIM_MM)
    for box in bubbles:
        inner = _part(mask, _grown(box, -INSIDE_SHARE * min(box[2:])), region_mm, px_per_mm)
        letter = inner.copy()
        _part(mask, _grown(box, BUBBLE_RIM_MM), region_mm, px_per_mm)[:] = False
        inner[:] = letter
    if not mask.any():
        return image
    return _bridged_both(image, mask)


def _grown(box: Box, by_mm: float) -> Box:
    x, y, width, height = box
    return (x - by_mm, y - by_mm, width + 2 * by_mm, height + 2 * by_mm)


def _part(mask: NDArray[np.bool_], box: Box, region_mm: Box, px_per_mm: float) -> NDArray[np.bool_]:
    """The part of a crop's mask that shows a box."""
    x, y, width, height = box
    x0, y0 = (max(round((v - start) * px_per_mm), 0) for v, start in ((x, region_mm[0]), (y, region_mm[1])))
    return mask[y0 : y0 + round(height * px_per_mm), x0 : x0 + round(width * px_per_mm)]


def _print_in(
    empty: Image,
    page_mm: tuple[float, float],
    region_mm: Box,
    px_per_mm: float,
    shape: tuple[int, ...],
    *,
    rim_mm: float,
) -> NDArray[np.bool_]:
    """Where something is printed in a region of the empty page, on the pixels of a crop of it, and so much around."""
    scale = empty.shape[1] / page_mm[0]
    pad = round(_AROUND_MM * px_per_mm)
    x, y = region_mm[0] - pad / px_per_mm, region_mm[1] - pad / px_per_mm
    step = scale / px_per_mm
    to_empty = np.array([[step, 0, x * scale + 0.5 * step - 0.5], [0, step, y * scale + 0.5 * step - 0.5]])
    size = (shape[1] + 2 * pad, shape[0] + 2 * pad)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(empty, to_empty, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    grown = _grown_by(print_mask(np.asarray(seen, np.uint8), px_per_mm), round(rim_mm * px_per_mm))
    return np.ascontiguousarray(grown[pad : pad + shape[0], pad : pad + shape[1]])


def _grown_by(mask: NDArray[np.bool_], rim_px: int) -> NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim_px + 1, 2 * rim_px + 1))
    return np.asarray(cv2.dilate(mask.view(np.uint8), kernel) > 0, np.bool_)


def _moved(core: NDArray[np.bool_], image: Image, paper: float, most_px: int) -> NDArray[np.bool_]:
    """The print where the crop itself has it darkest, at most so many pixels away."""
    dark = np.maximum(paper - image.astype(np.float32), 0)
    around = cv2.copyMakeBorder(dark, most_px, most_px, most_px, most_px, cv2.BORDER_CONSTANT, value=0)
    score = cv2.matchTemplate(around, core.astype(np.float32), cv2.TM_CCORR)
    # A rule lies anywhere along itself: of equals, the nearest.
    far = np.hypot(*np.mgrid[-most_px : most_px + 1, -most_px : most_px + 1])
    down, right = (int(v) - most_px for v in np.unravel_index(int(np.argmax(score * (1 - 0.02 * far))), score.shape))
    move = np.array([[1.0, 0, right], [0, 1, down]])
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(core.view(np.uint8), move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved > 0, np.bool_)


def _bridged_both(image: Image, mask: NDArray[np.bool_]) -> Image:
    along, across = _bridged(image, mask), _bridged(image.T, mask.T).T
    return np.where(mask, np.minimum(along, across), image)


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
