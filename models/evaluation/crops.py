"""A file of crops that a recogniser was asked to read, each with what truly stands in it and how it came about.

Written by `benchmarks.hands`, read here and by whoever calibrates: one page's fields are cut by the box's own
pipeline, so that the crops hold what composites do not (remnants of frames, shifts, the lens, the neighbour's ink).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from homework.errors import BadFileError
from models.preprocess import Image


@dataclass(frozen=True)
class PageCrop:
    """One crop. `text` is what stands in it, `key` what the assignment expects there ("" where nobody knows).

    `kind` is the recogniser's; `form` says what was written (`integer`, `decimal`, `stacked`, `part` of a stacked
    fraction, `seat`, …). `source` and `writer` are of the hand that wrote most of it (`synthetic`: of nobody).
    `digits` counts the digits of `text`. The photograph: `megapixels` of the whole sensor, `blur_px` beyond the
    lens's own, `light` (1: a bright desk), `jpeg` the quality, 0 for none. `page` counts from 1.
    `over_mm`: how far the answer goes beyond its frame.
    """

    crop: Image
    kind: str
    text: str
    key: str
    form: str
    source: str
    writer: int
    pen: str
    digits: int
    megapixels: int
    blur_px: float
    light: float
    jpeg: int
    page: int
    over_mm: float = 0.0


def frame_name(over_mm: float) -> str:
    """Whether an answer keeps to its frame, in words."""
    return "over the frame" if over_mm > 0.1 else "inside the frame"


def photograph_name(megapixels: int, blur_px: float) -> str:
    """How sharp a photograph is, in words."""
    sharp = "sharp" if blur_px == 0 else "a little blurred" if blur_px < 1 else "blurred"
    return f"{megapixels} MP, {sharp}"


_COLUMNS = tuple(field.name for field in fields(PageCrop) if field.name != "crop")

_MAY_LACK = frozenset({"over_mm"})
"""Columns that older files do not have."""


def save_crops(path: Path, crops: Sequence[PageCrop]) -> None:
    """Write an `.npz`: `pixels` (all crops' bytes, one after the other), `shapes` (n, 2) int32, a column a field."""
    columns: dict[str, Any] = {name: np.array([getattr(one, name) for one in crops]) for name in _COLUMNS}
    pixels = np.concatenate([one.crop.ravel() for one in crops]) if crops else np.zeros(0, np.uint8)
    shapes = np.array([one.crop.shape for one in crops], np.int32).reshape(-1, 2)
    with path.open("wb") as file:
        np.savez(file, pixels=pixels, shapes=shapes, **columns)


def load_crops(path: Path) -> list[PageCrop]:
    """The crops of a file that `save_crops` wrote. Raises `BadFileError` when it is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            pixels, shapes = file["pixels"], file["shapes"]
            names = [name for name in _COLUMNS if name in file or name not in _MAY_LACK]
            columns = [file[name].tolist() for name in names]
        ends = np.cumsum(shapes.astype(np.int64).prod(axis=1))
        parts = np.split(pixels, ends)  # the last is empty, unless the pixels and the shapes do not fit
        crops = [part.reshape(shape) for part, shape in zip(parts, [*shapes, (0, 0)], strict=True)][:-1]
        return [
            PageCrop(crop, **dict(zip(names, row, strict=True)))
            for crop, row in zip(crops, zip(*columns, strict=True), strict=True)
        ]
    except (OSError, KeyError, ValueError) as error:
        raise BadFileError(
            "The crops in {file} cannot be read: {detail}.",
            remedy="Write them again with `python -m benchmarks.hands --data DIR --out FILE`.",
            file=path,
            detail=error,
        ) from error
