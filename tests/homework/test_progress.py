import random

from hypothesis import given
from hypothesis import strategies as st

from homework.comments import Trend
from homework.progress import Mark, trend

rates = st.floats(0, 1, allow_nan=False)
marks = st.lists(st.builds(Mark, rates, rates), max_size=14)


def beside(*differences: float) -> list[Mark]:
    return [Mark(0.7 + difference, 0.7) for difference in differences]


def test_better_than_before_worse_than_before_and_much_the_same() -> None:
    assert trend(beside(-0.2, -0.25, -0.2, 0.1, 0.1, 0.15)) is Trend.UP
    assert trend(beside(0.1, 0.1, 0.15, -0.2, -0.25, -0.2)) is Trend.DOWN
    assert trend(beside(0.1, 0.0, 0.05, 0.05, 0.0, 0.1)) is Trend.STEADY


def test_of_fewer_than_six_sheets_nothing_is_said() -> None:
    assert trend(beside(-0.5, -0.5, 0.3, 0.3, 0.3)) is None


def test_a_hard_sheet_on_which_everybody_had_less_is_no_step_back() -> None:
    easy, hard = [Mark(0.9, 0.85)] * 4, [Mark(0.5, 0.45)] * 3
    assert trend([*easy, *hard]) is Trend.STEADY


@given(marks)
def test_what_is_up_for_one_is_down_for_the_mirror(some: list[Mark]) -> None:
    opposite = {Trend.UP: Trend.DOWN, Trend.DOWN: Trend.UP, Trend.STEADY: Trend.STEADY, None: None}
    assert trend([Mark(mark.class_rate, mark.rate) for mark in some]) is opposite[trend(some)]


@given(marks, marks)
def test_sheets_of_long_ago_say_nothing(old: list[Mark], some: list[Mark]) -> None:
    recent = [*some, *beside(*[0.0] * 9)]
    assert trend([*old, *recent]) is trend(recent)


def test_of_pupils_who_stay_as_they_are_few_are_told_of_a_change() -> None:
    """Chance alone: sheets of 20 items, each right four times in five."""
    draw = random.Random(3)
    said = [trend([Mark(sum(draw.random() < 0.8 for _ in range(20)) / 20, 0.8) for _ in range(9)]) for _ in range(1000)]
    assert sum(one is not Trend.STEADY for one in said) / len(said) < 0.2
    better = [
        trend([Mark(sum(draw.random() < p for _ in range(20)) / 20, 0.8) for p in [0.65] * 6 + [0.9] * 3])
        for _ in range(300)
    ]
    assert sum(one is Trend.UP for one in better) / len(better) > 0.85
