"""✓ and ✗ printed onto sheets that were written on, and the page that proves where a printer puts them. Pure.

Marks stand where nothing else is: outside of every field and of the paper round it on which the pupil's ink is looked
for, so that a sheet that comes back corrected is read as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from homework.layout import Box, Field, Page, Point
from homework.sheets.fonts import find_fonts
from homework.sheets.typeset import typeset

MARK_MM = 4.5
SCORE_MM = (22.0, 9.0)
LEAST_AROUND_MM = 2.2
"""So far round a field its ink is looked for even where the layout calls less of it empty, and half a millimetre."""

EDGE_MM = 5.0
"""What printers lose at the edge of the paper."""

FARTHEST_MM = 45.0
"""A mark that stands farther from its field is no help."""

_STEP_MM = 0.5
_NEAR_SCORE: Point = (22.0, 9.5)
Ink = Literal["colour", "black"]


class Alignment(msgspec.Struct, frozen=True, gc=False):
    """Where a printer puts what it is told to: x' = a·x - b·y + dx, y' = b·x + a·y + dy, in mm.

    A similarity: shift, turn and scale. The identity for a printer that was not measured.
    """

    a: float = 1.0
    b: float = 0.0
    dx: float = 0.0
    dy: float = 0.0

    def lands(self, x: float, y: float) -> Point:
        """Where a point is printed."""
        return (self.a * x - self.b * y + self.dx, self.b * x + self.a * y + self.dy)

    def aimed(self, x: float, y: float) -> Point:
        """Where to print for a point to land at (x, y)."""
        size = self.a**2 + self.b**2
        u, v = x - self.dx, y - self.dy
        return ((self.a * u + self.b * v) / size, (self.a * v - self.b * u) / size)


class OverMark(msgspec.Struct, frozen=True, gc=False):
    """A sign to print: its middle in mm of the page, and its size."""

    sign: Literal["right", "wrong"]
    x: float
    y: float
    size: float = MARK_MM


class Side(msgspec.Struct, frozen=True, gc=False):
    """What is printed onto one side. `score` is "" for none; it stands at `score_at`, its top left corner."""

    marks: tuple[OverMark, ...] = ()
    score: str = ""
    score_at: Point = _NEAR_SCORE


def side_of(
    page: Page,
    page_mm: tuple[float, float],
    verdicts: Sequence[tuple[str, int, bool]],
    *,
    score: str = "",
    marked: Sequence[tuple[str, int]] = (),
) -> Side:
    """The marks of one side: `verdicts` are (item, blank, right) of the fields that are to have one.

    Each stands as near to its field as there is room, nearer to it than to any other; where there is none it is left
    out. `marked` are fields that have a mark from an earlier print: a corrected one's second mark stands beside that.
    """
    taken = _taken(page, page_mm)
    fields = {(field.item, field.blank): field for field in page.fields}
    at = _NEAR_SCORE
    if score:
        place = _nearest(taken, (*_NEAR_SCORE, *SCORE_MM), SCORE_MM)
        at = place or _NEAR_SCORE
        if place is not None:
            _take(taken, (*place, *SCORE_MM))
    marks = []
    before = [(item, blank, None) for item, blank in marked]
    for item, blank, right in (*before, *verdicts):
        field = fields.get((item, blank))
        corner = _beside(taken, field, _others(page, field)) if field is not None else None
        if corner is not None:
            _take(taken, (*corner, MARK_MM, MARK_MM))
            middle = (corner[0] + MARK_MM / 2, corner[1] + MARK_MM / 2)
            if right is not None:
                marks.append(OverMark("right" if right else "wrong", *middle))
    return Side(tuple(marks), score, at)


def make_overprint(
    sides: Sequence[Side | None],
    page_mm: tuple[float, float],
    *,
    alignment: Alignment = Alignment(),  # noqa: B008 - frozen
    ink: Ink = "colour",
    fonts: Sequence[Path] | None = None,
) -> bytes:
    """The PDF, a page a side in the order given; None is an empty page, so that the order of the stack stays.

    Crosses are red and ticks green; `ink` "black" prints both black, for printers without colours.
    """
    return _typeset(
        [
            {
                "marks": [_aimed(mark, alignment) for mark in side.marks],
                "score": side.score,
                "score_at": alignment.aimed(*side.score_at),
                "targets": [],
                "words": "",
            }
            if side is not None
            else {"marks": [], "score": "", "score_at": (0, 0), "targets": [], "words": ""}
            for side in sides
        ],
        page_mm,
        ink,
        fonts,
    )


def make_test_page(
    page_mm: tuple[float, float],
    *,
    alignment: Alignment = Alignment(),  # noqa: B008 - frozen
    words: str = "",
    fonts: Sequence[Path] | None = None,
) -> bytes:
    """The page that is printed onto a worksheet to measure a printer: rings with crosses in its margins."""
    targets = [alignment.aimed(*target) for target in targets_mm(page_mm)]
    side: dict[str, object] = {"marks": [], "score": "", "score_at": (0, 0), "targets": targets, "words": words}
    return _typeset([side], page_mm, "black", fonts)


def targets_mm(page_mm: tuple[float, float]) -> tuple[Point, ...]:
    """The middles of the test page's rings: in the margins, and not the same when the paper was turned round."""
    width, height = page_mm
    left, right = 10.0, width - 10.0
    return ((left, 0.30 * height), (left, 0.62 * height), (right, 0.42 * height), (right, 0.74 * height))


RING_MM = 2.0
"""Radius of a test page's ring; the cross reaches as far again beyond it."""


def _aimed(mark: OverMark, alignment: Alignment) -> dict[str, object]:
    x, y = alignment.aimed(mark.x, mark.y)
    return {"sign": mark.sign, "x": x, "y": y, "size": mark.size}


def _typeset(
    sides: Sequence[dict[str, object]], page_mm: tuple[float, float], ink: Ink, fonts: Sequence[Path] | None
) -> bytes:
    book, families = find_fonts(fonts)
    data = {"fonts": list(families), "page": page_mm, "sides": list(sides), "ink": ink, "ring": RING_MM}
    return typeset(data, book, template="overprint.typ")


# --- where there is room -----------------------------------------------------------------------------------------


def _taken(page: Page, page_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Where no mark may stand, in steps of half a millimetre: (rows, columns) of the page."""
    width, height = page_mm
    taken = np.zeros((round(height / _STEP_MM), round(width / _STEP_MM)), np.bool_)
    edge = round(EDGE_MM / _STEP_MM)
    taken[:edge] = taken[-edge:] = True
    taken[:, :edge] = taken[:, -edge:] = True
    boxes = [_ground(field) for field in page.fields]
    boxes += [field.score_box_mm for field in page.fields if field.score_box_mm is not None]
    for marker in page.markers:
        xs, ys = [x for x, _ in marker.corners_mm], [y for _, y in marker.corners_mm]
        boxes.append(_grown((min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)), 3.0))
    if page.code is not None:
        boxes.append(_grown(page.code.box_mm, 3.0))
    if page.pupil is not None:
        boxes += [_grown(box, 2.5) for box in page.pupil.boxes_mm]
        boxes += [_grown(bubble.box_mm, 2.5) for column in page.pupil.columns for bubble in column]
        boxes += [] if page.pupil.name_mm is None else [_grown(page.pupil.name_mm, 1.0)]
    for box in boxes:
        _take(taken, box)
    return taken


def _ground(field: Field) -> Box:
    """The paper on which a field's ink is looked for."""
    x, y, width, height = _grown(field.hull_mm(), LEAST_AROUND_MM)
    if field.around_mm is None:
        return (x, y, width, height)
    ax, ay, a_width, a_height = field.around_mm
    left, top = min(x, ax), min(y, ay)
    return (left, top, max(x + width, ax + a_width) - left, max(y + height, ay + a_height) - top)


def _grown(box: Box, by_mm: float) -> Box:
    x, y, width, height = box
    return (x - by_mm, y - by_mm, width + 2 * by_mm, height + 2 * by_mm)


def _take(taken: NDArray[np.bool_], box: Box) -> None:
    x, y, width, height = box
    rows = slice(max(int(y / _STEP_MM), 0), max(int(np.ceil((y + height) / _STEP_MM)), 0))
    columns = slice(max(int(x / _STEP_MM), 0), max(int(np.ceil((x + width) / _STEP_MM)), 0))
    taken[rows, columns] = True


def _beside(taken: NDArray[np.bool_], field: Field, others: Sequence[Box]) -> Point | None:
    """Where a field's mark stands. Not to the right of bubbles: it would be read as a word on the last option."""
    x, y, width, height = field.hull_mm()
    if field.bubbles:
        blocked = taken.copy()
        _take(blocked, (x + width, y - MARK_MM, 1000.0, height + 2 * MARK_MM))
        corner = _nearest(blocked, (x, y, width, height), (MARK_MM, MARK_MM), others)
        if corner is not None:
            return corner
    return _nearest(taken, (x, y, width, height), (MARK_MM, MARK_MM), others)


def _others(page: Page, field: Field) -> list[Box]:
    """The fields of other items: a cross between two must be nearer to its own."""
    return [other.hull_mm() for other in page.fields if other.item != field.item]


def _nearest(
    taken: NDArray[np.bool_], hull: Box, size_mm: tuple[float, float], others: Sequence[Box] = ()
) -> Point | None:
    """The top left corner of the free place of that size which is nearest to `hull`, or None."""
    rows, columns = (round(size_mm[1] / _STEP_MM), round(size_mm[0] / _STEP_MM))
    sums = np.pad(taken.astype(np.int32).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    y, x = np.nonzero(inside == 0)
    if not len(x):
        return None
    middle_x = np.asarray(x * _STEP_MM + size_mm[0] / 2, np.float64)
    middle_y = np.asarray(y * _STEP_MM + size_mm[1] / 2, np.float64)
    away = _away(middle_x, middle_y, hull)
    fits = away <= FARTHEST_MM
    for other in others:
        fits &= away < _away(middle_x, middle_y, other)
    if not fits.any():
        return None
    # Of places that are equally near the left one is taken, where the item's number stands.
    best = int(np.argmin(np.where(fits, away + 0.001 * middle_x, np.inf)))
    return (float(x[best] * _STEP_MM), float(y[best] * _STEP_MM))


def _away(x: NDArray[np.float64], y: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    left, top, width, height = box
    across = np.maximum(np.maximum(left - x, x - left - width), 0)
    down = np.maximum(np.maximum(top - y, y - top - height), 0)
    return np.asarray(np.hypot(across, down), np.float64)
