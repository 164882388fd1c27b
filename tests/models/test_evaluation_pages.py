from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import BadFileError
from models.evaluation.cards import BEGIN, END, write_cards
from models.evaluation.crops import PageCrop, load_crops, save_crops
from models.evaluation.curves import at_review, reliability, risk_coverage
from models.evaluation.figures import Judged, Outcome, judged_row
from models.evaluation.ink import PENS, Manner, beyond_mm, lay_out, write
from models.evaluation.isolated import one_sign
from models.evaluation.pages import by_kind, judge, page_rows, read_crops
from models.evaluation.report import report_of
from models.evaluation.worst import worst, write_worst
from models.preprocess import find_ink
from models.recognisers import Recognisers
from models.training.hands import Bitmap, Glyph, Strokes

OUTCOMES = st.lists(
    st.builds(Outcome, st.floats(0, 1), right=st.booleans(), stranger=st.sampled_from([False, False, True])),
    max_size=60,
)


def a_crop(text: str = "12", key: str = "12", *, kind: str = "number", form: str = "integer") -> PageCrop:
    pixels = np.random.default_rng(len(text)).integers(0, 255, (20 + len(text), 40), dtype=np.uint8)
    return PageCrop(pixels, kind, text, key, form, "mnist", 7, "gel", len(text), 12, 0.0, 1.0, 0, 3)


def a_stroke() -> Glyph:
    return Strokes((np.array([[0.1, 0.0], [0.5, 0.5], [0.2, 1.0]], np.float32),))


def a_scan() -> Glyph:
    image = np.zeros((20, 14), np.uint8)
    image[2:18, 5:9] = 255
    return Bitmap(image)


def test_crops_come_back_from_their_file_as_they_were(tmp_path):
    crops = [a_crop("7……3"), a_crop("√", "×", kind="judge", form="judge"), a_crop("")]
    save_crops(tmp_path / "crops.npz", crops)
    back = load_crops(tmp_path / "crops.npz")
    assert [replace(one, crop=other.crop) for one, other in zip(back, crops, strict=True)] == crops
    assert all((one.crop == other.crop).all() for one, other in zip(back, crops, strict=True))


def test_a_file_from_before_a_column_was_kept_can_still_be_read(tmp_path):
    save_crops(tmp_path / "crops.npz", [a_crop()])
    columns = dict(np.load(tmp_path / "crops.npz"))
    del columns["over_mm"]
    np.savez(tmp_path / "older.npz", **columns)
    assert [one.over_mm for one in load_crops(tmp_path / "older.npz")] == [0.0]


def test_a_file_without_crops_holds_none(tmp_path):
    save_crops(tmp_path / "none.npz", [])
    assert load_crops(tmp_path / "none.npz") == []


@pytest.mark.parametrize("cut", [1, 100])
def test_a_file_whose_pixels_were_lost_is_an_error_with_a_remedy(tmp_path, cut: int):
    save_crops(tmp_path / "crops.npz", [a_crop(), a_crop()])
    columns = dict(np.load(tmp_path / "crops.npz"))
    np.savez(tmp_path / "short.npz", **{**columns, "pixels": columns["pixels"][:-cut]})
    with pytest.raises(BadFileError) as caught:
        load_crops(tmp_path / "short.npz")
    assert "benchmarks.hands" in caught.value.remedy


def test_what_is_no_file_of_crops_is_an_error(tmp_path):
    (tmp_path / "words.npz").write_text("words")
    with pytest.raises(BadFileError):
        load_crops(tmp_path / "words.npz")


def test_a_wrong_answer_that_is_read_as_the_key_is_a_false_tick():
    judged = judge(a_crop("13", key="18"), "18", 0.99, 0.9).judged
    assert judged == Judged(same=False, asked=False, right=False, ticked=True)
    assert judged_row([judged])["false_ticks"] == 1


def test_a_right_answer_that_is_read_as_another_is_a_false_cross():
    judged = judge(a_crop("18", key="18"), "13", 0.99, 0.9).judged
    assert judged == Judged(same=False, asked=False, right=True, ticked=False)
    figures = judged_row([judged])
    assert (figures["false_ticks"], figures["false_crosses"], figures["silent"]) == (0, 1, 1.0)


def test_a_right_answer_misread_as_an_equal_one_is_silent_but_no_false_cross():
    judged = judge(a_crop("1/2", key="0.5"), "2/4", 0.99, 0.9).judged
    figures = judged_row([judged])
    assert (figures["silent"], figures["false_crosses"]) == (1.0, 0)


def test_a_doubtful_reading_is_asked_about_and_never_ticked():
    for text, confidence in (("18", 0.5), (None, 0.0)):
        judged = judge(a_crop("13", key="18"), text, confidence, 0.9).judged
        assert judged.asked
        assert not judged.ticked


def test_a_number_whose_written_unit_is_missing_is_for_a_person():
    assert judge(a_crop("12cm", key="12cm", form="unit"), "12", 0.99, 0.9).judged.asked
    assert judge(a_crop("12cm", key="12cm", form="unit"), "12cm", 0.99, 0.9).judged.ticked


def test_nobody_ticks_the_parts_of_a_fraction():
    judged = judge(a_crop("3", key="", form="part"), "3", 0.99, 0.9).judged
    assert (judged.same, judged.right, judged.ticked) == (True, None, False)


def test_rows_of_pages_count_every_crop_once_in_each_group():
    crops = [
        a_crop("1", "1"),
        a_crop("12", "13"),
        a_crop("√", "√", kind="judge", form="judge"),
        a_crop("3", "", form="part"),
    ]
    rows = page_rows([judge(crop, crop.text, 0.99, 0.9) for crop in crops])
    sizes = {(one["kind"], one["set"]): one["n"] for one in rows}
    assert sizes["number", "pages"] == 3
    assert sizes["number", "pages, integer"] == 2
    assert sizes["number", "pages, 1 digit"] == sizes["number", "pages, 2 digits"] == 1
    assert sizes["number", "pages, gel"] == 2
    assert sizes["judge", "pages, √ (synthetic)"] == 1


@given(OUTCOMES)
def test_to_ask_more_never_makes_more_silent_errors(outcomes: list[Outcome]):
    trades = risk_coverage(outcomes)
    assert [one.review for one in trades] == sorted(one.review for one in trades)
    assert [one.silent for one in trades] == sorted((one.silent for one in trades), reverse=True)
    if trades:
        assert (trades[0].review, trades[-1].review, trades[-1].silent) == (0.0, 1.0, 0.0)


@given(OUTCOMES, st.floats(0, 1))
def test_every_trade_is_what_its_threshold_does(outcomes: list[Outcome], allowed: float):
    answers = [one for one in outcomes if not one.stranger]
    trade = at_review(risk_coverage(outcomes), allowed)
    if not answers:
        assert trade is None
        return
    assert trade is not None
    assert trade.review <= allowed + 1e-9
    silent = sum(not one.right and one.confidence >= trade.threshold for one in answers)
    asked = sum(one.confidence < trade.threshold for one in answers)
    assert (trade.silent, trade.review) == (silent / len(answers), asked / len(answers))


@given(OUTCOMES)
def test_every_answer_falls_into_one_bin_of_confidence(outcomes: list[Outcome]):
    bins = reliability(outcomes)
    answers = [one for one in outcomes if not one.stranger]
    assert sum(one.n for one in bins) == len(answers)
    assert round(sum(one.n * one.right for one in bins)) == sum(one.right for one in answers)
    for one in bins:
        assert one.low - 1e-9 <= one.said <= one.high + 1e-9


def test_the_worst_are_wrong_and_the_most_confident_first(tmp_path):
    reads = [
        judge(a_crop("1", "1"), "1", 0.999, 0.9),
        judge(a_crop("2", "2"), "3", 0.7, 0.9),
        judge(a_crop("4<", "4"), "5", 0.99, 0.9),
        judge(a_crop("6", "6"), None, 0.0, 0.9),
    ]
    assert [one.crop.text for one in worst(reads)] == ["4<", "2"]
    write_worst(tmp_path / "worst.html", reads)
    page = (tmp_path / "worst.html").read_text(encoding="utf-8")
    assert page.count("<img") == 2
    assert "4&lt;" in page
    write_worst(tmp_path / "worst.png", reads)
    assert (tmp_path / "worst.png").read_bytes().startswith(b"\x89PNG")


def test_cards_show_pages_curves_and_honesty_and_draw_them(tmp_path):
    manifest = Recognisers.load().manifest
    for name in {head.model for head in manifest.heads.values()}:
        (tmp_path / f"{name}.md").write_text(f"{BEGIN}\n{END}\n")
    reads = [judge(a_crop("13", key="18"), "18", 0.9995, 0.9), judge(a_crop("18", "18"), "18", 0.97, 0.9)]
    write_cards(tmp_path, manifest, report_of([], page_rows(reads), {"pages": by_kind(reads)}), tmp_path)
    card = (tmp_path / f"{manifest.heads['number'].model}.md").read_text(encoding="utf-8")
    assert "| number | pages | 2 | 50.00%" in card
    assert "1 of 1" in card
    assert "0.95 to 0.98" in card
    picture = tmp_path / f"reading-{manifest.heads['number'].model}.svg"
    assert f"]({picture.name})" in card
    svg = ET.fromstring(picture.read_text(encoding="utf-8"))
    assert len(svg.findall("{http://www.w3.org/2000/svg}polyline")) == 1
    honesty = tmp_path / f"reliability-{manifest.heads['number'].model}.svg"
    assert f"]({honesty.name})" in card
    dots = ET.fromstring(honesty.read_text(encoding="utf-8")).findall("{http://www.w3.org/2000/svg}circle")
    sure_and_wrong, right = (float(dot.attrib["cy"]) for dot in reversed(dots))
    assert sure_and_wrong < right, "what is wrong more often stands higher"


@pytest.mark.parametrize("glyph", [a_stroke(), a_scan()], ids=["strokes", "scan"])
@pytest.mark.parametrize("pen", PENS)
def test_an_answer_is_written_inside_its_box_and_can_be_seen(glyph: Glyph, pen: str):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        manner = Manner.random(rng, (pen,))
        page = np.full((200, 400, 3), 243, np.uint8)
        box = (8.0, 4.0, 24.0, 10.0)
        text, stacked = (("12.5", False), ("1 3/4", True))[seed % 2]
        write(page, lay_out(text, box, manner, lambda _: glyph, rng=rng, stacked=stacked, over=0.0), manner, 8.0, rng)
        ys, xs = np.nonzero(page[..., 2] < 225)
        assert len(xs) > 40
        around = 0.8  # half of the widest pen
        assert (8.0 - around) * 8 <= xs.min()
        assert xs.max() <= (32.0 + around) * 8
        assert (4.0 - around) * 8 <= ys.min()
        assert ys.max() <= (14.0 + around) * 8


def test_an_answer_that_leaves_its_frame_is_known_to():
    box = (8.0, 4.0, 24.0, 10.0)
    manner = Manner.random(np.random.default_rng(1))
    far = []
    for over in (0.0, 1.0):
        rngs = [np.random.default_rng(seed) for seed in range(20)]
        placed = [lay_out("12", box, manner, lambda _: a_stroke(), rng=rng, over=over) for rng in rngs]
        far.append([beyond_mm(one, box) for one in placed])
    assert max(far[0]) < 1e-9
    assert all(0.2 < mm < 1.4 for mm in far[1])


def test_single_signs_are_crops_with_ink_that_the_recognisers_take():
    crop = one_sign(a_stroke(), "7", np.random.default_rng(3))
    assert find_ink(crop) is not None
    made = replace(a_crop("7", "7"), crop=crop)
    [read] = read_crops(Recognisers.load(), [made])
    assert 0 <= read.confidence <= 1
