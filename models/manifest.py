"""`manifest.json`: which model files there are, what they must weigh in bytes, and what their outputs mean.

A model file that differs by one bit from the one that was measured is another model; so nothing is read
with it. The manifest is written by `models.training` and read by `models.recognisers`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from homework.errors import ClassboxError

MANIFEST_NAME = "manifest.json"
VERSION = 3
REMEDY = "Put the released models back: reinstall Classbox, or `git checkout -- models`."


class ModelError(ClassboxError):
    """A model file is missing, changed, or no runtime on this machine can run it."""


class Source(msgspec.Struct, frozen=True):
    """A collection that taught a model, and the licence it came under."""

    name: str
    licence: str


Picture = Literal["line", "glyph"]
"""What a model looks at: `line_picture` or `glyph_picture` of `models.preprocess`."""


class ModelFile(msgspec.Struct, frozen=True):
    """One `.tflite` file. `input_shape` is (batch, height, width, channels); lines may also be wider."""

    file: str
    sha256: str
    input_shape: tuple[int, int, int, int]
    sources: tuple[Source, ...]
    picture: Picture = "glyph"


class Head(msgspec.Struct, frozen=True):
    """What one kind of field reads from the output of its model.

    `symbols` name the outputs `start`, `start + 1`, …; `""` is the mark that belongs to no answer (a line
    model has the blank of CTC as its last output, unnamed). `temperature` divides the logits so that
    probabilities are honest; a reading under `threshold` is for a person. `other_weight` is how likely the
    mark that is no answer is, against one of the answers, in a box of this kind. `rare` names symbols that pupils
    write so many times as often as the composites hold them: texts with one count that much. `pointed` is how often a
    small low mark of its own is found in the ink of a text, by the text's signs that consist of such (`.`, `……`, `%`;
    "" without any).
    """

    model: str
    start: int
    symbols: tuple[str, ...]
    temperature: float
    threshold: float
    other_weight: float = 1.0
    rare: dict[str, float] = {}
    pointed: dict[str, float] = {}


class Manifest(msgspec.Struct, frozen=True):
    """All files and heads. `heads` is keyed by the kind of field, `models` by a name that heads refer to."""

    version: int
    seed: int
    models: dict[str, ModelFile]
    heads: dict[str, Head]


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a model directory. Raises `ModelError` when it is missing or not one."""
    path = directory / MANIFEST_NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ModelError("The list of models {file} cannot be read.", remedy=REMEDY, file=path) from error
    except msgspec.MsgspecError as error:
        raise ModelError(
            "The list of models {file} is damaged: {detail}.", remedy=REMEDY, file=path, detail=error
        ) from error
    if manifest.version != VERSION:
        raise ModelError(
            "The list of models {file} is of version {version}, which this Classbox does not know.",
            remedy=REMEDY,
            file=path,
            version=manifest.version,
        )
    for kind, head in manifest.heads.items():
        if head.model not in manifest.models:
            raise ModelError("The list of models {file} names no file for {kind}.", remedy=REMEDY, file=path, kind=kind)
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest.json`, indented, so that a change of it can be reviewed."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (directory / MANIFEST_NAME).write_bytes(text + b"\n")


def verified_bytes(directory: Path, model: ModelFile) -> bytes:
    """The bytes of a model file, whose SHA-256 is the manifest's.

    Raises `ModelError` when the file is missing or differs.
    """
    path = directory / model.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError("The model {file} cannot be read.", remedy=REMEDY, file=path) from error
    if hashlib.sha256(content).hexdigest() != model.sha256:
        raise ModelError("The model {file} is not the one that was measured.", remedy=REMEDY, file=path)
    return content
