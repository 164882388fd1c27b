from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import BadFileError
from models.evaluation.cards import BEGIN, END, write_cards
from models.evaluation.figures import Outcome, row, wilson
from models.evaluation.report import report_of
from models.manifest import read_manifest
from models.recognisers import NUMBER, Recognisers
from models.training import pens
from models.training.answers import LINE_SYMBOLS, an_answer, write_answer
from models.training.hands import Bitmap, Hand, Strokes, load_hands, split_of
from models.training.marks import HEADS, SKIP, draw_mark, targets_of


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_the_interval_of_a_rate_holds_the_rate(k: int, more: int):
    n = k + more
    low, high = wilson(k, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= k / n + 1e-12
        assert k / n <= high + 1e-12


def test_figures_count_what_their_names_say():
    results = [
        Outcome(0.99, right=True, stranger=False),
        Outcome(0.99, right=False, stranger=False),
        Outcome(0.50, right=False, stranger=False),
        Outcome(0.50, right=True, stranger=False),
        Outcome(0.99, right=False, stranger=True),
        Outcome(0.10, right=False, stranger=True),
    ]
    one = row("digit", "made up", results, 0.9)
    assert (one.n, one.strangers) == (4, 2)
    assert (one.forced_choice, one.silent, one.review, one.strangers_taken) == (0.5, 0.25, 0.5, 0.5)


def test_cards_keep_their_words_and_change_their_figures(tmp_path):
    manifest = Recognisers.load().manifest
    for name in {head.model for head in manifest.heads.values()}:
        (tmp_path / f"{name}.md").write_text(f"before\n{BEGIN}\nstale figures\n{END}\nafter\n")
    rows = [row("judge", "made up", [Outcome(0.9, right=True, stranger=False)], 0.8)]
    write_cards(tmp_path, manifest, report_of(rows, [], {}))
    text = (tmp_path / "marks.md").read_text()
    assert "stale figures" not in text
    assert "| judge | made up | 1 | 100.00%" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")


def test_most_writers_teach_and_nobody_is_in_two_splits():
    splits = [split_of(writer) for writer in range(4000)]
    assert 0.65 < splits.count("train") / 4000 < 0.75
    assert set(splits) == {"train", "calibrate", "check"}


def test_every_answer_to_write_is_a_number_unless_it_holds_a_stranger():
    rng = np.random.default_rng(1)
    for _ in range(500):
        symbols = an_answer(rng)
        if "?" not in symbols:
            assert NUMBER.fullmatch("".join(symbols)), symbols


def made_up_hand(writer: str = "unipen-0") -> Hand:
    rng = np.random.default_rng(0)
    zigzag = [Strokes((rng.random((6, 2)).astype(np.float32),)) for _ in range(3)]
    blob = [Bitmap(np.pad(rng.integers(100, 255, (12, 8), dtype=np.uint8), 1))]
    return Hand(writer, {symbol: [*zigzag, *blob] for symbol in "0123456789.-/%ABCDEFGH><=XxcdghiklmnstL"})


@pytest.mark.parametrize("seed", range(20))
def test_a_written_answer_has_a_crop_with_its_symbols(seed: int):
    rng = np.random.default_rng(seed)
    symbols = an_answer(rng)
    written = write_answer(symbols, made_up_hand(), made_up_hand(), rng)
    assert written is not None
    assert written.crop.dtype == np.uint8
    assert written.crop.ndim == 2
    assert [LINE_SYMBOLS[i] or "?" for i in written.symbols] == symbols


@pytest.mark.parametrize("symbol", ["tick", "cross", "half-tick", "scribble", "cancelled", "pair", "7", "A", "="])
def test_a_drawn_mark_has_ink_and_a_target_for_every_head(symbol: str):
    mark = draw_mark(symbol, [made_up_hand()], np.random.default_rng(5))
    assert mark is not None
    assert len(mark.targets) == len(HEADS)
    assert int(mark.crop.max()) - int(mark.crop.min()) > 10


def test_a_mark_that_could_be_taken_for_another_teaches_nothing_about_it():
    heads = list(HEADS)
    assert targets_of("O")[heads.index("digit")] == SKIP
    assert targets_of("V")[heads.index("judge")] == SKIP
    assert HEADS["judge"][targets_of("X")[heads.index("judge")]] == "×"
    assert HEADS["letter"][targets_of("letter B")[heads.index("letter")]] == "B"
    assert HEADS["compare"][targets_of("8")[heads.index("compare")]] == ""


@pytest.mark.parametrize("seed", range(30))
def test_a_tick_goes_up_to_the_right_of_its_lowest_point(seed: int):
    lines = pens.tick(np.random.default_rng(seed)).lines
    every = np.concatenate(lines)
    lowest = every[:, 1].argmax()
    assert every[:, 0].argmax() != lowest
    assert every[every[:, 0].argmax(), 1] < every[lowest, 1]


def test_a_folder_without_handwriting_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(BadFileError) as caught:
        load_hands(tmp_path)
    assert "--data" in caught.value.remedy


def test_heads_of_the_manifest_are_those_that_training_teaches():
    manifest = read_manifest(Recognisers.load().directory)
    for kind, symbols in HEADS.items():
        assert manifest.heads[kind].symbols == symbols
    assert manifest.heads["number"].symbols == LINE_SYMBOLS
