"""`Capture → RegisteredPage`: find the page, name it, prove that it is in place, or refuse it with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.frames import Capture, RegisteredPage
from edge.registration.anchors import ENOUGH_FOUND, Known, settle, settle_by_two, trusted_shifts
from edge.registration.code import (
    CodeSighting,
    any_code_at_a_glance,
    find_codes,
    find_codes_beside,
    find_codes_flattened,
    finder_corners,
)
from edge.registration.geometry import Matrix, Points, corners_of, fit, px_per_mm_at
from edge.registration.lens import Lens, LensOn
from edge.registration.markers import (
    ENOUGH_MARKERS,
    Pyramid,
    any_marker_at_a_glance,
    choices,
    find_markers,
    seen_in_a_mirror,
)
from edge.registration.place import Place
from edge.registration.problems import refusal
from edge.registration.quality import MarkerLook, like_paper, look_at, sharpened, sharpness
from edge.registration.unmarked import UnmarkedSheet, register_unmarked
from homework.layout import Box, Page, SheetLayout

LayoutOf = Callable[[str], SheetLayout | None]

MAX_MARKER_ERROR_MM = 0.8
"""Markers farther than this from one plane: the paper is folded or curled, or they belong to two sheets."""

MAX_CODE_ERROR_MM = 5.0
"""The code belongs to the markers when it lies where the layout says."""

MIN_PX_PER_MM = 2.3
"""Of a field: with fewer it is asked. Of 100 answers at 2.4 none was read wrongly (simulated hands)."""

MAX_BLUR_MM = 0.45
SHARPEN_FROM_MM = 0.28
"""From here on the picture is sharpened before its fields are cut: else half of what is written is asked."""

MARKER_BLUR_MM = 0.32
"""Of markers of 10 mm without a code that can be read: above, blur is why."""

MIN_WHITE = 45.0
MIN_CONTRAST = 30.0
MAX_BLACK_SHARE = 0.62
SATURATED, WASHED_OUT = 252.0, 90.0
"""White at the sensor's limit and yet no real black: pencil may have drowned in the light."""

CODE_BESIDE = 1
"""The marker (top right) beside which our sheets have the code."""

TWO_MARKERS = 2
LEAST_FOUND_BY_TWO = 4
"""A page seen by two markers and its code is proven by as many outlines at least."""

MIN_SHARPNESS, MIN_SHARPNESS_WITH_MARKER = 0.065, 0.16
"""Of a picture reduced to 500 px, in which no page was found: below, blur is why. A page in focus has 0.4."""

DARK_MEAN = 25.0


def register(
    capture: Capture, layout_of: LayoutOf, unmarked: Sequence[UnmarkedSheet] = (), lens: Lens | None = None
) -> RegisteredPage:
    """The page in a capture, in any rotation, proven by its markers, its code and its printed outlines.

    `layout_of` gives the layout of a sheet id, or None; `unmarked` are the sheets without our markers, which are tried
    when there is neither a code of ours nor enough markers; `lens` is the camera's where it was calibrated. Colour or
    grey, any size. The result is `refused`, with the reason as its last problem, whenever something does not fit;
    nothing is guessed.
    """
    pyramid = Pyramid(capture.image)
    nothing = RegisteredPage(capture, None, None, None, None, 0.0, 0.0)
    foreign: RegisteredPage | None = None
    if unmarked and not any_marker_at_a_glance(pyramid) and not any_code_at_a_glance(pyramid):
        # Nothing of ours in sight: looking for it thoroughly costs more than an imported card as a whole.
        foreign = register_unmarked(capture, unmarked, pyramid)
        if not foreign.refused:
            return foreign
    sightings = find_markers(pyramid)
    codes = find_codes_beside(pyramid, sightings.get(CODE_BESIDE, [])) or find_codes(pyramid)
    if len(sightings) < (TWO_MARKERS if codes else ENOUGH_MARKERS):
        if unmarked and not codes:
            page = foreign or register_unmarked(capture, unmarked, pyramid)
            if not page.refused or (not sightings and page.problems[-1].code != "not-a-sheet"):
                return page
        return _refuse(nothing, _why_no_page(pyramid, len(sightings), codes))
    codes = codes or find_codes_flattened(pyramid, {i: seen[0] for i, seen in sightings.items()})
    if not codes:
        return _refuse(nothing, _why_no_code(capture, sightings))

    best: RegisteredPage | None = None
    for sighting in codes:
        page = _place(nothing, sighting, sightings, layout_of, _on(lens, capture))
        if not page.refused:
            return page
        best = best or page
    assert best is not None
    return best


def _place(
    nothing: RegisteredPage,
    sighting: CodeSighting,
    sightings: dict[int, list[Points]],
    layout_of: LayoutOf,
    lens: LensOn | None,
) -> RegisteredPage:
    named = replace(nothing, code=sighting.code)
    layout = layout_of(sighting.code.sheet)
    if layout is None:
        return _refuse(named, "unknown-sheet")
    page = layout.page(sighting.code.page)
    if page is None:
        return _refuse(replace(named, layout=layout), "unknown-sheet")
    named = replace(named, layout=layout, page=page)
    if layout.register != "markers":
        return _refuse(named, "no-markers-on-sheet")

    found = _best_plane(page, sighting, sightings, lens)
    if found is None:
        return _refuse(named, "half-sheet" if len(sightings) == TWO_MARKERS else "not-flat")
    matrix, error_mm, used = found
    start = Place(matrix, lens)
    placed = _placed(named, start, error_mm)
    looks = _looks(placed, used)
    code = _why_bad_picture(placed, looks)
    if code is not None:
        return _refuse(placed, code)
    known = _known(page, used, sighting, placed.capture)
    by_two = len(used) == TWO_MARKERS
    how = settle_by_two if by_two else settle
    settled = how(placed.capture.image, page, layout.page_mm, start, known)
    placed = _placed(placed, settled.place, error_mm)
    if _partly_outside(placed):
        return _refuse(placed, "half-sheet")
    shifts = trusted_shifts(settled)
    if shifts:
        fine = _px_per_mm(placed, [field.hull_mm() for field in page.fields]) >= MIN_PX_PER_MM
        shifts = tuple(shift if enough else None for shift, enough in zip(shifts, fine, strict=True))
    own = sum(shift is not None for shift in shifts)
    if shifts and own < ENOUGH_FOUND * len(shifts):
        return _refuse(placed, "not-flat")
    if by_two and (own < LEAST_FOUND_BY_TWO or _off_mm(settled.place, known) > MAX_MARKER_ERROR_MM):
        return _refuse(placed, "half-sheet")
    placed = replace(placed, shifts_mm=shifts)
    blur_mm = float(np.median([look.blur_mm for look in looks]))
    if blur_mm > SHARPEN_FROM_MM:
        image = sharpened(placed.capture.image, blur_mm * placed.px_per_mm)
        placed = replace(placed, capture=replace(placed.capture, image=image))
    if len(used) < 4:
        note = "two-corners-missing" if by_two else "corner-missing"
        return replace(placed, problems=(*placed.problems, refusal(note)))
    return placed


def _on(lens: Lens | None, capture: Capture) -> LensOn | None:
    size = (capture.image.shape[1], capture.image.shape[0])
    return LensOn(lens.k1, lens.k2, size) if lens is not None and lens.fits(size) else None


def _placed(page: RegisteredPage, place: Place, error_mm: float) -> RegisteredPage:
    assert page.layout is not None
    middle = (page.layout.page_mm[0] / 2, page.layout.page_mm[1] / 2)
    scale = px_per_mm_at(place.plane_at((middle[0] - 5, middle[1] - 5, 10, 10)), np.array([middle]))
    return replace(
        page,
        mm_to_px=place.overall(page.layout.page_mm),
        place=None if place.flat else place,
        error_mm=round(error_mm, 3),
        px_per_mm=round(float(scale[0]), 3),
    )


def _known(page: Page, used: dict[int, Points], code: CodeSighting, capture: Capture) -> Known:
    """What was seen for certain: the markers' corners, and the three of the code that are corners in print."""
    expected = {marker.id: np.array(marker.corners_mm, np.float64) for marker in page.markers}
    points_mm = [expected[i] for i in used]
    points_px = list(used.values())
    weights = [np.ones(4) for _ in used]
    if page.code is not None:
        sharp = finder_corners(capture.image, code.corners_px)
        points_mm.append(corners_of(page.code.box_mm)[[0, 1, 3]])
        points_px.append(code.corners_px[[0, 1, 3]] if sharp is None else sharp)
        weights.append(np.full(3, 0.1 if sharp is None else 0.7))
    return Known(np.concatenate(points_mm), np.concatenate(points_px), np.concatenate(weights))


def _off_mm(place: Place, known: Known) -> float:
    """How far what was seen for certain lies from where the place puts it: root mean square, mm."""
    moved = known.points_mm if place.bend is None else known.points_mm + place.bend.at(known.points_mm)
    off = ((place.flattened(known.points_px) - moved) ** 2).sum(axis=1)
    return float(np.sqrt((known.weights * off).sum() / known.weights.sum()))


def _best_plane(
    page: Page, code: CodeSighting, sightings: dict[int, list[Points]], lens: LensOn | None
) -> tuple[Matrix, float, dict[int, Points]] | None:
    """The homography of the best choice of sightings that agrees with the code's place, and the markers used."""
    expected = {marker.id: np.array(marker.corners_mm, np.float64) for marker in page.markers}
    best: tuple[Matrix, float, dict[int, Points]] | None = None
    for choice in choices({i: seen for i, seen in sightings.items() if i in expected}):
        for used in _with_and_without_one(choice):
            points_mm = [expected[i] for i in used]
            points_px = list(used.values())
            if len(used) == TWO_MARKERS and page.code is not None:
                points_mm.append(corners_of(page.code.box_mm))
                points_px.append(code.corners_px)
            straight = np.concatenate(points_px)
            fitted = fit(np.concatenate(points_mm), straight if lens is None else lens.straightened(straight))
            if fitted is None or fitted[1] > MAX_MARKER_ERROR_MM:
                continue
            if not _code_agrees(page, code, Place(fitted[0], lens)):
                continue
            if best is None or (len(used), -fitted[1]) > (len(best[2]), -best[1]):
                best = (fitted[0], fitted[1], used)
            if len(used) == len(choice):
                break  # all that were seen agree: leaving one out can only lose
    return best


def _with_and_without_one(choice: dict[int, Points]) -> list[dict[int, Points]]:
    """A choice, and each of it with one marker fewer while three are left: one may be a misreading."""
    if len(choice) <= ENOUGH_MARKERS:
        return [choice] if len(choice) >= TWO_MARKERS else []
    return [choice, *({i: c for i, c in choice.items() if i != left} for left in choice)]


def _code_agrees(page: Page, code: CodeSighting, place: Place) -> bool:
    if page.code is None:
        return True
    seen = place.flattened(code.corners_px.mean(axis=0, keepdims=True))[0]
    x, y, width, height = page.code.box_mm
    return bool(np.hypot(seen[0] - x - width / 2, seen[1] - y - height / 2) <= MAX_CODE_ERROR_MM)


def _looks(placed: RegisteredPage, used: dict[int, Points]) -> list[MarkerLook]:
    assert placed.page is not None
    expected = {marker.id: np.array(marker.corners_mm, np.float64) for marker in placed.page.markers}
    return [look_at(placed.capture.image, expected[i], corners) for i, corners in used.items()]


def _why_bad_picture(placed: RegisteredPage, looks: list[MarkerLook]) -> str | None:
    """Why the picture cannot be believed, as a problem's code, or None."""
    if min(look.white for look in looks) < MIN_WHITE or min(look.contrast for look in looks) < MIN_CONTRAST:
        return "too-dark" if min(look.white for look in looks) < 128 else "too-bright"
    if max(look.black / max(look.white, 1.0) for look in looks) > MAX_BLACK_SHARE:
        return "too-bright" if max(look.white for look in looks) > 160 else "too-dark"
    if any(look.white >= SATURATED and look.black >= WASHED_OUT for look in looks):
        return "too-bright"
    if _too_small(placed):
        return "too-small"
    if max(look.blur_mm for look in looks) > MAX_BLUR_MM:
        return "blurred"
    return None


def _too_small(placed: RegisteredPage) -> bool:
    """Whether the seat's cells, or too many of the fields, have too few pixels to be read."""
    assert placed.page is not None
    pupil = placed.page.pupil
    cells = [*pupil.boxes_mm, *(b.box_mm for column in pupil.columns for b in column)] if pupil is not None else []
    hulls = [field.hull_mm() for field in placed.page.fields]
    if cells and _px_per_mm(placed, cells).min() < MIN_PX_PER_MM:
        return True
    if not hulls:
        return placed.px_per_mm < MIN_PX_PER_MM
    return bool(np.mean(_px_per_mm(placed, hulls) >= MIN_PX_PER_MM) < ENOUGH_FOUND)


def _px_per_mm(placed: RegisteredPage, boxes_mm: Sequence[Box]) -> NDArray[np.float64]:
    """The least resolution, across or along, in the middle of each box."""
    assert placed.mm_to_px is not None
    return px_per_mm_at(placed.mm_to_px, np.array([[x + w / 2, y + h / 2] for x, y, w, h in boxes_mm]))


def _partly_outside(placed: RegisteredPage) -> bool:
    """Whether a corner of any field lies outside the picture."""
    assert placed.page is not None
    height, width = placed.capture.image.shape[:2]
    corners = [placed.to_px(corners_of(field.hull_mm())) for field in placed.page.fields]
    outside = [at.min() < 0 or at[:, 0].max() > width - 1 or at[:, 1].max() > height - 1 for at in corners]
    return any(outside)


def _why_no_page(pyramid: Pyramid, markers_seen: int, codes: list[CodeSighting]) -> str:
    small = pyramid.grey(pyramid.scale_for(1000))
    if float(np.percentile(small, 95)) < 2 * DARK_MEAN:
        return "too-dark"
    if markers_seen == 0 and seen_in_a_mirror(pyramid):
        return "mirrored"
    tiny = pyramid.grey(pyramid.scale_for(500))
    least = MIN_SHARPNESS_WITH_MARKER if markers_seen or codes or like_paper(tiny) else MIN_SHARPNESS
    if sharpness(tiny) < least and float(tiny.std()) > 12:
        return "blurred"
    if markers_seen or codes:
        return "half-sheet"
    return "not-a-sheet"


def _why_no_code(capture: Capture, sightings: dict[int, list[Points]]) -> str:
    """Markers but no code: the sizes of the markers tell a bad picture from a covered code."""
    corners = [seen[0] for seen in sightings.values()]
    side_px = min(float(np.linalg.norm(c - np.roll(c, 1, axis=0), axis=1).mean()) for c in corners)
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float64)  # the blur is told in tenths of the marker
    if side_px < 24:
        return "too-small"
    looks = [look_at(capture.image, square, c) for c in corners]
    if min(look.white for look in looks) < MIN_WHITE:
        return "too-dark"
    return "blurred" if max(look.blur_mm for look in looks) > MARKER_BLUR_MM else "code-unreadable"


def _refuse(page: RegisteredPage, code: str) -> RegisteredPage:
    return replace(page, problems=(*page.problems, refusal(code)), refused=True)
