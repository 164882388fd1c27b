"""Training and development sets: many answers and marks, made in parallel, the same for the same seed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.preprocess import find_ink, glyph_picture, line_picture
from models.training import answers, marks
from models.training.answers import Written
from models.training.hands import Hand
from models.training.marks import Mark

_CHUNK = 500
MOST_SYMBOLS = 12
T = TypeVar("T")


@dataclass(frozen=True)
class LineSet:
    """Lines as the network sees them: `pictures` (n, 32, 256) uint8, `symbols` (n, 12) padded with -1."""

    pictures: NDArray[np.uint8]
    symbols: NDArray[np.int64]


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


def line_set(written: list[Written]) -> LineSet:
    """What the line network sees of the crops in which ink is found."""
    pictures, symbols = [], []
    for one in written:
        ink = find_ink(one.crop)
        if ink is None or len(one.symbols) > MOST_SYMBOLS:
            continue
        pictures.append(line_picture(ink))
        symbols.append([*one.symbols, *[-1] * (MOST_SYMBOLS - len(one.symbols))])
    return LineSet(np.stack(pictures), np.array(symbols, np.int64))


def mark_set(drawn: list[Mark]) -> MarkSet:
    """What the mark network sees of the crops in which ink is found."""
    pictures, targets = [], []
    for one in drawn:
        ink = find_ink(one.crop)
        if ink is not None:
            pictures.append(glyph_picture(ink))
            targets.append(one.targets)
    return MarkSet(np.stack(pictures), np.array(targets, np.int64))


def _some_answers(hands: list[Hand], n: int, rng: Generator) -> list[Written]:
    writers = [hand for hand in hands if any(d in hand.glyphs for d in answers.DIGITS)]
    signers = [hand for hand in hands if hand.writer.startswith("unipen")]
    made: list[Written] = []
    while len(made) < n:
        # Scanned forms know more writers, pens more symbols and pen widths: half of each.
        pool = signers if rng.random() < 0.5 else writers
        hand, signs = pool[int(rng.integers(len(pool)))], signers[int(rng.integers(len(signers)))]
        one = answers.write_answer(answers.an_answer(rng), hand, signs, rng)
        if one is not None:
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
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return [one for some in pool.imap(partial(_chunk, make), jobs) for one in some]


def _chunk(make: Callable[[int, Generator], list[T]], job: tuple[int, np.random.SeedSequence]) -> list[T]:
    return make(job[0], np.random.default_rng(job[1]))
