"""What a crop of handwriting says: numbers, letters, √ and ×, comparison signs, seat digits.

    recognisers = Recognisers.load()
    [reading] = recognisers.read("number", [crop])

Two int8 networks serve all kinds. Numbers are read as whole lines (CTC) by `line`. `marks` looks at one mark and has a
head for each other kind, each with its own "none of these". Every reading carries the probability that it is right,
calibrated on writers whom the networks never saw; under `threshold(kind)` a person looks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from homework.results import Candidate
from models.ctc import likeliest_texts, softmax
from models.manifest import Head, Manifest, ModelFile, Picture, read_manifest, verified_bytes
from models.preprocess import Image, Ink, find_ink, glyph_picture, line_picture
from models.runtime import Network, open_network

Kind = Literal["number", "letter", "judge", "compare", "digit"]
KINDS: Final[tuple[Kind, ...]] = ("number", "letter", "judge", "compare", "digit")

_UNIT: Final = r"(?:[cdmk]?m[²³]?|k?g|t|m?L|min|h|s)"
NUMBER: Final = re.compile(
    rf"-?(?:\d*\.)?\d+(?:%|{_UNIT})?|-?(?:\d+ )?\d+/\d+{_UNIT}?|\d+……\d+",
)
"""What counts as a number on paper, with a Latin unit or without; ink that spells anything else is not a reading."""

Logits = NDArray[np.float32]

_DOTTED: Final = (".", "……", "%")
_MOST_BARS: Final = 2  # a comparison sign is written with at most so many marks
_DOUBT: Final = 0.5
_SHOWN: Final = 4
_PICTURES: Final = {"line": line_picture, "glyph": glyph_picture}


class Look(msgspec.Struct, frozen=True):
    """What a network answered to one crop, and what the ink shows besides (see `models.preprocess.Ink`)."""

    logits: Logits
    points: int = 0
    left_out: int = 0
    marks: int = 1


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

    def look(self, kind: Kind, crop: Image) -> Look | None:
        """What the network of the kind answers to one crop, for calibration; None when the crop holds no ink."""
        ink = find_ink(crop)
        if ink is None:
            return None
        name = self.manifest.heads[kind].model
        return Look(self._answer(name, ink), ink.points, ink.left_out, ink.marks)

    def _read_one(self, kind: Kind, crop: Image) -> Recognition:
        return interpret(kind, self.manifest.heads[kind], self.look(kind, crop))

    def _answer(self, name: str, ink: Ink) -> Logits:
        picture: Picture = self.manifest.models[name].picture
        return self._network(name)(_PICTURES[picture](ink))

    def _network(self, name: str) -> Network:
        if name not in self._networks:
            file: ModelFile = self.manifest.models[name]
            self._networks[name] = open_network(self._contents[name], file.input_shape)
        return self._networks[name]


def interpret(kind: Kind, head: Head, look: Look | None) -> Recognition:
    """The recognition of a network's raw answer; `NOTHING` when it was not asked."""
    if look is None:
        return NOTHING
    if kind != "number":
        said = interpret_mark(look.logits, head)
        # Three bars are no equals sign, however alike they look at this size.
        return _doubted(said) if kind == "compare" and look.marks > _MOST_BARS else said
    said = interpret_line(look, head)
    # A point that stands close to a digit is overlooked now and then, and a 1 on the frame's line: 1.70 becomes 170,
    # 41 becomes 4.
    overlooked = look.left_out > 0 or (look.points > 0 and not dotted(said.text or ""))
    return _doubted(said) if overlooked else said


def interpret_line(look: Look, head: Head) -> Recognition:
    """The texts of one line's logits, (steps, symbols + blank).

    Texts count by how often pupils write them, against the composites (a slanted 1 is no fraction bar), and by how well
    they fit to whether the ink holds a point: the shift of a prior (Saerens, Latinne and Decaestecker 2002). Texts with
    a mark that belongs to no number, or that spell no number, are left out; the probability that they hold lowers
    everyone's confidence.
    """
    found = likeliest_texts(softmax(look.logits, head.temperature))
    often = [head.rare.get(symbol, 1.0) for symbol in head.symbols]
    weighed = []
    for sequence, p in found:
        text = "".join(head.symbols[index] for index in sequence)
        spells = "" not in (head.symbols[index] for index in sequence) and NUMBER.fullmatch(text) is not None
        prior = min((often[index] for index in sequence), default=1.0) * _fits(look.points, dotted(text), head)
        weighed.append((p * prior, text, spells))
    rest = max(1.0 - sum(p for _, p in found), 0.0) * _fits(look.points, "", head)
    total = sum(p for p, _, _ in weighed) + rest
    weighed.sort(key=lambda item: -item[0])
    return _recognition([Candidate(text=text, confidence=min(p / total, 1.0)) for p, text, spells in weighed if spells])


def dotted(text: str) -> str:
    """The signs of a text that consist of small marks of their own."""
    return "".join(sign for sign in _DOTTED if sign in text)


def _fits(points: int, dotted: str, head: Head) -> float:
    """The chance that the ink of a text with these signs shows a point, or none, as it does."""
    chance = head.pointed.get(dotted, 0.5)
    return chance if points > 0 else 1.0 - chance


def interpret_mark(logits: Logits, head: Head) -> Recognition:
    """The marks of a head's logits; "none of these" counts `other_weight` times and is no candidate."""
    p = softmax(logits[head.start : head.start + len(head.symbols)], head.temperature)
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
