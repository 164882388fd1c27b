"""Training and development sets: many answers and marks, made in parallel, the same for the same seed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.preprocess import Image, find_ink, glyph_picture, line_picture
from models.training import answers, marks
from models.training.answers import Written
from models.training.hands import Hand
from models.training.marks import Mark

_CHUNK = 500
MOST_SYMBOLS = 12
T = TypeVar("T")


@dataclass(frozen=True)
class LineSet:
    """Lines as a network sees them, by width: `pictures[w]` (n, 32, w) uint8, `symbols[w]` (n, 12) padded with -1."""

    pictures: dict[int, NDArray[np.uint8]]
    symbols: dict[int, NDArray[np.int64]]


@dataclass(frozen=True)
class MarkSet:
    """Marks as the network sees them: `pictures` (n, 32, 32) uint8, `targets` (n, heads)."""

    pictures: NDArray[np.uint8]
    targets: NDArray[np.int64]


def written_answers(hands: list[Hand], n: int, seed: int, *, processes: int = 2) -> list[Written]:
    """`n` crops of answers by these hands; seeded chunk by chunk, so that processes don't matter."""
    return _in_chunks(partial(_some_answers, hands), n, seed, processes)


def drawn_marks(hands: list[Hand], n: int, seed: int, *, processes: int = 2) -> list[Mark]:
    """`n` crops of marks by these hands."""
    return _in_chunks(partial(_some_marks, hands), n, seed, processes)


def line_set(hands: list[Hand], n: int, seed: int, *, processes: int = 2) -> LineSet:
    """What the line network sees of about `n` answers."""
    return _by_width(_in_chunks(partial(_some_lines, hands), n, seed, processes))


def mark_set(hands: list[Hand], n: int, seed: int, *, processes: int = 2) -> MarkSet:
    """What the mark network sees of about `n` marks."""
    seen = _in_chunks(partial(_some_glyphs, hands), n, seed, processes)
    return MarkSet(np.stack([picture for picture, _ in seen]), np.array([targets for _, targets in seen], np.int64))


def _by_width(seen: Sequence[tuple[Image, tuple[int, ...]]]) -> LineSet:
    pictures: dict[int, NDArray[np.uint8]] = {}
    symbols: dict[int, NDArray[np.int64]] = {}
    for width in sorted({picture.shape[1] for picture, _ in seen}):
        some = [(picture, text) for picture, text in seen if picture.shape[1] == width]
        pictures[width] = np.stack([picture for picture, _ in some])
        symbols[width] = np.array([[*text, *[-1] * (MOST_SYMBOLS - len(text))] for _, text in some], np.int64)
    return LineSet(pictures, symbols)


def _some_lines(hands: list[Hand], n: int, rng: Generator) -> list[tuple[Image, tuple[int, ...]]]:
    seen = []
    for one in _some_answers(hands, n, rng):
        ink = find_ink(one.crop)
        if ink is not None and len(one.symbols) <= MOST_SYMBOLS:
            seen.append((line_picture(ink), one.symbols))
    return seen


def _some_glyphs(hands: list[Hand], n: int, rng: Generator) -> list[tuple[Image, tuple[int, ...]]]:
    seen = []
    for one in _some_marks(hands, n, rng):
        ink = find_ink(one.crop)
        if ink is not None:
            seen.append((glyph_picture(ink), one.targets))
    return seen


def _some_answers(hands: list[Hand], n: int, rng: Generator) -> list[Written]:
    writers = [hand for hand in hands if any(d in hand.glyphs for d in answers.DIGITS)]
    signers = [hand for hand in hands if hand.writer.startswith("unipen")]
    made: list[Written] = []
    while len(made) < n:
        # Scanned forms know more writers, pens more symbols and pen widths: half of each.
        pool = signers if rng.random() < 0.5 else writers
        hand, signs = pool[int(rng.integers(len(pool)))], signers[int(rng.integers(len(signers)))]
        one = answers.write_answer(answers.an_answer(rng), hand, signs, rng)
        if one is None:
            continue
        ink = find_ink(one.crop) if one.points else None
        if not one.points or (ink is not None and answers.all_points_show(one, ink)):
            made.append(one)
    return made


def _some_marks(hands: list[Hand], n: int, rng: Generator) -> list[Mark]:
    scanned = [hand for hand in hands if not hand.writer.startswith("unipen")]
    inked = [hand for hand in hands if hand.writer.startswith("unipen")]
    made: list[Mark] = []
    while len(made) < n:
        pool = scanned if scanned and rng.random() < 0.5 else inked
        one = marks.draw_mark(marks.a_symbol(rng), pool, rng) or marks.draw_mark(marks.a_symbol(rng), hands, rng)
        if one is not None:
            made.append(one)
    return made


def _in_chunks(make: Callable[[int, Generator], list[T]], n: int, seed: int, processes: int) -> list[T]:
    jobs = [(min(_CHUNK, n - at), np.random.SeedSequence([seed, at])) for at in range(0, n, _CHUNK)]
    # A parent whose OpenCV has threads cannot be forked: the children wait for them for ever.
    cv2.setNumThreads(1)
    if processes == 1:
        return [one for job in jobs for one in _chunk(make, job)]
    # The children inherit the hands with the process; sent with every job they would cost more than the drawing.
    _inherited[:] = [make]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return [one for some in pool.imap(_inherited_chunk, jobs) for one in some]


_inherited: list[Callable[[int, Generator], list[Any]]] = []


def _inherited_chunk(job: tuple[int, np.random.SeedSequence]) -> list[Any]:
    return _chunk(_inherited[0], job)


def _chunk(make: Callable[[int, Generator], list[T]], job: tuple[int, np.random.SeedSequence]) -> list[T]:
    return make(job[0], np.random.default_rng(job[1]))
