"""Learned pages, found by their own print.

Signs and rules of the capture are matched with those of every known page (SIFT: D. Lowe, *Distinctive image features
from scale-invariant keypoints*, IJCV 60, 2004), the likeliest pages are laid in place, and each is proven tile by
tile (`print_proof.py`). Pages of one book look alike: what decides between them is the proof, never the matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from weakref import WeakKeyDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Capture, Image, RegisteredPage
from edge.registration.geometry import Matrix, Points, corners_of, px_per_mm_at, to_px, turned_over
from edge.registration.markers import Pyramid
from edge.registration.print_proof import (
    MIN_LIKENESS,
    PX_PER_MM,
    Print,
    Proof,
    agreement,
    print_of,
    prove,
    quick_likeness,
)
from edge.registration.problems import refusal
from edge.registration.quality import sharpened
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.layout import Page

SEARCH_SIDE_PX = 1000
"""The long side at which features are looked for. Pages down to 3 px/mm of a 2,800 px picture are found so as well as
at 1,500, and in half the time."""

FEATURES, COARSE_FEATURES = 1100, 200
RATIO = 0.8
LIKELIEST, LIKEST = 3, 2
"""How many pages are laid in place at most: chosen by the matches of a few strong features, and then, of the same
size, by their print in the place of the first."""

NEARLY = 0.12
"""What a page's share may gain when it is laid in place itself."""

MIN_MATCHES = 14
ANOTHER_PAGE, MOST_FACING = 200, 2
"""Features beyond the first page from which on another one is looked for beside it; two pages face each other."""

MIN_SHARE = 0.9
"""The share of the page's print that must agree: of another page of the same book it is 0.63 to 0.83."""

MAX_BLUR_MM = 0.5
"""The blur (σ, beyond that of the empty page) up to which fields are read."""

MIN_FIELDS = 0.6
CLEARLY_BETTER = 0.04
"""A page must agree so much better than any other on the same place."""

SHARPEN_FROM_MM = 0.25
"""From here on the picture is sharpened before its fields are cut."""

MAX_BEND_MM = 0.15
"""Print that lies so far off (root mean square) after its shifts are smoothed: the page is bent, not blurred."""

MIN_PX_PER_MM = 3.0
MIN_WHITE, MIN_CONTRAST = 45.0, 30.0


@dataclass(frozen=True, eq=False)
class _Known:
    """One learned page made ready: its features in mm, and its print."""

    sheet: UnmarkedSheet
    page: Page
    empty: Image
    points_mm: Points
    descriptors: NDArray[np.uint8]
    print: Print


_READY: WeakKeyDictionary[UnmarkedSheet, tuple[_Known, ...]] = WeakKeyDictionary()


def print_pages(capture: Capture, sheets: Sequence[UnmarkedSheet], pyramid: Pyramid) -> list[RegisteredPage]:
    """The learned pages that the capture shows, each proven (two facing pages are two); else the likeliest, refused.

    Empty when nothing looks like any of them.
    """
    known = [one for sheet in sheets for one in _ready(sheet)]
    if not known:
        return []
    points, descriptors = _features(_reduced(pyramid))
    if len(points) < MIN_MATCHES:
        return []
    points = (points + 0.5) / _reduction(pyramid) - 0.5
    proven: list[RegisteredPage] = []
    while True:
        found = _decide(_search(capture, pyramid, known, points, descriptors))
        if not found or found[0].refused:
            return proven or found
        proven += found
        # Beside a proven page another one may lie: it is looked for in what the first does not explain.
        outside = ~np.any([_covers(page, points) for page in proven], axis=0)
        points, descriptors = points[outside], descriptors[outside]
        if len(points) < ANOTHER_PAGE or len(proven) >= MOST_FACING:
            return proven


def _search(
    capture: Capture,
    pyramid: Pyramid,
    known: Sequence[_Known],
    points: Points,
    descriptors: NDArray[np.float32],
) -> list[_Placed]:
    """The likeliest pages laid in place, proven or refused."""
    found: list[_Placed] = []
    for one in _likeliest(known, descriptors):
        if any(_tells_of(other, one) for other in found):
            continue
        rough = _rough(one, points, descriptors)
        placed = _place(capture, pyramid, one, rough) if rough is not None else None
        if placed is None:
            continue
        found.append(placed)
        assert placed.page.mm_to_px is not None
        rivals = [other for other in known if other is not one and _tells_of(placed, other)]
        for rival in _likest(rivals, placed):
            another = _place(capture, pyramid, rival, placed.page.mm_to_px)
            if another is not None:
                found.append(another)
    return found


def _tells_of(placed: _Placed, other: _Known) -> bool:
    """Whether a page lies so well in place that another one's print can be looked for there: heads and rules do."""
    return placed.proof.likeness >= MIN_LIKENESS and placed.known.print.soft.shape == other.print.soft.shape


def page_quad(page: RegisteredPage) -> Points:
    """The corners TL, TR, BR, BL of a placed page in pixels of its capture."""
    assert page.mm_to_px is not None
    assert page.layout is not None
    return to_px(page.mm_to_px, corners_of((0, 0, *page.layout.page_mm)))


def _covers(page: RegisteredPage, points: Points) -> NDArray[np.bool_]:
    quad = page_quad(page).astype(np.float32)
    inside = [cv2.pointPolygonTest(quad, (float(x), float(y)), measureDist=False) >= 0 for x, y in points]
    return np.array(inside, np.bool_)


@dataclass(frozen=True)
class _Placed:
    known: _Known
    page: RegisteredPage
    proof: Proof

    @property
    def share(self) -> float:
        return self.proof.share


def _decide(found: Sequence[_Placed]) -> list[RegisteredPage]:
    """The proven ones; of several on the same place the clearly better one, or none."""
    best = sorted(found, key=lambda one: -one.share)
    kept: list[_Placed] = []
    for one in best:
        rivals = [other for other in kept if _same_place(one.page, other.page)]
        if not rivals:
            kept.append(one)
        elif any(other.share - one.share < CLEARLY_BETTER and not one.page.refused for other in rivals):
            unclear = [other for other in rivals if other.share - one.share < CLEARLY_BETTER]
            kept = [other for other in kept if other not in unclear]
            kept += [replace(other, page=_refuse(other.page, "two-pages-fit")) for other in unclear]
    proven = [_sharpened(one) for one in kept if not one.page.refused]
    return proven or [one.page for one in kept[:1]]


def _sharpened(placed: _Placed) -> RegisteredPage:
    page = placed.page
    if placed.proof.blur_mm < SHARPEN_FROM_MM:
        return page
    image = sharpened(page.capture.image, placed.proof.blur_mm * page.px_per_mm)
    return replace(page, capture=replace(page.capture, image=image))


def _same_place(one: RegisteredPage, other: RegisteredPage) -> bool:
    quads = [page_quad(page).astype(np.float32) for page in (one, other)]
    shared, _ = cv2.intersectConvexConvex(quads[0], quads[1])
    return bool(shared > 0.2 * min(abs(cv2.contourArea(quad)) for quad in quads))


def _place(capture: Capture, pyramid: Pyramid, known: _Known, rough: Matrix) -> _Placed | None:
    """The page laid in place, proven or refused; None when it is not there at all."""
    layout = known.sheet.layout
    corners = corners_of((0, 0, *layout.page_mm))
    scale = float(np.median(px_per_mm_at(rough, corners)))
    factor = float(min(1.0, 2.0 ** np.ceil(np.log2(PX_PER_MM / scale))))
    shrink = np.array([[factor, 0, 0.5 * factor - 0.5], [0, factor, 0.5 * factor - 0.5], [0, 0, 1.0]])
    proof = prove(pyramid.grey(factor), shrink @ rough, known.print, known.page)
    if proof is None:
        return None
    matrix = np.linalg.inv(shrink) @ proof.mm_to_px
    matrix = np.asarray(matrix / matrix[2, 2], np.float64)
    if turned_over(matrix, corners):
        return None
    page = RegisteredPage(
        capture,
        layout,
        known.page,
        None,
        matrix,
        px_per_mm=round(float(px_per_mm_at(matrix, np.array([layout.page_mm]) / 2)[0]), 3),
        error_mm=round(proof.error_mm, 3),
        shifts_mm=proof.shifts_mm,
        empty=known.empty,
    )
    code = _why_not(page, proof)
    return _Placed(known, page if code is None else _refuse(page, code), proof)


def _why_not(page: RegisteredPage, proof: Proof) -> str | None:
    """Why a page cannot be believed, as a problem's code, or None."""
    assert page.mm_to_px is not None
    assert page.layout is not None
    assert page.page is not None
    if proof.white < MIN_WHITE or proof.contrast < MIN_CONTRAST:
        return "too-dark" if proof.white < 128 else "too-bright"
    if float(px_per_mm_at(page.mm_to_px, corners_of((0, 0, *page.layout.page_mm))).min()) < MIN_PX_PER_MM:
        return "too-small"
    if proof.likeness < MIN_LIKENESS and proof.error_mm > MAX_BEND_MM:
        return "not-flat"
    if proof.likeness < MIN_LIKENESS or proof.blur_mm > MAX_BLUR_MM:
        return "blurred"
    if page.page.fields:
        at = to_px(page.mm_to_px, np.concatenate([corners_of(field.hull_mm()) for field in page.page.fields]))
        height, width = page.capture.image.shape[:2]
        if at.min() < 0 or at[:, 0].max() > width - 1 or at[:, 1].max() > height - 1:
            return "half-sheet"
    fields = [shift is not None for shift in page.shifts_mm]
    if proof.share < MIN_SHARE or (fields and np.mean(fields) < MIN_FIELDS):
        return "unknown-page"
    return None


def _rough(known: _Known, points: Points, descriptors: NDArray[np.float32]) -> Matrix | None:
    """The homography mm → px that most matches agree on."""
    pairs = _matches(known.descriptors, descriptors)
    if len(pairs) < MIN_MATCHES:
        return None
    source, target = known.points_mm[pairs[:, 0]], points[pairs[:, 1]]
    found, inside = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 4.0, maxIters=3000)
    if found is None or int(inside.sum()) < MIN_MATCHES:
        return None
    matrix = np.asarray(found, np.float64)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        return None
    if turned_over(matrix, corners_of((0, 0, *known.sheet.layout.page_mm))):
        return None
    return matrix


def _likeliest(known: Sequence[_Known], descriptors: NDArray[np.float32]) -> list[_Known]:
    if len(known) <= LIKELIEST:
        return list(known)
    counts = [len(_matches(one.descriptors[:COARSE_FEATURES], descriptors)) for one in known]
    order = sorted(range(len(known)), key=lambda i: -counts[i])
    return [known[i] for i in order[:LIKELIEST]]


def _likest(known: Sequence[_Known], best: _Placed) -> list[_Known]:
    """The pages that agree most with what lies in the place of one of their size, if they may be there at all."""
    likest = sorted(known, key=lambda one: -quick_likeness(best.proof.seen, one.print))[:LIKEST]
    least = max(best.share, MIN_SHARE) - NEARLY
    return [one for one in likest if agreement(best.proof.seen, one.print, one.page).share >= least]


def _matches(one: NDArray[np.uint8], other: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n, 2) indices of descriptors of which the nearest is clearly nearer than the next."""
    found = cv2.BFMatcher(cv2.NORM_L2).knnMatch(one.astype(np.float32), other, k=2)
    pairs = [(pair[0].queryIdx, pair[0].trainIdx) for pair in found if pair[0].distance < RATIO * pair[-1].distance]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _ready(sheet: UnmarkedSheet) -> tuple[_Known, ...]:
    if sheet not in _READY:
        _READY[sheet] = tuple(
            _known(sheet, page, image) for page, image in zip(sheet.layout.pages, sheet.references, strict=True)
        )
    return _READY[sheet]


def _known(sheet: UnmarkedSheet, page: Page, image: Image) -> _Known:
    ready = print_of(image, page, sheet.layout.page_mm)
    size = (ready.soft.shape[1], ready.soft.shape[0])
    points, descriptors = _features(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))
    # SIFT's are whole numbers up to 255: kept so, a page takes a quarter of the room.
    return _Known(sheet, page, image, (points + 0.5) / PX_PER_MM, descriptors.astype(np.uint8), ready)


@cache
def _sift() -> cv2.SIFT:
    return cv2.SIFT.create(nfeatures=FEATURES)


def _features(grey: Image) -> tuple[Points, NDArray[np.float32]]:
    """Strong features of a picture, the strongest first: (n, 2) pixels, (n, 128) descriptors."""
    keys, descriptors = _sift().detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
    order = np.argsort([-key.response for key in keys])
    points = np.array([key.pt for key in keys], np.float64)
    return points[order], np.asarray(descriptors, np.float32)[order]


def _reduction(pyramid: Pyramid) -> float:
    return float(min(1.0, SEARCH_SIDE_PX / max(pyramid.image.shape[:2])))


def _reduced(pyramid: Pyramid) -> Image:
    """The grey picture at the size at which features are looked for."""
    scale = _reduction(pyramid)
    height, width = pyramid.image.shape[:2]
    source = pyramid.grey(float(min(1.0, 2.0 ** np.ceil(np.log2(scale)))))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.uint8)


def _refuse(page: RegisteredPage, code: str) -> RegisteredPage:
    return replace(page, problems=(*page.problems, refusal(code)), refused=True)
