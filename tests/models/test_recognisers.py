from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from models.ctc import likeliest_texts, probability_of, softmax
from models.evaluation.figures import Case
from models.manifest import Head
from models.recognisers import KINDS, NUMBER, Kind, Look, Recognisers, Recognition, interpret, interpret_line
from models.training.calibrate import with_points

# Plain signs as polylines in a square of 100, drawn for these tests alone.
SIGNS: dict[str, list[list[tuple[int, int]]]] = {
    "0": [[(50, 2), (22, 20), (15, 55), (28, 90), (50, 98), (74, 88), (84, 55), (76, 18), (50, 2)]],
    "1": [[(52, 2), (48, 98)]],
    "2": [[(22, 25), (40, 4), (66, 6), (76, 28), (60, 55), (22, 95), (82, 94)]],
    "3": [[(24, 12), (52, 3), (74, 18), (68, 38), (44, 48), (72, 58), (80, 80), (56, 97), (22, 88)]],
    "4": [[(40, 2), (18, 62), (84, 58)], [(64, 34), (58, 98)]],
    "5": [[(30, 4), (26, 46), (52, 40), (76, 58), (70, 88), (44, 98), (20, 88)], [(30, 5), (76, 3)]],
    "7": [[(18, 8), (80, 6), (52, 50), (40, 98)]],
    "√": [[(8, 58), (32, 92), (96, 10)]],
    "×": [[(12, 12), (88, 90)], [(88, 10), (14, 92)]],
    ">": [[(14, 10), (86, 50), (14, 92)]],
    "<": [[(86, 10), (14, 50), (86, 92)]],
    "=": [[(10, 34), (90, 32)], [(10, 68), (90, 66)]],
    "A": [[(50, 2), (16, 98)], [(50, 2), (84, 98)], [(30, 62), (72, 62)]],
    "C": [[(82, 18), (56, 3), (26, 20), (16, 52), (28, 84), (56, 97), (84, 82)]],
    "D": [[(24, 3), (24, 97)], [(24, 4), (58, 12), (80, 48), (60, 86), (24, 97)]],
}


def crop_of(text: str, *, dark: int = 60, size: int = 48, pen: int = 4) -> np.ndarray:
    width = 60 + len(text) * (size + 6)
    crop = np.full((100, width), 205, np.uint8)
    for place, sign in enumerate(text):
        for line in SIGNS[sign]:
            points = np.array(line) * size / 100 + (24 + place * (size - 4), 26)
            cv2.polylines(crop, [points.astype(np.int32).reshape(-1, 1, 2)], False, dark, pen, cv2.LINE_AA)
    noisy = cv2.GaussianBlur(crop, (3, 3), 0) + np.random.default_rng(3).normal(0, 2, crop.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def recognisers() -> Recognisers:
    return Recognisers.load()


def read_one(recognisers: Recognisers, kind: Kind, crop: np.ndarray) -> Recognition:
    [recognition] = recognisers.read(kind, [crop])
    return recognition


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(100, 260), (60, 60), (5, 5), (1, 300)])
def test_an_empty_crop_is_nothing_with_no_confidence(recognisers: Recognisers, kind: Kind, shape: tuple[int, int]):
    recognition = read_one(recognisers, kind, np.full(shape, 200, np.uint8))
    assert recognition.text is None
    assert recognition.confidence < recognisers.threshold(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_a_scribble_is_for_a_person(recognisers: Recognisers, kind: Kind, seed: int):
    rng = np.random.default_rng(seed)
    crop = np.full((96, 110), 210, np.uint8)
    points = rng.integers((20, 20), (90, 76), (22, 2)).astype(np.int32)
    cv2.polylines(crop, [points.reshape(-1, 1, 2)], False, 50, 4, cv2.LINE_AA)
    assert read_one(recognisers, kind, crop).confidence < recognisers.threshold(kind)


@pytest.mark.parametrize("text", ["0", "1", "2", "3", "4", "5", "7", "207", "354", "774", "50"])
@pytest.mark.parametrize("dark", [30, 150])
def test_a_plainly_written_number_is_read_in_pen_and_in_pencil(recognisers: Recognisers, text: str, dark: int):
    assert read_one(recognisers, "number", crop_of(text, dark=dark)).text == text


@pytest.mark.parametrize("text", ["12", "1001", "11", "101", "211", "40", "3257"])
@pytest.mark.parametrize("dark", [30, 150])
def test_narrow_signs_side_by_side_are_read_right_or_asked_about(recognisers: Recognisers, text: str, dark: int):
    recognition = read_one(recognisers, "number", crop_of(text, dark=dark))
    assert recognition.text == text or recognition.confidence < recognisers.threshold("number")


def test_a_point_in_the_ink_that_the_text_does_not_have_is_asked_about(
    recognisers: Recognisers, monkeypatch: pytest.MonkeyPatch
):
    symbols = recognisers.manifest.heads["number"].symbols

    def sees(text: str) -> np.ndarray:
        steps = np.zeros((2 * len(text) + 1, len(symbols) + 1), np.float32)
        steps[::2, -1] = 14
        for i, symbol in enumerate(text):
            steps[2 * i + 1, symbols.index(symbol)] = 14
        return steps

    plain = crop_of("354", dark=30)
    with_point = cv2.circle(plain.copy(), (72, 76), 3, 40, -1, cv2.LINE_AA)
    for text, crop, asked in (("354", plain, False), ("354", with_point, True), ("3.54", with_point, False)):
        monkeypatch.setattr(recognisers, "_answer", lambda _name, _ink, text=text: sees(text))
        said = read_one(recognisers, "number", crop)
        assert said.text == text
        assert (said.confidence < recognisers.threshold("number")) is asked


def test_three_bars_are_no_equals_sign(recognisers: Recognisers):
    three = np.full((90, 100), 205, np.uint8)
    for y in (28, 44, 60):
        cv2.line(three, (30, y), (70, y - 1), 50, 4, cv2.LINE_AA)
    assert read_one(recognisers, "compare", three).confidence < recognisers.threshold("compare")
    two = np.full((90, 100), 205, np.uint8)
    for y in (36, 54):
        cv2.line(two, (30, y), (70, y - 1), 50, 4, cv2.LINE_AA)
    assert read_one(recognisers, "compare", two).text == "="
    assert read_one(recognisers, "compare", two).confidence >= recognisers.threshold("compare")


def test_a_one_that_stands_on_the_frames_line_is_read_or_asked_about(recognisers: Recognisers):
    four = crop_of("4", dark=30)
    x = four.shape[1] - 5
    cv2.line(four, (x, 30), (x, 72), 30, 4, cv2.LINE_AA)
    said = read_one(recognisers, "number", four)
    assert said.text == "41" or said.confidence < recognisers.threshold("number")


@pytest.mark.parametrize(
    ("kind", "text"),
    [("judge", "√"), ("judge", "×"), ("compare", ">"), ("compare", "<"), ("compare", "=")]
    + [("letter", letter) for letter in "ACD"]
    + [("digit", digit) for digit in "0123457"],
)
def test_a_plainly_written_mark_is_read(recognisers: Recognisers, kind: Kind, text: str):
    assert read_one(recognisers, kind, crop_of(text)).text == text


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(8, 110), st.integers(8, 300), st.integers(0, 2**32 - 1))
def test_whatever_is_on_the_paper_the_reading_is_in_its_kinds_alphabet(kind: Kind, height: int, width: int, seed: int):
    rng = np.random.default_rng(seed)
    crop = np.full((height, width), 200, np.uint8)
    for _ in range(int(rng.integers(0, 6))):
        ends = rng.integers((0, 0), (width, height), (3, 2)).astype(np.int32)
        cv2.polylines(crop, [ends.reshape(-1, 1, 2)], False, int(rng.integers(0, 180)), int(rng.integers(1, 6)))
    recognisers = shared()
    recognition = read_one(recognisers, kind, crop)
    texts = [candidate.text for candidate in recognition.candidates]
    assert texts[:1] == ([] if recognition.text is None else [recognition.text])
    for candidate in recognition.candidates:
        assert 0.0 <= candidate.confidence <= 1.0
        if kind == "number":
            assert NUMBER.fullmatch(candidate.text)
        else:
            assert candidate.text in recognisers.manifest.heads[kind].symbols
            assert candidate.text
    sure = [candidate.confidence for candidate in recognition.candidates]
    assert sure == sorted(sure, reverse=True)


_shared: list[Recognisers] = []


def shared() -> Recognisers:
    if not _shared:
        _shared.append(Recognisers.load())
    return _shared[0]


def test_readings_do_not_depend_on_what_was_read_before(recognisers: Recognisers):
    crops = [crop_of(text) for text in ("12", "7", "354")]
    together = recognisers.read("number", crops)
    apart = [read_one(recognisers, "number", crop) for crop in reversed(crops)]
    assert together == apart[::-1]


def test_a_model_is_opened_only_when_its_kind_is_read(tmp_path: Path):
    home = Path(models.__file__).parent
    for path in [*home.glob("*.tflite"), home / "manifest.json"]:
        shutil.copy(path, tmp_path)
    lazy = Recognisers.load(tmp_path)
    (tmp_path / "line.tflite").unlink()
    assert read_one(lazy, "judge", crop_of("√")).text == "√"


def test_a_repeated_symbol_needs_a_blank_between():
    steps = np.full((5, 3), 0.01)
    steps[[0, 1, 3, 4], [0, 0, 0, 0]] = 0.98
    steps[2, 2] = 0.98
    [(text, p), *_] = likeliest_texts(steps)
    assert text == (0, 0)
    assert 0.85 < p < 1.0
    steps[2] = [0.98, 0.01, 0.01]
    assert likeliest_texts(steps)[0][0] == (0,)


def exact(steps: np.ndarray) -> dict[tuple[int, ...], float]:
    """Every text's probability, by going through all paths; the last class is the blank."""
    from itertools import groupby, product

    length, classes = steps.shape
    found: dict[tuple[int, ...], float] = {}
    for path in product(range(classes), repeat=length):
        text = tuple(symbol for symbol, _ in groupby(path) if symbol != classes - 1)
        found[text] = found.get(text, 0.0) + float(np.prod([steps[i, s] for i, s in enumerate(path)]))
    return found


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1), st.floats(0.5, 12.0))
def test_the_search_sums_over_all_alignments(length: int, seed: int, sharpness: float):
    steps = softmax(np.random.default_rng(seed).normal(0, sharpness, (length, 3)).astype(np.float32), 1.0)
    truth = exact(steps)
    found = likeliest_texts(steps)
    assert truth[found[0][0]] >= max(truth.values()) * 0.95  # the beam drops what is rare
    assert all(p <= truth.get(text, 0.0) + 1e-3 for text, p in found)
    assert found[0][1] == pytest.approx(truth[found[0][0]], rel=2e-2)


def test_the_likeliest_text_leads_though_the_beam_lost_some_of_its_alignments():
    steps = softmax(np.random.default_rng(4324).normal(0, 2.0, (5, 3)).astype(np.float32), 1.0)
    truth = exact(steps)
    assert likeliest_texts(steps)[0][0] == max(truth, key=lambda text: truth[text])


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1), st.floats(0.5, 12.0))
def test_the_probability_of_a_text_is_that_of_all_its_alignments(length: int, seed: int, sharpness: float):
    steps = softmax(np.random.default_rng(seed).normal(0, sharpness, (length, 3)).astype(np.float32), 1.0)
    for text, p in exact(steps).items():
        assert probability_of(text, steps) == pytest.approx(p, rel=2e-2, abs=1e-3)


HEAD = Head(model="one", start=0, symbols=("1", "7", ".", ""), temperature=1.0, threshold=0.9)


ONE, SEVEN, POINT, STRANGER, BLANK = range(5)


def says(*symbols: int, sure: float = 12.0) -> np.ndarray:
    """The logits of a network that reads these symbols."""
    steps = np.zeros((2 * len(symbols) + 1, 5), np.float32)
    steps[::2, BLANK] = sure
    for i, symbol in enumerate(symbols):
        steps[2 * i + 1, symbol] = sure
    return steps


def test_a_sign_that_pupils_hardly_write_must_be_seen_plainly():
    slanted = says(SEVEN, SEVEN)
    slanted[1, ONE] = slanted[1, SEVEN] + 0.5  # a little more like the 1 than like the 7
    assert interpret_line(Look(slanted), HEAD).text == "17"
    rare = msgspec.structs.replace(HEAD, rare={"1": 0.25})
    assert interpret_line(Look(slanted), rare).text == "77"
    assert interpret_line(Look(says(ONE, SEVEN)), rare).text == "17"
    assert interpret_line(Look(says(ONE, SEVEN)), rare).confidence > 0.99


def test_whether_the_ink_holds_a_point_weighs_in_where_the_network_hesitates():
    hesitant = says(ONE, POINT, SEVEN)
    hesitant[3, BLANK] = hesitant[3, POINT] + 1.0  # rather no point
    head = msgspec.structs.replace(HEAD, pointed={"": 0.01, ".": 0.9})
    assert interpret_line(Look(hesitant), HEAD).text == "17"
    assert interpret_line(Look(hesitant, points=1), head).text == "1.7"
    assert interpret_line(Look(hesitant, points=0), head).text == "17"
    plainly = says(ONE, SEVEN)
    assert interpret_line(Look(plainly, points=1), head).text == "17", "a crumb makes no point where none was read"


def test_a_point_that_was_not_read_and_a_stroke_that_was_left_out_halve_the_confidence():
    sure = interpret("number", HEAD, Look(says(ONE, SEVEN))).confidence
    for look in (Look(says(ONE, SEVEN), points=1), Look(says(ONE, SEVEN), left_out=1)):
        assert interpret("number", HEAD, look).confidence == pytest.approx(sure / 2)
    with_point = Look(says(ONE, POINT, SEVEN), points=1)
    assert interpret("number", HEAD, with_point).confidence > 0.99


def test_what_may_be_no_number_takes_confidence_and_what_is_none_is_not_read():
    torn = says(ONE, SEVEN)
    torn[3, STRANGER] = torn[3, SEVEN]
    assert interpret_line(Look(torn), HEAD).confidence < 0.6
    assert interpret_line(Look(says(STRANGER)), HEAD).text is None


@pytest.mark.parametrize("text", ["12cm", "5kg", "2.5m", "36cm²", "8m³", "250mL", "3t", "45min", "-3", "7……3", "75%"])
def test_numbers_with_the_units_of_the_textbooks_are_numbers(text: str):
    assert NUMBER.fullmatch(text)


@pytest.mark.parametrize("text", ["cm", "m5", "5cmm", "5%cm", "7……3cm", "5c", "1/", "--3", "5kgm", "", "L5"])
def test_what_only_looks_like_a_number_with_a_unit_is_none(text: str):
    assert not NUMBER.fullmatch(text)


def test_how_often_texts_show_a_point_is_counted_by_their_signs_and_nothing_is_impossible():
    look = Look(says(ONE))
    pointed = Look(says(ONE), points=1)
    empty = np.zeros((2, 2), np.uint8)
    cases = [Case(empty, text) for text in ("17", "1", "7", "1.7", None)]
    counted = with_points(HEAD, cases, [look, look, pointed, pointed, pointed]).pointed
    assert counted == {"": pytest.approx(2 / 5), ".": pytest.approx(2 / 3, abs=1e-4)}
