"""Prompts become runs: where fields stand, fractions, and operators that are set properly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.layout import FieldKind
from homework.sheets.prompts import Run, prompt_runs, set_operators, text_runs


def shown(prompt: str, kind: FieldKind = "number", blanks: int = 1) -> str:
    """The runs in one line: [1] is a field, {1 3/4} a fraction, [] a bracket that is no field."""
    forms = {
        "text": lambda r: r.text,
        "fraction": lambda r: "{" + f"{r.whole} {r.over}/{r.under}".strip() + "}",
        "field": lambda r: f"[{r.blank}]",
        "gap": lambda _: "[]",
        "break": lambda _: "|",
    }
    return "".join(forms[run.kind](run) for run in prompt_runs(prompt, kind=kind, blanks=blanks))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("23×4=", "23 × 4 ="),
        ("共 ____ 支", "共 [1] 支"),
        ("共（　）支", "共[1]支"),
        ("共 ( ) 支", "共 [1] 支"),
        ("3/4-1/4 = ____", "{3/4} − {1/4} = [1]"),
        ("1 3/4 + 1/4 =", "{1 3/4} + {1/4} ="),
        ("____-3=5", "[1] − 3 = 5"),
        ("-3+5=", "−3 + 5 ="),
        ("见第 2-3 页", "见第 2-3 页"),
        ("2026/12/01 交", "2026/12/01 交"),
        ("5 km/h", "5 km/h"),
        ("第一行\n第二行 2×3=", "第一行|第二行 2 × 3 ="),
        ("(3+4)×2=", "(3 + 4) × 2 ="),
        ("", ""),
    ],
)
def test_a_prompt_is_set_as_a_teacher_would_write_it(prompt: str, expected: str) -> None:
    assert shown(prompt) == expected


def test_places_are_numbered_and_those_beyond_the_blanks_stay_empty_brackets() -> None:
    assert shown("____ + ____ = ____", blanks=2) == "[1] + [2] = []"
    assert shown("3 ○ 4", kind="compare") == "3 [1] 4"


def test_the_bracket_of_a_bubble_item_is_no_field() -> None:
    assert shown("结果是 ( )", kind="choice") == "结果是 []"


@given(st.text("0123456789+-=×÷/() _○元。abc", max_size=30))
def test_setting_operators_twice_changes_nothing_more(text: str) -> None:
    assert set_operators(set_operators(text)) == set_operators(text)


@given(st.text(max_size=40), st.integers(1, 4))
def test_no_blank_is_placed_twice_and_none_beyond_the_last(prompt: str, blanks: int) -> None:
    placed = [run.blank for run in prompt_runs(prompt, kind="number", blanks=blanks) if run.kind == "field"]
    assert placed == list(range(1, len(placed) + 1))
    assert len(placed) <= blanks


def test_an_answer_is_set_like_a_prompt() -> None:
    assert text_runs("1 1/2") == (Run("fraction", whole="1", over="1", under="2"),)
    assert text_runs("-3") == (Run("text", text="−3"),)
    assert text_runs("7……3") == (Run("text", text="7……3"),)
