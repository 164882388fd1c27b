"""Real handwriting by writer, split so that no writer is both learned from and measured on.

A *hand* is one person's samples by symbol. Bitmaps come from scanned forms (MNIST, EMNIST), strokes from
digitiser pens (UNIPEN). The data directory's own README says how the files are laid out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from homework.errors import BadFileError
from models.manifest import Source

Split = Literal["train", "calibrate", "check"]

MNIST = "digits_mnist_train.npz"
EMNIST = "letters_emnist_ABCDFT_train.npz"
UNIPEN = ("ink_unipen_digits_upper_symbols_train.npz", "ink_unipen_lower_train.npz")

_WIDE = frozenset("02345678ABCDEFGHXx=<>%")
"""Symbols that nobody writes as narrow as a stroke."""

WRONG_CUTS = Path(__file__).with_name("wrong_cuts.json")
"""Samples of UNIPEN, by file, that do not show what their label says: another sign, or a part of one.

Three networks, each taught by two thirds of the writers, named those of the last third whose label they found least
likely (after Northcutt et al. 2021); of 375 digits, comparison signs and capitals looked at, these were struck out by
eye. What is merely odd stays. 24 of them belong to writers who calibrate and check.
"""

MNIST_SOURCE = Source("MNIST (LeCun, Cortes, Burges; writers from QMNIST)", "CC BY-SA 3.0")
EMNIST_SOURCE = Source("EMNIST Letters (Cohen et al. 2017)", "none stated; derived from NIST SD19, US government work")
UNIPEN_SOURCE = Source("UNIPEN train_r01_v07 (Guyon et al. 1994, doi:10.5281/zenodo.1195803)", "CC BY 4.0")


@dataclass(frozen=True)
class Strokes:
    """Pen strokes: each (N, 2) float32, x right, y down, the longest side of the whole sample 1."""

    lines: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Bitmap:
    """A scanned sample, bright on black, cut tight to its ink."""

    image: NDArray[np.uint8]


Glyph = Strokes | Bitmap


@dataclass(frozen=True)
class Hand:
    """One writer's samples by symbol."""

    writer: str
    glyphs: dict[str, list[Glyph]] = field(default_factory=dict)


def split_of(writer: int) -> Split:
    """Which split a writer belongs to: 70 % learn, 15 % calibrate and set thresholds, 15 % check."""
    part = (writer * 7919 + 13) % 20
    return "calibrate" if part < 3 else "check" if part < 6 else "train"


def load_hands(directory: Path) -> dict[Split, list[Hand]]:
    """All hands of the three collections, by split. EMNIST names no writers: its hands are all for training.

    Raises `BadFileError` when a file is missing or is not what the README says.
    """
    hands: dict[Split, list[Hand]] = {"train": [], "calibrate": [], "check": []}
    try:
        for writer, hand in _mnist(directory / MNIST):
            hands[split_of(writer)].append(hand)
        for writer, hand in _unipen([directory / name for name in UNIPEN]):
            hands[split_of(writer)].append(hand)
        hands["train"].append(_emnist(directory / EMNIST))
    except (OSError, KeyError, ValueError) as error:
        raise BadFileError(
            "The handwriting in {directory} cannot be read: {detail}.",
            remedy="Give the directory that holds the MNIST, EMNIST and UNIPEN files with --data.",
            directory=directory,
            detail=error,
        ) from error
    return hands


def cut_tight(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of a bright-on-black picture that holds ink (above 40 of 255), with one pixel round it."""
    ys, xs = np.nonzero(image > 40)
    if len(ys) == 0:
        return image
    top, left = max(int(ys.min()) - 1, 0), max(int(xs.min()) - 1, 0)
    return image[top : int(ys.max()) + 2, left : int(xs.max()) + 2]


def _mnist(path: Path) -> list[tuple[int, Hand]]:
    with np.load(path, allow_pickle=False) as data:
        images, labels, writers = data["images"], data["labels"], data["writer"]
    by_writer: dict[int, dict[str, list[Glyph]]] = defaultdict(lambda: defaultdict(list))
    for image, label, writer in zip(images, labels, writers, strict=True):
        by_writer[int(writer)][str(int(label))].append(Bitmap(cut_tight(image)))
    return [(writer, Hand(f"mnist-{writer}", dict(glyphs))) for writer, glyphs in sorted(by_writer.items())]


def _emnist(path: Path) -> Hand:
    with np.load(path, allow_pickle=False) as data:
        images, labels = data["images"], data["labels"]
    glyphs: dict[str, list[Glyph]] = defaultdict(list)
    for image, label in zip(images, labels, strict=True):
        glyphs[f"letter {label}"].append(Bitmap(cut_tight(image)))
    return Hand("emnist", dict(glyphs))


def _unipen(paths: list[Path]) -> list[tuple[int, Hand]]:
    by_writer: dict[int, dict[str, list[Glyph]]] = defaultdict(lambda: defaultdict(list))
    wrong = json.loads(WRONG_CUTS.read_text(encoding="utf-8"))
    for path in paths:
        struck = {index for some in wrong.get(path.name, {}).values() for index in some}
        with np.load(path, allow_pickle=False) as data:
            points = data["points"].astype(np.float32) / 1000.0
            stroke_at = np.concatenate([[0], np.cumsum(data["stroke_len"], dtype=np.int64)])
            sample_at = np.concatenate([[0], np.cumsum(data["n_strokes"], dtype=np.int64)])
            labels, writers, sizes = data["label"], data["writer"], data["rel_size"]
        for i, (label, writer) in enumerate(zip(labels, writers, strict=True)):
            if i in struck:
                continue
            # Points as large as letters, and an 8 that is a mere line, are wrong cuts.
            if str(label) == "." and sizes[i] > 0.35:
                continue
            lines = tuple(points[stroke_at[k] : stroke_at[k + 1]] for k in range(sample_at[i], sample_at[i + 1]))
            extent = np.ptp(np.concatenate(lines), axis=0)
            if str(label) in _WIDE and extent[0] < 0.22 * extent[1]:
                continue
            by_writer[int(writer)][str(label)].append(Strokes(lines))
    return [(writer, Hand(f"unipen-{writer}", dict(glyphs))) for writer, glyphs in sorted(by_writer.items())]
