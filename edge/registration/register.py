"""`Capture → RegisteredPage`: find the page, name it, prove that it is in place, or refuse it with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edge.frames import Capture, RegisteredPage
from edge.registration.code import CodeSighting, find_codes, find_codes_flattened
from edge.registration.geometry import Matrix, Points, corners_of, fit, inverse, px_per_mm_at, to_px
from edge.registration.markers import ENOUGH_MARKERS, Pyramid, choices, find_markers, seen_in_a_mirror
from edge.registration.outlines import Outline, find_outlines
from edge.registration.problems import refusal
from edge.registration.quality import look_at, sharpness
from edge.registration.unmarked import UnmarkedSheet, register_unmarked
from homework.layout import Page, SheetLayout

LayoutOf = Callable[[str], SheetLayout | None]

MAX_MARKER_ERROR_MM = 0.8
"""Markers farther than this from one plane: the paper is folded or curled, or they belong to two sheets."""

MAX_CODE_ERROR_MM = 5.0
"""The code belongs to the markers when it lies where the layout says."""

MIN_PX_PER_MM = 3.0
MAX_BLUR_MM = 0.45
MIN_WHITE = 45.0
MIN_CONTRAST = 30.0
MAX_BLACK_SHARE = 0.62
SATURATED, WASHED_OUT = 252.0, 90.0
"""White at the sensor's limit and yet no real black: pencil may have drowned in the light."""

MIN_OUTLINES_SHARE = 0.6
MIN_SHARPNESS, MIN_SHARPNESS_WITH_MARKER = 0.065, 0.16
"""Of a picture reduced to 500 px, in which no page was found: below, blur is why. A page in focus has 0.4."""

DARK_MEAN = 25.0


def register(capture: Capture, layout_of: LayoutOf, unmarked: Sequence[UnmarkedSheet] = ()) -> RegisteredPage:
    """The page in a capture, in any rotation, proven by its markers, its code and its printed outlines.

    `layout_of` gives the layout of a sheet id, or None; `unmarked` are the sheets without our markers, which are tried
    when there is neither a code of ours nor enough markers. Colour or grey, any size. The result is `refused`, with
    the reason as its last problem, whenever something does not fit; nothing is guessed.
    """
    pyramid = Pyramid(capture.image)
    nothing = RegisteredPage(capture, None, None, None, None, 0.0, 0.0)
    sightings = find_markers(pyramid)
    codes = find_codes(pyramid)
    if len(sightings) < ENOUGH_MARKERS:
        if unmarked and not codes:
            page = register_unmarked(capture, unmarked, pyramid)
            if not page.refused or (not sightings and page.problems[-1].code != "not-a-sheet"):
                return page
        return _refuse(nothing, _why_no_page(pyramid, len(sightings), codes))
    codes = codes or find_codes_flattened(pyramid, {i: seen[0] for i, seen in sightings.items()})
    if not codes:
        return _refuse(nothing, _why_no_code(capture, sightings))

    best: RegisteredPage | None = None
    for sighting in codes:
        page = _place(nothing, sighting, sightings, layout_of)
        if not page.refused:
            return page
        best = best or page
    assert best is not None
    return best


def _place(
    nothing: RegisteredPage, sighting: CodeSighting, sightings: dict[int, list[Points]], layout_of: LayoutOf
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

    found = _best_plane(page, sighting, sightings)
    if found is None:
        return _refuse(named, "not-flat")
    matrix, error_mm, used = found
    scale = px_per_mm_at(matrix, corners_of((0, 0, *layout.page_mm)))
    placed = replace(
        named,
        mm_to_px=matrix,
        error_mm=round(error_mm, 3),
        px_per_mm=round(float(px_per_mm_at(matrix, np.array([layout.page_mm]) / 2)[0]), 3),
    )
    code = _why_bad_picture(placed, used, float(scale.min()))
    if code is not None:
        return _refuse(placed, code)
    outlines = find_outlines(placed.capture.image, matrix, page)
    if outlines and np.mean([outline.found for outline in outlines]) < MIN_OUTLINES_SHARE:
        return _refuse(placed, "not-flat")
    placed = replace(placed, shifts_mm=_shifts(outlines))
    if len(used) < 4:
        return replace(placed, problems=(*placed.problems, refusal("corner-missing")))
    return placed


def _best_plane(
    page: Page, code: CodeSighting, sightings: dict[int, list[Points]]
) -> tuple[Matrix, float, dict[int, Points]] | None:
    """The homography of the best choice of sightings that agrees with the code's place, and the markers used."""
    expected = {marker.id: np.array(marker.corners_mm, np.float64) for marker in page.markers}
    best: tuple[Matrix, float, dict[int, Points]] | None = None
    for choice in choices({i: seen for i, seen in sightings.items() if i in expected}):
        for used in _with_and_without_one(choice):
            fitted = fit(np.concatenate([expected[i] for i in used]), np.concatenate(list(used.values())))
            if fitted is None or fitted[1] > MAX_MARKER_ERROR_MM or not _code_agrees(page, code, fitted[0]):
                continue
            if best is None or (len(used), -fitted[1]) > (len(best[2]), -best[1]):
                best = (fitted[0], fitted[1], used)
            if len(used) == len(choice):
                break  # all that were seen agree: leaving one out can only lose
    return best


def _with_and_without_one(choice: dict[int, Points]) -> list[dict[int, Points]]:
    """A choice, and each of it with one marker fewer while three are left: one may be a misreading."""
    if len(choice) <= ENOUGH_MARKERS:
        return [choice] if len(choice) == ENOUGH_MARKERS else []
    return [choice, *({i: c for i, c in choice.items() if i != left} for left in choice)]


def _code_agrees(page: Page, code: CodeSighting, matrix: Matrix) -> bool:
    if page.code is None:
        return True
    seen = to_px(inverse(matrix), code.corners_px.mean(axis=0, keepdims=True))[0]
    x, y, width, height = page.code.box_mm
    return bool(np.hypot(seen[0] - x - width / 2, seen[1] - y - height / 2) <= MAX_CODE_ERROR_MM)


def _why_bad_picture(placed: RegisteredPage, used: dict[int, Points], least_px_per_mm: float) -> str | None:
    """Why the picture cannot be believed, as a problem's code, or None."""
    page, matrix = placed.page, placed.mm_to_px
    assert page is not None
    assert matrix is not None
    expected = {marker.id: np.array(marker.corners_mm, np.float64) for marker in page.markers}
    looks = [look_at(placed.capture.image, expected[i], corners) for i, corners in used.items()]
    if min(look.white for look in looks) < MIN_WHITE or min(look.contrast for look in looks) < MIN_CONTRAST:
        return "too-dark" if min(look.white for look in looks) < 128 else "too-bright"
    if max(look.black / max(look.white, 1.0) for look in looks) > MAX_BLACK_SHARE:
        return "too-bright" if max(look.white for look in looks) > 160 else "too-dark"
    if any(look.white >= SATURATED and look.black >= WASHED_OUT for look in looks):
        return "too-bright"
    if least_px_per_mm < MIN_PX_PER_MM:
        return "too-small"
    if max(look.blur_mm for look in looks) > MAX_BLUR_MM:
        return "blurred"
    if page.fields:
        corners = np.concatenate([corners_of(field.hull_mm()) for field in page.fields])
        at = to_px(matrix, corners)
        height, width = placed.capture.image.shape[:2]
        if at.min() < 0 or at[:, 0].max() > width - 1 or at[:, 1].max() > height - 1:
            return "half-sheet"
    return None


def _shifts(outlines: tuple[Outline, ...]) -> tuple[tuple[float, float] | None, ...]:
    """Each field's own shift; None where its outline was not found, so that it is not read blindly."""
    return tuple(outline.shift_mm if outline.found else None for outline in outlines)


def _why_no_page(pyramid: Pyramid, markers_seen: int, codes: list[CodeSighting]) -> str:
    small = pyramid.grey(pyramid.scale_for(1000))
    if float(np.percentile(small, 95)) < 2 * DARK_MEAN:
        return "too-dark"
    if markers_seen == 0 and seen_in_a_mirror(pyramid):
        return "mirrored"
    tiny = pyramid.grey(pyramid.scale_for(500))
    least = MIN_SHARPNESS_WITH_MARKER if markers_seen or codes else MIN_SHARPNESS
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
    return "blurred" if max(look.blur_mm for look in looks) > 0.7 * MAX_BLUR_MM else "code-unreadable"


def _refuse(page: RegisteredPage, code: str) -> RegisteredPage:
    return replace(page, problems=(*page.problems, refusal(code)), refused=True)
