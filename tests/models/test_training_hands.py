from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.preprocess import find_ink
from models.training.answers import LINE_SYMBOLS, Written, all_points_show, an_answer
from models.training.hands import EMNIST, MNIST, UNIPEN, WRONG_CUTS, load_hands

STRUCK = json.loads(WRONG_CUTS.read_text(encoding="utf-8"))


@pytest.fixture
def handwriting(tmp_path: Path) -> Path:
    """Small files laid out as the collections are: 90 pen samples by one writer, a scan each of the others."""
    scans = np.full((1, 28, 28), 200, np.uint8)
    np.savez(tmp_path / MNIST, images=scans, labels=np.uint8([7]), writer=np.int32([4]), hsf=np.uint8([0]))
    np.savez(tmp_path / EMNIST, images=scans, labels=np.array(["A"]), emnist_index=np.int32([0]))
    for name in UNIPEN:
        n = 90
        np.savez(
            tmp_path / name,
            points=np.tile(np.int16([[0, 0], [500, 400], [1000, 1000]]), (n, 1)),
            stroke_len=np.full(n, 3),
            n_strokes=np.ones(n, np.int64),
            label=np.array(["3"] * n),
            category=np.zeros(n, np.uint8),
            writer=np.full(n, 12, np.uint16),
            rel_size=np.ones(n, np.float32),
        )
    return tmp_path


def test_samples_struck_out_as_wrong_cuts_teach_nobody_and_measure_nothing(handwriting: Path):
    struck = {index for some in STRUCK[UNIPEN[0]].values() for index in some if index < 90}
    assert struck
    hands = [hand for split in load_hands(handwriting).values() for hand in split]
    [pen] = [hand for hand in hands if hand.writer == "unipen-12"]
    assert len(pen.glyphs["3"]) == 2 * 90 - len(struck)


def test_no_sample_is_struck_out_twice():
    for groups in STRUCK.values():
        every = [index for some in groups.values() for index in some]
        assert len(every) == len(set(every))


def test_an_answer_whose_point_is_lost_in_the_paper_is_told_from_one_whose_point_shows():
    crop = np.full((90, 160), 210, np.uint8)
    crop[25:65, 40:46] = 60
    crop[25:65, 100:106] = 60
    crop[60:65, 70:75] = 60
    symbols = tuple(LINE_SYMBOLS.index(symbol) for symbol in "1.1")
    ink = find_ink(crop)
    assert ink is not None
    assert all_points_show(Written(crop, symbols, ((72 / 160, 62 / 90),)), ink)
    assert not all_points_show(Written(crop, symbols, ((85 / 160, 62 / 90),)), ink)


def test_answers_hold_every_symbol_that_the_networks_know_but_the_stranger():
    rng = np.random.default_rng(0)
    written = {symbol for _ in range(6000) for symbol in an_answer(rng)}
    assert written - {"?"} == set(LINE_SYMBOLS) - {""}
