"""Where a pupil is asked to write on a page that nobody described: after =, in ( ), □ and ○, on ____, in bubbles.

A proposal, no more: what it misses or makes up, a person corrects. It looks at shapes alone and reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import msgspec
import numpy as np

from edge.frames import Image
from edge.registration.print_proof import print_mask
from homework.layout import Box, Bubble, Field, FieldKind

ROW_MM = 9.0
"""The height of the place after a printed = or on a rule."""

LONGEST_ANSWER_MM, LEAST_ANSWER_MM = 26.0, 9.0
BUBBLE_MM, RING_MM = (2.6, 6.6), (6.6, 15.0)
SQUARE_MM, WIDEST_MM = (5.5, 4.5), 90.0
RULE_MM = (8.0, 75.0)
BRACKET_GAP_MM = (5.0, 45.0)
WIDEST_JUDGE_MM = 20.0
BUBBLE_GAP_MM = 32.0
AROUND_MM = 10.0
HEAD_SHARE = 0.13
"""A rule so near the top of the page is for the name and the date."""


@dataclass(frozen=True)
class Proposal:
    """One place to answer; `bubbles` are the boxes of a row of bubbles."""

    kind: FieldKind
    box: Box
    round: bool = False
    bubbles: tuple[Box, ...] = ()


@dataclass(frozen=True)
class _Shape:
    """A printed thing: its bounding box in mm, and how much of it is print."""

    x: float
    y: float
    w: float
    h: float
    fill: float

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def middle(self) -> float:
        return self.y + self.h / 2


class _Page:
    """The print of an empty page, as shapes and as a mask."""

    def __init__(self, image: Image, px_per_mm: float) -> None:
        self.scale = px_per_mm
        self.mask = print_mask(image, px_per_mm)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(self.mask.view(np.uint8), connectivity=8)
        self.labels = np.asarray(labels, np.int32)
        self.shapes = [
            _Shape(x / px_per_mm, y / px_per_mm, w / px_per_mm, h / px_per_mm, area / max(w * h, 1))
            for x, y, w, h, area in stats[1:].tolist()
        ]
        self.size_mm = (image.shape[1] / px_per_mm, image.shape[0] / px_per_mm)

    def printed(self, box: Box) -> bool:
        """Whether anything is printed in a box."""
        x0, y0 = (max(round(v * self.scale), 0) for v in box[:2])
        x1, y1 = (round((box[i] + box[i + 2]) * self.scale) for i in (0, 1))
        return bool(self.mask[y0:y1, x0:x1].any())

    def holes(self) -> list[tuple[Box, float]]:
        """The insides of closed outlines: bounding box, and the share of it that they fill."""
        contours, tree = cv2.findContours(self.mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        found = []
        for contour, (_, _, _, parent) in zip(contours, tree[0] if tree is not None else (), strict=True):
            if parent < 0:
                continue
            x, y, w, h = cv2.boundingRect(contour)
            fill = cv2.contourArea(contour) / max((w - 1) * (h - 1), 1)
            found.append(((x / self.scale, y / self.scale, w / self.scale, h / self.scale), fill))
        return found


def propose_fields(image: Image, px_per_mm: float, *, first: int = 1) -> tuple[Field, ...]:
    """The fields of an empty page (grey, flat), numbered from `first` in reading order."""
    page = _Page(image, px_per_mm)
    found: list[Proposal] = []
    for propose in (_bubbles, _rings_and_squares, _brackets, _rules, _after_equals):
        for one in propose(page):
            if not any(_overlap(one.box, other.box) for other in found):
                found.append(one)
    fields = []
    for number, one in enumerate(_in_reading_order(found), start=first):
        bubbles = tuple(Bubble(chr(ord("A") + n), _rounded(box)) for n, box in enumerate(one.bubbles))
        box = None if bubbles else one.box
        fields.append(Field(str(number), 1, one.kind, box_mm=box, bubbles=bubbles, round=one.round))
    return room_around(fields, image, px_per_mm)


def room_around(fields: Sequence[Field], image: Image, px_per_mm: float) -> tuple[Field, ...]:
    """The fields with the room around each that holds no print and no other field, where it is not given."""
    page = _Page(image, px_per_mm)
    hulls = [field.hull_mm() for field in fields]
    return tuple(
        field
        if field.around_mm is not None
        else msgspec.structs.replace(field, around_mm=_around(page, hull, [h for h in hulls if h is not hull]))
        for field, hull in zip(fields, hulls, strict=True)
    )


def _rings_and_squares(page: _Page) -> list[Proposal]:
    found = []
    for box, fill in page.holes():
        x, y, w, h = box
        inner = (x + 0.2 * w, y + 0.2 * h, 0.6 * w, 0.6 * h)
        if page.printed(inner):
            continue
        if 0.86 <= w / h <= 1.16 and 0.7 <= fill <= 0.85 and RING_MM[0] <= w <= RING_MM[1]:
            between = all(_beside(page, box, side) for side in (-1, 1))
            found.append(Proposal("compare" if between else "number", box, round=True))
        elif fill > 0.9 and w >= SQUARE_MM[0] and h >= SQUARE_MM[1] and w <= WIDEST_MM and h <= 30:
            found.append(Proposal("number" if h <= 16 else "open", box))
    return found


def _bubbles(page: _Page) -> list[Proposal]:
    """Rows of small circles, empty or with a letter each."""
    rings = sorted(
        (
            box
            for box, fill in page.holes()
            if BUBBLE_MM[0] <= box[2] <= BUBBLE_MM[1] and 0.75 <= box[2] / box[3] <= 1.9 and 0.66 <= fill <= 0.9
        ),
        key=lambda box: (box[1], box[0]),
    )
    rows: list[list[Box]] = []
    for box in sorted(rings, key=lambda box: box[0]):
        row = next((r for r in rows if _continues(r[-1], box)), None)
        if row is None:
            rows.append([box])
        else:
            row.append(box)
    return [Proposal("choice", _hull(row), bubbles=tuple(row)) for row in rows if 2 <= len(row) <= 8]


def _continues(last: Box, box: Box) -> bool:
    level = abs(last[1] + last[3] / 2 - box[1] - box[3] / 2) < 1.2
    return level and abs(last[2] - box[2]) < 0.8 and 0 < box[0] - last[0] - last[2] <= BUBBLE_GAP_MM


def _brackets(page: _Page) -> list[Proposal]:
    """What stands between ( and ): √ or × at the end of a sentence, else a number."""
    tall = [s for s in page.shapes if 2.4 <= s.h <= 8 and 0.4 <= s.w <= 2.6 and s.h > 2.2 * s.w and s.fill < 0.6]
    left = [s for s in tall if _bows(page, s) < 0]
    right = [s for s in tall if _bows(page, s) > 0]
    found = []
    for opening in left:
        closing = min(
            (s for s in right if s.x > opening.right and abs(s.middle - opening.middle) < 1.0),
            key=lambda s: s.x,
            default=None,
        )
        if closing is None:
            continue
        gap = closing.x - opening.right
        inside = (opening.right + 0.3, opening.y, gap - 0.6, opening.h)
        if not BRACKET_GAP_MM[0] <= gap <= BRACKET_GAP_MM[1] or page.printed(inside):
            continue
        ends = not page.printed((closing.right + 0.6, opening.y, 8.0, opening.h))
        box = _row_box(page, opening.right + 0.4, gap - 0.8, opening.middle)
        found.append(Proposal("judge" if ends and gap <= WIDEST_JUDGE_MM else "number", box))
    return found


def _bows(page: _Page, shape: _Shape) -> int:
    """-1 for (, 1 for ), 0 for neither: where the middle of a tall shape lies against its ends."""
    x0, y0 = round(shape.x * page.scale), round(shape.y * page.scale)
    part = page.mask[y0 : y0 + round(shape.h * page.scale), x0 : x0 + round(shape.w * page.scale)]
    columns = np.arange(part.shape[1])
    third = max(len(part) // 5, 1)
    centres = []
    for rows in (part[:third], part[2 * third : 3 * third], part[-third:]):
        weight = rows.sum(axis=0)
        if not weight.sum():
            return 0
        centres.append(float((columns * weight).sum() / weight.sum()))
    top, middle, bottom = centres
    bow = (top + bottom) / 2 - middle
    if abs(top - bottom) > 0.5 * part.shape[1] or abs(bow) < 0.18 * part.shape[1]:
        return 0
    return -1 if bow > 0 else 1


def _rules(page: _Page) -> list[Proposal]:
    """Lines to write on: not the rules that part the page, nor the sides of tables."""
    found = []
    for s in page.shapes:
        if not RULE_MM[0] <= s.w <= RULE_MM[1] or s.h > 1.0 or s.fill < 0.5:
            continue
        box = (s.x, s.y - ROW_MM + 1.2, s.w, ROW_MM - 1.4)
        if page.printed((s.x + 0.4, s.y - 4.5, s.w - 0.8, 4.0)):
            continue
        near = (s.x - 14, s.x + s.w + 14)
        equals = any(near[0] <= e.x <= near[1] and abs(e.middle - s.y + 2.5) < 4 for e in _equals(page))
        if equals or s.y > HEAD_SHARE * page.size_mm[1]:
            found.append(Proposal("number" if equals else "text", box))
    return found


def _after_equals(page: _Page) -> list[Proposal]:
    found = []
    for sign in _equals(page):
        start = sign.right + 0.8
        room = _free_width(page, start, sign.middle)
        if start + room > page.size_mm[0] - 5 and _after_a_word(page, sign):
            continue  # “fill in >, < or =” ends a line of words
        if room >= LEAST_ANSWER_MM:
            found.append(Proposal("number", _row_box(page, start, min(room - 0.5, LONGEST_ANSWER_MM), sign.middle)))
    return found


def _after_a_word(page: _Page, sign: _Shape) -> bool:
    """Whether a sign as wide as it is tall stands before another one: a Chinese character, no digit."""
    near = [s for s in page.shapes if abs(s.middle - sign.middle) < 3.2 and sign.x - 8 < s.x and s.right < sign.x]
    if not near:
        return False
    near.sort(key=lambda s: -s.right)
    left, right, top, bottom = near[0].x, near[0].right, near[0].y, near[0].y + near[0].h
    for one in near[1:]:
        if one.right < left - 0.25:
            break
        left, top, bottom = min(left, one.x), min(top, one.y), max(bottom, one.y + one.h)
    width, height = right - left, bottom - top
    return width >= 2.8 and 0.8 <= width / height <= 1.2


def _equals(page: _Page) -> list[_Shape]:
    """Printed = signs: two level dashes of one length, one above the other."""
    dashes = [s for s in page.shapes if 1.0 <= s.w <= 5 and s.h <= 0.9 and s.fill > 0.6 and s.w > 2 * s.h]
    found = []
    for upper in dashes:
        for lower in dashes:
            apart = lower.y - upper.y
            level = abs(upper.x - lower.x) < 0.35 and abs(upper.right - lower.right) < 0.35
            if level and 0.5 <= apart <= 2.4 and apart < 1.2 * upper.w:
                found.append(_Shape(upper.x, upper.y, upper.w, apart + lower.h, 0.5))
    return found


def _free_width(page: _Page, start: float, middle: float) -> float:
    """How far nothing is printed to the right of a place, within the height of a sign."""
    y0, y1 = (round((middle + d) * page.scale) for d in (-2.2, 2.2))
    x0 = round(start * page.scale)
    band = np.asarray(page.mask[max(y0, 0) : y1, x0:].any(axis=0), np.bool_)
    free = int(np.argmax(band)) if band.any() else len(band)
    return float(min(free / page.scale, page.size_mm[0] - 4 - start))


def _row_box(page: _Page, x: float, width: float, middle: float) -> Box:
    """A place to write on a line of print: as high as the free room around it allows, at most `ROW_MM`."""
    half = ROW_MM / 2
    above = next((d for d in np.arange(2.0, half, 0.25) if page.printed((x, middle - d, width, 0.3))), half)
    below = next((d for d in np.arange(2.0, half, 0.25) if page.printed((x, middle + d - 0.3, width, 0.3))), half)
    return (round(x, 2), round(middle - above, 2), round(width, 2), round(float(above + below), 2))


def _beside(page: _Page, box: Box, side: int) -> bool:
    """Whether something is printed close to a box, on its line."""
    x, y, w, h = box
    return page.printed((x - 7 if side < 0 else x + w + 0.8, y + 0.25 * h, 6.2, 0.5 * h))


def _around(page: _Page, box: Box, others: Sequence[Box]) -> Box:
    """The largest room round a box, side by side, that holds no other field and no print."""
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    step = 0.5
    grown = {"left": True, "right": True, "top": True, "bottom": True}
    for _ in range(int(AROUND_MM / step)):
        for side in [side for side, more in grown.items() if more]:
            strip = {
                "left": (left - step, top, step, bottom - top),
                "right": (right, top, step, bottom - top),
                "top": (left, top - step, right - left, step),
                "bottom": (left, bottom, right - left, step),
            }[side]
            inside = strip[0] >= 0 and strip[1] >= 0 and strip[0] + strip[2] <= page.size_mm[0]
            inside = inside and strip[1] + strip[3] <= page.size_mm[1]
            if not inside or page.printed(strip) or any(_overlap(strip, other, least=0.0) for other in others):
                grown[side] = False
                continue
            left, right = min(left, strip[0]), max(right, strip[0] + strip[2])
            top, bottom = min(top, strip[1]), max(bottom, strip[1] + strip[3])
    return (round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2))


def _overlap(one: Box, other: Box, *, least: float = 0.15) -> bool:
    w = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    h = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return w > 0 and h > 0 and w * h > least * min(one[2] * one[3], other[2] * other[3])


def _hull(boxes: Sequence[Box]) -> Box:
    x0, y0 = min(b[0] for b in boxes), min(b[1] for b in boxes)
    x1, y1 = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return (x0, y0, x1 - x0, y1 - y0)


def _in_reading_order(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Line by line from the top, each from left to right."""
    lines: list[list[Proposal]] = []
    for one in sorted(proposals, key=lambda p: p.box[1] + p.box[3] / 2):
        middle = one.box[1] + one.box[3] / 2
        line = lines[-1] if lines else None
        if line is not None and middle - float(np.mean([p.box[1] + p.box[3] / 2 for p in line])) < 4.5:
            line.append(one)
        else:
            lines.append([one])
    return [replace(one, box=_rounded(one.box)) for line in lines for one in sorted(line, key=lambda p: p.box[0])]


def _rounded(box: Box) -> Box:
    x, y, w, h = (round(float(v), 2) for v in box)
    return (x, y, w, h)
