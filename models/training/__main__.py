"""`python -m models.training --data DIR --out models --seed 1`: makes the `.tflite` files and the manifest.

python -m models.training --data DIR --out models --seed 1
python -m benchmarks.hands --data DIR --split calibrate --out pages.npz
python -m models.training --data DIR --out models --only calibrate --pages pages.npz
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import ModuleType

import click
import msgspec
import numpy as np
from rich.console import Console

from models.evaluation.cases import cases_of
from models.evaluation.crops import load_crops
from models.evaluation.figures import Case
from models.manifest import VERSION, Head, Manifest, ModelFile, Picture, Source, write_manifest
from models.preprocess import GLYPH_SIDE_PX, LINE_HEIGHT_PX, LINE_WIDTHS_PX
from models.recognisers import KINDS, Recognisers
from models.training.answers import LINE_SYMBOLS
from models.training.calibrate import with_points, with_temperature, with_threshold
from models.training.hands import EMNIST_SOURCE, MNIST_SOURCE, UNIPEN_SOURCE, load_hands
from models.training.marks import HEADS
from models.training.sets import LineSet, MarkSet, line_set, mark_set

OTHER_WEIGHT = 0.3
"""How likely a mark that is no answer is in a box that asks for one, against the share that was learned with."""

RARE = {"/": 0.25, **dict.fromkeys("cdghikmnstL²³", 0.25)}
"""Fractions in one line, and units behind a number, are rarer in pupils' boxes than in the composites.

An estimate: Chinese primary schools write fractions one above the other, and worksheets print most units. A slanted 1
is then not taken for a fraction bar, nor a 9 for a g.
"""

LINES, MARKS = 400_000, 220_000
ROUNDS = {"line": 9, "marks": 5}

console = Console(stderr=True)


@click.command(epilog="Example: python -m models.training --data ~/handwriting --out models --seed 1")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seed", default=1)
@click.option("--threads", default=2, help="for making data and for learning")
@click.option("--only", type=click.Choice(["line", "marks", "calibrate"]), help="make one part, keep the rest")
@click.option(
    "--pages", type=click.Path(path_type=Path, exists=True), help="crops of photographed pages to calibrate by"
)
@click.option("--quick", is_flag=True, help="minutes instead of an hour and a half; worse")
def main(*, data: Path, out: Path, seed: int, threads: int, only: str | None, pages: Path | None, quick: bool) -> None:
    """Train, convert to int8, calibrate on other writers, and write the models with their manifest."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    hands = load_hands(data)
    share = 12 if quick else 1
    # All pictures are made before TensorFlow starts its threads: a process that has them cannot be forked.
    lines: LineSet | None = None
    marks: MarkSet | None = None
    if only in (None, "line"):
        lines = line_set(hands["train"], LINES // share, seed, processes=threads)
    if only in (None, "marks"):
        marks = mark_set(hands["train"], MARKS // share, seed + 100, processes=threads)
    cases = cases_of(hands["calibrate"], 2000 if quick else 8000, seed + 500, processes=threads)
    console.print(f"pictures after {time.monotonic() - started:.0f} s")
    if lines is not None:
        nets = _networks(threads)
        model = nets.fit_lines(lines, epochs=ROUNDS["line"], seed=seed)
        (out / "line.tflite").write_bytes(nets.lines_to_int8(model, lines.pictures[LINE_WIDTHS_PX[0]][:600]))
        console.print(f"line.tflite after {time.monotonic() - started:.0f} s")
    if marks is not None:
        nets = _networks(threads)
        model = nets.fit_marks(marks, epochs=ROUNDS["marks"], seed=seed)
        (out / "marks.tflite").write_bytes(nets.marks_to_int8(model, marks.pictures[:600]))
        console.print(f"marks.tflite after {time.monotonic() - started:.0f} s")
    if all((out / f"{name}.tflite").exists() for name in ("line", "marks")):
        _calibrate(out, seed, {kind: list(some) for kind, some in cases.items()}, pages)
    console.print(f"done after {time.monotonic() - started:.0f} s")


def _calibrate(out: Path, seed: int, cases: dict[str, list[Case]], pages: Path | None) -> None:
    """Write the manifest: temperatures by composites and pages, thresholds by pages where there are some."""
    manifest = _manifest(out, seed)
    write_manifest(out, manifest)
    recognisers = Recognisers.load(out)
    photographed = load_crops(pages) if pages is not None else []
    heads = dict(manifest.heads)
    for kind in KINDS:
        composed = cases[kind]
        on_pages = [Case(one.crop, one.text) for one in photographed if one.kind == kind]
        composed_looks = [recognisers.look(kind, case.crop) for case in composed]
        page_looks = [recognisers.look(kind, case.crop) for case in on_pages]
        if kind == "number":
            heads[kind] = with_points(heads[kind], on_pages or composed, page_looks or composed_looks)
        mixed = [*on_pages[:2000], *composed], [*page_looks[:2000], *composed_looks]
        head = with_temperature(kind, heads[kind], *mixed)
        strangers = [i for i, case in enumerate(composed) if case.text is None]
        judged = (
            [*on_pages, *(composed[i] for i in strangers)] if on_pages else composed,
            [*page_looks, *(composed_looks[i] for i in strangers)] if on_pages else composed_looks,
        )
        heads[kind] = with_threshold(kind, head, *judged)
        console.print(f"{kind}: temperature {heads[kind].temperature}, threshold {heads[kind].threshold}")
    write_manifest(out, msgspec.structs.replace(manifest, heads=heads))


def _networks(threads: int) -> ModuleType:
    # Imported late: it takes seconds, and a process that holds it cannot be forked.
    import tensorflow as tf  # noqa: PLC0415

    from models.training import nets  # noqa: PLC0415

    if not tf.config.threading.get_intra_op_parallelism_threads():
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
    return nets


def _manifest(out: Path, seed: int) -> Manifest:
    def file(name: str, width: int, picture: Picture, sources: tuple[Source, ...]) -> ModelFile:
        digest = hashlib.sha256((out / f"{name}.tflite").read_bytes()).hexdigest()
        height = GLYPH_SIDE_PX if picture == "glyph" else LINE_HEIGHT_PX
        return ModelFile(f"{name}.tflite", digest, (1, height, width, 1), sources, picture)

    heads = {"number": Head("line", 0, LINE_SYMBOLS, 1.0, 0.9, rare=RARE)}
    starts = np.cumsum([0, *(len(symbols) for symbols in HEADS.values())])
    for (kind, symbols), start in zip(HEADS.items(), starts, strict=False):
        heads[kind] = Head("marks", int(start), symbols, 1.0, 0.9, other_weight=OTHER_WEIGHT)
    numbers = (MNIST_SOURCE, UNIPEN_SOURCE)
    return Manifest(
        version=VERSION,
        seed=seed,
        models={
            "line": file("line", LINE_WIDTHS_PX[0], "line", numbers),
            "marks": file("marks", GLYPH_SIDE_PX, "glyph", (MNIST_SOURCE, EMNIST_SOURCE, UNIPEN_SOURCE)),
        },
        heads=heads,
    )


if __name__ == "__main__":
    main()
