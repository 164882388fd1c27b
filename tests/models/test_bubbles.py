"""One bubble's look: plain ones are told apart, doubtful ones are not sure, and a damaged model says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import models
from homework.errors import UsageError
from models.bubbles import (
    PAPER,
    SHOWN,
    SIDE_PX,
    BubbleReader,
    Look,
    bubble_pictures,
    read_bubble_manifest,
    relative_darkness,
)
from models.manifest import ModelError

SHIPPED = Path(models.__file__).parent
BOX = (30.0, 20.0, 21.0, 21.0)
FINE = 8


def paper_with(mark: str, *, ink: int = 60, paper: int = 215, noise: float = 2.0, pen: float = 2.0) -> np.ndarray:
    """A circle of 21 px among paper, marked with plain lines: drawn for these tests alone, fine and then shrunk."""
    canvas = np.full((62 * FINE, 84 * FINE), paper, np.uint8)
    centre = (round(40.5 * FINE), round(30.5 * FINE))

    def at(x: float, y: float) -> tuple[int, int]:
        return centre[0] + round(x * FINE), centre[1] + round(y * FINE)

    def lines(*points: tuple[float, float], wide: float = pen) -> None:
        path = np.array([at(*point) for point in points], np.int32)
        cv2.polylines(canvas, [path], False, ink, max(round(wide * FINE), 1), cv2.LINE_AA)

    cv2.circle(canvas, centre, round(9.8 * FINE), 70, round(1.1 * FINE), cv2.LINE_AA)
    if mark in ("fill", "cancelled"):
        cv2.circle(canvas, centre, round(9.5 * FINE), ink, -1, cv2.LINE_AA)
    if mark == "to and fro":
        steps = np.linspace(-8, 8, 13)
        half = np.sqrt(np.maximum(81 - steps**2, 4))
        lines(*[(h if k % 2 else -h, y) for k, (h, y) in enumerate(zip(half, steps, strict=True))])
    if mark == "tick":
        lines((-6, -1), (-1, 7), (13, -13))
    if mark in ("cross", "cancelled"):
        reach = 9 if mark == "cross" else 16
        lines((-reach, -reach), (reach, reach))
        lines((reach, -reach), (-reach, reach))
    if mark == "half":
        cv2.ellipse(canvas, centre, (76, 76), 0, 100, 250, ink, -1, cv2.LINE_AA)
    if mark == "dot":
        cv2.circle(canvas, at(1, 1), round(2.5 * FINE), ink, -1, cv2.LINE_AA)
    small = cv2.resize(canvas, (84, 62), interpolation=cv2.INTER_AREA)
    noisy = small + np.random.default_rng(5).normal(0, noise, small.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def reader() -> BubbleReader:
    return BubbleReader.load()


def look_at(reader: BubbleReader, picture: np.ndarray) -> Look:
    [look] = reader.read(relative_darkness(picture, 21), [BOX])
    return look


PLAIN = {"nothing": "empty", "fill": "filled", "to and fro": "filled", "tick": "ticked", "cross": "crossed"}


@pytest.mark.parametrize("how", [{}, {"ink": 90}, {"paper": 120, "ink": 40}, {"noise": 5.0}])
@pytest.mark.parametrize("mark", PLAIN)
def test_a_plain_bubble_is_known_for_what_it_is(reader: BubbleReader, mark: str, how: dict[str, float]):
    look = look_at(reader, paper_with(mark, **how))
    assert (look.shown, look.sure) == (PLAIN[mark], True)


@pytest.mark.parametrize("ink", [40, 90])
def test_a_fill_that_was_crossed_out_is_known_as_cancelled(reader: BubbleReader, ink: int):
    assert look_at(reader, paper_with("cancelled", ink=ink)).shown == "cancelled"


@pytest.mark.parametrize("mark", ["half", "dot"])
def test_what_is_hardly_a_mark_is_never_surely_one_nor_surely_none(reader: BubbleReader, mark: str):
    look = look_at(reader, paper_with(mark))
    assert look.shown == "smudged" or not look.sure


def test_the_faintest_fill_is_neither_surely_full_nor_surely_empty(reader: BubbleReader):
    look = look_at(reader, paper_with("fill", ink=190))
    assert look.shown == "smudged" or not look.sure


def test_light_cancels(reader: BubbleReader):
    """Half the light, and a slope across the picture, change no class."""
    slope = np.linspace(0.55, 1.0, 84)[None]
    for mark, shown in PLAIN.items():
        picture = paper_with(mark)
        for lit in (picture * 0.5, picture * slope):
            assert look_at(reader, np.clip(lit, 0, 255).astype(np.uint8)).shown == shown


def test_looks_do_not_depend_on_what_was_looked_at_before(reader: BubbleReader):
    pictures = [relative_darkness(paper_with(mark), 21) for mark in ("tick", "fill", "nothing")]
    together = [reader.read(dark, [BOX])[0] for dark in pictures]
    apart = [reader.read(dark, [BOX])[0] for dark in reversed(pictures)]
    assert together == apart[::-1]
    assert reader.read(pictures[0], []) == []


def test_a_bubble_lies_beside_what_its_others_have_in_common():
    """Ink in one of the others does not come into the second picture; what is printed in all of them does."""
    dark = np.full((30, 120), PAPER, np.uint8)
    boxes = [(5.0 + 40 * k, 5.0, 20.0, 20.0) for k in range(3)]
    for k in range(3):
        dark[5:10, 5 + 40 * k : 25 + 40 * k] = 120  # printed
    dark[12:20, 50:60] = 200  # ink in the second
    first, second, _ = bubble_pictures(dark, boxes)
    assert first.shape == (SIDE_PX, 2 * SIDE_PX)
    assert first[:, 1::2].max() == 120
    assert second[:, ::2].max() == 200
    assert second[:, 1::2].max() == 120


def test_a_look_is_a_probability_of_every_class(reader: BubbleReader):
    look = look_at(reader, paper_with("cross"))
    assert len(look.probabilities) == len(SHOWN)
    assert sum(look.probabilities) == pytest.approx(1)
    assert look.confidence == max(look.probabilities) == look.probabilities[SHOWN.index(look.shown)]


@pytest.mark.parametrize("grey", [0, 255, 128])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 3), (60, 80)])
def test_a_bare_crop_of_any_size_has_pictures(reader: BubbleReader, shape: tuple[int, int], grey: int):
    height, width = shape
    dark = relative_darkness(np.full(shape, grey, np.uint8), 21)
    [picture] = bubble_pictures(dark, [(0.0, 0.0, float(width), float(height))])
    assert picture.shape == (SIDE_PX, 2 * SIDE_PX)
    [look] = reader.read(dark, [(0.0, 0.0, float(width), float(height))])
    assert 0 < look.confidence <= 1


def test_beyond_the_crop_there_is_paper():
    dark = np.full((10, 10), 200, np.uint8)
    [picture] = bubble_pictures(dark, [(0.0, 0.0, 10.0, 10.0)])
    assert (picture[0] == PAPER).all()
    assert picture[16, 32] == 200
    assert (picture[:, 1::2] == PAPER).all()  # a lone bubble has no others


@pytest.mark.parametrize(
    "wrong",
    [
        np.full((20, 20), np.nan),
        np.full((20, 20), 0.5, np.float32),
        np.zeros((20, 20, 3), np.uint8),
        np.zeros((0, 20), np.uint8),
        np.zeros((20, 20), np.int16),
    ],
    ids=["not a number", "floats", "colour", "no pixels", "wide integers"],
)
def test_what_is_no_grey_picture_is_refused_in_words(wrong: np.ndarray):
    with pytest.raises(UsageError, match="grey bytes") as caught:
        relative_darkness(wrong, 21)
    assert caught.value.remedy


# The files


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("bubbles.tflite", "bubbles.json"):
        shutil.copy(SHIPPED / name, tmp_path)
    return tmp_path


def test_the_model_is_small_and_names_its_sources():
    manifest = read_bubble_manifest(SHIPPED)
    assert (SHIPPED / manifest.model.file).stat().st_size < 150_000
    assert manifest.model.input_shape == (1, SIDE_PX, 2 * SIDE_PX, 1)
    assert all(source.licence for source in manifest.model.sources)
    assert all(0.5 <= threshold < 1 for threshold in manifest.thresholds.values())
    assert 0.2 < manifest.temperature < 5


def test_a_model_cut_short_is_refused_with_the_remedy(copy: Path):
    path = copy / "bubbles.tflite"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="not the one that was measured") as caught:
        BubbleReader.load(copy)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["bubbles.tflite", "bubbles.json"])
def test_a_missing_file_is_named(copy: Path, name: str):
    (copy / name).unlink()
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        BubbleReader.load(copy)


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1}', b"[]", b"\xff\xfe"])
def test_a_damaged_manifest_is_one_line_and_a_remedy(copy: Path, content: bytes):
    (copy / "bubbles.json").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        BubbleReader.load(copy)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("key", "value"),
    [("version", 2), ("classes", ["empty", "filled"]), ("thresholds", {"empty": 0.9}), ("temperature", 0)],
)
def test_a_manifest_of_another_kind_is_refused(copy: Path, key: str, value: object):
    path = copy / "bubbles.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ModelError, match="version 2" if key == "version" else "damaged"):
        BubbleReader.load(copy)
