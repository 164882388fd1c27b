"""What a crop of handwriting says: numbers, letters, √ and ×, comparison signs, seat digits.

    recognisers = Recognisers.load()
    [reading] = recognisers.read("number", [crop])

Three int8 networks serve all kinds. Numbers are read as whole lines (CTC) by two of them that look at the ink in
different ways and must agree: `line` at the ink cut tight, `body` at where most of it is. `marks` looks at one mark
and has a head for each other kind, each with its own "none of these". Every reading carries the probability that it
is right, calibrated on writers whom the networks never saw; under `threshold(kind)` a person looks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from homework.results import Candidate
from models.ctc import Text, likeliest_texts, probability_of, softmax
from models.manifest import Head, Manifest, ModelFile, Picture, read_manifest, verified_bytes
from models.preprocess import Image, Ink, body_picture, find_ink, glyph_picture, line_picture
from models.runtime import Network, open_network

Kind = Literal["number", "letter", "judge", "compare", "digit"]
KINDS: Final[tuple[Kind, ...]] = ("number", "letter", "judge", "compare", "digit")

_UNIT: Final = r"(?:[cdmk]?m[²³]?|k?g|t|m?L|min|h|s)"
NUMBER: Final = re.compile(
    rf"-?(?:\d*\.)?\d+(?:%|{_UNIT})?|-?(?:\d+ )?\d+/\d+{_UNIT}?|\d+……\d+",
)
"""What counts as a number on paper, with a Latin unit or without; ink that spells anything else is not a reading."""

Logits = NDArray[np.float32]

_DOTTED: Final = frozenset(".…%")
_MOST_BARS: Final = 2  # a comparison sign is written with at most so many marks
_DOUBT: Final = 0.5
_SHOWN: Final = 4
_FLOOR: Final = 1e-5
_PICTURES: Final = {"line": line_picture, "body": body_picture, "glyph": glyph_picture}


class Recognition(msgspec.Struct, frozen=True):
    """What one crop says. `text` is None when it holds no ink, or nothing of its kind.

    `confidence` is the calibrated probability (0..1) that `text` is right. `candidates`, best first, begin
    with `text` itself.
    """

    text: str | None
    confidence: float
    candidates: tuple[Candidate, ...] = ()


NOTHING: Final = Recognition(text=None, confidence=0.0)


class Recognisers:
    """The recognisers of one model directory. A model is opened at its first use. One thread at a time."""

    def __init__(self, directory: Path, manifest: Manifest, contents: dict[str, bytes]) -> None:
        self.directory = directory
        self.manifest = manifest
        self._contents = contents
        self._networks: dict[str, Network] = {}

    @classmethod
    def load(cls, directory: Path | None = None) -> Recognisers:
        """The recognisers in `directory`, by default those that come with Classbox.

        Every file is checked against the manifest. Raises `ModelError` when one is missing or changed.
        """
        where = directory or Path(__file__).parent
        manifest = read_manifest(where)
        return cls(where, manifest, {name: verified_bytes(where, file) for name, file in manifest.models.items()})

    @cached_property
    def runtime(self) -> str:
        """The module that runs the models here. Raises `ModelError` when none can."""
        return self._network(next(iter(self.manifest.models))).runtime

    def threshold(self, kind: Kind) -> float:
        """The confidence under which a reading of this kind is for a person."""
        return self.manifest.heads[kind].threshold

    def read(self, kind: Kind, crops: Sequence[Image]) -> list[Recognition]:
        """Read crops of one kind: grey uint8, paper bright, any size, the frame's inside grown by about 1 mm.

        Raises `ModelError` when no runtime on this machine can run the model, `CropError` for what is no picture.
        """
        return [self._read_one(kind, crop) for crop in crops]

    def logits(self, kind: Kind, crop: Image) -> tuple[Logits, ...]:
        """What each network of the kind answers to one crop, for calibration; nothing when the crop holds no ink."""
        ink = find_ink(crop)
        return () if ink is None else tuple(self._look(name, ink) for name in self.manifest.heads[kind].models)

    def _read_one(self, kind: Kind, crop: Image) -> Recognition:
        ink = find_ink(crop)
        if ink is None:
            return NOTHING
        head = self.manifest.heads[kind]
        said = interpret(kind, head, tuple(self._look(name, ink) for name in head.models))
        # A point that stands close to a digit is overlooked now and then, and a 1 on the frame's line: 1.70 becomes
        # 170, 41 becomes 4.
        overlooked = ink.left_out > 0 or (ink.points > 0 and not set(said.text or "") & _DOTTED)
        # Three bars are no equals sign, however alike they look at this size.
        too_many = kind == "compare" and ink.marks > _MOST_BARS
        return _doubted(said) if (kind == "number" and overlooked) or too_many else said

    def _look(self, name: str, ink: Ink) -> Logits:
        picture: Picture = self.manifest.models[name].picture
        return self._network(name)(_PICTURES[picture](ink))

    def _network(self, name: str) -> Network:
        if name not in self._networks:
            file: ModelFile = self.manifest.models[name]
            self._networks[name] = open_network(self._contents[name], file.input_shape)
        return self._networks[name]


def interpret(kind: Kind, head: Head, logits: Sequence[Logits]) -> Recognition:
    """The recognition of the networks' raw answers; `NOTHING` when they were not asked."""
    if not logits:
        return NOTHING
    return interpret_line(logits, head) if kind == "number" else interpret_mark(logits, head)


def interpret_line(logits: Sequence[Logits], head: Head) -> Recognition:
    """The texts of one line's logits, each (steps, symbols + blank), one from every network that looked.

    A text's probability is the geometric mean of what the networks give it, made to sum to one with that of all
    other texts: where they differ, nothing is sure. Texts with a rare sign count less (a slanted 1 is no fraction bar;
    the shift of a prior: Saerens, Latinne and Decaestecker 2002). Texts with a mark that belongs to no number, or that
    spell no number, are left out; the probability that they hold lowers everyone's confidence.
    """
    steps = [softmax(one, head.temperature) for one in logits]
    found = [dict(likeliest_texts(one)) for one in steps]
    texts = {text for some in found for text in some}
    often = [head.rare.get(symbol, 1.0) for symbol in head.symbols]
    pooled: dict[Text, float] = {
        text: _pool(
            [some.get(text) or probability_of(text, one) for some, one in zip(found, steps, strict=True)], head.weights
        )
        * min((often[symbol] for symbol in text), default=1.0)
        for text in texts
    }
    rest = _pool([max(1.0 - sum(some.values()), 0.0) for some in found], head.weights)
    total = sum(pooled.values()) + rest
    candidates = []
    for sequence, p in sorted(pooled.items(), key=lambda item: -item[1]):
        parts = [head.symbols[index] for index in sequence]
        text = "".join(parts)
        if "" not in parts and NUMBER.fullmatch(text):
            candidates.append(Candidate(text=text, confidence=min(p / total, 1.0)))
    return _recognition(candidates)


def _pool(probabilities: Sequence[float], weights: Sequence[float]) -> float:
    """The geometric mean."""
    each = weights or [1 / len(probabilities)] * len(probabilities)
    return math.exp(sum(weight * math.log(max(p, _FLOOR)) for weight, p in zip(each, probabilities, strict=True)))


def interpret_mark(logits: Sequence[Logits], head: Head) -> Recognition:
    """The marks of a head's logits; "none of these" counts `other_weight` times and is no candidate."""
    part = np.mean([one[head.start : head.start + len(head.symbols)] for one in logits], axis=0)
    p = softmax(part, head.temperature)
    p = p * np.array([1.0 if symbol else head.other_weight for symbol in head.symbols])
    p = p / p.sum()
    order = np.argsort(-p, kind="stable")
    return _recognition(
        [Candidate(text=head.symbols[i], confidence=float(p[i])) for i in order if head.symbols[i]],
    )


def _doubted(said: Recognition) -> Recognition:
    """The same recognition, half as sure: the ink holds something that its text does not."""
    return Recognition(
        said.text,
        said.confidence * _DOUBT,
        tuple(Candidate(one.text, one.confidence * _DOUBT) for one in said.candidates),
    )


def _recognition(candidates: list[Candidate]) -> Recognition:
    if not candidates:
        return NOTHING
    best = candidates[0]
    return Recognition(text=best.text, confidence=best.confidence, candidates=tuple(candidates[:_SHOWN]))
