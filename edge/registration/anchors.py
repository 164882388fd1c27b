"""From a first idea of where a page lies to its exact place, by the print that is found on the way.

The markers' plane is the first idea. Where the paper is curled, the lens bends, or only two markers can be seen, the
fields' own outlines are anchors too: those that are found say where the next ones must be looked for. What comes out
is only as good as the outlines that support it, and those are told apart from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.registration.geometry import Points
from edge.registration.lens import fit_with_lens, fit_without_lens
from edge.registration.outlines import Outline, find_boxes, find_outlines
from edge.registration.place import FEW_ANCHORS, Place, fit_bend
from homework.layout import Page

CALM_MM = 0.7
"""Fields that are off by less lie on a flat page: each follows its own shift."""

MOST_OWN_SHIFT_MM = 1.0
"""A field farther from where all the others say it must be is another line than its own: it is not trusted."""

ENOUGH_FOUND = 0.6
REACH_MM = 45.0
"""So far from what is known already a page seen by two markers is trusted to go on as it does."""

STEPS = 8
OUTLINE_WEIGHT = 2.0


@dataclass(frozen=True, eq=False)
class Known:
    """Points of the page that were seen for certain (markers, the code): mm, px, and how much each counts."""

    points_mm: Points
    points_px: Points
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Settled:
    """A page's place with the outline of every field there."""

    place: Place
    outlines: tuple[Outline, ...]

    @property
    def found(self) -> int:
        return sum(outline.found for outline in self.outlines)

    @property
    def share(self) -> float:
        """The share of the fields whose outline is where it must be; 1 when there are none."""
        return self.found / len(self.outlines) if self.outlines else 1.0

    @property
    def farthest_mm(self) -> float:
        return max((float(np.hypot(*o.shift_mm)) for o in self.outlines if o.found), default=0.0)

    @property
    def calm(self) -> bool:
        return self.share >= ENOUGH_FOUND and self.farthest_mm <= CALM_MM


def settle(image: Image, page: Page, page_mm: tuple[float, float], start: Place, known: Known) -> Settled:
    """The place of a page with three markers or four: flat where that explains the print, else bent."""
    flat = Settled(start, find_outlines(image, start.to_px, page))
    if flat.calm or not page.fields:
        return flat
    tries = [flat]
    bends = None if start.lens is not None else _by_lens(image, page, start, known)
    if bends is not None:
        tries.append(bends)
    best = max((_bent(image, page, page_mm, one, known) for one in tries), key=_merit)
    return max((best, flat), key=_merit)


def settle_by_two(image: Image, page: Page, page_mm: tuple[float, float], start: Place, known: Known) -> Settled:
    """The place of a page of which two markers and the code are known: it grows from them, outline by outline."""
    cells = page.pupil.boxes_mm if page.pupil is not None else ()
    centres = np.array([_middle(field.hull_mm()) for field in page.fields] + [_middle(box) for box in cells])
    place, best = start, None
    trusted = np.zeros(len(centres), bool)
    for _ in range(STEPS):
        outlines = find_outlines(image, place.to_px, page)
        both = (*outlines, *find_boxes(image, place.to_px, cells))
        now = Settled(place, outlines)
        if best is None or _merit(now) > _merit(best):
            best = now
        found = np.array([outline.found for outline in both])
        near = _near(centres, np.concatenate([known.points_mm, centres[trusted]]))
        last, trusted = trusted, found & near
        if (trusted == last).all() and trusted.any() and now is not best:
            break
        moved = place.to_px(centres + np.array([outline.shift_mm for outline in both]))
        place = _refitted(place, known, centres[trusted], moved[trusted])
    assert best is not None
    return best if best.calm else max((best, _bent(image, page, page_mm, best, known)), key=_merit)


def trusted_shifts(settled: Settled) -> tuple[tuple[float, float] | None, ...]:
    """Each field's own shift; None where its outline was not found or is not its own, so that it is asked."""
    return tuple(
        outline.shift_mm if outline.found and np.hypot(*outline.shift_mm) <= MOST_OWN_SHIFT_MM else None
        for outline in settled.outlines
    )


def _merit(settled: Settled) -> tuple[int, float]:
    near = [np.hypot(*o.shift_mm) for o in settled.outlines if o.found and np.hypot(*o.shift_mm) <= MOST_OWN_SHIFT_MM]
    return len(near), -float(np.sum(near))


def _by_lens(image: Image, page: Page, start: Place, known: Known) -> Settled | None:
    """The page through a lens that makes the markers' own sizes right, which no homography does."""
    size = (image.shape[1], image.shape[0])
    fitted = fit_with_lens(known.points_mm, known.points_px, known.weights, start.matrix, size)
    if fitted is None:
        return None
    place = Place(fitted[0], fitted[1])
    return Settled(place, find_outlines(image, place.to_px, page))


def _bent(image: Image, page: Page, page_mm: tuple[float, float], first: Settled, known: Known) -> Settled:
    best = now = first
    centres = np.array([_middle(field.hull_mm()) for field in page.fields])
    for _ in range(STEPS):
        found = np.array([outline.found for outline in now.outlines])
        if found.sum() + len(known.points_mm) / 4 < FEW_ANCHORS:
            break
        place = now.place
        shifted = centres[found] + np.array([o.shift_mm for o in now.outlines])[found]
        flat = shifted if place.bend is None else shifted + place.bend.at(shifted)
        moved = np.concatenate([place.flattened(known.points_px) - known.points_mm, flat - centres[found]])
        weights = np.concatenate([known.weights, np.full(int(found.sum()), OUTLINE_WEIGHT)])
        bend = fit_bend(np.concatenate([known.points_mm, centres[found]]), moved, weights, page_mm)
        place = replace(place, bend=bend)
        now = Settled(place, find_outlines(image, place.to_px, page))
        if _merit(now) <= _merit(best):
            break
        best = now
    return best


def _refitted(place: Place, known: Known, centres: Points, moved_px: Points) -> Place:
    """The homography of what is known and found, what fits badly counting for little."""
    points_mm = np.concatenate([known.points_mm, centres])
    points_px = np.concatenate([known.points_px, moved_px])
    if place.lens is not None:
        points_px = place.lens.straightened(points_px)
    weights = given = np.concatenate([known.weights, np.full(len(centres), OUTLINE_WEIGHT)])
    matrix = place.matrix
    for _ in range(3):
        fitted = fit_without_lens(points_mm, points_px, weights, matrix)
        if fitted is None:
            return place
        matrix = fitted
        off = np.linalg.norm(Place(matrix).flattened(points_px) - points_mm, axis=1)
        weights = given / (1 + (off / 0.5) ** 2) ** 2
    return replace(place, matrix=matrix)


def _near(points: Points, anchors: Points) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(points[:, None] - anchors[None], axis=2).min(axis=1) <= REACH_MM)


def _middle(box: Sequence[float]) -> tuple[float, float]:
    return (box[0] + box[2] / 2, box[1] + box[3] / 2)
