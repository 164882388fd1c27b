from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homework.answers import (
    AnswerRule,
    Form,
    check_answer,
    compare_unit,
    is_readable,
    normalise,
    same_number,
    unit_in_question,
)
from homework.layout import FieldKind
from homework.units import quantity_in, same_quantity, split_quantity
from homework.written_numbers import MAX_NUMBER_LENGTH, can_have_form, clean, has_form, parse_number

KINDS: list[FieldKind] = ["choice", "choices", "judge", "letter", "number", "compare", "open", "text"]
FORMS = ["integer", "proper", "improper", "mixed", "fraction", "decimal", "percent", "simplest"]

whole = st.integers(0, 10**6).map(str)
sign = st.sampled_from(["", "-", "−", "+", "－"])
numbers = st.one_of(
    st.builds("{}{}".format, sign, whole),
    st.builds("{}{}.{}".format, sign, st.one_of(whole, st.just("")), st.text("0123456789", min_size=1, max_size=6)),
    st.builds("{}{}/{}".format, sign, whole, st.integers(1, 999)),
    st.builds("{}{} {}/{}".format, sign, st.integers(0, 99), st.integers(0, 99), st.integers(1, 99)),
    st.builds("{}{}%".format, sign, whole),
    st.builds("{}……{}".format, whole, whole),
)
scribbles = st.one_of(
    numbers,
    st.text(max_size=12),
    st.text("0123456789０１２３,，./／%％-−+ 　…余rR又½¾²cm厘米元角分时xX×√>＞abAB", max_size=12),
)


@given(st.sampled_from(KINDS), scribbles)
@example("number", "1½")
@example("number", "7…3")
@example("number", "5．")
@example("choices", "ﬃ")
@example("letter", "ß")
@example("letter", "ŉ")
@example("choices", "A´")
@example("letter", "ΐ")
def test_normalising_twice_is_normalising_once(kind: FieldKind, text: str):
    once = normalise(kind, text)
    assert normalise(kind, once) == once


@given(numbers)
def test_every_number_equals_itself_and_its_canonical_text(text: str):
    assert same_number(text, text)
    assert same_number(text, normalise("number", text))


@given(numbers, numbers, st.sampled_from([None, "0.01", "1/3", "10"]))
def test_equality_of_numbers_does_not_depend_on_the_order(one: str, other: str, tolerance: str | None):
    assert same_number(one, other, tolerance=tolerance) == same_number(other, one, tolerance=tolerance)


@given(scribbles, st.sampled_from(KINDS))
def test_every_readable_text_is_right_when_it_is_the_key_itself(text: str, kind: FieldKind):
    rule = AnswerRule(kind=kind, accepted=((normalise(kind, text),),))
    if is_readable(kind, text) and (kind != "number" or parse_number(text)):
        assert check_answer(rule, 1, text)


@given(st.fractions(min_value=-(10**20), max_value=10**20, max_denominator=10**6))
def test_a_fraction_of_any_size_is_read_exactly(value: Fraction):
    number = parse_number(f"{value.numerator}/{value.denominator}")
    assert number is not None
    assert number.value == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**20), max_value=10**20))
def test_a_decimal_is_read_to_its_last_digit(value: Decimal):
    number = parse_number(format(value, "f"))
    assert number is not None
    assert number.value == Fraction(value)


def test_decimals_that_floats_confuse_stay_apart():
    assert not same_number("0.1000000000000000055511151231257827", "0.1")
    assert not same_number("9007199254740993", "9007199254740992")
    assert same_number("0.3", str(Decimal("0.1") + Decimal("0.2")))


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("92", "92"),
        ("-3", "-3"),
        ("−3", "-3"),
        ("－３", "-3"),
        ("+3", "3"),
        ("-0", "0"),
        ("007", "7"),
        (".50", "0.50"),
        ("5.", "5"),
        ("00.5", "0.5"),
        ("３．５", "3.5"),
        ("3/4", "3/4"),
        ("03 / 04", "3/4"),
        ("３／４", "3/4"),
        ("3⁄4", "3/4"),
        ("¾", "3/4"),
        ("1¾", "1 3/4"),
        ("1 3/4", "1 3/4"),
        ("1又3/4", "1 3/4"),
        ("75%", "75%"),
        ("７５ ％", "75%"),
        ("7……3", "7……3"),
        ("7…3", "7……3"),
        ("7...3", "7……3"),
        ("7······3", "7……3"),
        ("7⋯⋯3", "7……3"),
        ("7 r 3", "7……3"),
        ("7余3", "7……3"),
        ("1,234,567", "1234567"),
        ("1，234", "1234"),
        ("12,3456", "123456"),
        ("12 345.6", "12345.6"),
        ("5 cm", "5cm"),
        ("５㎝", "5cm"),
        ("0.50 元", "0.50元"),
    ],
)
def test_numbers_have_one_canonical_text(written: str, canonical: str):
    assert normalise("number", written) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "5/",
        "/5",
        "3/0",
        "1 3/0",
        "1.2.3",
        "1,23",
        "1,2345,678",
        "5²",
        "--3",
        "3%4",
        "7……",
        "1e5",
        "٣",
        "1 2",
        "½½",
    ],
)
def test_what_is_no_number_is_none(text: str):
    assert parse_number(text) is None


@pytest.mark.parametrize("text", ["9" * 5000, "1/" + "9" * 5000, "½" * 30, " " * 100 + "1"])
def test_a_text_too_long_for_a_box_is_no_number_and_costs_nothing(text: str):
    assert len(clean(text)) > MAX_NUMBER_LENGTH or len(text) > MAX_NUMBER_LENGTH
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2", "0.5"),
        ("1/2", ".50"),
        ("50%", "1/2"),
        ("1 3/4", "7/4"),
        ("7……3", "7r3"),
        ("-1 1/2", "-1.5"),
        ("4/2", "2"),
    ],
)
def test_the_same_value_in_another_writing_is_the_same_number(one: str, other: str):
    assert same_number(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("92", "93"),
        ("7……3", "7"),
        ("7……3", "7……2"),
        ("7……3", "73"),
        ("3", "-3"),
        ("1/3", "0.3333"),
        ("x", "x"),
        ("75", "75%"),
    ],
)
def test_other_values_are_other_numbers(one: str, other: str):
    assert not same_number(one, other)


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("integer", ["5", "-5"], ["5.0", "5/1", "500%"]),
        ("proper", ["1/2", "2/4"], ["0.5", "3/2", "1 1/2", "50%"]),
        ("improper", ["3/2", "2/2"], ["1 1/2", "1.5", "1/2"]),
        ("mixed", ["1 1/2", "1 2/4"], ["3/2", "1.5", "0 3/2", "0 1/2", "1 0/2"]),
        ("fraction", ["1/2", "3/2", "1 1/2"], ["0.5", "5", "50%"]),
        ("decimal", ["0.5", "5"], ["1/2", "50%"]),
        ("percent", ["50%", "12.5%"], ["0.5", "50"]),
        ("simplest", ["1/2", "3/2", "1 1/2", "5"], ["2/4", "6/4", "1 2/4", "5/1", "0.5", "50%"]),
    ],
)
def test_a_form_takes_its_own_writing_and_no_other(form: Form, good: list[str], bad: list[str]):
    assert [has_form(parse_number(text), form) for text in good] == [True] * len(good)
    assert [has_form(parse_number(text), form) for text in bad] == [False] * len(bad)
    assert not has_form(parse_number("7……3"), form)


@given(numbers, st.sampled_from(FORMS))
def test_what_was_written_in_a_form_can_be_written_in_it(text: str, form: Form):
    number = parse_number(text)
    if has_form(number, form):
        assert can_have_form(number, form)


def test_the_form_is_asked_of_the_pupil_and_not_of_the_key():
    assert same_number("1/2", "0.5", form="fraction")
    assert not same_number("0.5", "1/2", form="fraction")


def test_a_tolerance_includes_its_ends_and_nothing_beyond():
    assert same_number("3.15", "3.14", tolerance="0.01")
    assert same_number("3.13", "3.14", tolerance="0.01")
    assert not same_number("3.1500001", "3.14", tolerance="0.01")
    assert same_number("0.33", "1/3", tolerance="1/300")
    assert not same_number("7……3", "7……2", tolerance="5")


@pytest.mark.parametrize("text", ["✓", "✔", "√", "对", "T", "true", "Ｔ"])
def test_ticks_of_all_shapes_are_one_tick(text: str):
    assert normalise("judge", text) == "√"


@pytest.mark.parametrize("text", ["✗", "✘", "×", "x", "X", "错", "F", "false"])
def test_crosses_of_all_shapes_are_one_cross(text: str):
    assert normalise("judge", text) == "×"


def test_letters_signs_and_picks_have_canonical_texts():
    assert normalise("letter", " c ") == "C"
    assert normalise("letter", "Ｃ") == "C"
    assert normalise("choices", "ca c") == "AC"
    assert normalise("choices", "C、A") == "AC"
    assert normalise("compare", "＞") == ">"


@pytest.mark.parametrize(
    ("kind", "text", "readable"),
    [
        ("number", "92", True),
        ("number", "5cm", True),
        ("number", "3元5角", True),
        ("number", "5/", False),
        ("number", "5x", False),
        ("number", "5个", False),
        ("number", "", False),
        ("judge", "对", True),
        ("judge", "?", False),
        ("compare", "<", True),
        ("compare", "<>", False),
        ("letter", "Q", True),
        ("letter", "AB", False),
        ("choice", "AB", False),
        ("choices", "AB", True),
        ("open", "anything", False),
        ("text", "anything", False),
    ],
)
def test_what_a_field_cannot_hold_is_not_readable(kind: FieldKind, text: str, readable: bool):
    assert is_readable(kind, text) is readable


def test_a_unit_that_only_the_item_knows_is_readable_there():
    assert is_readable("number", "5个", unit="个")
    assert not is_readable("number", "5只", unit="个")


@pytest.mark.parametrize(
    ("written", "expected", "outcome"),
    [
        ("cm", "cm", "match"),
        ("厘米", "cm", "match"),
        ("㎝", "厘米", "match"),
        ("公里", "千米", "match"),
        ("m²", "平方米", "match"),
        ("㎡", "m2", "match"),
        ("时", "小时", "match"),
        ("分", "分钟", "match"),
        ("分", "角", "compatible"),
        ("mm", "cm", "compatible"),
        ("公顷", "平方米", "compatible"),
        ("吨", "千克", "compatible"),
        ("毫升", "升", "compatible"),
        ("立方分米", "升", "match"),
        ("cm", "cm²", "different"),
        ("kg", "km", "different"),
        ("苹果", "个", "different"),
        ("个", "个", "match"),
        ("", "cm", "missing"),
        (None, "cm", "missing"),
    ],
)
def test_units_match_are_compatible_missing_or_different(written: str | None, expected: str, outcome: str):
    assert compare_unit(written, expected) == outcome


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("3元5角", "元", Fraction(7, 2)),
        ("3元5角", "分", Fraction(350)),
        ("1时30分", "分", Fraction(90)),
        ("1小时30分钟", "时", Fraction(3, 2)),
        ("2公顷", "平方米", Fraction(20000)),
        ("3/4km", "m", Fraction(750)),
        ("1吨50千克", "千克", Fraction(1050)),
        ("1亩", "平方米", Fraction(2000, 3)),
        ("2年", "月", Fraction(24)),
        ("5角3元", "元", None),
        ("3元5时", "元", None),
        ("3元", "时", None),
        ("3", "元", None),
        ("7……3元", "元", None),
    ],
)
def test_quantities_convert_exactly_or_not_at_all(text: str, unit: str, value: Fraction | None):
    assert quantity_in(text, unit) == value


def test_quantities_are_split_into_number_and_unit():
    assert split_quantity("5cm") == ("5", "cm")
    assert split_quantity("1 3/4 km") == ("1 3/4", "km")
    assert split_quantity("5") is None
    assert split_quantity("cm") is None
    assert same_quantity("50mm", "5", "cm")
    assert not same_quantity("51mm", "5", "cm")
    assert same_quantity("51mm", "5", "cm", tolerance="0.1")


def number_rule(*accepted: str, **options: Any) -> AnswerRule:
    return AnswerRule(kind="number", accepted=(accepted,), **options)


def test_a_written_unit_may_be_any_that_measures_the_same():
    rule = number_rule("5", unit="cm", unit_written=True)
    assert check_answer(rule, 1, "5cm")
    assert check_answer(rule, 1, "5 厘米")
    assert check_answer(rule, 1, "50mm")
    assert not check_answer(rule, 1, "50cm")
    assert not check_answer(rule, 1, "5kg")
    assert not check_answer(rule, 1, "5")


def test_beside_a_printed_unit_only_that_unit_may_be_written_again():
    rule = number_rule("5", unit="cm")
    assert check_answer(rule, 1, "5")
    assert check_answer(rule, 1, "5cm")
    assert not check_answer(rule, 1, "50mm")


def test_a_compound_quantity_counts_when_it_is_the_same():
    rule = number_rule("3.5", unit="元", unit_written=True)
    assert check_answer(rule, 1, "3元5角")
    assert not check_answer(rule, 1, "3元6角")


def test_a_form_holds_for_a_number_with_a_unit_too():
    rule = number_rule("1/2", unit="km", unit_written=True, form="fraction")
    assert check_answer(rule, 1, "1/2km")
    assert not check_answer(rule, 1, "0.5km")
    assert not check_answer(rule, 1, "500m")


def test_a_right_number_without_its_unit_is_in_question_and_a_wrong_one_is_not():
    rule = number_rule("5", unit="cm", unit_written=True)
    assert unit_in_question(rule, 1, "5")
    assert not unit_in_question(rule, 1, "6")
    assert not unit_in_question(rule, 1, "5cm")
    assert unit_in_question(number_rule("5"), 1, "5cm")
    assert not unit_in_question(number_rule("5"), 1, "6cm")


def test_any_of_the_accepted_answers_counts_in_its_own_blank_only():
    rule = AnswerRule(kind="number", accepted=(("3", "4"), ("5",)))
    assert check_answer(rule, 1, "3")
    assert check_answer(rule, 1, "4")
    assert not check_answer(rule, 1, "5")
    assert check_answer(rule, 2, "5")
