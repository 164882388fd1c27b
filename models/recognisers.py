"""What a crop of handwriting says: numbers, letters, √ and ×, comparison signs, seat digits.

    recognisers = Recognisers.load()
    [reading] = recognisers.read("number", [crop])

Two int8 networks serve all kinds: `number` reads a whole line (CTC); `marks` looks at one mark and has a
head for each other kind, each with its own "none of these". Every reading carries the probability that it
is right, calibrated on writers whom the networks never saw; under `threshold(kind)` a person looks.
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
from models.manifest import Head, Manifest, ModelFile, read_manifest, verified_bytes
from models.preprocess import Image, find_ink, glyph_picture, line_picture
from models.runtime import Network, open_network

Kind = Literal["number", "letter", "judge", "compare", "digit"]
KINDS: Final[tuple[Kind, ...]] = ("number", "letter", "judge", "compare", "digit")

NUMBER: Final = re.compile(r"-?(\d*\.)?\d+%?|-?(\d+ )?\d+/\d+|\d+……\d+")
"""What counts as a number on paper; ink that spells anything else is not a reading."""

_SHOWN: Final = 4


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

        Raises `ModelError` when no runtime on this machine can run the model.
        """
        head = self.manifest.heads[kind]
        network = self._network(head.model)
        read_one = _read_line if kind == "number" else _read_mark
        return [read_one(network, head, crop) for crop in crops]

    def logits(self, kind: Kind, crop: Image) -> NDArray[np.float32] | None:
        """The network's raw answer for one crop, for calibration; None when the crop holds no ink."""
        head = self.manifest.heads[kind]
        return _look(self._network(head.model), head, crop, line=kind == "number")

    def _network(self, name: str) -> Network:
        if name not in self._networks:
            file: ModelFile = self.manifest.models[name]
            self._networks[name] = open_network(self._contents[name], file.input_shape)
        return self._networks[name]


def _look(network: Network, head: Head, crop: Image, *, line: bool) -> NDArray[np.float32] | None:
    ink = find_ink(crop)
    if ink is None:
        return None
    if line:
        return network(line_picture(ink))
    return network(glyph_picture(ink))[head.start : head.start + len(head.symbols)]


def _read_line(network: Network, head: Head, crop: Image) -> Recognition:
    logits = _look(network, head, crop, line=True)
    return NOTHING if logits is None else interpret_line(logits, head)


def _read_mark(network: Network, head: Head, crop: Image) -> Recognition:
    logits = _look(network, head, crop, line=False)
    return NOTHING if logits is None else interpret_mark(logits, head)


def interpret_line(logits: NDArray[np.float32], head: Head) -> Recognition:
    """The texts of a line's logits, (steps, symbols + blank).

    Texts with a mark that belongs to no number, or that spell no number, are left out; the probability
    that they hold lowers everyone's confidence.
    """
    candidates = []
    for sequence, p in likeliest_texts(softmax(logits, head.temperature)):
        parts = [head.symbols[index] for index in sequence]
        text = "".join(parts)
        if "" not in parts and NUMBER.fullmatch(text):
            candidates.append(Candidate(text=text, confidence=min(p, 1.0)))
    return _recognition(candidates)


def interpret_mark(logits: NDArray[np.float32], head: Head) -> Recognition:
    """The marks of a head's logits; "none of these" counts `other_weight` times and is no candidate."""
    p = softmax(logits, head.temperature)
    p = p * np.array([1.0 if symbol else head.other_weight for symbol in head.symbols])
    p = p / p.sum()
    order = np.argsort(-p, kind="stable")
    return _recognition(
        [Candidate(text=head.symbols[i], confidence=float(p[i])) for i in order if head.symbols[i]],
    )


def _recognition(candidates: list[Candidate]) -> Recognition:
    if not candidates:
        return NOTHING
    best = candidates[0]
    return Recognition(text=best.text, confidence=best.confidence, candidates=tuple(candidates[:_SHOWN]))
