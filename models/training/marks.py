"""Single marks in a box, with what each kind of field should say of them.

One picture teaches every head at once: an 8 is 8 to `digit` and none of these to the others; where a mark could
honestly be taken for either (O for 0, V for √), that head is not taught by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training import pens
from models.training.answers import cross_out
from models.training.hands import Glyph, Hand
from models.training.paper import photograph

HEADS: dict[str, tuple[str, ...]] = {
    "digit": (*"0123456789", ""),
    "letter": (*"ABCDEFGHT", ""),
    "judge": ("√", "×", ""),
    "compare": (">", "<", "=", ""),
}
SKIP = -1

_UNFAIR: dict[str, str] = {
    "digit": "OoIilSsZzBbDGgqQ|/yJjTt!)(UuY\\√L]",
    "letter": "abcdefght860(KJ7+I",
    "judge": "VvrRyYxX*/+√×Tt%k41",
    "compare": "cCLlZzvV()2~",
}
"""Marks that would be unfair to call none of these, by head (a mark with its own answer there keeps it)."""

_ALIKE = {"X": "×", "x": "×"}


@dataclass(frozen=True)
class Mark:
    """A crop, and the right output index of every head (`SKIP` where there is no right one)."""

    crop: NDArray[np.uint8]
    targets: tuple[int, ...]


def a_symbol(rng: Generator) -> str:
    """What to draw: a symbol, or a made-up mark: tick, cross, half-tick, scribble, cancelled, pair, stain and such."""
    group = rng.choice(
        ["digit", "letter", "tick", "cross", "compare", "made", "upper", "lower", "sign"],
        p=[0.30, 0.22, 0.06, 0.06, 0.10, 0.14, 0.04, 0.05, 0.03],
    )
    choices: dict[str, list[str]] = {
        "digit": list("0123456789"),
        "letter": [*(f"letter {one}" for one in "ABCDFT"), *"ABCDABCDABCDEFGHEFGHT"],
        "tick": ["tick"],
        "cross": ["cross", "X", "x"],
        "compare": list("><="),
        "made": [
            "half-tick",
            "scribble",
            "cancelled",
            "cancelled",
            "pair",
            "pair",
            "character",
            "character",
            "loop",
            "stain",
        ],
        "upper": list("IJKLMNOPQRSUVWYZ"),
        "lower": list("abcdefghijklmnopqrstuvwyz"),
        "sign": list("+-/%.,:;!?()*#&@$"),
    }
    return str(rng.choice(choices[str(group)]))


def targets_of(symbol: str) -> tuple[int, ...]:
    """What each head should say of a symbol."""
    plain = symbol.removeprefix("letter ")
    plain = {"tick": "√", "cross": "×"}.get(plain, _ALIKE.get(plain, plain))
    targets = []
    for head, symbols in HEADS.items():
        if plain in symbols:
            targets.append(symbols.index(plain))
        elif (
            plain in _UNFAIR[head]
            or (symbol.startswith("letter ") and head in ("digit", "compare"))
            or (symbol == "loop" and head in ("digit", "letter"))
        ):
            targets.append(SKIP)
        else:
            targets.append(symbols.index(""))
    return tuple(targets)


def draw_mark(symbol: str, hands: list[Hand], rng: Generator) -> Mark | None:
    """A crop of the mark in a writer's hand; None when none of `hands` has it."""
    height = float(rng.uniform(24, 72))
    manner = pens.a_manner(rng, height)
    none = tuple(len(symbols) - 1 for symbols in HEADS.values())
    if symbol == "cancelled":
        under = _glyph(str(rng.choice(list("0123456789ABCD><="))), hands, rng)
        if under is None:
            return None
        over = pens.strike(rng) if rng.random() < 0.3 else pens.scribble(rng)
        ink = cross_out(pens.draw(under, height, manner, rng), over, manner, rng)
        return Mark(_into_box(ink, rng), none)
    if symbol == "stain":
        return Mark(_into_box(pens.stain(rng, height), rng), none)
    if symbol == "pair":
        kind = str(rng.choice(["0123456789", "ABCDEFGHT", "><="]))
        pair = [_glyph(str(rng.choice(list(kind))), hands, rng) for _ in range(2)]
        if pair[0] is None or pair[1] is None:
            return None
        first, second = (pens.draw(glyph, height, manner, rng) for glyph in pair if glyph is not None)
        gap = int(height * rng.uniform(0.05, 0.5))
        ink = np.zeros((max(len(first), len(second)), first.shape[1] + gap + second.shape[1]), np.float32)
        ink[: len(first), : first.shape[1]] = first
        ink[-len(second) :, first.shape[1] + gap :] = second
        return Mark(_into_box(ink, rng), none)
    glyph = _glyph(symbol, hands, rng)
    if glyph is None:
        return None
    small = 0.25 if symbol in (".", ",", "-") else 0.6 if symbol == "=" else 1.0
    ink = pens.draw(glyph, height * small, manner, rng, by_width=symbol in ("-", "="))
    return Mark(_into_box(ink, rng), targets_of(symbol))


def _glyph(symbol: str, hands: list[Hand], rng: Generator) -> Glyph | None:
    made = {
        "tick": pens.tick,
        "cross": pens.cross,
        "half-tick": pens.half_tick,
        "scribble": pens.scribble,
        "character": pens.character,
        "loop": pens.loop,
    }
    if symbol in made:
        return made[symbol](rng)
    for _ in range(30):
        choice = hands[int(rng.integers(len(hands)))].glyphs.get(symbol)
        if choice:
            return choice[int(rng.integers(len(choice)))]
    holders = [hand for hand in hands if hand.glyphs.get(symbol)]
    if not holders:
        return None
    choice = holders[int(rng.integers(len(holders)))].glyphs[symbol]
    return choice[int(rng.integers(len(choice)))]


def _into_box(ink: pens.Ink, rng: Generator) -> NDArray[np.uint8]:
    """Lay the mark somewhere into a box (a cell, a frame, a circle's square) and photograph it."""
    margin = int(rng.integers(6, 12))
    height, width = ink.shape
    box_h = int(max(height * rng.uniform(1.0, 1.2) + 2, rng.uniform(50, 95)))
    box_w = int(max(width * rng.uniform(1.0, 1.2) + 2, rng.uniform(45, 130)))
    canvas = np.zeros((box_h + 2 * margin, box_w + 2 * margin), np.float32)
    y = margin + int(rng.integers(0, box_h - height + 1))
    x = margin + int(rng.integers(0, box_w - width + 1))
    canvas[y : y + height, x : x + width] = ink
    return photograph(canvas, rng, margin_px=margin)
