"""`python -m models.training --data DIR --out models --seed 1`: makes the `.tflite` files and the manifest."""

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
from models.manifest import Head, Manifest, ModelFile, Source, write_manifest
from models.preprocess import GLYPH_SIDE_PX, LINE_HEIGHT_PX, LINE_WIDTH_PX
from models.recognisers import KINDS, Recognisers
from models.training.answers import LINE_SYMBOLS
from models.training.calibrate import calibrated
from models.training.hands import EMNIST_SOURCE, MNIST_SOURCE, UNIPEN_SOURCE, load_hands, with_scanned_digits
from models.training.marks import HEADS
from models.training.sets import drawn_marks, line_set, mark_set, written_answers

OTHER_WEIGHT = 0.3
"""How likely a mark that is no answer is in a box that asks for one, against the share that was learned with."""

console = Console(stderr=True)


@click.command(epilog="Example: python -m models.training --data ~/handwriting --out models --seed 1")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seed", default=1)
@click.option("--threads", default=2, help="for making data and for learning")
@click.option("--only", type=click.Choice(["line", "marks", "calibrate"]), help="make one part anew, keep the rest")
@click.option("--quick", is_flag=True, help="minutes instead of half an hour; worse")
def main(data: Path, out: Path, seed: int, threads: int, only: str | None, *, quick: bool) -> None:
    """Train, convert to int8, calibrate on other writers, and write the models with their manifest."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    hands = load_hands(data)
    # All pictures are made before TensorFlow starts its threads: a process that has them cannot be forked.
    lines = marks = None
    if only in (None, "line"):
        lines = line_set(written_answers(hands["train"], 16000 if quick else 70000, seed, processes=threads))
    if only in (None, "marks"):
        marks = mark_set(drawn_marks(hands["train"], 16000 if quick else 70000, seed + 100, processes=threads))
    n = 2000 if quick else 6000
    cases = cases_of(hands["calibrate"], n, seed + 500, processes=threads)
    # Seat digits are judged on scans alone: their labels were checked (QMNIST), UNIPEN's cuts are wrong now and then,
    # and a threshold that has to pass over wrong labels asks for half of what is plain.
    cases["digit"] = cases_of(with_scanned_digits(hands["calibrate"]), n, seed + 501, processes=threads)["digit"]
    console.print(f"pictures after {time.monotonic() - started:.0f} s")
    if lines is not None:
        nets = _networks(threads)
        model = nets.fit_lines(lines, epochs=5 if quick else 9, seed=seed)
        (out / "line.tflite").write_bytes(nets.to_int8(model, nets.line_network(batch=1), lines.pictures[:400]))
        console.print(f"line.tflite after {time.monotonic() - started:.0f} s")
    if marks is not None:
        nets = _networks(threads)
        model = nets.fit_marks(marks, epochs=4 if quick else 9, seed=seed)
        (out / "marks.tflite").write_bytes(nets.to_int8(model, nets.mark_network(batch=1), marks.pictures[:600]))
        console.print(f"marks.tflite after {time.monotonic() - started:.0f} s")
    manifest = _manifest(out, seed)
    write_manifest(out, manifest)
    recognisers = Recognisers.load(out)
    heads = dict(manifest.heads)
    for kind in KINDS:
        logits = [recognisers.logits(kind, case.crop) for case in cases[kind]]
        heads[kind] = calibrated(kind, heads[kind], cases[kind], logits)
        console.print(f"{kind}: temperature {heads[kind].temperature}, threshold {heads[kind].threshold}")
    write_manifest(out, msgspec.structs.replace(manifest, heads=heads))
    console.print(f"done after {time.monotonic() - started:.0f} s")


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
    def file(name: str, height: int, width: int, sources: tuple[Source, ...]) -> ModelFile:
        digest = hashlib.sha256((out / name).read_bytes()).hexdigest()
        return ModelFile(file=name, sha256=digest, input_shape=(1, height, width, 1), sources=sources)

    heads = {"number": Head("line", 0, LINE_SYMBOLS, 1.0, 0.9)}
    starts = np.cumsum([0, *(len(symbols) for symbols in HEADS.values())])
    for (kind, symbols), start in zip(HEADS.items(), starts, strict=False):
        heads[kind] = Head("marks", int(start), symbols, 1.0, 0.9, other_weight=OTHER_WEIGHT)
    return Manifest(
        version=1,
        seed=seed,
        models={
            "line": file("line.tflite", LINE_HEIGHT_PX, LINE_WIDTH_PX, (MNIST_SOURCE, UNIPEN_SOURCE)),
            "marks": file("marks.tflite", GLYPH_SIDE_PX, GLYPH_SIDE_PX, (MNIST_SOURCE, EMNIST_SOURCE, UNIPEN_SOURCE)),
        },
        heads=heads,
    )


if __name__ == "__main__":
    main()
