"""Whether a page's print is where it must be, to a fraction of a millimetre, and how it is bent.

The capture is laid over the empty page and compared in small tiles, each a few signs large: first how far each tile
is off (a curled page is off a little more from tile to tile), then how well each agrees. Only print counts: where
the empty page has none, a pupil may write. A page of the same book has the same heads and rules and other signs
between them; its tiles disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.registration.geometry import Matrix, Points, to_px
from homework.layout import Box, Page

PX_PER_MM = 4.0
"""The resolution at which pages are compared."""

SOFT_MM = 0.25
"""Both are softened by so much (σ), so that a little blur or a fraction of a millimetre does not count."""

STEP_MM = 10.0
REACH_MM = 2.0
"""A tile is looked for so far around its place."""

MIN_PEAK = 0.55
TILE_MM = 3.5
"""A sign or two: of a page with other signs there, the tile disagrees."""

PRINT_DARKNESS = 0.18
"""Print is at least so much darker than the paper around it."""

RIM_MM = 0.6
"""How far around print the paper must be empty too: other signs would stand there."""

LEAST_PRINT_MM2 = 0.5
MISSES, MORE_MISSES = 3.0, 0.08
"""A tile agrees when it misses full correlation by at most so many times what the median tile misses, and so much more.

Noise takes from all tiles alike, other signs from some.
"""

MIN_LIKENESS = 0.95
"""A page of which the median tile agrees less cannot be told from another one."""

PAPER_MM = 4.25
"""The paper around print is the brightest within so much: a disc that reaches it from any sign, and is no wider, so
that the edge of a shadow stays sharp."""

PAST = 0.02
"""Where likeness has fallen so far below the best, more blur does not help."""

LEAST_LEFT = 0.8
"""A tile is judged when so much of its print is clear of the pupil's ink."""

BLURS_MM = (0.0, 0.15, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""How much more blurred than the empty page a capture may be (σ): that which agrees best is the picture's own."""

SMOOTH_MM = 22.0
BAD_NEAR_FIELD = 0.04
"""One sign in a question may not be another one; a stroke of the pupil's may touch a sign of a longer one."""

FIELD_REACH_MM = (16.0, 3.0, 9.0, 3.0)
"""Left, above, right, below a field: there stands what it answers."""


@dataclass(frozen=True, eq=False)
class Print:
    """An empty page made ready to be compared: (height, width) at `PX_PER_MM`."""

    soft: Image
    """As small as can be: a box may know many pages."""
    weight: NDArray[np.uint8]
    """1 on print and its rim, 0 on empty paper and inside the fields."""
    tiles: NDArray[np.bool_]
    """Which tiles have enough print, on the grid of `TILE_MM`."""
    coarse: NDArray[np.int8]
    """What is fine on the page, at half of `PX_PER_MM`: by this the likest of many pages are found."""
    anchors: NDArray[np.int64]
    """(n, 2) x, y of the corners of larger patches with print, by which the page is laid in place."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A capture in a page's frame, its light evened out: what is finer than its blur, at `PX_PER_MM` and at half."""

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    blur_mm: float


@dataclass(frozen=True)
class Proof:
    """How a capture agrees with a page.

    `share` is that of the tiles with print that agree, `likeness` the median tile's correlation (noise lowers it),
    `blur_mm` how much more blurred the capture is than the empty page (σ); `shifts_mm` is how far the paper lies off
    at each field, None where the print around it does not agree.
    """

    mm_to_px: Matrix
    error_mm: float
    share: float
    likeness: float
    blur_mm: float
    shifts_mm: tuple[tuple[float, float] | None, ...]
    white: float
    contrast: float
    seen: Seen
    """The capture in the page's frame, for comparing other pages of the same size with it."""


def print_of(reference: Image, page: Page, page_mm: tuple[float, float]) -> Print:
    """Make an empty page ready; `reference` fills `page_mm`."""
    size = (round(page_mm[0] * PX_PER_MM), round(page_mm[1] * PX_PER_MM))
    grey = np.asarray(cv2.resize(reference, size, interpolation=cv2.INTER_AREA), np.uint8)
    soft = np.asarray(np.round(_softened(grey)), np.uint8)
    dark = print_mask(grey, PX_PER_MM)
    for field in page.fields:
        for box in [bubble.box_mm for bubble in field.bubbles] or [field.hull_mm()]:
            grown = 1.0 if field.bubbles or field.round else 0.8
            _slice(dark, box, grown)[:] = False
    rim = round(RIM_MM * PX_PER_MM)
    weight = np.asarray(cv2.dilate(dark.view(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)), np.uint8)
    for field in page.fields:
        for box in [bubble.box_mm for bubble in field.bubbles] or [field.hull_mm()]:
            _slice(weight, box, 0.0)[:] = 0
    tiles = _sums(dark.astype(np.float32)) >= LEAST_PRINT_MM2 * PX_PER_MM**2
    coarse = np.asarray(np.clip(_halved(_fine(_evened(soft, 0.0), 0.0)), -127, 127), np.int8)
    return Print(soft, weight, tiles, coarse, _anchors(dark))


def print_mask(grey: Image, px_per_mm: float) -> NDArray[np.bool_]:
    """Where something is printed on an empty page, whatever its light: darker than the paper around."""
    side = round(6 * px_per_mm) | 1
    paper = cv2.blur(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)), (side, side))
    return np.asarray(grey < (1 - PRINT_DARKNESS) * paper.astype(np.float32), np.bool_)


def prove(source: Image, mm_to_px: Matrix, known: Print, page: Page) -> Proof | None:
    """Lay the page in place and compare; None when too little of it is found to lay it in place.

    `source` is the grey capture, or a smaller copy; `mm_to_px` leads to its pixels, to within 2 mm.
    """
    matrix = mm_to_px
    residuals: tuple[Points, Points] | None = None
    for _ in range(2):
        residuals = _residuals(_softened(_flattened(source, matrix, known)), known)
        if len(residuals[0]) < 12:
            return None
        at, off = residuals
        moved, inside = cv2.findHomography(at, at + off, cv2.RANSAC, 0.6)
        if moved is None or int(inside.sum()) < max(12, 0.5 * len(at)):
            return None
        matrix = matrix @ np.asarray(moved, np.float64)
        residuals = (at, at + off - to_px(np.asarray(moved, np.float64), at))
    assert residuals is not None
    at, off = residuals
    near = np.linalg.norm(off, axis=1) < REACH_MM
    at, off = at[near], off[near]
    height, width = known.soft.shape
    shift_x, shift_y = _smooth_shifts(at, off, (height, width))
    flat = _flattened(source, matrix, known, shifts=(shift_x, shift_y))
    seen = _seen(flat, known)
    found = agreement(seen, known, page)
    fields = tuple(_field_shift(field.hull_mm(), found, shift_x, shift_y) for field in page.fields)
    white, contrast = _look(flat, known)
    error = float(np.sqrt(np.mean(np.sum(off**2, axis=1)))) if len(off) else 0.0
    return Proof(matrix, error, found.share, found.likeness, seen.blur_mm, fields, white, contrast, seen)


def _softened(grey: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), SOFT_MM * PX_PER_MM), np.float32)


def _slice(mask: NDArray[np.generic], box: Box, grown_mm: float) -> NDArray[np.generic]:
    x0, y0 = (max(round((v - grown_mm) * PX_PER_MM), 0) for v in box[:2])
    x1, y1 = (round((box[i] + box[i + 2] + grown_mm) * PX_PER_MM) for i in (0, 1))
    return mask[y0:y1, x0:x1]


def _sums(values: NDArray[np.float32], px_per_mm: float = PX_PER_MM) -> NDArray[np.float64]:
    """Sums over the tiles; what is left at the right and lower edge is dropped."""
    side = round(TILE_MM * px_per_mm)
    rows, columns = (n // side for n in values.shape)
    # A shrinking by whole areas is the mean of each, ten times quicker than a sum over axes.
    means = cv2.resize(values[: rows * side, : columns * side], (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float64) * side**2


def _anchors(dark: NDArray[np.bool_]) -> NDArray[np.int64]:
    side, reach = round(STEP_MM * PX_PER_MM), round(REACH_MM * PX_PER_MM)
    height, width = dark.shape
    found = []
    for y in range(reach, height - side - reach, side // 2):
        for x in range(reach, width - side - reach, side):
            part = dark[y : y + side, x : x + side]
            # Print that has both upright and level edges: a rule alone could lie anywhere along itself.
            rows, columns = part.any(axis=1), part.any(axis=0)
            varied = min(np.abs(np.diff(part.sum(axis=k).astype(int))).sum() for k in (0, 1)) > side
            if part.sum() >= 40 and rows.sum() >= 6 and columns.sum() >= 6 and varied:
                found.append((x, y))
    return np.array(found, np.int64).reshape(-1, 2)


def _flattened(
    source: Image,
    matrix: Matrix,
    known: Print,
    *,
    shifts: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> Image:
    """The capture in the page's frame; `shifts` are in mm, for each of its pixels."""
    height, width = known.soft.shape
    to_mm = np.array([[1 / PX_PER_MM, 0, 0.5 / PX_PER_MM], [0, 1 / PX_PER_MM, 0.5 / PX_PER_MM], [0, 0, 1.0]])
    if shifts is None:
        flat = cv2.warpPerspective(
            source, matrix @ to_mm, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
    else:
        full = matrix @ to_mm
        x = np.arange(width, dtype=np.float32)[None, :] + shifts[0] * np.float32(PX_PER_MM)
        y = np.arange(height, dtype=np.float32)[:, None] + shifts[1] * np.float32(PX_PER_MM)
        depth = full[2, 0] * x + full[2, 1] * y + full[2, 2]
        map_x = ((full[0, 0] * x + full[0, 1] * y + full[0, 2]) / depth).astype(np.float32)
        map_y = ((full[1, 0] * x + full[1, 1] * y + full[1, 2]) / depth).astype(np.float32)
        flat = cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(flat, np.uint8)


def _residuals(flat: NDArray[np.float32], known: Print) -> tuple[Points, Points]:
    """Where patches of print were looked for, and how far off they were found; (n, 2) each, in mm."""
    side, reach = round(STEP_MM * PX_PER_MM), round(REACH_MM * PX_PER_MM)
    at, off = [], []
    for x, y in known.anchors:
        around = flat[y - reach : y + side + reach, x - reach : x + side + reach]
        empty = known.soft[y : y + side, x : x + side].astype(np.float32)
        score = cv2.matchTemplate(around, empty, cv2.TM_CCOEFF_NORMED)
        _, peak, _, (px, py) = cv2.minMaxLoc(score)
        if peak < MIN_PEAK or not (0 < px < 2 * reach and 0 < py < 2 * reach):
            continue
        dx = _vertex(*score[py, px - 1 : px + 2])
        dy = _vertex(*score[py - 1 : py + 2, px])
        at.append(((x + side / 2) / PX_PER_MM, (y + side / 2) / PX_PER_MM))
        off.append(((px - reach + dx) / PX_PER_MM, (py - reach + dy) / PX_PER_MM))
    return np.array(at, np.float64).reshape(-1, 2), np.array(off, np.float64).reshape(-1, 2)


def _vertex(before: float, middle: float, after: float) -> float:
    """Where the parabola through three equidistant values peaks, from the middle one."""
    bend = before - 2 * middle + after
    return 0.0 if bend >= -1e-9 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def _smooth_shifts(at: Points, off: Points, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The shifts of a bent page at every pixel: the mean of those near by, strays left out."""
    height, width = shape
    rows, columns = max(height // 40, 2), max(width // 40, 2)
    grid_y = (np.arange(rows) + 0.5) * height / rows / PX_PER_MM
    grid_x = (np.arange(columns) + 0.5) * width / columns / PX_PER_MM
    gx, gy = np.meshgrid(grid_x, grid_y)
    if not len(at):
        flat = np.zeros(shape, np.float32)
        return flat, flat.copy()
    distance2 = (gx[..., None] - at[:, 0]) ** 2 + (gy[..., None] - at[:, 1]) ** 2
    weight = np.exp(-distance2 / (2 * (SMOOTH_MM / 2) ** 2)) + 1e-9
    smooth = np.einsum("yxn,nk->yxk", weight, off) / weight.sum(axis=-1, keepdims=True)
    # Once more without those that lie far from the mean around them.
    cell = np.clip((at * PX_PER_MM / [width / columns, height / rows]).astype(int), 0, [columns - 1, rows - 1])
    stray = np.linalg.norm(off - smooth[cell[:, 1], cell[:, 0]], axis=1) > 0.5
    weight = weight * ~stray
    few = weight.sum(axis=-1, keepdims=True) < 0.2
    smooth = np.where(few, 0.0, np.einsum("yxn,nk->yxk", weight, off) / np.maximum(weight.sum(-1, keepdims=True), 1e-9))
    fields = [np.ascontiguousarray(smooth[..., k], np.float32) for k in (0, 1)]
    shift_x, shift_y = (
        np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), np.float32) for field in fields
    )
    return shift_x, shift_y


@dataclass(frozen=True, eq=False)
class Agreement:
    """Which tiles of a page were judged, which of them agree, and the median one's correlation."""

    judged: NDArray[np.bool_]
    agreeing: NDArray[np.bool_]
    likeness: float

    @property
    def share(self) -> float:
        """The share of the judged tiles that agree."""
        return float(self.agreeing.sum() / max(int(self.judged.sum()), 1))


def agreement(seen: Seen, known: Print, page: Page) -> Agreement:
    """How a flattened capture agrees with a page that is as blurred as it is."""
    weight, judged = known.weight.astype(np.float32), known.tiles
    if seen.blur_mm:  # what is written in a field shades into the print beside it
        before = _sums(weight)
        for field in page.fields:
            for box in [bubble.box_mm for bubble in field.bubbles] or [field.hull_mm()]:
                _slice(weight, box, 1.5 * seen.blur_mm)[:] = 0
        judged = judged & (_sums(weight) >= LEAST_LEFT * before)
    if not judged.any():
        return Agreement(judged, judged, 0.0)
    empty = _fine(_evened(_blurred(known.soft, seen.blur_mm), seen.blur_mm), seen.blur_mm)
    correlation = _correlations(empty, seen.fine, weight, PX_PER_MM)
    likeness = float(np.median(correlation[judged]))
    least = 1 - MISSES * (1 - max(likeness, MIN_LIKENESS)) - MORE_MISSES
    return Agreement(judged, np.asarray((correlation >= least) & judged, np.bool_), likeness)


def quick_likeness(seen: Seen, known: Print) -> float:
    """How like a page what lies in its place is: to rank pages, not to prove them."""
    weight = cv2.resize(known.weight, known.coarse.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(np.float32)
    correlation = _correlations(known.coarse.astype(np.float32), seen.coarse, weight, PX_PER_MM / 2)
    return float(np.mean(correlation[known.tiles])) if known.tiles.any() else 0.0


def _seen(flat: Image, known: Print) -> Seen:
    blur_mm = _own_blur(_softened(_evened(flat, 0.0)), known)
    fine = _fine(_softened(_evened(flat, blur_mm)), blur_mm)
    return Seen(fine, _halved(fine), blur_mm)


def _own_blur(soft: NDArray[np.float32], known: Print) -> float:
    """How much more blurred the capture is than the empty page."""
    size = (soft.shape[1] // 2, soft.shape[0] // 2)
    capture, empty = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (soft, known.soft))
    weight = cv2.resize(known.weight, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    found: list[float] = []
    for blur_mm in BLURS_MM:
        softer = cv2.GaussianBlur(empty, (0, 0), blur_mm * PX_PER_MM / 2) if blur_mm else empty
        correlation = _correlations(softer.astype(np.float32), capture.astype(np.float32), weight, PX_PER_MM / 2)
        found.append(float(np.median(correlation[known.tiles])) if known.tiles.any() else 0.0)
        if found[-1] < max(found) - PAST:
            break
    return BLURS_MM[int(np.argmax(found))]


def _correlations(
    one: NDArray[np.float32], other: NDArray[np.float32], weight: NDArray[np.float32], px_per_mm: float
) -> NDArray[np.float64]:
    """The weighted correlation in each tile."""
    total = np.maximum(_sums(weight, px_per_mm), 1e-6)
    a, b = weight * one, weight * other
    mean_a, mean_b = _sums(a, px_per_mm) / total, _sums(b, px_per_mm) / total
    var_a = np.maximum(_sums(a * one, px_per_mm) / total - mean_a**2, 1e-6)
    var_b = np.maximum(_sums(b * other, px_per_mm) / total - mean_b**2, 1e-6)
    cross = _sums(a * other, px_per_mm) / total - mean_a * mean_b
    return np.asarray(cross / np.sqrt(var_a * var_b), np.float64)


def _evened(flat: Image, blur_mm: float) -> NDArray[np.float32]:
    """The picture with white paper all over, up to the edges of shadows."""
    side = round((PAPER_MM + 3 * blur_mm) * PX_PER_MM) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    paper = cv2.morphologyEx(flat, cv2.MORPH_CLOSE, disc)
    return np.asarray(flat * (np.float32(200) / np.maximum(paper, 1).astype(np.float32)), np.float32)


def _fine(evened: NDArray[np.float32], blur_mm: float) -> NDArray[np.float32]:
    """What is finer than the picture is blurred: there pages differ most."""
    coarser = cv2.GaussianBlur(evened, (0, 0), float(np.hypot(blur_mm, SOFT_MM)) * PX_PER_MM)
    return np.asarray(evened - coarser, np.float32)


def _blurred(soft: Image, blur_mm: float) -> Image:
    return np.asarray(cv2.GaussianBlur(soft, (0, 0), blur_mm * PX_PER_MM), np.uint8) if blur_mm else soft


def _halved(fine: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (fine.shape[1] // 2, fine.shape[0] // 2)
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.float32)


def _field_shift(
    hull: Box, found: Agreement, shift_x: NDArray[np.float32], shift_y: NDArray[np.float32]
) -> tuple[float, float] | None:
    """How far the paper lies off at a field; None when what is printed around it does not agree."""
    left, above, right, below = FIELD_REACH_MM
    x, y, width, height = hull
    x0, y0 = (max(int(v // TILE_MM), 0) for v in (x - left, y - above))
    x1, y1 = (int((v) // TILE_MM) + 1 for v in (x + width + right, y + height + below))
    tiles = found.judged[y0:y1, x0:x1]
    bad = tiles & ~found.agreeing[y0:y1, x0:x1]
    if bad.sum() > BAD_NEAR_FIELD * tiles.sum():
        return None
    rows, columns = shift_x.shape
    at_y = min(max(round((y + height / 2) * PX_PER_MM), 0), rows - 1)
    at_x = min(max(round((x + width / 2) * PX_PER_MM), 0), columns - 1)
    return (round(float(shift_x[at_y, at_x]), 3), round(float(shift_y[at_y, at_x]), 3))


def _look(flat: Image, known: Print) -> tuple[float, float]:
    """White paper, and how much darker the print is."""
    on = known.weight > 0
    if not on.any():
        return 255.0, 255.0
    white, black = (float(v) for v in np.percentile(flat[on], (90, 5)))
    return white, white - black
