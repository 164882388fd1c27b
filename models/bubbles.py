"""What one bubble shows: empty, filled, ticked, crossed, cancelled or smudged.

    reader = BubbleReader.load()
    dark = relative_darkness(grey, bubble_px=21)
    [look] = reader.read(dark, [(12, 9, 21, 21)])

An int8 network looks at a bubble with its own radius of surroundings: an outline, a label beside it and a neighbour's
ink are its business, and a stroke that leaves the bubble says as much as one inside. Beside it lies what all the other
bubbles of the field have in common: what is printed there too is no ink. Its probabilities were calibrated on
synthetic bubbles of other seeds and writers. Whether a bubble is read is not decided here alone: `edge.reading`
measures the fill too and reads only where both agree.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from homework.errors import UsageError
from models.ctc import softmax
from models.manifest import REMEDY, ModelError, ModelFile, verified_bytes
from models.preprocess import Image
from models.runtime import Network, open_network

BoxPx = tuple[float, float, float, float]
"""x, y, width, height of a bubble's outline in pixels."""

Shown = Literal["empty", "filled", "ticked", "crossed", "cancelled", "smudged"]
"""`cancelled`: filled and then crossed out or scribbled over. `smudged`: rubbed out, faint, half filled, stray ink."""

SHOWN: Final[tuple[Shown, ...]] = get_args(Shown)
MANIFEST: Final = "bubbles.json"
SIDE_PX: Final = 32
AROUND: Final = 0.5
"""How far the picture reaches beyond the outline on each side, in widths (heights) of it: its own radius."""

PAPER: Final = 25
FULL: Final = 230
"""In a picture of darkness, clean paper is 25 and black 255, so that noise to both sides of the paper survives."""

MARKS: Final = tuple(SHOWN.index(shown) for shown in ("filled", "ticked", "crossed"))
"""The outputs that mean that a bubble is marked."""

_SMALL_PX: Final = 10.0  # the paper is looked for where a bubble is so small: quick, and the noise averages out
_CLOSED: Final = 1.6  # what is narrower than so many bubbles is ink, not a shadow on the paper


class BubbleManifest(msgspec.Struct, frozen=True):
    """`bubbles.json`: the file, what its outputs mean, and from which confidence each is believed.

    `marked` is that from which a fill, a tick and a cross together are.
    """

    version: int
    seed: int
    model: ModelFile
    classes: tuple[str, ...]
    temperature: float
    thresholds: dict[str, float]
    marked: float


@dataclass(frozen=True)
class Look:
    """What the network made of one bubble: the likeliest class, its calibrated probability, and those of all.

    `sure`: the probability reaches the class's threshold. `marked`: those of a fill, a tick and a cross together reach
    theirs, so that it is surely a mark, whichever.
    """

    shown: Shown
    confidence: float
    sure: bool
    marked: bool
    probabilities: tuple[float, ...]


def relative_darkness(grey: Image, bubble_px: float) -> Image:
    """How much darker than the paper round it each pixel is: `PAPER` for clean paper, `PAPER + FULL` for black.

    `grey` is (height, width) uint8, paper bright; `bubble_px` the larger side of its bubbles. The paper is the
    morphological closing of the shrunken picture: light, shadow and tint cancel, a filled bubble does not pass for
    paper. Raises `UsageError` for a picture that is not one of grey bytes.
    """
    if not isinstance(grey, np.ndarray) or grey.dtype != np.uint8 or grey.ndim != 2 or grey.size == 0:
        raise UsageError(
            "A bubble is looked for in a picture of grey bytes, not in {what}.",
            remedy="Give a uint8 array (height, width) with at least one pixel.",
            what=f"{getattr(grey, 'dtype', type(grey).__name__)} {getattr(grey, 'shape', '')}",
        )
    height, width = grey.shape
    shrink = min(_SMALL_PX / max(bubble_px, 1.0), 1.0)
    size = (max(round(width * shrink), 2), max(round(height * shrink), 2))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    side = max(round(_CLOSED * bubble_px * shrink) | 1, 3)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    paper = cv2.blur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel), (5, 5))
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    ratio = cv2.divide(cv2.GaussianBlur(grey, (3, 3), 0), paper, scale=FULL)
    return np.asarray(cv2.bitwise_not(ratio), np.uint8)


def bubble_pictures(dark: Image, boxes: Sequence[BoxPx]) -> list[Image]:
    """What the network sees of each bubble: (32, 64), two pictures of 32 × 32 whose columns take turns.

    The first is the bubble, its outline's box in the middle half, paper beyond the crop. The second is the palest of
    the field's other bubbles, pixel by pixel: the outline and a printed letter stay, ink goes. A lone one has paper.
    """
    if not boxes:
        return []
    pad = 2 + int(np.ceil(max(max(w, h) for _, _, w, h in boxes) * AROUND))
    padded = cv2.copyMakeBorder(dark, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=PAPER)
    own = np.empty((len(boxes), SIDE_PX, SIDE_PX), np.uint8)
    for k, (x, y, w, h) in enumerate(boxes):
        size = (max(round(w * (1 + 2 * AROUND)), 2), max(round(h * (1 + 2 * AROUND)), 2))
        part = cv2.getRectSubPix(padded, size, (x + pad + w / 2 - 0.5, y + pad + h / 2 - 0.5))
        how = cv2.INTER_AREA if min(size) > SIDE_PX else cv2.INTER_LINEAR
        own[k] = cv2.resize(part, (SIDE_PX, SIDE_PX), interpolation=how)
    others = np.full_like(own, PAPER)
    if len(boxes) > 1:
        palest, second = np.partition(own, 1, axis=0)[:2]
        others = np.where(own == palest, second, palest)
    return list(np.stack([own, others], -1).reshape(len(boxes), SIDE_PX, 2 * SIDE_PX))


class BubbleReader:
    """The network of one model directory; opened at its first use, and shared by threads in turn."""

    def __init__(self, manifest: BubbleManifest, content: bytes) -> None:
        self.manifest = manifest
        self._content = content
        self._network: Network | None = None
        self._turn = threading.Lock()

    @classmethod
    def load(cls, directory: Path | None = None) -> BubbleReader:
        """The reader in `directory`, by default the one that comes with Classbox.

        Raises `ModelError` when its manifest or its model is missing, damaged or not the one that was measured.
        """
        where = directory or Path(__file__).parent
        manifest = read_bubble_manifest(where)
        return cls(manifest, verified_bytes(where, manifest.model))

    def read(self, dark: Image, boxes: Sequence[BoxPx]) -> list[Look]:
        """A look at each bubble of a picture of `relative_darkness`. Raises `ModelError` when no runtime can run it."""
        logits = self.logits(bubble_pictures(dark, boxes))
        if not logits:
            return []
        return [self._look(one) for one in softmax(np.stack(logits), self.manifest.temperature).tolist()]

    def logits(self, pictures: Sequence[Image]) -> list[NDArray[np.float32]]:
        """The network's raw answers, (6,) each, for pictures of `bubble_pictures`."""
        with self._turn:
            if self._network is None:
                self._network = open_network(self._content, self.manifest.model.input_shape)
            return [self._network(picture) for picture in pictures]

    def _look(self, probabilities: list[float]) -> Look:
        confidence = max(probabilities)
        shown = SHOWN[probabilities.index(confidence)]
        sure = confidence >= self.manifest.thresholds[shown]
        marked = sum(probabilities[index] for index in MARKS) >= self.manifest.marked
        return Look(shown, confidence, sure, marked, tuple(probabilities))


def read_bubble_manifest(directory: Path) -> BubbleManifest:
    """`bubbles.json` of a model directory. Raises `ModelError` when it is missing or not one."""
    path = directory / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=BubbleManifest)
    except OSError as error:
        raise ModelError("The list of models {file} cannot be read.", remedy=REMEDY, file=path) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(
            "The list of models {file} is damaged: {detail}.", remedy=REMEDY, file=path, detail=error
        ) from error
    if manifest.version != 1:
        raise ModelError(
            "The list of models {file} is of version {version}, which this Classbox does not know.",
            remedy=REMEDY,
            file=path,
            version=manifest.version,
        )
    if manifest.classes != SHOWN or set(manifest.thresholds) != set(SHOWN) or manifest.temperature <= 0:
        raise ModelError(
            "The list of models {file} is damaged: {detail}.",
            remedy=REMEDY,
            file=path,
            detail="its classes or thresholds are not those of bubbles",
        )
    return manifest


def write_bubble_manifest(directory: Path, manifest: BubbleManifest) -> None:
    """Write `bubbles.json`, indented, so that a change of it can be reviewed."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (directory / MANIFEST).write_bytes(text + b"\n")
