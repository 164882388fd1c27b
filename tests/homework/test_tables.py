"""No cell of a table is taken for a formula, and no text is lost over it."""

from hypothesis import given
from hypothesis import strategies as st

from homework.tables import safe_cell, safe_text


@given(st.text(max_size=20))
def test_no_text_becomes_a_formula_and_none_is_lost(text: str) -> None:
    cell = safe_cell(text)
    assert isinstance(cell, str)
    assert cell.removeprefix("'") == text.removeprefix("'")
    assert cell == text or cell[1:] == text
    assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n"))
    if cell.startswith("-"):
        float(cell)


@given(st.text(max_size=20))
def test_no_name_becomes_a_formula_or_a_number_below_zero(text: str) -> None:
    cell = safe_text(text)
    assert cell in (text, f"'{text}")
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert safe_text("学生01") == safe_cell("学生01") == "学生01"
    assert safe_cell("-3") == "-3"
    assert safe_text("-3") == "'-3"
    assert safe_cell(-3) == -3
    assert safe_cell(None) is None
