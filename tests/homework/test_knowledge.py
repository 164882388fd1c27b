import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.answers import AnswerRule
from homework.assignment import Item, Layer
from homework.knowledge import (
    Count,
    Level,
    mastery,
    of_class,
    of_sheet,
    share_below,
    together,
    weakest_first,
)
from homework.results import ItemResult, Reading, Verdict, VerdictKind
from homework.statistics import PupilResult, class_figures

pairs = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
RIGHT, WRONG = Verdict(VerdictKind.CORRECT, 100), Verdict(VerdictKind.WRONG, 0)
WAITS, LEFT_ALONE = Verdict(VerdictKind.REVIEW, None), Verdict(VerdictKind.BLANK, None)


def item(name: str, *knowledge: str, layer: Layer = "A", blanks: int = 1) -> Item:
    rule = AnswerRule(kind="number", accepted=(("1",),) * blanks)
    return Item(id=name, kind="number", prompt="", rule=rule, knowledge=knowledge, layer=layer, blanks=blanks)


def answer(name: str, verdict: Verdict, blank: int = 1) -> ItemResult:
    return ItemResult(name, blank, "number", Reading("1", 1.0), verdict)


@pytest.mark.parametrize(
    ("correct", "n", "line", "probability"),
    [
        (0, 0, 0.6, 0.6),  # nothing is known: the share is anywhere
        (1, 1, 0.5, 0.25),  # Beta(2, 1): x squared
        (10, 10, 0.8, 0.8**11),  # Beta(11, 1)
        (0, 4, 0.6, 1 - 0.4**5),  # Beta(1, 5)
        (1, 2, 0.6, 3 * 0.6**2 - 2 * 0.6**3),  # Beta(2, 2): 3x² - 2x³
    ],
)
def test_the_share_is_distributed_as_the_closed_forms_say(
    correct: int, n: int, line: float, probability: float
) -> None:
    assert share_below(line, correct, n) == pytest.approx(probability, rel=1e-12)


def test_it_agrees_with_draws_from_the_distribution() -> None:
    draw = random.Random(7)
    drawn = [draw.betavariate(1 + 13, 1 + 6) for _ in range(20_000)]
    assert share_below(0.6, 13, 19) == pytest.approx(sum(x < 0.6 for x in drawn) / len(drawn), abs=0.012)
    low, high = mastery(13, 19).interval.low, mastery(13, 19).interval.high
    assert sum(low <= x <= high for x in drawn) / len(drawn) == pytest.approx(0.8, abs=0.012)


@given(pairs)
def test_what_is_expected_lies_in_the_interval_and_is_never_certain(pair: tuple[int, int]) -> None:
    found = mastery(*pair)
    assert 0 < found.interval.low < found.mean < found.interval.high < 1 or pair[1] > 3
    assert 0 < found.mean < 1
    assert 0 <= found.interval.low <= found.interval.high <= 1


@given(pairs.filter(lambda pair: pair[0] < pair[1]))
def test_one_more_right_answer_never_says_less_of_a_pupil(pair: tuple[int, int]) -> None:
    correct, n = pair
    order = [Level.TOO_FEW, Level.WEAK, Level.FORMING, Level.MASTERED]
    one, other = mastery(correct, n), mastery(correct + 1, n)
    assert one.mean < other.mean
    assert order.index(one.level) <= order.index(other.level)


@given(pairs)
def test_the_distribution_mirrors(pair: tuple[int, int]) -> None:
    correct, n = pair
    assert share_below(0.3, correct, n) == pytest.approx(1 - share_below(0.7, n - correct, n), abs=1e-9)


def test_it_says_when_there_is_too_little_to_say() -> None:
    assert {mastery(c, 3).level for c in range(4)} == {Level.TOO_FEW}
    assert [mastery(c, n).level for c, n in ((1, 4), (3, 6), (10, 10), (900, 1000), (400, 1000))] == [
        Level.WEAK, Level.FORMING, Level.MASTERED, Level.MASTERED, Level.WEAK,
    ]  # fmt: skip


def test_a_sheet_counts_what_is_decided_and_each_point_of_an_item() -> None:
    items = [
        item("1", "乘法", "估算"), item("2", "乘法"), item("3", "乘法", blanks=2), item("4", "乘法", layer="B"),
        item("5"), item("6", "乘法"),
    ]  # fmt: skip
    answers = [
        answer("1", RIGHT), answer("2", WRONG), answer("3", RIGHT), answer("3", WRONG, 2), answer("4", LEFT_ALONE),
        answer("5", RIGHT), answer("6", WAITS),
    ]  # fmt: skip
    assert of_sheet(items, answers) == {"乘法": Count(1, 3), "估算": Count(1, 1)}


def test_a_class_has_what_its_pupils_have_together() -> None:
    items = [item("1", "乘法"), item("2", "除法"), item("3", "乘法", layer="C")]
    sheets = [
        (answer("1", RIGHT), answer("2", WRONG), answer("3", LEFT_ALONE)),
        (answer("1", WRONG), answer("2", WAITS), answer("3", RIGHT)),
    ]
    results = [
        PupilResult(pupil=str(n), name="", seat=n, status="handed-in", items=sheet) for n, sheet in enumerate(sheets)
    ]
    figures = class_figures(items, results)
    assert of_class(items, figures) == together(of_sheet(items, sheet) for sheet in sheets)
    assert of_class(items, figures) == {"乘法": Count(2, 3), "除法": Count(0, 1)}


def test_points_are_told_the_weakest_first_and_those_hardly_met_last() -> None:
    points = {"a": mastery(9, 10), "b": mastery(2, 10), "c": mastery(0, 1)}
    assert weakest_first(points) == ["b", "a", "c"]
