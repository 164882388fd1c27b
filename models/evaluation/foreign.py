"""Collections that may be looked at but not learned from: CROHME symbols, Chinese numerals.

They answer two questions that the writers set aside cannot: does a reader hold up on a collection that it has never
seen, and what does it make of characters that no box asks for?
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.figures import Case, Row, outcomes, row
from models.preprocess import Image
from models.recognisers import KINDS, Kind, Recognisers

CROHME = "symbols_crohme_train.npz"
CHINESE = "chinese_numerals_train.npz"
_SIGNS: dict[Kind, str] = {"digit": "0123456789", "number": "0123456789", "compare": "><=", "letter": "ABCDEFGH"}


def foreign_rows(recognisers: Recognisers, data: Path) -> list[Row]:
    """Rows on what of the two collections lies in `data`; none where they are missing."""
    rows = []
    if (data / CROHME).exists():
        with np.load(data / CROHME, allow_pickle=False) as file:
            images, labels = file["images"], [str(label) for label in file["labels"]]
        for kind, signs in _SIGNS.items():
            cases = [Case(_paper(i), label) for i, label in zip(images, labels, strict=True) if label in signs]
            rows.append(_row(recognisers, kind, "CROHME", cases))
        crosses = [Case(_paper(i), "×") for i, label in zip(images, labels, strict=True) if label in ("×", "X", "x")]
        rows.append(_row(recognisers, "judge", "CROHME", crosses))
    if (data / CHINESE).exists():
        with np.load(data / CHINESE, allow_pickle=False) as file:
            characters = [(_paper(i), str(label)) for i, label in zip(file["images"], file["labels"], strict=True)]
        # 一 is a minus, 十 nearly a cross, 二 an equals sign, 八 two strokes of many things, 零 a character like any.
        strangers = [Case(crop, None) for crop, label in characters[::6] if label not in "一二十八"]
        rows += [_row(recognisers, kind, "Chinese numerals", strangers) for kind in KINDS]
    return rows


def _row(recognisers: Recognisers, kind: Kind, name: str, cases: list[Case]) -> Row:
    head = recognisers.manifest.heads[kind]
    looks = [recognisers.look(kind, case.crop) for case in cases]
    return row(kind, name, outcomes(kind, head, cases, looks), head.threshold)


def _paper(image: NDArray[np.uint8]) -> Image:
    """A bright-on-black sample as dark ink on paper with room round it, 8 px/mm."""
    ink = cv2.resize(image, (60, 60), interpolation=cv2.INTER_LINEAR)
    paper = np.full((96, 110), 215.0)
    paper[18:78, 25:85] -= ink * (160 / 255)
    return paper.astype(np.uint8)
