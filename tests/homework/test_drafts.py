"""A draft makes the assignment that its file would, and says in words what is missing."""

from pathlib import Path

import msgspec
import pytest

from homework.assignment import Assignment, parse_assignment
from homework.drafts import TABLE_HEADER, Head, assignment_of, draft_of, items_of_table, same_paper
from homework.errors import BadFileError
from homework.typed_items import TypedItem, typed_items

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
ODD = """
[assignment]
title = "奇数题"
mode = "test"
due = 2026-12-01T08:00:00+08:00
[[item]]
id = "a"
kind = "number"
prompt = "____ 和 ____"
answer = [["3", "4"], "5"]
blanks = 2
any_order = true
points = 2.5
[[item]]
id = "b"
kind = "letter"
prompt = "选"
letters = "ABCDEF"
answer = "F"
[[item]]
id = "c"
kind = "choices"
prompt = "选"
options = ["1", "2", "3"]
answer = "AC"
credit = "no-wrong"
layer = "B"
[[item]]
id = "d"
kind = "number"
prompt = "( ) 写在 ( ) 里"
blanks = 1
answer = "1/2"
form = "proper"
tolerance = "0.1"
unit = "cm"
video = "https://example.org/x"
label = "4.(1)"
[[item]]
id = "e"
kind = "text"
prompt = "写"
"""


@pytest.mark.parametrize("text", [ODD, *(path.read_text(encoding="utf-8") for path in EXAMPLES)])
def test_an_assignment_that_is_edited_and_kept_is_the_same(text: str) -> None:
    assignment = parse_assignment(text)
    head, items = draft_of(assignment)
    assert assignment_of(head, items, assignment_id=assignment.id) == assignment


def made(text: str, **head: str) -> Assignment:
    return assignment_of(Head(title="口算", **head), typed_items(text))


def test_typed_lines_make_an_assignment() -> None:
    assignment = made("一、口算（每题 2 分）\n23×4=\n17÷2=\n3 ○ 5\n3 是奇数 (√)", grade="3", paper="B5")
    assert [(item.id, item.kind, item.rule.accepted, item.points_hundredths) for item in assignment.items] == [
        ("1", "number", (("92",),), 200),
        ("2", "number", (("8……1",),), 200),
        ("3", "compare", (("<",),), 200),
        ("4", "judge", (("√",),), 200),
    ]
    assert (assignment.grade, assignment.paper, assignment.pupil_id) == (3, "B5", "digits")


@pytest.mark.parametrize(
    ("text", "head", "words"),
    [
        ("", {}, "no question"),
        ("1+1=", {"title": " "}, "no name"),
        ("3 加 4 ____", {}, "Question 1 has no answer"),
        ("____ 和 ____ | 3", {}, "2 places to write in, and 1 answers"),
        ("1+1=", {"grade": "三"}, "no number"),
        ("1+1=", {"grade": "13"}, "grade"),
        ("1+1=", {"paper": "A9"}, "paper"),
        ("1+1=", {"due": "gestern"}, "no date"),
        ("3 是奇数 ( ) | 也许 \n", {}, ""),
    ],
)
def test_what_is_missing_is_said_in_words(text: str, head: dict[str, str], words: str) -> None:
    items = typed_items(text)
    if not words:
        assert items[0].kind == "text"
        return
    with pytest.raises(BadFileError, match=words):
        assignment_of(Head(**{"title": "口算", **head}), items)


def test_points_that_are_none_are_refused() -> None:
    item = TypedItem(prompt="1+1=", kind="number", answer="2", points="zwei")
    with pytest.raises(BadFileError, match="are no points"):
        assignment_of(Head(title="x"), [item])


def test_a_question_that_is_added_gets_an_id_of_its_own() -> None:
    _, items = draft_of(parse_assignment(ODD))
    more = [*items[:2], TypedItem(prompt="1+1=", kind="number", answer="2"), *items[2:]]
    ids = [item.id for item in assignment_of(Head(title="x"), more).items]
    assert ids == ["a", "b", "3", "c", "d", "e"]


def test_answers_and_points_may_change_on_a_printed_sheet_and_questions_may_not() -> None:
    old = made("23×4=\n3 ○ 5")
    head, items = draft_of(old)

    def edited(**changes: str) -> Assignment:
        return assignment_of(head, [msgspec.structs.replace(items[0], **changes), items[1]], assignment_id=old.id)

    for changes in ({"answer": "93"}, {"points": "2"}, {"explanation": "x"}, {"layer": "B"}, {"knowledge": "乘法"}):
        assert same_paper(old, edited(**changes)), changes
    for changes in ({"prompt": "24×4="}, {"kind": "text"}, {"section": "一、"}):
        assert not same_paper(old, edited(**changes)), changes
    assert not same_paper(old, made("23×4="))
    assert not same_paper(old, made("23×4=\n3 ○ 5", paper="A3"))


def test_a_table_of_questions_is_read_by_its_header() -> None:
    found = items_of_table(
        [
            list(TABLE_HEADER),
            ["一、口算", "23×4=", "", "2", "", "", "乘法", "20×4=80"],
            ["", "17÷2=", "8.5", "", "", "", "", ""],
            ["", "", "", "", "", "", "", ""],
            ["二、选择", "最大的是( )", "C", "3分", "选择题", "A. 3 B. 4 C. 5", "", ""],
            ["", "3 是奇数", "对", "1.0", "判断题", "", "", ""],
        ]
    )
    assert [(i.section, i.kind, i.prompt, i.answer, i.points, i.options) for i in found] == [
        ("一、口算", "number", "23×4=", "92", "2", ()),
        ("一、口算", "number", "17÷2=", "8.5", "1", ()),
        ("二、选择", "choice", "最大的是( )", "C", "3", ("3", "4", "5")),
        ("二、选择", "judge", "3 是奇数", "对", "1", ()),
    ]
    assert (found[0].knowledge, found[0].explanation) == ("乘法", "20×4=80")
    assert assignment_of(Head(title="x"), found).items[3].rule.accepted == (("√",),)


def test_a_table_without_a_header_is_question_and_answer() -> None:
    assert [(i.prompt, i.answer) for i in items_of_table([["23×4=", "92"], ["3 ○ 5"]])] == [
        ("23×4=", "92"),
        ("3 ○ 5", "<"),
    ]


@pytest.mark.parametrize("rows", [[], [["", ""]], [["题目", "答案"]]])
def test_an_empty_table_says_so(rows: list[list[str]]) -> None:
    with pytest.raises(BadFileError, match="The table"):
        items_of_table(rows)


def test_the_lines_that_the_documentation_shows_make_homework() -> None:
    page = (Path(__file__).parents[2] / "docs" / "first-morning.md").read_text(encoding="utf-8")
    assignment = made(page.split("```")[1], grade="3")
    assert [(item.kind, item.rule.accepted[0][:1]) for item in assignment.items] == [
        ("number", ("92",)),
        ("number", ("48",)),
        ("number", ("6",)),
        ("number", ("8……1",)),
        ("number", ("9",)),
        ("number", ("3",)),
        ("judge", ("√",)),
        ("choice", ("C",)),
        ("number", ("4",)),
        ("text", ("北京",)),
        ("compare", ("<",)),
        ("compare", (">",)),
        ("open", ()),
    ]
