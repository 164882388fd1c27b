"""The letters and digits that cards print inside their bubbles: taken out of those that hold nothing else.

Nobody hands in the empty card. But a card has many bubbles with the same letter, and most of them are empty: what
stands at the same pixels in two of three of them is print. A bubble that is nowhere darker than that becomes one
without a letter. Of any other the print is divided out where it lies, as light that the ink there had less of: what
is darker than print stays, and so does a grey that a rubber left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import FieldCrop, Image, RegisteredPage
from edge.reading.ink import disc

LEAST_ALIKE = 4
"""So many bubbles of a label are needed to tell its print from ink."""

PRINTED = 0.65
INSIDE = 0.78
"""The part of a bubble's radius in which its label stands: its outline is left, by it the bubble is read."""

DARKER, MOST_DARKER = 0.1, 0.03
"""Pixels so much darker than the print, of the paper, may be ink; up to such a share of them is noise."""

SHIFTS_PX = np.arange(-2.0, 2.1, 0.5)
"""How far off a label's print may lie in a bubble, across and down."""

PALEST_PRINT = 0.35
"""Print is never taken to be darker than this: dividing by less would call anything paper."""

HIDDEN = 0.65
"""An outline with less than this share of the darker ones' darkness is drowned in light, and a pencil's with it."""

MORE_IN_ALL = 0.05
"""So much darker in the mean than print is no print, even where nothing is darker than it: a pale filling."""

MUCH_MORE, SOME_MORE = 1.7, 0.05
"""A label whose print is so much darker than the others' may be one that was marked nearly everywhere."""

Patches = NDArray[np.float32]
Print = NDArray[np.float32]


def without_labels(page: RegisteredPage, crops: Sequence[FieldCrop]) -> list[FieldCrop]:
    """The crops of an imported card without what is printed inside empty bubbles; those of other pages, themselves."""
    if page.layout is None or page.layout.register not in ("page-edge", "marker-image"):
        return list(crops)
    places = _by_label(crops)
    seen = {key: _look_at(crops, at, key[1]) for key, at in places.items()}
    usual = float(np.median([look.darkness for look in seen.values()])) if seen else 0.0
    images = [crop.image.copy() for crop in crops]
    hidden = _hidden(places, seen)
    for key, at in places.items():
        look = seen[key]
        if look.darkness > MUCH_MORE * usual + SOME_MORE:
            continue
        for (index, x, y), only_print, paper in zip(at, look.only_print, look.papers, strict=True):
            if only_print:
                _whiten(images[index], look.inside, round(x), round(y), paper)
            elif look.print_ is not None:
                _divide(images[index], look.inside, look.print_, (round(x), round(y)), paper)
    return [
        replace(crop, image=image, glare=crop.glare or n in hidden)
        for n, (crop, image) in enumerate(zip(crops, images, strict=True))
    ]


_Key = tuple[str, tuple[int, int]]
_Places = list[tuple[int, float, float]]


def _by_label(crops: Sequence[FieldCrop]) -> dict[_Key, _Places]:
    """Where the bubbles of each label and size are: which crop, and their middles in its pixels."""
    places: dict[_Key, _Places] = defaultdict(list)
    for index, crop in enumerate(crops):
        left, top, _, _ = crop.region_mm
        for bubble in crop.field.bubbles:
            x, y, width, height = bubble.box_mm
            size = (round(width * crop.px_per_mm), round(height * crop.px_per_mm))
            at_x = (x + width / 2 - left) * crop.px_per_mm - 0.5
            at_y = (y + height / 2 - top) * crop.px_per_mm - 0.5
            places[bubble.label, size].append((index, at_x, at_y))
    return places


@dataclass(frozen=True)
class _Look:
    """The bubbles of one label: how dark their print is, and which of them show nothing else."""

    darkness: float
    only_print: NDArray[np.bool_]
    papers: NDArray[np.float32]
    outlines: NDArray[np.float32]
    """How dark their outlines are, as a share of the paper's light."""
    inside: NDArray[np.bool_]
    print_: Print | None
    """Their print as a share of the paper's light, in each place where it may lie; None where too few show it."""


def _hidden(places: dict[_Key, _Places], seen: dict[_Key, _Look]) -> set[int]:
    """The crops of which light hides a part: a bubble's outline there is much paler than the card's usually are."""
    if not seen:
        return set()
    outlines = np.concatenate([look.outlines for look in seen.values()])
    crops = np.array([index for at in places.values() for index, _, _ in at])
    return {int(n) for n in crops[outlines < HIDDEN * np.percentile(outlines, 75)]}


def _look_at(crops: Sequence[FieldCrop], at: _Places, size: tuple[int, int]) -> _Look:
    width, height = (side | 1 for side in size)
    inside = _inside(width, height)
    cut = [cv2.getRectSubPix(crops[index].image, (width, height), (x, y)) for index, x, y in at]
    patches: Patches = np.stack(cut).astype(np.float32)
    papers = np.maximum(_ranked(patches.reshape(len(at), -1), 0.9, axis=1), 1).astype(np.float32)
    patches = patches / papers[:, None, None]
    outlines = 1 - _ranked(patches[:, _inside(width, height, 1.0) & ~inside], 0.3, axis=1)
    if len(at) < LEAST_ALIKE:
        return _Look(0.0, np.zeros(len(at), bool), papers, outlines, inside, None)
    usual = _ranked(patches, PRINTED, axis=0)
    # The label lies a little off from bubble to bubble: it may be as dark as the print is just beside.
    inner = patches[:, inside]
    moved = _moved(usual, SHIFTS_PX[np.abs(SHIFTS_PX) <= 1])
    within = moved[:, inside]
    best = [np.maximum(one - within, 0).sum(axis=1).argmin() for one in inner]
    dark = np.stack([cv2.erode(one, np.ones((3, 3), np.uint8))[inside] for one in moved])[best]
    ink = (dark - inner) > DARKER
    print_mean = float((1 - usual)[inside].mean())
    more = (1 - inner).mean(axis=1) - print_mean
    only_print = (ink.mean(axis=1) <= MOST_DARKER) & (more <= MORE_IN_ALL)
    alone = patches[only_print]
    sharp = (
        _moved(_ranked(alone, 0.5, axis=0), SHIFTS_PX) if len(alone) >= LEAST_ALIKE and not only_print.all() else None
    )
    return _Look(print_mean, only_print, papers, outlines, inside, sharp)


@lru_cache(maxsize=64)
def _inside(width: int, height: int, part: float = INSIDE) -> NDArray[np.bool_]:
    return disc((height, width), (0, 0, width, height), part, 0.0)


def _ranked(values: Patches, share: float, axis: int) -> Print:
    """The value that such a share of the others does not exceed."""
    rank = round(share * (values.shape[axis] - 1))
    return np.asarray(np.partition(values, rank, axis=axis).take(rank, axis=axis), np.float32)


def _moved(print_: Print, shifts: NDArray[np.float64]) -> Print:
    """The print in every place in which it may lie in a bubble: (places, height, width)."""
    height, width = print_.shape
    middle = ((width - 1) / 2, (height - 1) / 2)
    moved = [
        cv2.getRectSubPix(print_, (width, height), (middle[0] - across, middle[1] - down))
        for across in shifts
        for down in shifts
    ]
    return np.asarray(np.stack(moved), np.float32)


def _whiten(image: Image, inside: NDArray[np.bool_], x: int, y: int, paper: float) -> None:
    """Make the inside of a bubble paper; what leaves the crop is cut off."""
    height, width = inside.shape
    left, top = x - width // 2, y - height // 2
    x0, y0 = max(left, 0), max(top, 0)
    part = image[y0 : top + height, x0 : left + width]
    here = inside[y0 - top : y0 - top + part.shape[0], x0 - left : x0 - left + part.shape[1]]
    part[here] = np.uint8(min(paper, 255))


def _divide(image: Image, inside: NDArray[np.bool_], print_: Print, at: tuple[int, int], paper: float) -> None:
    """Take the print out of a bubble that holds more than that, where it fits best: ink can only make it darker."""
    height, width = inside.shape
    left, top = at[0] - width // 2, at[1] - height // 2
    if left < 0 or top < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        return
    part = image[top : top + height, left : left + width]
    seen = part[inside] / np.float32(paper)
    moved = print_[:, inside]
    best = moved[np.maximum(seen - moved, 0).sum(axis=1).argmin()]
    clean = np.minimum(seen / np.clip(best, PALEST_PRINT, 1.0), 1.0) * paper
    part[inside] = np.maximum(part[inside], clean.astype(np.uint8))
