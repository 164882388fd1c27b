"""Takes the printed frame out of a crop by where its line truly is.

Painting over the whole band in which a frame may be printed would also take the strokes that run in it: the bar of a
7 on the upper line, the foot of a 2 on the lower. So each side's line is found in the crop itself, and only its own
pixels are painted, each with the paler of what lies on its two sides: a stroke across the line stays, and of one along
it what is thicker than the line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.frames import BoxPx, Image
from edge.reading.crops import paper_level

INSIDE_MM, OUTSIDE_MM = 0.6, 0.95
"""How far inside and outside the edge of its box a line is looked for."""

SEGMENT_MM = 5.0
"""A line may be a little slanted or bent: it is found anew in each such piece."""

SAMPLES = 16
"""Columns of a piece that are looked at; their median is the line's, not that of the strokes across it."""

FAINTEST_LINE = 0.08
"""A line is at least so much darker than the paper."""

LEAST_STEPS = 4
"""… and by so many grey levels, or nothing was printed on something black."""

EDGE_SHARE = 0.08
"""A line ends where it has faded to this part of its darkness."""

LEAST_UPRIGHT_MM, LEAST_THICKER_MM = 2.2, 0.2
"""A stroke on a frame's side is at least so long, and makes the line so much thicker there."""

STILL_LINE = 0.4
"""The line reaches as far as its darkness does not fall below this part of it."""

Profile = NDArray[np.float32]


def without_frame(image: Image, box_px: BoxPx, px_per_mm: float) -> Image:
    """A grey crop (paper bright) without the frame whose inside is `box_px`."""
    x, y, width, height = box_px
    clean = image.copy()
    paper = paper_level(image)
    inside, outside = round(INSIDE_MM * px_per_mm), round(OUTSIDE_MM * px_per_mm)
    for picture, start, length, near, far in ((clean, x, width, y, y + height), (clean.T, y, height, x, x + width)):
        columns = slice(max(start - outside, 0), start + length + outside)
        for line, low, high in ((near, outside, inside), (far, inside, outside)):
            _paint_line(picture[max(line - low, 0) : line + high, columns], paper, px_per_mm)
    return clean


def upright_on_frame(image: Image, box_px: BoxPx, px_per_mm: float) -> bool:
    """Whether something upright was written on the left or right line of the frame, such as the 1 of a 41.

    Its ink is the line's there, and goes with it when that is painted over.
    """
    x, y, width, height = box_px
    paper = paper_level(image)
    inside, outside = round(INSIDE_MM * px_per_mm), round(OUTSIDE_MM * px_per_mm)
    # Without the corners, where two lines meet.
    lengths = slice(y + inside, y + height - inside), slice(x + inside, x + width - inside)
    uprights, levels = (
        [
            _thickness(picture[max(line - low, 0) : line + high, length], paper)
            for line, low, high in ((start, outside, inside), (start + size, inside, outside))
        ]
        for picture, start, size, length in ((image.T, x, width, lengths[0]), (image, y, height, lengths[1]))
    )
    # How thick the printed line is, its four sides say together: one of them may be written on all along. By a pixel
    # they may differ.
    usual = sum(sorted(_quarter(one) for one in (*uprights, *levels))[1:3]) / 2
    return usual > 0 and any(
        _longest(one >= _printed(one, usual) + LEAST_THICKER_MM * px_per_mm) >= LEAST_UPRIGHT_MM * px_per_mm
        for one in uprights
    )


def _printed(thickness: NDArray[np.uint8], usual: float) -> float:
    return min(max(_quarter(thickness), usual), usual + 1)


def _quarter(thickness: NDArray[np.uint8]) -> float:
    """What a quarter of them do not exceed; 0 of none."""
    at = len(thickness) // 4
    return float(np.partition(thickness, at)[at]) if len(thickness) else 0.0


def _thickness(band: Image, paper: float) -> NDArray[np.uint8]:
    """How thick (px) the line along the rows of `band` is in each column; 0 where there is none."""
    rows, columns = band.shape
    if band.size == 0:
        return np.zeros(0, np.uint8)
    some = np.sort(band[:, :: max(columns // SAMPLES, 1)], axis=1)
    level = some[:, some.shape[1] // 2].astype(np.float32)
    # The line's own row, all along: it may be slanted by less than a pen is wide.
    middle = int(level.argmin())
    peak = paper - float(level[middle])
    if peak < max(FAINTEST_LINE * paper, LEAST_STEPS):
        return np.zeros(columns, np.uint8)
    line = band <= paper - STILL_LINE * peak
    thickness: NDArray[np.uint8] = line[middle].astype(np.uint8)
    for way in (range(middle - 1, -1, -1), range(middle + 1, rows)):
        still = line[middle]
        for row in way:
            still = still & line[row]
            if not still.any():
                break
            thickness += still
    return thickness


def _longest(marked: NDArray[np.bool_]) -> int:
    """The length of the longest run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _paint_line(band: Image, paper: float, px_per_mm: float) -> None:
    """Paint the line that runs along the rows of `band` with the paler of what is above and below it, in place."""
    rows, columns = band.shape
    pieces = max(round(columns / (SEGMENT_MM * px_per_mm)), 1)
    size = columns // pieces
    if rows < 5 or size < 5:
        return
    step = max(size // SAMPLES, 1)
    sampled = band[:, : pieces * size].reshape(rows, pieces, size)[:, :, ::step]
    middle = np.sort(sampled, axis=2)[:, :, sampled.shape[2] // 2].astype(np.float32)
    profiles = np.maximum(paper - middle, 0).T
    strongest = float(np.median(profiles.max(axis=1)))
    if strongest < max(FAINTEST_LINE * paper, LEAST_STEPS):
        return
    found = [_line(profile) if profile.max() >= 0.5 * strongest else None for profile in profiles]
    # How thick the line is, all its pieces say together: where a stroke lies along one, that one says too much.
    centres, above, below = np.median([one for one in found if one is not None], axis=0)
    for n, one in enumerate(found):
        centre = one[0] if one is not None else centres
        top, bottom = max(round(centre - above), 0), min(round(centre + below), rows - 1)
        piece = slice(n * size, (n + 1) * size if n + 1 < pieces else columns)
        band[top : bottom + 1, piece] = np.maximum(band[max(top - 1, 0), piece], band[min(bottom + 1, rows - 1), piece])


def _line(profile: Profile) -> tuple[float, float, float]:
    """The row of a line's middle, in fractions of a pixel, and how far it goes up and down from there."""
    peak = int(profile.argmax())
    low = max(peak - 2, 0)
    weights = [max(float(dark) - 0.3 * float(profile[peak]), 0.0) for dark in profile[low : peak + 3]]
    centre = low + sum(i * weight for i, weight in enumerate(weights)) / sum(weights)
    faded = (profile < EDGE_SHARE * profile[peak]).tolist()
    up = next((peak - i for i in range(peak, -1, -1) if faded[i]), peak + 1)
    down = next((i - peak for i in range(peak, len(faded)) if faded[i]), len(faded) - peak)
    return centre, max(centre - peak + up - 1, 0.5), max(peak - centre + down - 1, 0.5)
