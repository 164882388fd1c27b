"""Sums are worked out exactly, as Python's own fractions do; what is no sum is none."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.arithmetic import calculate, compare, decimal_text, fraction_text, has_place, solve
from homework.written_numbers import parse_number

Tree = tuple[str, Fraction | None, int]
"""A sum's text, its value (None: it divides by nothing), and how tightly it binds (3: a number or a bracket)."""


def number(value: Fraction, text: str) -> Tree:
    return text, value, 3


whole = st.integers(0, 9999).map(lambda n: number(Fraction(n), str(n)))
decimals = st.integers(0, 99999).map(lambda n: number(Fraction(n, 100), f"{n // 100}.{n % 100:02}"))
fractions = st.tuples(st.integers(1, 99), st.integers(1, 99)).map(
    lambda pair: number(Fraction(pair[0], pair[1]), f"{pair[0]}/{pair[1]}")
)
mixed = st.tuples(st.integers(1, 20), st.integers(1, 9), st.integers(10, 20)).map(
    lambda n: number(n[0] + Fraction(n[1], n[2]), f"{n[0]} {n[1]}/{n[2]}")
)
STRENGTH = {"+": 1, "-": 1, "−": 1, "×": 2, "*": 2, "÷": 2}


def bracketed(tree: Tree, least: int) -> str:
    return tree[0] if tree[2] >= least else f"({tree[0]})"


@st.composite
def joined(draw: st.DrawFn, parts: st.SearchStrategy[Tree]) -> Tree:
    one, other = draw(parts), draw(parts)
    sign = draw(st.sampled_from(sorted(STRENGTH)))
    strength = STRENGTH[sign]
    space = draw(st.sampled_from(["", " "]))
    text = f"{bracketed(one, strength)}{space}{sign}{space}{bracketed(other, strength + 1)}"
    a, b = one[1], other[1]
    if a is None or b is None or (sign == "÷" and b == 0):
        return text, None, strength
    match sign:
        case "+":
            value = a + b
        case "-" | "−":
            value = a - b
        case "÷":
            value = a / b
        case _:
            value = a * b
    return text, value, strength


sums = st.recursive(st.one_of(whole, decimals, fractions, mixed), joined, max_leaves=6)


@given(sums)
def test_a_sum_is_worked_out_as_fractions_are(tree: Tree) -> None:
    text, value, _ = tree
    found = calculate(text)
    assert (found.value if found is not None else None) == value


@given(sums)
def test_what_is_written_for_a_value_is_read_as_that_value(tree: Tree) -> None:
    found = calculate(tree[0])
    for text in found.texts if found is not None else ():
        written = parse_number(text)
        assert len(text) > 40 or (written is not None and found is not None and written.value == found.value)


@given(sums, st.fractions(max_denominator=20, min_value=-50, max_value=50), st.sampled_from("+-×÷"))
def test_an_empty_place_gets_the_number_that_makes_both_sides_equal(tree: Tree, hole: Fraction, sign: str) -> None:
    text, value, _ = tree
    wanted = fraction_text(hole) if hole >= 0 else f"({fraction_text(hole)})"
    right = calculate(f"({text}) {sign} {wanted}")
    if value is None or right is None:
        return
    found = solve(f"({text}) {sign} ( )", f"({fraction_text(right.value)})")
    if found is None:
        assert value == 0
        assert sign in "×÷"
        return
    assert found.value == hole


@given(st.text(alphabet="0123456789+-×÷/().% _x", max_size=40))
def test_anything_typed_is_a_sum_or_none_but_never_an_error(text: str) -> None:
    calculate(text)
    solve(text, "3")
    compare(text, "3/4")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("23×4", "92"),
        ("２３＊４", "92"),
        ("23 x 4", "92"),
        ("5²", "25"),
        ("50%×8", "4"),
        ("1 ÷ 3/4", "4/3"),
        ("12/4/3", "1"),
        ("12 / 4", "3"),
        ("1,000＋1", "1001"),
        ("1又1/2×2", "3"),
        ("（2+3）×4", "20"),
        ("2-(-3)", "5"),
        (".5+.5", "1"),
    ],
)
def test_ways_of_typing(text: str, value: str) -> None:
    found = calculate(text)
    assert found is not None
    assert found.texts[0] == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "1÷0",
        "1/0",
        "a+1",
        "2+",
        "(2",
        "2)",
        "1÷(3-3)",
        "9" * 16,
        "2^99",
        "1 2",
        "5米",
        "( )+1",
        "(" * 500 + "1",
    ],
)
def test_what_is_no_sum_has_no_value(text: str) -> None:
    assert calculate(text) is None


def test_a_division_of_whole_numbers_has_its_remainder() -> None:
    assert [getattr(calculate(t), "remainder_text", None) for t in ("17÷2", "16÷2", "1.7÷2", "17÷2+1")] == [
        "8……1",
        None,
        None,
        None,
    ]


def test_a_value_is_written_as_a_fraction_where_fractions_stand() -> None:
    assert [found.texts for t in ("1/2+1/4", "3÷4", "1÷3") if (found := calculate(t))] == [
        ("3/4", "0.75"),
        ("0.75", "3/4"),
        ("1/3",),
    ]
    assert decimal_text(Fraction(-1, 8)) == "-0.125"


def test_places_are_found_and_filled() -> None:
    assert has_place("12 ÷ ____ = 4")
    assert has_place("3 ＋（　）")
    assert not has_place("(3+4)×2")
    assert [
        found.texts[0] for pair in (("12÷( )", "4"), ("36÷□", "9"), ("8", "12-____")) if (found := solve(*pair))
    ] == [
        "3",
        "4",
        "4",
    ]
    assert solve("( )×( )", "4") is None
    assert solve("( )×0", "5") is None


def test_two_sums_are_compared() -> None:
    assert [compare(*pair) for pair in (("3", "5"), ("3×4", "12"), ("1/2", "0.25"), ("3米", "5"))] == [
        "<",
        "=",
        ">",
        None,
    ]
