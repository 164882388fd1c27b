"""What a teacher types becomes questions: kinds guessed, sums worked out, headings and points taken along."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.typed_items import TypedItem, checked, places_in, typed_items
from homework.written_numbers import parse_number


def one(text: str, grade: int | None = 3) -> TypedItem:
    found = typed_items(text, grade=grade)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("line", "kind", "prompt", "answer"),
    [
        ("23×4=", "number", "23×4=", "92"),
        ("23 × 4 = 92", "number", "23 × 4 =", "92"),
        ("2３*４＝", "number", "2３×４＝", "92"),
        ("7+8", "number", "7+8 =", "15"),
        ("3 ○ 5", "compare", "3 ○ 5", "<"),
        ("3×4 ○ 12", "compare", "3×4 ○ 12", "="),
        ("3 < 5", "compare", "3 ○ 5", "<"),
        ("3 是奇数 (√)", "judge", "3 是奇数", "√"),
        ("4 是奇数（×）。", "judge", "4 是奇数", "×"),
        ("4 是奇数 | 错", "judge", "4 是奇数", "错"),
        ("最大的是 ____ | C", "letter", "最大的是 ____", "C"),
        ("最小的自然数是 ____ | 0", "number", "最小的自然数是 ____", "0"),
        ("中国的首都是____ | 北京|北京市", "text", "中国的首都是____", "北京|北京市"),
        ("12 ÷ ( ) = 4", "number", "12 ÷ ( ) = 4", "3"),
        ("36÷□=9", "number", "36÷____=9", "4"),
        ("说说你的理由。", "open", "说说你的理由。", ""),
        ("398×2≈", "number", "398×2≈", ""),
        ("1/2+1/3=", "number", "1/2+1/3=", "5/6"),
        ("0.5+0.25=", "number", "0.5+0.25=", "0.75"),
        ("25×4\t100", "number", "25×4 =", "100"),
        ("1. 23×4=", "number", "23×4=", "92"),
        ("(2) 23×4=", "number", "23×4=", "92"),
        ("③23×4=", "number", "23×4=", "92"),
        ("1.5×4=", "number", "1.5×4=", "6"),
        ("(3+4)×2=", "number", "(3+4)×2=", "14"),
    ],
)
def test_a_line_becomes_a_question_of_the_likeliest_kind(line: str, kind: str, prompt: str, answer: str) -> None:
    item = one(line)
    assert (item.kind, item.prompt, item.answer, item.computed) == (kind, prompt, answer, "")


def test_a_division_goes_with_remainder_in_lower_grades_and_without_above() -> None:
    assert (one("17÷2=", 3).answer, one("17÷2=", 3).suggestions) == ("8……1", ("8.5", "17/2"))
    assert (one("17÷2=", 6).answer, one("17÷2=", 6).suggestions) == ("8.5", ("17/2", "8……1"))
    assert one("17÷2=8.5", 3).computed == ""


def test_a_typed_answer_stays_and_what_was_worked_out_stands_beside_it() -> None:
    item = one("23×4=91")
    assert (item.answer, item.computed) == ("91", "92")
    assert (one("5<3").answer, one("5<3").computed) == ("<", ">")
    assert one("1/2+1/4=0.75").computed == ""


def test_a_unit_after_the_answer_is_printed_and_not_asked_for() -> None:
    item = one("36÷4=9（个）")
    assert (item.answer, item.more) == ("9", {"unit": "个"})


def test_several_sums_on_a_line_are_several_questions() -> None:
    found = typed_items("23×4=    12×4=\t30÷5=　　3 ○ 5\n(1) 2+3=  (2) 4+5=")
    assert [item.answer for item in found] == ["92", "48", "6", "<", "5", "9"]


def test_headings_and_their_points_go_with_what_follows() -> None:
    found = typed_items("一、口算（每题 2 分，共 4 分）\n1+1=\n2+2=\n# 应用题\n说一说。(4.5分)\n二. 判断\n3 是奇数 ( )")
    assert [(item.section, item.points, item.kind) for item in found] == [
        ("一、口算", "2", "number"),
        ("一、口算", "2", "number"),
        ("应用题", "4.5", "open"),
        ("二. 判断", "1", "judge"),
    ]
    assert found[3].unanswered


def test_options_become_bubbles_wherever_they_stand() -> None:
    same = TypedItem(prompt="3×5=( )", kind="choice", answer="B", options=("12", "15", "18"))
    assert one("3×5=( B )  A. 12  B. 15  C. 18") == same
    assert one("3×5=(B)\nA. 12\nB. 15\nC. 18") == same
    assert one("1、3×5=(B)\nA．12 B．15\nC．18") == same
    assert one("3×5=( )\nA. 12 B. 15 C. 18\n答案：B\n解析：三五十五") == TypedItem(
        prompt="3×5=( )", kind="choice", answer="B", options=("12", "15", "18"), explanation="三五十五"
    )
    assert one("哪些是偶数 A.2 B.3 C.4 | AC").kind == "choices"


def test_an_answer_for_each_place() -> None:
    item = one("长方形有 ____ 条边，____ 个角 | 4;4")
    assert (item.kind, item.answer, places_in(item.prompt, item.kind)) == ("number", "4;4", 2)


def test_a_sum_that_is_edited_is_worked_out_anew() -> None:
    item = one("23×4=")
    edited = checked(msgspec.structs.replace(item, prompt="24×4="), grade=3)
    assert (edited.answer, edited.computed) == ("92", "96")
    assert checked(msgspec.structs.replace(edited, answer=""), grade=3).answer == "96"
    assert checked(msgspec.structs.replace(edited, answer="96"), grade=3).computed == ""
    assert checked(msgspec.structs.replace(edited, kind="text"), grade=3).computed == ""
    assert checked(one("17÷2="), grade=3).suggestions == ("8.5", "17/2")
    assert checked(msgspec.structs.replace(one("17÷2="), answer="8.5"), grade=3).computed == ""


@given(st.integers(0, 999), st.integers(1, 99), st.sampled_from("+-×÷"), st.sampled_from(["", " "]))
def test_every_sum_that_is_typed_has_its_value(a: int, b: int, sign: str, space: str) -> None:
    item = one(f"{a}{space}{sign}{space}{b}{space}=", grade=6)
    wanted = {"+": Fraction(a + b), "-": Fraction(a - b), "×": Fraction(a * b), "÷": Fraction(a, b)}[sign]
    written = parse_number(item.answer)
    assert written is not None
    assert written.value == wanted


@given(st.text(alphabet=st.sampled_from("一、#12.()（）A BC|;=○×÷+_□分每题√\t\n 甲"), max_size=120))
def test_anything_can_be_pasted(text: str) -> None:
    for item in typed_items(text):
        assert places_in(item.prompt, item.kind) >= 1
