"""Imported answer cards: found by their own bubbles, in any turn, and proven by them.

The card's bubbles are looked for among the blobs of the picture (`lattice.py`); no edge of the paper is needed, so
that a light desk and a shadow make no difference. A pose counts only when

- most of the bubbles are found, each where the pose has it and all as large as each other, and
- laid a step aside or turned round, the card would find clearly fewer: a pattern that fits twice proves nothing.
  Where it does (a card that looks the same upside down), the edge of the paper must tell, and else the page is refused.

Where each bubble was found is where it is read: a curled page is followed bubble by bubble, and a field of which most
bubbles were not found is never read as certain.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import msgspec
import numpy as np

from edge.frames import Capture, Image, RegisteredPage
from edge.omrchecker import BUBBLE_MM, all_bubbles
from edge.registration.geometry import Matrix, Points, corners_of, inverse, px_per_mm_at, to_px
from edge.registration.lattice import CardPoints, Pose, Search, find_blobs
from edge.registration.markers import Pyramid
from edge.registration.problems import refusal
from edge.registration.unmarked_sheet import UnmarkedSheet
from homework.layout import Box, Bubble, Field, Page, PupilField, SheetLayout

SEARCH_BUBBLE_PX = 12.5
"""Bubbles are searched at such a size: larger ones cost time, smaller ones run into their letters."""

BLEED_PX = 1.0
"""An outline looks so much larger than it is printed, in the picture that is searched."""

FILLS = 0.8
"""The share of the picture's long side that the card's takes, as a rule; half of it is tried next."""

MIN_FOUND = 0.72
MIN_RECOGNISED = 0.5
"""Below this nothing is said of the card at all."""

MIN_MORE, MIN_MORE_SHARE = 3.5, 0.03
"""How many bubbles more must be found where the card lies than where else it might."""

MIN_FIELD_FOUND = 0.5
MIN_BUBBLE_PX = 9.0

EDGE_NEAR, EDGE_CLEARER = 0.045, 0.025
"""Where the edge of the paper must tell: how near it is to the page's, of its diagonal, and how much nearer."""

MIN_PAPER_SHARE = 0.15
FRAME_PX = 5.0
"""Corners of an outline so near to the picture's edge, at 500 px, are not seen to be the paper's."""


def register_card(capture: Capture, sheet: UnmarkedSheet, pyramid: Pyramid) -> RegisteredPage | None:
    """The card in a capture: proven, or recognised and refused with a reason; None when nothing looks like it."""
    layout = sheet.layout
    page = layout.pages[0]
    card = _points_of(layout)
    for fills in (FILLS, FILLS / 2):
        scale, grey = _searched(pyramid, layout, fills)
        search = _search(card, grey)
        pose = search.best()
        if pose is not None and pose.share >= MIN_FOUND:
            break
    if pose is None or pose.share < MIN_RECOGNISED:
        return None
    refused = RegisteredPage(capture, layout, page, None, None, 0.0, 0.0, refused=True)
    if pose.share < MIN_FOUND:
        return replace(refused, problems=(refusal("not-flat"),))
    found, others = search.elsewhere(pose)
    least = found - max(MIN_MORE / len(card), MIN_MORE_SHARE)
    rivals = [matrix for matrix, share in others if share > least]
    if rivals:
        told = _by_the_edge(grey, layout, [pose.mm_to_px, *rivals])
        pose = search.settled(pose, told) if told is not None else None
        if pose is None or pose.share < MIN_FOUND:
            return replace(refused, problems=(refusal("turn-unclear"),))
    to_full = np.array([[1 / scale, 0, 0.5 / scale - 0.5], [0, 1 / scale, 0.5 / scale - 0.5], [0, 0, 1]])
    placed = replace(
        refused,
        mm_to_px=to_full @ pose.mm_to_px,
        error_mm=round(_error_mm(pose, card), 3),
        px_per_mm=round(_px_per_mm(to_full @ pose.mm_to_px, card), 3),
    )
    if placed.px_per_mm * BUBBLE_MM < MIN_BUBBLE_PX:
        return replace(placed, problems=(refusal("too-small"),))
    if not _inside(placed, card):
        return replace(placed, problems=(refusal("half-sheet"),))
    printed, trusted = _as_printed(page, card, pose)
    shifts = tuple((0.0, 0.0) if good else None for good in trusted)
    return replace(placed, page=printed, shifts_mm=shifts, refused=False)


@lru_cache(maxsize=64)
def _points_of(layout: SheetLayout) -> CardPoints:
    return CardPoints([bubble.box_mm for bubble in all_bubbles(layout.pages[0])])


def _searched(pyramid: Pyramid, layout: SheetLayout, fills: float) -> tuple[float, Image]:
    """The grey picture in which a bubble has the size that is searched, and its scale."""
    long_px = max(pyramid.image.shape[:2])
    expected = BUBBLE_MM * fills * long_px / max(layout.page_mm)
    scale = min(SEARCH_BUBBLE_PX / expected, 2.0)
    level = min(2.0 ** float(np.ceil(np.log2(scale))), 1.0)
    grey = pyramid.glance(level)
    size = [max(round(side * scale), 1) for side in pyramid.image.shape[1::-1]]
    how = cv2.INTER_AREA if scale < level else cv2.INTER_CUBIC
    return scale, np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def _search(card: CardPoints, grey: Image) -> Search:
    px_per_mm = SEARCH_BUBBLE_PX / BUBBLE_MM
    return Search(card, find_blobs(grey, SEARCH_BUBBLE_PX), np.diag([px_per_mm, px_per_mm, 1.0]))


def _error_mm(pose: Pose, card: CardPoints) -> float:
    """How far the bubbles that were found are from one plane (root mean square)."""
    found = pose.blob >= 0
    at = to_px(pose.mm_to_px, card.middles[found]) + pose.offsets[found]
    away = to_px(inverse(pose.mm_to_px), at) - card.middles[found]
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def _px_per_mm(matrix: Matrix, card: CardPoints) -> float:
    return float(px_per_mm_at(matrix, card.middles).min())


def _inside(page: RegisteredPage, card: CardPoints) -> bool:
    assert page.mm_to_px is not None
    at = to_px(page.mm_to_px, card.middles)
    height, width = page.capture.image.shape[:2]
    return bool(at.min() >= 0 and at[:, 0].max() <= width - 1 and at[:, 1].max() <= height - 1)


def _as_printed(page: Page, card: CardPoints, pose: Pose) -> tuple[Page, list[bool]]:
    """The page with every bubble where and as large as it is printed; and of which fields enough were found."""
    found = pose.blob >= 0
    back = inverse(pose.mm_to_px)
    seen = to_px(back, to_px(pose.mm_to_px, card.middles) + pose.offsets) - card.middles
    # A bubble that was not found is moved as those around it are.
    weight = found[card.near].sum(axis=1)
    around = (seen * found[:, None])[card.near].sum(axis=1) / np.maximum(weight, 1)[:, None]
    moved = np.where(found[:, None], 0.5 * (seen + around), around)
    middles = card.middles + moved
    sides = card.sides * np.array(pose.size) - BLEED_PX / SEARCH_BUBBLE_PX * BUBBLE_MM
    boxes = np.column_stack([middles - sides / 2, sides]).round(3)
    printed = [_box(box) for box in boxes.tolist()]
    fields, trusted, at = [], [], 0
    for field in page.fields:
        end = at + len(field.bubbles)
        fields.append(_field_at(field, printed[at:end]))
        trusted.append(_enough(field, found[at:end]))
        at = end
    return msgspec.structs.replace(page, fields=tuple(fields), pupil=_pupil_at(page.pupil, printed[at:])), trusted


def _box(values: list[float]) -> Box:
    x, y, width, height = values
    return x, y, width, height


def _field_at(field: Field, boxes: list[Box]) -> Field:
    bubbles = tuple(Bubble(bubble.label, box) for bubble, box in zip(field.bubbles, boxes, strict=True))
    return msgspec.structs.replace(field, bubbles=bubbles)


def _pupil_at(pupil: PupilField | None, boxes: list[Box]) -> PupilField | None:
    if pupil is None or not pupil.columns:
        return pupil
    rest = iter(boxes)
    columns = tuple(tuple(Bubble(bubble.label, next(rest)) for bubble in column) for column in pupil.columns)
    return msgspec.structs.replace(pupil, columns=columns)


def _enough(field: Field, found: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    """Whether most bubbles of each of a field's columns were found."""
    at = 0
    for column in field.columns():
        if found[at : at + len(column)].mean() < MIN_FIELD_FOUND:
            return False
        at += len(column)
    return True


def _by_the_edge(grey: Image, layout: SheetLayout, poses: list[Matrix]) -> Matrix | None:
    """The one pose whose page ends where there is an edge of paper; None unless that is clear."""
    edges = _paper_edges(grey) if layout.register == "page-edge" else []
    if not edges:
        return None
    page = corners_of((0.0, 0.0, *layout.page_mm))
    apart = [min(_apart(to_px(pose, page), edge) for edge in edges) for pose in poses]
    best, second = np.argsort(apart)[:2]
    clear = apart[best] <= EDGE_NEAR and apart[second] - apart[best] >= EDGE_CLEARER
    return poses[best] if clear else None


def _apart(corners: Points, edge: Points) -> float:
    """How far four corners are from an outline's, of the diagonal, whichever of its corners comes first."""
    diagonal = float(np.linalg.norm(edge[0] - edge[2]))
    ways = [np.roll(edge, k, axis=0) for k in range(4)]
    return min(float(np.linalg.norm(corners - way, axis=1).mean()) for way in ways) / max(diagonal, 1.0)


def _paper_edges(grey: Image) -> list[Points]:
    """Outlines with four corners that may be a sheet of paper, clockwise."""
    scale = 500 / max(grey.shape)
    small = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    soft = cv2.GaussianBlur(small, (5, 5), 0)
    _, bright = cv2.threshold(soft, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    lines = cv2.dilate(cv2.Canny(soft, 20, 60), np.ones((3, 3), np.uint8))
    edges = []
    for mask, how in ((bright, cv2.RETR_EXTERNAL), (lines, cv2.RETR_LIST)):
        contours, _ = cv2.findContours(mask, how, cv2.CHAIN_APPROX_SIMPLE)
        for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:4]:
            hull = cv2.convexHull(contour)
            if cv2.contourArea(hull) < MIN_PAPER_SHARE * small.size:
                continue
            corners = cv2.approxPolyDP(hull, 0.02 * cv2.arcLength(hull, closed=True), closed=True)
            if len(corners) == 4:
                points = corners.reshape(4, 2).astype(np.float64)
                along, across = points[1] - points[0], points[2] - points[0]
                clockwise = along[0] * across[1] > along[1] * across[0]
                if not _is_the_frame(points, small):
                    edges.append((points if clockwise else points[::-1]) / scale)
    return edges


def _is_the_frame(corners: Points, image: Image) -> bool:
    """Whether an outline is only that of the picture, and no edge of paper."""
    height, width = image.shape
    away = np.minimum(corners, np.array([width - 1, height - 1]) - corners).min(axis=1)
    return bool((away < FRAME_PX).sum() >= 2)
