"""Whole answers in one writer's hand: numbers as pupils write them into a box, and lines that are no number.

Symbols of a line: the digits, `.`, `-`, `/`, `%`, `……` (one symbol), a space (mixed numbers), the letters of Latin
units, and `""` for a mark that belongs to no number (crossed out, written over another, a letter, a scribble).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models import preprocess as find
from models.training import pens
from models.training.hands import Glyph, Hand
from models.training.paper import photograph
from models.training.pens import Ink, Manner

LINE_SYMBOLS = (*"0123456789", ".", "-", "/", "%", "……", " ", *"cdghikmnstL²³", "")
DIGITS = "0123456789"
_NEAR_PX = 3
_OVER_THE_FRAME = 0.08
STRANGERS = "ABDEFGHJPQRUVWXYZabefpruvwxyz+=*()?!&#@$"
"""What a number never holds and no digit or unit looks like (O, I, S, o, l, q, M, N … are left out)."""

UNITS = (
    "cm",
    "m",
    "dm",
    "mm",
    "km",
    "kg",
    "g",
    "t",
    "mL",
    "L",
    "cm²",
    "m²",
    "dm²",
    "km²",
    "cm³",
    "m³",
    "min",
    "h",
    "s",
)


@dataclass(frozen=True)
class Written:
    """A crop and the symbols that stand in it, in order (indices into `LINE_SYMBOLS`).

    `points` is where its decimal points are, as parts (x, y) of the crop's width and height.
    """

    crop: NDArray[np.uint8]
    symbols: tuple[int, ...]
    points: tuple[tuple[float, float], ...] = ()

    @property
    def text(self) -> str:
        """The canonical text; a stranger shows as ?."""
        return "".join(LINE_SYMBOLS[i] or "?" for i in self.symbols)


def an_answer(rng: Generator) -> list[str]:
    """What to write: symbols of a plausible answer (a lone `?` stands for a stranger)."""
    form = rng.choice(
        ["integer", "decimal", "negative", "percent", "fraction", "remainder", "mixed", "unit", "strange"],
        p=[0.55, 0.17, 0.05, 0.04, 0.03, 0.05, 0.015, 0.045, 0.05],
    )
    if form == "integer":
        return _digits(rng, rng.choice([1, 2, 3, 4, 5, 6], p=[0.2, 0.32, 0.24, 0.12, 0.07, 0.05]))
    if form == "decimal":
        whole = _digits(rng, rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
        return [*whole, ".", *_digits(rng, rng.choice([1, 2, 3], p=[0.5, 0.4, 0.1]))]
    if form == "negative":
        rest = _digits(rng, rng.choice([1, 2, 3]))
        return ["-", *rest, *([".", *_digits(rng, 1)] if rng.random() < 0.2 else [])]
    if form == "percent":
        return [*_digits(rng, rng.choice([1, 2, 3])), *([".", *_digits(rng, 1)] if rng.random() < 0.2 else []), "%"]
    if form == "fraction":
        sign = ["-"] if rng.random() < 0.06 else []
        return [*sign, *_digits(rng, rng.choice([1, 2], p=[0.7, 0.3])), "/", *_digits(rng, rng.choice([1, 2, 3]))]
    if form == "remainder":
        return [*_digits(rng, rng.choice([1, 2, 3])), "……", *_digits(rng, rng.choice([1, 2], p=[0.75, 0.25]))]
    if form == "mixed":
        return [*_digits(rng, rng.choice([1, 2])), " ", *_digits(rng, 1), "/", *_digits(rng, rng.choice([1, 2]))]
    if form == "unit":
        point = [".", *_digits(rng, 1)] if rng.random() < 0.2 else []
        return [*_digits(rng, rng.choice([1, 2, 3])), *point, *str(rng.choice(UNITS))]
    return [c if rng.random() < 0.45 else "?" for c in _digits(rng, rng.choice([1, 2, 3, 4]))]


def write_answer(symbols: list[str], hand: Hand, signs: Hand, rng: Generator) -> Written | None:
    """A crop of the answer: digits in `hand`, signs from the same hand or else from `signs`.

    None when the hand lacks a symbol (that hand is not asked again for it).
    """
    height_px = float(rng.uniform(25, 74))
    manner = pens.a_manner(rng, height_px)
    slope = rng.normal(0, 0.035)
    spread = rng.normal(0.11, 0.10)
    # Boxes of slanted signs overlap where the signs themselves do not.
    lean = abs(manner.slant) * rng.uniform(0.3, 0.9)
    placed: list[tuple[Ink, float, float]] = []
    labels: list[int] = []
    x = 0.0
    for position, symbol in enumerate(symbols):
        if symbol == " ":
            x += height_px * rng.uniform(0.5, 1.1)
            labels.append(LINE_SYMBOLS.index(" "))
            continue
        named = "l" if symbol == "L" and symbols[position - 1] == "m" and rng.random() < 0.5 else symbol
        drawn = _draw_symbol(named, hand, signs, height_px, manner, rng=rng)
        if drawn is None:
            return None
        ink, above = drawn
        gap = height_px * (max(spread + rng.normal(0, 0.06), -0.07) - lean) if position else 0.0
        if symbol in ("……", ".") or (position and symbols[position - 1] in ("……", ".")):
            close = 0.03 if rng.random() < 0.5 else 0.08
            gap = height_px * abs(rng.normal(close, close)) + rng.integers(0, 3)
        x += gap
        y = -above + slope * x + rng.normal(0, 0.035) * height_px * manner.jitter
        placed.append((ink, x, y))
        labels.append(LINE_SYMBOLS.index("" if symbol == "?" else symbol))
        x += ink.shape[1]
    crop, centres = _into_box(placed, rng)
    inked = [symbol for symbol in symbols if symbol != " "]
    points = tuple(at for symbol, at in zip(inked, centres, strict=True) if symbol == ".")
    return Written(crop, tuple(labels), points)


def all_points_show(written: Written, ink: find.Ink) -> bool:
    """Whether every decimal point is among the ink that was found: one that is too faint for that teaches guessing."""
    height, width = written.crop.shape
    left, top, _, _ = ink.box_px
    for x, y in written.points:
        at_x, at_y = round(x * width) - left, round(y * height) - top
        around = ink.image[max(at_y - _NEAR_PX, 0) : at_y + _NEAR_PX + 1, max(at_x - _NEAR_PX, 0) : at_x + _NEAR_PX + 1]
        if not around.size or around.max() < 90:
            return False
    return True


def _draw_symbol(
    symbol: str,
    hand: Hand,
    signs: Hand,
    height: float,
    manner: Manner,
    *,
    rng: Generator,
) -> tuple[Ink, float] | None:
    """The ink of a symbol, and how far its top stands above the baseline."""
    if symbol == "……":
        row = pens.dots(rng, int(rng.choice([3, 4, 5, 6, 6, 6])))
        ink = pens.draw(row, height * rng.uniform(0.7, 1.7), manner, rng, by_width=True)
        return ink, height * rng.uniform(0.1, 0.6) + ink.shape[0] / 2
    if symbol == "?":
        ink = _stranger(hand, signs, height, manner, rng)
        return ink, float(ink.shape[0])
    glyph = _pick({"²": "2", "³": "3"}.get(symbol, symbol), hand, signs, rng)
    if glyph is None:
        return None
    if symbol in "²³":
        ink = pens.draw(glyph, height * rng.uniform(0.35, 0.55), manner, rng)
        return ink, height * rng.uniform(0.95, 1.25)
    if symbol in _LETTERS:
        return _letter(symbol, glyph, height, manner, rng)
    if symbol == ".":
        return _point(glyph, height, manner, rng)
    if symbol == "-":
        ink = pens.draw(glyph, height * rng.uniform(0.3, 0.85), manner, rng, by_width=True)
        return ink, height * rng.uniform(0.35, 0.65) + ink.shape[0] / 2
    tall = {"/": rng.uniform(1.0, 1.5), "%": rng.uniform(0.75, 1.15)}.get(symbol, 1.0)
    ink = pens.draw(glyph, height * tall, manner, rng)
    return ink, ink.shape[0] - height * (tall - 1) * 0.5


_LETTERS = {**dict.fromkeys("cmns", 0.66), "i": 0.85, "t": 0.9, **dict.fromkeys("dhklL", 1.05), "g": 1.0}
"""How tall the letters of units are against a digit."""


def _letter(symbol: str, glyph: Glyph, height: float, manner: Manner, rng: Generator) -> tuple[Ink, float]:
    ink = pens.draw(glyph, height * _LETTERS[symbol] * rng.uniform(0.8, 1.15), manner, rng)
    return ink, ink.shape[0] * (0.6 if symbol == "g" else 1.0)


def _point(glyph: Glyph, height: float, manner: Manner, rng: Generator) -> tuple[Ink, float]:
    """A decimal point: a touch of the pen, a small blob, a short stroke; on the baseline or a little off it."""
    if rng.random() < 0.5:
        ink = pens.draw(glyph, max(manner.pen_px, 3.0) + height * rng.uniform(0.02, 0.12), manner, rng)
    else:
        side = max(manner.pen_px * rng.uniform(0.95, 1.6), 3.5)
        n = int(np.ceil(side)) + 2
        ink = np.zeros((n, n), np.float32)
        cv2.circle(ink, (n // 2, n // 2), max(int(side / 2), 1), 1.0, -1, cv2.LINE_AA)
    return ink, ink.shape[0] * rng.uniform(0.4, 1.0) + height * abs(rng.normal(0, 0.05))


def _stranger(hand: Hand, signs: Hand, height: float, manner: Manner, rng: Generator) -> Ink:
    """Something that belongs to no number: a crossed-out digit, a scribble, a letter, a tick."""
    what = rng.random()
    if what < 0.08:
        return _stacked(hand, signs, height, manner, rng)
    if what < 0.24:
        both = _overwritten(hand, signs, height, manner, rng)
        if both is not None:
            return both
    if what < 0.30:
        return pens.draw(pens.character(rng), height * rng.uniform(0.8, 1.2), manner, rng)
    if what < 0.33:
        return pens.stain(rng, height * rng.uniform(0.5, 1.2))
    if what < 0.53:
        digit = _pick(str(rng.integers(10)), hand, signs, rng)
        over = pens.strike(rng) if rng.random() < 0.45 else pens.scribble(rng)
        under = pens.draw(digit, height, manner, rng) if digit is not None else np.zeros((8, 8), np.float32)
        return cross_out(under, over, manner, rng)
    if what < 0.68:
        mark = pens.scribble(rng) if rng.random() < 0.6 else pens.tick(rng)
        return pens.draw(mark, height * rng.uniform(0.6, 1.2), manner, rng)
    for _ in range(8):
        letter = _pick(str(rng.choice(list(STRANGERS))), signs, signs, rng)
        if letter is not None:
            return pens.draw(letter, height * rng.uniform(0.7, 1.1), manner, rng)
    return pens.draw(pens.scribble(rng), height, manner, rng)


def _stacked(hand: Hand, signs: Hand, height: float, manner: Manner, rng: Generator) -> Ink:
    """A digit over a bar over a digit: the reader takes those apart beforehand; here they are no number."""
    parts = []
    for _ in range(2):
        digit = _pick(str(rng.integers(10)), hand, signs, rng)
        parts.append(pens.draw(digit or pens.scribble(rng), height * rng.uniform(0.4, 0.6), manner, rng))
    bar = pens.draw(pens.bar(rng), height * rng.uniform(0.4, 0.8), manner, rng, by_width=True)
    gap = int(height * rng.uniform(0.03, 0.15))
    column = [parts[0], bar, parts[1]]
    width = max(ink.shape[1] for ink in column)
    whole = np.zeros((sum(len(ink) for ink in column) + 2 * gap, width), np.float32)
    y = 0
    for ink in column:
        x = (width - ink.shape[1]) // 2
        whole[y : y + len(ink), x : x + ink.shape[1]] = ink
        y += len(ink) + gap
    return whole


def _overwritten(hand: Hand, signs: Hand, height: float, manner: Manner, rng: Generator) -> Ink | None:
    """One digit written over another, so that a good part of both shows; None when chance brought no such pair."""
    pair = [_pick(str(digit), hand, signs, rng) for digit in rng.choice(10, 2, replace=False)]
    if pair[0] is None or pair[1] is None:
        return None
    first, second = (pens.draw(glyph, height, manner, rng) for glyph in pair if glyph is not None)
    h, w = max(len(first), len(second)), max(first.shape[1], second.shape[1])
    under, over = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    x, y = (w - first.shape[1]) // 2, (h - len(first)) // 2
    under[y : y + len(first), x : x + first.shape[1]] = first * rng.uniform(0.55, 1.0)
    x, y = (w - second.shape[1]) // 2, (h - len(second)) // 2
    over[y : y + len(second), x : x + second.shape[1]] = second
    reach = np.ones((round(0.12 * height) | 1,) * 2, np.uint8)
    for one, other in ((under, over), (over, under)):
        alone = (one > 0.4) & (cv2.dilate(other, reach) < 0.4)
        if np.count_nonzero(alone) < 0.3 * np.count_nonzero(one > 0.4):
            return None
    return np.maximum(under, over)


def cross_out(under: Ink, over: Glyph, manner: Manner, rng: Generator) -> Ink:
    """`under` with `over` drawn across it, somewhat larger than it."""
    height, width = under.shape
    top = pens.draw(over, max(height * rng.uniform(0.7, 1.15), 6), manner, rng)
    size = (max(int(width * rng.uniform(0.95, 1.4)), 4), max(top.shape[0], 4))
    top = np.asarray(cv2.resize(top, size), np.float32)
    h, w = max(height, top.shape[0]), max(width, top.shape[1])
    both = np.zeros((h, w), np.float32)
    for ink in (under, top):
        y, x = (h - ink.shape[0]) // 2, (w - ink.shape[1]) // 2
        place = both[y : y + ink.shape[0], x : x + ink.shape[1]]
        np.maximum(place, ink, out=place)
    return both


def _pick(symbol: str, hand: Hand, signs: Hand, rng: Generator) -> Glyph | None:
    for source in (hand, signs):
        choice = source.glyphs.get(symbol)
        if choice:
            return choice[int(rng.integers(len(choice)))]
    return None


def _into_box(
    placed: list[tuple[Ink, float, float]], rng: Generator
) -> tuple[NDArray[np.uint8], list[tuple[float, float]]]:
    """Lay the drawn symbols somewhere into a box with a margin round it, and photograph it.

    Also where the symbols' centres are, as parts of the crop's width and height.
    """
    x0 = min(x for _, x, _ in placed)
    y0 = min(y for _, _, y in placed)
    x1 = max(x + ink.shape[1] for ink, x, _ in placed)
    y1 = max(y + ink.shape[0] for ink, _, y in placed)
    need_w, need_h = int(np.ceil(x1 - x0)) + 2, int(np.ceil(y1 - y0)) + 2
    margin = int(rng.integers(6, 12))
    box_w = int(need_w * rng.uniform(1.0, 1.5) + rng.uniform(2, 130))
    box_h = int(max(need_h * rng.uniform(1.0, 1.25) + 2, rng.uniform(60, 100)))
    canvas = np.zeros((box_h + 2 * margin, box_w + 2 * margin), np.float32)
    left = margin + int(rng.integers(0, box_w - need_w + 1)) - x0
    top = margin + int(rng.integers(0, box_h - need_h + 1)) - y0
    if rng.random() < _OVER_THE_FRAME:
        over = int(rng.integers(0, margin))
        side = rng.integers(3)
        left = canvas.shape[1] - need_w - over - x0 if side == 0 else left
        top = over - y0 if side == 1 else canvas.shape[0] - need_h - over - y0 if side == 2 else top
    centres = []
    for ink, x, y in placed:
        ix, iy = round(x + left), round(y + top)
        centres.append(((ix + ink.shape[1] / 2) / canvas.shape[1], (iy + ink.shape[0] / 2) / canvas.shape[0]))
        place = canvas[iy : iy + ink.shape[0], ix : ix + ink.shape[1]]
        np.maximum(place, ink[: place.shape[0], : place.shape[1]], out=place)
    if rng.random() < 0.6:
        _take_frame_out(canvas, margin, rng)
    return photograph(canvas, rng, margin_px=margin), centres


def _take_frame_out(canvas: Ink, margin: int, rng: Generator) -> None:
    """What painting a printed frame over does to strokes on it, in place: those across it stay, those along it go."""
    thick = int(rng.integers(1, 4))
    for rows in (canvas, canvas[::-1], canvas.T, canvas.T[::-1]):
        at = margin - thick + int(rng.integers(-1, 2))
        rows[at : at + thick] = np.minimum(rows[at - 1], rows[at + thick])


def _digits(rng: Generator, n: int) -> list[str]:
    return [str(d) for d in rng.integers(0, 10, int(n))]
