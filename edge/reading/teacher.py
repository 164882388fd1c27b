"""The teacher's marks on a page: what her red pen says, and of which field.

The page is looked at as a whole, for a tick does not stay in its box: what is red is parted into strokes, each gets a
shape, and the field that it is meant for is the one that its point lies in or clearly nearest to. The recogniser says
√ and ×, geometry the rest; what the two do not agree on is unclear, and a person looks. Nothing here sees the key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import FieldCrop, Image, RegisteredPage
from edge.reading.crops import WRITING_PX_PER_MM, crop_field, cut
from edge.reading.ink import darkness, field_ink
from edge.reading.mark_shapes import Shape, judge_picture, shape_of
from edge.reading.mixed import colourless
from edge.reading.recogniser import Recogniser
from edge.reading.red import red_cover
from edge.registration.geometry import corners_of, to_px
from homework.layout import Box, Field
from homework.results import MarkKind, TeacherMark

PAGE_PX_PER_MM = 4.0
FAINT_RED, CLEAR_RED = 18, 36
"""How red, of 200, the faintest part of a stroke is, and some part of each."""

BRIDGED_MM = 1.0
"""Where a red stroke crosses a black one it seems to break; so far apart its parts are one."""

LEAST_MM, LEAST_MM2 = 1.0, 0.5
WIDEST_STROKE_MM = 4.0
"""What is thicker is no pen's: a hand, a red ruler."""

EDGE_MM = 1.5
"""At the very edge of the page the desk may show."""

NEAR_MM, FAR_MM = 8.0, 14.0
"""A mark whose point is so near to a field can be meant for it, and beyond the second for none."""

MUCH_NEARER_MM = 3.0
BIG_MM = 25.0
"""A tick so tall or wide may stand for all the fields that it goes over."""

PRINTED, AROUND_PRINT_MM = 45, 1.0
"""How dark (of 255, paper at 25) the print of a learned page is at least, and how far from it red may still be it."""

SCORE = re.compile(r"\d{1,3}(?:\.[05])?")
PAPER, INK_DEPTH = 235.0, 190.0


@dataclass(frozen=True)
class RedMark:
    """One mark on the page: its box and the point that says where it is meant, in mm; `number` counts from 1.

    `mask` is its ink at `PAGE_PX_PER_MM`, cut tight.
    """

    number: int
    kind: MarkKind
    clear: bool
    box_mm: Box
    point_mm: tuple[float, float]
    mask: NDArray[np.bool_]


def read_marks(page: RegisteredPage, crops: Sequence[FieldCrop], recogniser: Recogniser) -> list[TeacherMark | None]:
    """The teacher's mark at each field of a page, in the page's order.

    A slash, a ring and a dot mean wrong; that is sure only where a clear tick on the same page shows what right looks
    like, for some tick with a mere slash. None anywhere in a grey picture, and where red ink is the pupil's.
    """
    found: list[TeacherMark | None] = [None] * len(crops)
    if not _can_be_told(page) or colourless(page.capture.image) or any(crop.red_is == "pupil" for crop in crops):
        return found
    scores = {n: _score_crop(page, crop) for n, crop in enumerate(crops) if crop.field.score_box_mm is not None}
    touched = any(crop.red_ink for crop in crops) or any(score.red_ink for score in scores.values())
    marks = find_marks_on(page, recogniser) if touched else []
    at: dict[int, list[TeacherMark]] = {n: [] for n in range(len(crops))}
    boxes = {n: _on_plane(page, score) for n, score in scores.items()}
    in_score = {n: [m for m in marks if _within(_middle(m.box_mm), box, 1.5)] for n, box in boxes.items()}
    theirs = {mark.number for some in in_score.values() for mark in some}
    hulls = [_on_plane(page, crop) for crop in crops]
    rest = [mark for mark in marks if mark.number not in theirs]
    ticks = any(mark.kind is MarkKind.TICK and mark.clear for mark in rest)
    for mark in rest:
        for n, sure in _meant_for(mark, hulls).items():
            plain = mark.kind in (MarkKind.TICK, MarkKind.CROSS, MarkKind.HALF)
            at[n].append(TeacherMark(mark.kind, sure and mark.clear and (plain or ticks), None, mark.number))
    for n, of_field in at.items():
        found[n] = _together(of_field)
    for n, score in scores.items():
        written = _score(page, score, in_score[n], recogniser)
        found[n] = written or found[n]
    return found


def find_marks_on(page: RegisteredPage, recogniser: Recogniser) -> list[RedMark]:
    """Every red mark on a page that is in place."""
    flat = _flat(page)
    if flat is None:
        return []
    red = red_cover(flat, PAGE_PX_PER_MM)
    if page.empty is not None:
        red = np.where(_printed(page.empty, red.shape), np.uint8(0), red)
    marks: list[RedMark] = []
    looks: list[Image] = []
    shapes: list[Shape] = []
    for box, mask in _strokes(red):
        marks.append(
            RedMark(len(marks) + 1, MarkKind.UNCLEAR, clear=False, box_mm=box, point_mm=_middle(box), mask=mask)
        )
        shapes.append(shape_of(mask, PAGE_PX_PER_MM))
        looks.append(judge_picture(mask))
    said = recogniser.read("judge", looks) if looks else []
    sure = recogniser.threshold("judge")
    judged = [one.text if one.confidence >= sure else "" for one in said]
    maybe = [one.text or "" for one in said]
    return [
        _named(mark, shape, *both)
        for mark, shape, both in zip(marks, shapes, zip(judged, maybe, strict=True), strict=True)
    ]


def _named(mark: RedMark, shape: Shape, judged: str | None, maybe: str) -> RedMark:
    """A mark with its kind, from its shape and from what the recogniser says (`judged`: for certain)."""
    lowest = (mark.box_mm[0] + shape.lowest[0] / PAGE_PX_PER_MM, mark.box_mm[1] + shape.lowest[1] / PAGE_PX_PER_MM)
    if shape.kind in (MarkKind.DOT, MarkKind.RING):
        return replace(mark, kind=shape.kind, clear=judged == "")
    if shape.kind is MarkKind.SLASH:
        return replace(mark, kind=MarkKind.SLASH, clear=judged != "×")
    if shape.kind is MarkKind.HALF:
        return replace(mark, kind=MarkKind.HALF, clear=judged == "" and maybe != "×", point_mm=lowest)
    if judged == "√":
        return replace(mark, kind=MarkKind.TICK, clear=shape.kind is MarkKind.TICK, point_mm=lowest)
    if judged == "×":
        return replace(mark, kind=MarkKind.CROSS, clear=shape.kind is MarkKind.TICK)
    return mark


def _flat(page: RegisteredPage) -> Image | None:
    """The whole page upright in colour, shrunk first so that no thin stroke falls between pixels."""
    if page.mm_to_px is None or page.layout is None:
        return None
    width, height = page.layout.page_mm
    image = page.capture.image
    shrink = max(int(page.px_per_mm / PAGE_PX_PER_MM), 1)
    if shrink > 1:
        image = cv2.resize(
            image, (image.shape[1] // shrink, image.shape[0] // shrink), interpolation=cv2.INTER_AREA
        ).astype(np.uint8, copy=False)
    small = np.array([[1 / shrink, 0, (1 / shrink - 1) / 2], [0, 1 / shrink, (1 / shrink - 1) / 2], [0, 0, 1]])
    step = 1 / PAGE_PX_PER_MM
    to_mm = np.array([[step, 0, step / 2], [0, step, step / 2], [0, 0, 1]])
    size = (round(width * PAGE_PX_PER_MM), round(height * PAGE_PX_PER_MM))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(image, small @ page.mm_to_px @ to_mm, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8)


def _can_be_told(page: RegisteredPage) -> bool:
    """Whether red on the page is ink: we print none, and of a learned page it is known. A bought card's may be red."""
    return page.layout is not None and (page.layout.register == "markers" or page.empty is not None)


def _printed(empty: Image, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a learned page is printed, and a little around: in whatever colour, for its picture is grey."""
    small = cv2.resize(empty, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    dark = np.asarray(darkness(np.asarray(small, np.uint8), PAGE_PX_PER_MM), np.uint8) > PRINTED
    side = 2 * round(AROUND_PRINT_MM * PAGE_PX_PER_MM) + 1
    return np.asarray(cv2.dilate(dark.view(np.uint8), np.ones((side, side), np.uint8)) > 0, np.bool_)


def _strokes(red: Image) -> list[tuple[Box, NDArray[np.bool_]]]:
    """The marks in a picture of redness: the box in mm and the mask of each, in reading order."""
    scale = PAGE_PX_PER_MM
    faint = (red > FAINT_RED).astype(np.uint8)
    edge = round(EDGE_MM * scale)
    faint[:edge], faint[-edge:], faint[:, :edge], faint[:, -edge:] = 0, 0, 0, 0
    side = round(BRIDGED_MM * scale) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    joined = cv2.morphologyEx(faint, cv2.MORPH_CLOSE, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    strong = np.bincount(labels[red > CLEAR_RED], minlength=count)
    thick = cv2.distanceTransform(joined, cv2.DIST_L2, 3)
    found = []
    for n in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[n])
        if area < LEAST_MM2 * scale**2 or max(w, h) < LEAST_MM * scale or strong[n] < 0.3 * scale**2:
            continue
        mask = labels[y : y + h, x : x + w] == n
        if 2 * thick[y : y + h, x : x + w][mask].max() > WIDEST_STROKE_MM * scale:
            continue
        found.append(((x / scale, y / scale, w / scale, h / scale), np.asarray(mask, np.bool_)))
    return sorted(found, key=lambda one: (one[0][1], one[0][0]))


def _meant_for(mark: RedMark, hulls: Sequence[Box]) -> dict[int, bool]:
    """Which fields a mark is meant for, and whether that is sure; several for a tick over a section."""
    if mark.kind is MarkKind.TICK and max(mark.box_mm[2:]) >= BIG_MM:
        covered = [n for n, hull in enumerate(hulls) if _within(_middle(hull), mark.box_mm, 2.0)]
        if len(covered) > 1:
            return dict.fromkeys(covered, True)
    touched = {n: False for n, hull in enumerate(hulls) if not mark.clear and _inked(mark, hull)}
    if mark.kind is MarkKind.UNCLEAR:
        return touched  # words, a number, a correction, two marks that run into each other
    away = sorted((_distance(mark.point_mm, hull), n) for n, hull in enumerate(hulls))
    if not away or away[0][0] > FAR_MM:
        return touched
    nearest, n = away[0]
    second = away[1][0] if len(away) > 1 else np.inf
    clearly = nearest <= NEAR_MM and second - nearest >= (MUCH_NEARER_MM if nearest > 0 else 1.0)
    if clearly:
        return {**touched, n: True}
    return touched | {m: False for distance, m in away if distance <= min(nearest + MUCH_NEARER_MM, FAR_MM)}


def _inked(mark: RedMark, hull: Box) -> bool:
    """Whether a mark has ink within two millimetres of a field."""
    scale = PAGE_PX_PER_MM
    x, y, w, h = (v * scale for v in hull)
    x0, y0 = x - mark.box_mm[0] * scale - 2 * scale, y - mark.box_mm[1] * scale - 2 * scale
    rows = slice(max(int(y0), 0), max(int(y0 + h + 4 * scale), 0))
    columns = slice(max(int(x0), 0), max(int(x0 + w + 4 * scale), 0))
    return bool(mark.mask[rows, columns].any())


def _together(marks: Sequence[TeacherMark]) -> TeacherMark | None:
    """All marks of one field as one: alike they are one, different ones are for a person."""
    if not marks:
        return None
    kinds = {mark.kind for mark in marks}
    if len(kinds) == 1:
        return max(marks, key=lambda mark: mark.sure)
    clear = [mark for mark in marks if mark.sure]
    # A neighbour's mark that may be this field's does not outweigh its own.
    if len({mark.kind for mark in clear}) == 1 and MarkKind.UNCLEAR not in kinds:
        return clear[0]
    return TeacherMark(MarkKind.UNCLEAR, sure=False, stroke=marks[0].stroke)


def _score_crop(page: RegisteredPage, crop: FieldCrop) -> FieldCrop:
    box = crop.field.score_box_mm
    assert box is not None
    return crop_field(page, Field(crop.field.item, crop.field.blank, "number", box_mm=box), crop.shift_mm)


def _score(
    page: RegisteredPage, crop: FieldCrop, marks: Sequence[RedMark], recogniser: Recogniser
) -> TeacherMark | None:
    """What stands in a score box: a number in red, or a mark; anything that is not red there is for a person."""
    stroke = marks[0].number if marks else 0
    unclear = TeacherMark(MarkKind.UNCLEAR, sure=False, stroke=stroke)
    if field_ink(crop).inside:
        return unclear
    if not marks:
        return None
    boxes = np.array([mark.box_mm for mark in marks])
    here, there = crop.field.hull_mm(), _on_plane(page, crop)
    off = np.array([here[0] - there[0], here[1] - there[1]])
    left, top = boxes[:, :2].min(axis=0) - 1.5 + off
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) + 1.5 + off
    region = (float(left), float(top), float(right - left), float(bottom - top))
    seen = cut(page, region, WRITING_PX_PER_MM, blur_px=max(0.5 * page.px_per_mm / WRITING_PX_PER_MM, 0.6))
    [number] = recogniser.read("number", [red_alone(seen, WRITING_PX_PER_MM)])
    is_number = number.confidence >= recogniser.threshold("number") and SCORE.fullmatch(number.text or "") is not None
    plain = [mark for mark in marks if mark.clear and mark.kind in (MarkKind.TICK, MarkKind.CROSS)]
    if is_number and not plain:
        return TeacherMark(
            MarkKind.SCORE, sure=True, score_hundredths=int(Decimal(number.text or "") * 100), stroke=stroke
        )
    if not is_number and len(plain) == len(marks) == 1:
        return TeacherMark(plain[0].kind, sure=True, stroke=stroke)
    return unclear


def red_alone(crop: Image, px_per_mm: float) -> Image:
    """The red ink of a BGR crop alone, dark on paper, as the recognisers want it."""
    red = red_cover(crop, px_per_mm).astype(np.float32)
    full = max(float(np.quantile(red, 0.985)), 2.0 * CLEAR_RED)
    return np.asarray(PAPER - INK_DEPTH * np.clip(red / full, 0, 1), np.float32).astype(np.uint8)


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2] / 2, box[1] + box[3] / 2)


def _within(point: tuple[float, float], box: Box, grow_mm: float) -> bool:
    return _distance(point, box) <= grow_mm


def _distance(point: tuple[float, float], box: Box) -> float:
    """From a point to the nearest of a box; 0 within it."""
    across = max(box[0] - point[0], 0.0, point[0] - box[0] - box[2])
    down = max(box[1] - point[1], 0.0, point[1] - box[1] - box[3])
    return float(np.hypot(across, down))


def _on_plane(page: RegisteredPage, crop: FieldCrop) -> Box:
    """Where a field truly lies, in the millimetres of the flat page: a curled one's fields are not where it says."""
    assert page.mm_to_px is not None
    x, y, w, h = crop.field.hull_mm()
    corners = page.to_px(corners_of((x + crop.shift_mm[0], y + crop.shift_mm[1], w, h)))
    flat = to_px(np.linalg.inv(page.mm_to_px).astype(np.float64), corners)
    (x0, y0), (x1, y1) = flat.min(axis=0), flat.max(axis=0)
    return (float(x0), float(y0), float(x1 - x0), float(y1 - y0))
