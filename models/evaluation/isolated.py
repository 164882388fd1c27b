"""Single digits and letters in moderate conditions, each collection apart: what the networks know of shapes.

Pencil, ballpoint or gel, well inside the box, a sharp photograph. Beside the rows of whole pages they tell whether an
error is the shape's or the photograph's, and whether scanned and penned handwriting are read alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

from models.evaluation.figures import Outcome, Row, row
from models.evaluation.ink import MODERATE, Manner, lay_out, write
from models.preprocess import Image
from models.recognisers import Kind, Recognisers
from models.training.hands import Glyph, Hand

BOX_MM = (1.0, 1.0, 12.0, 10.0)
SIZE_MM = (14.0, 12.0)
PX_PER_MM = 8.0
MOST_EACH = 4
"""Samples of a sign that one writer may bring."""

SETS: tuple[tuple[str, str, str, tuple[Kind, ...]], ...] = (
    ("MNIST writers set aside", "mnist", "0123456789", ("digit", "number")),
    ("UNIPEN writers set aside", "unipen", "0123456789", ("digit", "number")),
    ("UNIPEN capitals of writers set aside", "unipen", "ABCD", ("letter",)),
)


def isolated_rows(recognisers: Recognisers, hands: Sequence[Hand], seed: int) -> list[Row]:
    """A row a collection and kind; a digit is read both as a seat's digit and as a number."""
    rows = []
    for name, source, signs, kinds in SETS:
        rng = np.random.default_rng([seed, *name.encode()])
        crops = [
            (sign, one_sign(glyph, sign, rng))
            for hand in hands
            if hand.writer.startswith(source)
            for sign in signs
            for glyph in hand.glyphs.get(sign, [])[:MOST_EACH]
        ]
        for kind in kinds:
            outcomes = []
            for sign, crop in crops:
                [said] = recognisers.read(kind, [crop])
                outcomes.append(Outcome(said.confidence, said.text == sign, stranger=False))
            rows.append(row(kind, name, outcomes, recognisers.threshold(kind)))
    return rows


def one_sign(glyph: Glyph, sign: str, rng: Generator) -> Image:
    """A crop of one glyph, as a box of 12 by 10 mm is cut: grey, (96, 112) at 8 px/mm."""
    manner = Manner.random(rng, MODERATE)
    width, height = (round(mm * PX_PER_MM) for mm in SIZE_MM)
    page = np.full((height, width, 3), 236, np.uint8)
    write(page, lay_out(sign, BOX_MM, manner, lambda _: glyph, rng=rng, over=0.0), manner, PX_PER_MM, rng)
    grey = cv2.GaussianBlur(page[..., 2], (0, 0), rng.uniform(0.5, 0.9)).astype(np.float32)
    shade = np.linspace(1.0, rng.uniform(0.88, 1.0), width, dtype=np.float32)
    return np.asarray(np.clip(grey * shade + rng.normal(0, 2.2, grey.shape), 0, 255), np.uint8)
