"""`python -m models.training.bubbles --data DIR --out models --seed 1`: makes `bubbles.tflite` and `bubbles.json`.

Bubbles are synthetic: drawn, laid on drawn paper and photographed by rules, see `bubble_marks` and `bubble_scenes`.
Real are only the pen strokes of UNIPEN among the crosses and letters, by writers split as for the other models.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import click
import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console

from models.bubbles import (
    MARKS,
    SHOWN,
    SIDE_PX,
    BubbleManifest,
    BubbleReader,
    bubble_pictures,
    relative_darkness,
    write_bubble_manifest,
)
from models.ctc import softmax
from models.manifest import ModelFile, Source
from models.training.bubble_fills import Borrowed
from models.training.bubble_marks import CLASS_OF
from models.training.bubble_scenes import FieldPhoto, photograph_field
from models.training.hands import UNIPEN_SOURCE, Hand, Strokes, load_hands

MODEL = "bubbles.tflite"
DRAWN_SOURCE = Source("drawn by rules of our own (models/training/bubble_marks.py)", "Apache-2.0")
SILENT_GOAL = {"empty": 2e-4, "filled": 5e-5}
"""Wrong looks above a class's threshold, of all looks; 1 in 10,000 where nothing is said.

The fill, measured apart, must agree on top of it. A field is asked about when one of its empty bubbles is not surely
empty, so empty ones may be wrong twice as often: what passes for empty wrongly is mostly ink beside a bubble. A fill
is what nearly all pupils make and the fill measures it alike, cancelled or not: there the network is the only judge.
"""

_STRICT = 1e-4

RARE = 0.1
"""How often bubbles are cancelled or smudged on pupils' pages, against how often they are drawn here."""

_FAIR = frozenset("ABCDEFGHMNOPQSTWZabcdeghmnopqsuwz02356789?&@$!")
"""Letters and signs that nobody takes for a tick, a cross or a stroke."""

_WEIGHTS = {"empty": 0.3, "filled": 0.2, "ticked": 0.13, "crossed": 0.11, "cancelled": 0.13, "smudged": 0.13}
_RARER = {"stroke": 0.6, "letter": 0.6, "ring": 0.7}
"""Smudges that are drawn less often than the others."""

_COUNTS = (1, 2, 3, 4, 5, 7)
_COUNT_ODDS = (0.04, 0.18, 0.24, 0.34, 0.14, 0.06)
_TEMPERATURES = np.geomspace(0.6, 2.5, 13)
_THRESHOLDS = np.round(np.concatenate([np.arange(0.8, 0.95, 0.01), np.arange(0.95, 0.9991, 0.0025)]), 4)
console = Console(stderr=True)


@dataclass(frozen=True)
class BubbleSet:
    """Bubbles as the network sees them: `pictures` (n, 32, 64) uint8, `targets` (n,) into `SHOWN`.

    `pale`: rubbed out or hardly there, which the fill measures better than a network sees it.
    """

    pictures: NDArray[np.uint8]
    targets: NDArray[np.int64]
    pale: NDArray[np.bool_]


def borrowed_from(hands: Iterable[Hand]) -> Borrowed:
    """The crosses and letters that these writers lend."""
    crosses: list[Strokes] = []
    others: list[Strokes] = []
    for hand in hands:
        for symbol, glyphs in hand.glyphs.items():
            strokes = [glyph for glyph in glyphs if isinstance(glyph, Strokes)]
            if symbol in ("X", "x"):
                crosses += strokes
            elif symbol in _FAIR:
                others += strokes[:3]
    return Borrowed(crosses, others)


def some_marks(rng: Generator) -> list[str]:
    """The marks of a field of 1 to 7 bubbles: one among empty ones, or anything beside anything."""
    names = list(CLASS_OF)
    odds = {name: _RARER.get(name, 1.0) for name in names}
    of_class = {shown: sum(odds[name] for name in names if CLASS_OF[name] == shown) for shown in SHOWN}
    weight = np.array([_WEIGHTS[CLASS_OF[name]] * odds[name] / of_class[CLASS_OF[name]] for name in names])
    count = int(rng.choice(_COUNTS, p=_COUNT_ODDS))
    if rng.random() < 0.45:
        marks = ["nothing"] * count
        marks[int(rng.integers(count))] = names[1 + int(rng.choice(len(names) - 1, p=weight[1:] / weight[1:].sum()))]
        return marks
    return [names[int(rng.choice(len(names), p=weight))] for _ in range(count)]


def fields_of(borrowed: Borrowed, rng: Generator, choose: Callable[[Generator], list[str]]) -> Iterator[FieldPhoto]:
    """Photographed fields without end."""
    while True:
        field = photograph_field(choose(rng), rng, borrowed)
        if field is not None:
            yield field


def bubble_set(borrowed: Borrowed, n: int, seed: int) -> BubbleSet:
    """At least `n` bubbles of that seed."""
    cv2.setNumThreads(1)
    pictures: list[NDArray[np.uint8]] = []
    targets: list[int] = []
    pale: list[bool] = []
    for field in fields_of(borrowed, np.random.default_rng([seed, 0xB0B]), some_marks):
        dark = relative_darkness(field.crop, max(field.boxes[0][2:]))
        pictures += bubble_pictures(dark, field.boxes)
        targets += [SHOWN.index(CLASS_OF[mark]) for mark in field.marks]
        pale += [mark in ("faint", "rubbed") for mark in field.marks]
        if len(targets) >= n:
            return BubbleSet(np.stack(pictures), np.array(targets, np.int64), np.array(pale, np.bool_))
    raise AssertionError


@click.command(epilog="Example: python -m models.training.bubbles --data ~/handwriting --out models --seed 1")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seed", default=1)
@click.option("--threads", default=1, help="for learning")
@click.option("--only", type=click.Choice(["calibrate"]), help="keep the model, choose temperature and thresholds anew")
@click.option("--quick", is_flag=True, help="a minute instead of some ten; worse")
def main(data: Path, out: Path, seed: int, threads: int, only: str | None, *, quick: bool) -> None:
    """Train, convert to int8, calibrate on other seeds and writers, and write the model with its manifest."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    hands = load_hands(data)
    if only is None:
        learn = bubble_set(borrowed_from(hands["train"]), 30_000 if quick else 200_000, seed)
        console.print(f"pictures after {time.monotonic() - started:.0f} s")
        nets = _networks(threads)
        model = nets.fit_bubbles(learn.pictures, learn.targets, epochs=3 if quick else 12, seed=seed)
        (out / MODEL).write_bytes(nets.bubbles_to_int8(model, learn.pictures[:1500]))
    content = (out / MODEL).read_bytes()
    console.print(f"{MODEL}, {len(content)} bytes, after {time.monotonic() - started:.0f} s")
    file = ModelFile(
        file=MODEL,
        sha256=hashlib.sha256(content).hexdigest(),
        input_shape=(1, SIDE_PX, 2 * SIDE_PX, 1),
        sources=(DRAWN_SOURCE, UNIPEN_SOURCE),
    )
    manifest = BubbleManifest(1, seed, file, SHOWN, 1.0, dict.fromkeys(SHOWN, 0.99), 0.99)
    other = bubble_set(borrowed_from(hands["calibrate"]), 8_000 if quick else 60_000, seed + 500)
    logits = np.stack(BubbleReader(manifest, content).logits(list(other.pictures)))
    temperature, thresholds, marked = calibrated(logits, other)
    write_bubble_manifest(out, BubbleManifest(1, seed, file, SHOWN, temperature, thresholds, marked))
    right = float((logits.argmax(1) == other.targets).mean())
    console.print(
        f"right {right:.4f} of {len(logits)} synthetic; temperature {temperature}, {thresholds}, marked {marked}"
    )
    console.print(f"done after {time.monotonic() - started:.0f} s")


def calibrated(logits: NDArray[np.float32], seen: BubbleSet) -> tuple[float, dict[str, float], float]:
    """The temperature that makes the right classes likeliest, each class's lowest threshold that meets the goal,
    and that of a fill, a tick and a cross together.

    What is pale may pass for empty here: how dark a bubble is within is measured apart, and both must agree.
    """
    targets = seen.targets
    losses = [-np.log(softmax(logits, float(t))[np.arange(len(targets)), targets] + 1e-9).mean() for t in _TEMPERATURES]
    temperature = round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)
    p = softmax(logits, temperature)
    best, sure = p.argmax(1), p.max(1)
    weight = np.where(np.isin(targets, [SHOWN.index("cancelled"), SHOWN.index("smudged")]), RARE, 1.0)
    thresholds: dict[str, float] = {}
    for index, shown in enumerate(SHOWN):
        taken = (best == index) & (targets != index)
        if shown == "empty":
            taken &= ~seen.pale
        thresholds[shown] = _lowest(sure[taken], weight[taken], SILENT_GOAL.get(shown, _STRICT) * len(targets))
    unmarked = ~np.isin(targets, MARKS)
    marked = _lowest(p[unmarked][:, list(MARKS)].sum(1), weight[unmarked], _STRICT * len(targets))
    return temperature, thresholds, marked


def _lowest(wrong: NDArray[np.float64], weight: NDArray[np.float64], most: float) -> float:
    """The lowest threshold above which the wrong ones weigh no more than `most`; else the highest."""
    meets = (float(t) for t in _THRESHOLDS if float(weight[wrong >= t].sum()) <= most)
    return next(meets, float(_THRESHOLDS[-1]))


def _networks(threads: int) -> ModuleType:
    import tensorflow as tf  # noqa: PLC0415 - it takes seconds, and only learning needs it

    from models.training import bubble_net  # noqa: PLC0415

    if not tf.config.threading.get_intra_op_parallelism_threads():
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
    return bubble_net


if __name__ == "__main__":
    main()
