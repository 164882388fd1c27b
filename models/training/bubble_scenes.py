"""A field of bubbles on paper, marked by one pupil and photographed: from drawn marks to the crop that the box cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.bubbles import BoxPx
from models.preprocess import Image
from models.training.bubble_fills import RADIUS_PX, Borrowed, BubblePen, Cover, Drawing, Place, Shape, a_pen, inside
from models.training.bubble_marks import draw_mark

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)
_TRIES = 12
_INTRUDES, _TOUCHES = 0.02, 0.004
"""Share of a bubble that a neighbour's ink covers: above the one it marks it, below the other it does not."""


@dataclass(frozen=True)
class Conditions:
    """How a field was photographed, for figures by condition."""

    pen: str
    bubble_px: float
    blur: float
    light: str


@dataclass(frozen=True)
class FieldPhoto:
    """A crop as the box cuts it, the outlines' boxes in it, and what was done to each bubble."""

    crop: Image
    boxes: tuple[BoxPx, ...]
    marks: tuple[str, ...]
    conditions: Conditions


def photograph_field(marks: Sequence[str], rng: Generator, borrowed: Borrowed) -> FieldPhoto | None:
    """A field whose bubbles bear these marks; None when it did not come out as it should, which now and then happens.

    The boxes are off by what registration leaves: up to an eighth of a radius or so.
    """
    places, shape = _layout(len(marks), rng)
    paper = _printed(places, shape, rng)
    pen = a_pen(rng)
    by = Drawing(shape, pen, rng, borrowed)
    layers: list[list[tuple[Cover, float]]] = []
    for mark, place in zip(marks, places, strict=True):
        for _ in range(_TRIES):
            drawn = draw_mark(mark, place, by)
            if drawn is not None:
                layers.append(drawn)
                break
        else:
            return None
    if _intrudes(marks, places, layers, shape):
        return None
    for drawn in layers:
        for cover, darkness in drawn:
            paper = paper * (1 - np.minimum(cover * _grain(pen, shape, rng), 1) * np.float32(darkness))
    # What is pale vanishes in black and white: nobody could say that it was there.
    bold = pen.darkness >= 0.62 and not set(marks) & {"faint", "rubbed"}
    crop, matrix, conditions = _photographed(paper, pen, rng, black_and_white=bold and rng.random() < 0.1)
    boxes = tuple(_box(place, matrix, rng) for place in places)
    return FieldPhoto(crop, boxes, tuple(marks), conditions)


def _layout(count: int, rng: Generator) -> tuple[list[Place], tuple[int, int]]:
    """Bubbles in a row or a column, as close as on an answer card or as far apart as options are."""
    aspect = float(np.exp(rng.normal(0, 0.16))) if rng.random() < 0.35 else 1.0
    if rng.random() < 0.06:
        aspect = rng.uniform(1.6, 2.4)
    a, b = RADIUS_PX * aspect**0.5, RADIUS_PX / aspect**0.5
    kinds: list[Shape] = ["ellipse", "box", "round-box", "bracket"]
    shape: Shape = kinds[int(rng.choice(4, p=[0.62, 0.2, 0.1, 0.08]))]
    across = rng.random() < 0.6
    pitch = 2 * (a if across else b) + RADIUS_PX * float(np.exp(rng.uniform(np.log(0.25), np.log(2.6))))
    left, top, right, bottom = (RADIUS_PX * rng.uniform(0.75, 2.6) for _ in range(4))
    step = (pitch, rng.normal(0, 0.03) * pitch) if across else (rng.normal(0, 0.03) * pitch, pitch)
    places = [Place(left + a + k * step[0], top + b + k * step[1], a, b, shape) for k in range(count)]
    height = int(max(place.y + b for place in places) + bottom)
    width = int(max(place.x + a for place in places) + right)
    return places, (height, width)


def _printed(places: Sequence[Place], shape: tuple[int, int], rng: Generator) -> NDArray[np.float32]:
    """Paper with outlines, labels and what else is printed near: reflectance 0..1."""
    paper = np.ones(shape, np.float32)
    toner = rng.uniform(0.25, 0.95)
    line = float(np.exp(rng.uniform(np.log(1.0), np.log(6.5))))
    label_at = str(rng.choice(["right", "left", "in", "above", "none"], p=[0.36, 0.14, 0.2, 0.08, 0.22]))
    alphabet = str(rng.choice(["ABCDEFGH", "0123456789", "TFYN", "abcd"], p=[0.6, 0.25, 0.08, 0.07]))
    font, size = int(rng.choice(_FONTS)), rng.uniform(0.85, 1.35)
    if label_at == "in":
        size = rng.uniform(0.5, 0.95)
    bold = int(rng.integers(1, 4))
    label_tone = toner * rng.uniform(0.6, 1.0) * (rng.uniform(0.3, 1.0) if label_at == "in" else 1.0)
    words = rng.random() < 0.4
    for k, place in enumerate(places):
        canvas = np.zeros(shape, np.uint8)
        _outline(canvas, place, line, rng)
        paper *= 1 - canvas.astype(np.float32) * np.float32(toner / 255)
        if label_at == "none":
            continue
        canvas = np.zeros(shape, np.uint8)
        text = alphabet[k % len(alphabet)] + ("." if label_at in ("right", "left") and words else "")
        if words and label_at == "right":
            text += " " + str(int(rng.integers(1, 99)))
        _text(canvas, text, place, where=label_at, size=size, look=(font, bold), rng=rng)
        paper *= 1 - canvas.astype(np.float32) * np.float32(label_tone / 255)
    if rng.random() < 0.08:  # a rule or a table's line
        at = rng.uniform(0, min(RADIUS_PX * 0.6, shape[0]))
        cv2.line(paper, (0, int(at)), (shape[1], int(at + rng.normal(0, 1.5))), float(1 - toner), 2, cv2.LINE_AA)
    if rng.random() < 0.15:  # dust and the copier's specks
        for _ in range(int(rng.integers(1, 6))):
            centre = (int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0])))
            cv2.circle(paper, centre, 1, float(1 - rng.uniform(0.1, 0.6)), -1, cv2.LINE_AA)
    if rng.random() < 0.12:  # a copy of a copy: lines break up
        noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), rng.uniform(1.0, 3.0))
        paper = np.where(noise > noise.std() * rng.uniform(0.2, 1.2), 1 - (1 - paper) * 0.4, paper)
    return np.asarray(paper, np.float32)


def _outline(canvas: NDArray[np.uint8], place: Place, line: float, rng: Generator) -> None:
    """The printed line lies within the box, as the sheets have it, or about its edge."""
    thick = max(round(line), 1)
    inset = line / 2 * rng.choice([1.0, 1.0, 0.0])
    a, b = place.a - inset, place.b - inset
    x0, y0, x1, y1 = (round(v * 16) for v in (place.x - a, place.y - b, place.x + a, place.y + b))
    if place.shape == "ellipse":
        centre, axes = (round(place.x * 16), round(place.y * 16)), (round(a * 16), round(b * 16))
        cv2.ellipse(canvas, centre, axes, 0, 0, 360, 255, thick, cv2.LINE_AA, 4)
    elif place.shape == "box":
        cv2.rectangle(canvas, (x0, y0), (x1, y1), 255, thick, cv2.LINE_AA, 4)
    elif place.shape == "round-box":
        corner = min(a, b) * rng.uniform(0.3, 0.8)
        angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        sx, sy = np.sign(np.cos(angle)), np.sign(np.sin(angle))
        x = place.x + sx * (a - corner) + corner * np.cos(angle)
        y = place.y + sy * (b - corner) + corner * np.sin(angle)
        points = np.round(np.stack([x, y], 1) * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [points], True, 255, thick, cv2.LINE_AA, 4)
    else:  # brackets
        hook = round(0.35 * a * 16)
        for x, step in ((x0, hook), (x1, -hook)):
            points = np.array([[x + step, y0], [x, y0], [x, y1], [x + step, y1]], np.int32).reshape(-1, 1, 2)
            cv2.polylines(canvas, [points], False, 255, thick, cv2.LINE_AA, 4)


def _text(
    canvas: NDArray[np.uint8],
    text: str,
    place: Place,
    *,
    where: str,
    size: float,
    look: tuple[int, int],
    rng: Generator,
) -> None:
    font, bold = look
    (_, unit), _ = cv2.getTextSize("A", font, 1.0, 1)
    scale = size * place.radius / unit
    (width, height), _ = cv2.getTextSize(text, font, scale, bold)
    gap = rng.uniform(0.2, 0.8) * place.radius
    x, y = place.x - width / 2, place.y + height / 2
    if where == "right":
        x = place.x + place.a + gap
    elif where == "left":
        x = place.x - place.a - gap - width
    elif where == "above":
        y = place.y - place.b - gap / 2
    cv2.putText(canvas, text, (round(x), round(y)), font, scale, 255, bold, cv2.LINE_AA)


def _intrudes(
    marks: Sequence[str], places: Sequence[Place], layers: Sequence[list[tuple[Cover, float]]], shape: tuple[int, int]
) -> bool:
    """Whether one bubble's mark goes into another, so that nobody could say which was meant."""
    for mark, place, own in zip(marks, places, layers, strict=True):
        within = inside(shape, place, 0.85)
        others = [cover for drawn in layers if drawn is not own for cover, _ in drawn]
        if not others:
            continue
        covered = float((np.maximum.reduce(others)[within] > 0.3).mean())
        if covered > (_INTRUDES if mark != "nothing" else _TOUCHES):
            return True
    return False


def _grain(pen: BubblePen, shape: tuple[int, int], rng: Generator) -> NDArray[np.float32]:
    if pen.grain < 0.02:
        return np.ones(shape, np.float32)
    small = (max(shape[0] // 2, 2), max(shape[1] // 2, 2))
    fine = cv2.resize(rng.standard_normal(small, np.float32), (shape[1], shape[0]))
    slow = cv2.resize(rng.standard_normal((4, 6), np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(1 + pen.grain * (1.6 * fine + 0.7 * slow), 0.1, 1.5), np.float32)


def _photographed(
    paper: NDArray[np.float32], pen: BubblePen, rng: Generator, *, black_and_white: bool
) -> tuple[Image, NDArray[np.float64], Conditions]:
    """The crop, and the 2 × 3 matrix from canvas to crop pixels."""
    height, width = paper.shape
    blur = float(rng.choice([0.0, rng.uniform(0.02, 0.1), rng.uniform(0.1, 0.24)], p=[0.3, 0.5, 0.2]))
    picture = paper
    if blur > 0:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur * RADIUS_PX), np.float32)
    if rng.random() < 0.06:  # moved while exposing
        length = int(rng.integers(3, 12))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(0, length))), (length - 1, int(rng.integers(0, length))), 1.0)
        picture = np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)
    bubble_px = float(np.exp(rng.uniform(np.log(8), np.log(60))))
    scale = bubble_px / (2 * RADIUS_PX)
    size = (max(round(width * scale), 8), max(round(height * scale), 8))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = np.asarray(cv2.resize(picture, size, interpolation=how), np.float32)
    to_shot = np.array([[size[0] / width, 0.0], [0.0, size[1] / height]])
    light, name = _light((size[1], size[0]), rng)
    veil = rng.uniform(0.0, 0.22)
    shot = light * (veil + (1 - veil) * picture)
    if rng.random() < 0.25:  # a phone sharpens
        soft = cv2.GaussianBlur(shot, (0, 0), 1.2)
        shot = shot + rng.uniform(0.2, 1.2) * (shot - soft)
    shot = shot + np.asarray(rng.normal(0, rng.uniform(0.5, 6.0), shot.shape), np.float32)
    grey = np.clip(shot, 0, 255).astype(np.uint8)
    if black_and_white:  # a scanner's or a copier's
        level = float(np.median(grey)) * rng.uniform(0.6, 0.85)
        grey = np.where(grey > level, np.uint8(250), np.uint8(8))
        name = "black and white"
    elif rng.random() < 0.6:
        quality = int(rng.integers(35, 96))
        coded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        grey = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    crop, to_crop = _cut(grey, bubble_px, rng)
    matrix = np.concatenate([to_crop[:, :2] @ to_shot, to_crop[:, 2:]], 1)
    return crop, matrix, Conditions(pen.kind, bubble_px, blur, name)


def _light(shape: tuple[int, int], rng: Generator) -> tuple[NDArray[np.float32], str]:
    """Paper under uneven light: a slope, and now and then the edge of a shadow."""
    paper = rng.uniform(80, 248)
    x = np.linspace(-0.5, 0.5, shape[1], dtype=np.float32)[None]
    y = np.linspace(-0.5, 0.5, shape[0], dtype=np.float32)[:, None]
    light = 1 + x * rng.normal(0, 0.12) + y * rng.normal(0, 0.12)
    name = "dim" if paper < 130 else "bright"
    if rng.random() < 0.15:
        angle, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
        side = (np.cos(angle) * x + np.sin(angle) * y - at) / rng.uniform(0.08, 0.4)
        light = light * (1 - rng.uniform(0.1, 0.45) / (1 + np.exp(-side * 4)))
        name = "shadow"
    return np.asarray(np.clip(paper * light, 15, 255), np.float32), name


def _cut(grey: Image, bubble_px: float, rng: Generator) -> tuple[Image, NDArray[np.float64]]:
    """The crop at the box's own scale, turned by what registration leaves; bubbles 10 to 30 px wide."""
    height, width = grey.shape
    zoom = rng.uniform(10, 30) / bubble_px
    turn = np.deg2rad(rng.normal(0, 0.8))
    c, s = np.cos(turn) * zoom, np.sin(turn) * zoom
    size = (max(round(width * zoom), 8), max(round(height * zoom), 8))
    shift = np.array(size) / 2 - np.array([[c, -s], [s, c]]) @ (np.array([width, height]) / 2) + rng.normal(0, 0.3, 2)
    matrix = np.array([[c, -s, shift[0]], [s, c, shift[1]]])
    crop = cv2.warpAffine(grey, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), matrix


def _box(place: Place, matrix: NDArray[np.float64], rng: Generator) -> BoxPx:
    """Where the box believes the outline to be: whole pixels, off by a little."""
    at = matrix[:, :2] @ (place.x, place.y) + matrix[:, 2]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    grow = float(np.exp(rng.normal(0, 0.03)))
    a, b = place.a * scale * grow, place.b * scale * grow
    x, y = at + rng.normal(0, 0.05, 2) * place.radius * scale
    return (float(round(x - a)), float(round(y - b)), float(max(round(2 * a), 1)), float(max(round(2 * b), 1)))
