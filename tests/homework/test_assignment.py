import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.assignment import (
    MAX_ITEMS,
    AnswerRule,
    Assignment,
    Item,
    assignment_to_toml,
    letters_of,
    parse_assignment,
)
from homework.errors import BadFileError
from ui.language import translator

HEAD = '[assignment]\ntitle = "口算"\n'
CONTRACT = """
[assignment]
id = "g3-mul-2x1"            # minted when absent
title = "第三单元 两位数乘一位数"
subject = "math"
grade = 3
due = 2026-12-01T08:00:00+08:00
paper = "A4"
mode = "homework"
pupil_id = "digits"
minutes = 20
columns = 2
correction_space = true

[[item]]
id = "1"
section = "一、口算"
label = "1.(2)"
kind = "number"
prompt = "23 × 4 ="
answer = "92"
points = 1.5
layer = "B"
knowledge = ["两位数乘一位数"]
explanation = "20×4=80, 3×4=12, 80+12=92"
video = "https://example.org/v"
"""


def item(**keys: str) -> str:
    """One `[[item]]`, by default a number that is 92; a value of "" removes the key."""
    defaults = {"kind": '"number"', "prompt": '"23 × 4 ="', "answer": '"92"'}
    pairs = {k: v for k, v in {**defaults, **keys}.items() if v}
    return "\n[[item]]\n" + "\n".join(f"{k} = {v}" for k, v in pairs.items()) + "\n"


def only_item(**keys: str) -> Item:
    return parse_assignment(HEAD + item(**keys)).items[0]


def refusal(text: str) -> str:
    with pytest.raises(BadFileError) as caught:
        parse_assignment(text)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.remedy
    return message


def test_the_file_of_the_contract_is_read_key_by_key():
    assert parse_assignment(CONTRACT) == Assignment(
        id="g3-mul-2x1",
        title="第三单元 两位数乘一位数",
        subject="math",
        grade=3,
        due="2026-12-01T08:00:00+08:00",
        minutes=20,
        columns=2,
        correction_space=True,
        items=(
            Item(
                id="1",
                section="一、口算",
                label="1.(2)",
                kind="number",
                prompt="23 × 4 =",
                rule=AnswerRule(kind="number", accepted=(("92",),)),
                points_hundredths=150,
                layer="B",
                knowledge=("两位数乘一位数",),
                explanation="20×4=80, 3×4=12, 80+12=92",
                video="https://example.org/v",
            ),
        ),
    )


any_text = st.text(st.characters(codec="utf-8"), max_size=12)
nasty = any_text.map(lambda t: t.strip() or "词")
words = any_text.map(lambda t: "".join(c for c in t if c.isprintable())[:8].strip() or "词")
halves = st.integers(1, 40).map(lambda n: n * 50)
numbers = st.one_of(
    st.integers(-999, 999).map(str),
    st.builds("{}.{}".format, st.integers(0, 99), st.integers(0, 99)),
    st.builds("{}/{}".format, st.integers(0, 99), st.integers(1, 99)),
    st.builds("{}……{}".format, st.integers(0, 99), st.integers(0, 99)),
)


@st.composite
def items(draw: st.DrawFn, position: int) -> Item:
    kind = draw(st.sampled_from(["choice", "choices", "judge", "letter", "number", "compare", "open", "text"]))
    answer = {
        "choice": st.sampled_from("ABCD"),
        "choices": st.just("AC"),
        "judge": st.sampled_from("√×"),
        "letter": st.sampled_from("ABCD"),
        "number": numbers,
        "compare": st.sampled_from("><="),
        "open": words,
        "text": words,
    }[kind]
    blanks = draw(st.integers(1, 3))
    one = st.lists(answer, min_size=1, max_size=3, unique=True).map(tuple)
    free = draw(st.booleans()) if kind in ("open", "text") else False
    unit = draw(st.none() | nasty) if kind == "number" else None
    return Item(
        id=draw(st.just(str(position)) | words.map(lambda w: f"{w}.{position}")),
        kind=kind,
        prompt=draw(st.just("") | nasty),
        rule=AnswerRule(
            kind=kind,
            accepted=((),) * blanks if free else tuple(draw(one) for _ in range(blanks)),
            any_order=blanks > 1 and draw(st.booleans()),
            form="decimal" if kind == "number" and draw(st.booleans()) else None,
            tolerance="0.01" if kind == "number" else None,
            unit=unit,
            unit_written=unit is not None and draw(st.booleans()),
        ),
        blanks=blanks,
        section=draw(st.none() | nasty),
        label=draw(st.none() | words),
        options=("一", "二", "三", "四") if kind in ("choice", "choices") else (),
        letters="ABCDE" if kind == "letter" and draw(st.booleans()) else "ABCD",
        points_hundredths=draw(halves),
        layer=draw(st.sampled_from("ABC")),
        knowledge=tuple(draw(st.lists(nasty, max_size=2))),
        explanation=draw(st.none() | nasty),
        video=draw(st.none() | st.just("https://example.org/a?b=c#d")),
    )


@st.composite
def assignments(draw: st.DrawFn) -> Assignment:
    count = draw(st.integers(1, 4))
    return Assignment(
        id=draw(st.text("abzAZ09_-", min_size=1, max_size=32)),
        title=draw(nasty),
        items=tuple(draw(items(n + 1)) for n in range(count)),
        subject=draw(words),
        grade=draw(st.none() | st.integers(1, 12)),
        due=draw(st.none() | st.sampled_from(["2026-12-01T08:00:00+08:00", "2026-02-28T23:59:59.000001+00:00"])),
        paper=draw(st.sampled_from(["A4", "B5", "16K", "8K", "A3"])),
        mode=draw(st.sampled_from(["homework", "test"])),
        pupil_id=draw(st.sampled_from(["digits", "bubbles", "printed", "order"])),
        minutes=draw(st.none() | st.integers(1, 600)),
        columns=draw(st.none() | st.integers(1, 2)),
        correction_space=draw(st.booleans()),
    )


@given(assignments())
def test_an_assignment_survives_being_written_and_read(assignment: Assignment):
    assert parse_assignment(assignment_to_toml(assignment)) == assignment


@given(st.text(max_size=80) | st.text("[]item=\"'#\n.assignment19-:+T", max_size=80))
def test_any_text_at_all_is_an_assignment_or_a_refusal_in_one_line(text: str):
    said = ""
    try:
        parse_assignment(text)
    except BadFileError as error:
        said = str(error)
    assert "\n" not in said


def test_a_missing_id_is_minted_from_the_content_alone():
    plain = parse_assignment(HEAD + item())
    assert plain.id == parse_assignment("# a comment\n" + HEAD + item().replace(" = ", "=")).id
    assert plain.id != parse_assignment(HEAD + item(answer='"93"')).id
    assert plain.id.isalnum()
    assert 1 <= len(plain.id) <= 32
    assert parse_assignment(assignment_to_toml(plain)) == plain


def test_items_without_an_id_are_named_after_their_position():
    parsed = parse_assignment(HEAD + item() + item(id='"x"') + item(id="7") + item())
    assert [i.id for i in parsed.items] == ["1", "x", "7", "4"]


def test_numbers_without_quotes_are_taken_exactly():
    assert only_item(answer="92").rule.accepted == (("92",),)
    assert only_item(answer="0.50").rule.accepted == (("0.50",),)
    assert only_item(answer='["1/2", 0.5]').rule.accepted == (("1/2", "0.5"),)
    assert only_item(kind='"choice"', options="[12, 15]", answer='"B"').options == ("12", "15")


def test_several_blanks_each_have_their_own_answers():
    rule = only_item(blanks="2", answer='["3", ["4", "5"]]', any_order="true").rule
    assert rule.accepted == (("3",), ("4", "5"))
    assert rule.any_order


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ('"✓"', "√"),
        ('"对"', "√"),
        ('"T"', "√"),
        ("true", "√"),
        ('"x"', "×"),
        ('"✗"', "×"),
        ('"错"', "×"),
        ("false", "×"),
    ],
)
def test_judgements_are_stored_as_a_tick_or_a_cross(written: str, stored: str):
    assert only_item(kind='"judge"', answer=written).rule.accepted == ((stored,),)


def test_answers_are_stored_in_canonical_text():
    assert only_item(answer='"０９２"').rule.accepted == (("92",),)
    assert only_item(answer='["92", "092"]').rule.accepted == (("92",),)
    assert only_item(kind='"choices"', options='["a", "b", "c"]', answer='"ca"').rule.accepted == (("AC",),)
    assert only_item(kind='"compare"', answer='"＞"').rule.accepted == ((">",),)
    assert only_item(kind='"letter"', answer='"d"').rule.accepted == (("D",),)


def test_open_and_text_items_need_no_answer():
    assert only_item(kind='"open"', answer="").rule.accepted == ((),)
    assert only_item(kind='"text"', answer="", blanks="2").rule.accepted == ((), ())


def test_halves_of_points_are_exact():
    assert only_item(points="0.5").points_hundredths == 50
    assert only_item(points="2").points_hundredths == 200


def test_a_file_from_notepad_with_a_byte_order_mark_is_read():
    assert parse_assignment("\ufeff" + HEAD.replace("\n", "\r\n") + item().replace("\n", "\r\n")).title == "口算"


@pytest.mark.parametrize("due", ["2026-12-01T08:00:00+08:00", '"2026-12-01T08:00+08:00"', "2026-12-01 08:00:00+08:00"])
def test_a_due_time_keeps_its_offset(due: str):
    assert parse_assignment(f"{HEAD}due = {due}\n{item()}").due == "2026-12-01T08:00:00+08:00"


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"kind": '"numbr"'}, "Did you mean `number`?"),
        ({"kind": '"quiz"'}, "Use one of choice, choices"),
        ({"kind": ""}, "has no kind"),
        ({"answr": '"92"'}, "Did you mean `answer`?"),
        ({"zzz": "1"}, "known are id, section"),
        ({"answer": ""}, "has no answer"),
        ({"answer": '"ninety"'}, "`ninety` does not go with kind `number`"),
        ({"answer": '"3/0"'}, "`3/0` does not go with kind"),
        ({"answer": '"5cm"'}, "its unit goes into `unit`"),
        ({"answer": '""'}, "does not go with kind"),
        ({"answer": "[]"}, "accepted answers is empty"),
        ({"answer": '[["1"], ["2"]]'}, "blanks = 2"),
        ({"answer": "true"}, "the answer is true or false"),
        ({"answer": "2026-01-01"}, "neither text nor a number"),
        ({"answer": "inf"}, "neither text nor a number"),
        ({"answer": "1e999999999"}, "neither text nor a number"),
        ({"answer": "9" * 60}, "neither text nor a number"),
        ({"blanks": "2"}, "2 blanks, but its answer has 1 entries"),
        ({"blanks": "2", "answer": '["1", "2", "3"]'}, "2 blanks, but its answer has 3 entries"),
        ({"blanks": "0"}, "from 1 to 20"),
        ({"blanks": "true"}, "`blanks` is true or false"),
        ({"any_order": "true"}, "needs several blanks"),
        ({"any_order": '"yes"'}, "should be true or false"),
        ({"points": "0"}, "Write a number above 0, in halves"),
        ({"points": "-1"}, "in halves"),
        ({"points": "0.3"}, "in halves"),
        ({"points": "nan"}, "in halves"),
        ({"points": "inf"}, "in halves"),
        ({"points": "true"}, "in halves"),
        ({"points": '"2"'}, "in halves"),
        ({"points": "100000"}, "in halves"),
        ({"layer": '"D"'}, "Use one of A, B, C"),
        ({"form": '"mixd"'}, "Did you mean `mixed`?"),
        ({"form": '"proper"'}, "cannot be written in the form `proper`"),
        ({"form": '"decimal"', "answer": '"1/3"'}, "cannot be written in the form `decimal`"),
        ({"tolerance": '"much"'}, "no number above 0"),
        ({"tolerance": "0"}, "no number above 0"),
        ({"unit_written": "true"}, "needs a unit"),
        ({"unit": '""'}, "`unit` is empty"),
        ({"options": '["1", "2"]'}, "`options` does not go with kind `number`"),
        ({"kind": '"judge"', "answer": '"maybe"'}, "Write √ or ×"),
        ({"kind": '"compare"', "answer": '"≥"'}, "Write >, < or ="),
        ({"kind": '"letter"', "answer": '"E"'}, "one of the letters ABCD"),
        ({"kind": '"letter"', "letters": '"AAB"', "answer": '"A"'}, "`letters` is `AAB`"),
        ({"kind": '"choice"', "answer": '"A"'}, "has 0 options"),
        ({"kind": '"choice"', "options": '["1", "2"]', "answer": '"C"'}, "options' letters AB"),
        ({"kind": '"choice"', "options": '["1", "2"]', "answer": '"AB"'}, "options' letters AB"),
        ({"kind": '"choice"', "options": '["1", ""]', "answer": '"A"'}, "empty entry"),
        ({"kind": '"choices"', "options": '["1", "2"]', "answer": '"AC"'}, "out of AB"),
        ({"kind": '"choices"', "options": '["1", "2"]', "answer": '["A", "B"]'}, 'Write "AB"'),
        ({"kind": '"choices"', "options": '["1", "2"]', "answer": '"A"', "credit": '"half"'}, "Use one of all"),
        ({"video": '"javascript:alert(1)"'}, "no web address"),
        ({"prompt": "5"}, "`prompt` is a whole number. It should be text"),
        ({"prompt": '"' + "长" * 2001 + '"'}, "within 2000 characters"),
        ({"id": '""'}, "id cannot be used"),
        ({"id": "[1]"}, "neither text nor a number"),
        ({"knowledge": "[{}]"}, "neither text nor a number"),
    ],
)
def test_a_bad_item_is_refused_by_its_name_with_a_remedy(keys: dict[str, str], part: str):
    message = refusal(HEAD + item() + item(**keys))
    assert part in message
    assert message.startswith("Item ")
    if "id" not in keys:
        assert message.startswith("Item 2")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no [assignment] table"),
        ("\0", "not TOML: line 1"),
        ("[assignment]\ntitle = 口算\n", "line 2"),
        ('[assignment]\ntitle = "a', "line 2"),
        ("assignment = 1" + item(), "no [assignment] table"),
        ("[assignment]\n" + item(), "has no title"),
        ('[assignment]\ntitle = ""\n' + item(), "`title` is empty"),
        (HEAD, "has no items"),
        (HEAD + "[item]\nkind = 'open'", "double brackets"),
        ("item = []\n" + HEAD, "has no items"),
        ("item = [1]\n" + HEAD, "double brackets"),
        (HEAD + item().replace("[[item]]", "[[items]]"), "Did you mean `item`?"),
        (HEAD + "due = 2026-12-01\n" + item(), "lacks its time of day or its offset"),
        (HEAD + "due = 2026-12-01T08:00:00\n" + item(), "lacks its time of day or its offset"),
        (HEAD + 'due = "tomorrow"\n' + item(), "`tomorrow` is no date"),
        (HEAD + "due = 5\n" + item(), "lacks its time of day or its offset"),
        (HEAD + "due = 2026-13-01T08:00:00+08:00\n" + item(), "line 3"),
        (HEAD + 'id = "第一"\n' + item(), "1 to 32 letters"),
        (HEAD + 'id = "a/b"\n' + item(), "1 to 32 letters"),
        (HEAD + 'paper = "Letter"\n' + item(), "Use one of A4, B5"),
        (HEAD + 'mode = "exam"\n' + item(), "Use one of homework, test"),
        (HEAD + 'pupil_id = "digit"\n' + item(), "Did you mean `digits`?"),
        (HEAD + "grade = 13\n" + item(), "from 1 to 12"),
        (HEAD + "grade = 3.5\n" + item(), "`grade` is a number. It should be a whole number"),
        (HEAD + "columns = 3\n" + item(), "from 1 to 2"),
        (HEAD + "minuts = 3\n" + item(), "Did you mean `minutes`?"),
        (HEAD + "x = " + "[" * 5000 + "]" * 5000, "cannot be"),
        (HEAD + "grade = " + "9" * 5000 + "\n" + item(), "cannot be"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_with_a_remedy(text: str, part: str):
    assert part in refusal(text)


def test_an_id_used_twice_is_refused_with_both_places():
    message = refusal(HEAD + item(id='"2"') + item())
    assert "positions 1 and 2" in message
    assert "`2`" in message


def test_the_last_item_that_fits_is_taken_and_the_next_is_refused_with_the_limit():
    assert len(parse_assignment(HEAD + item() * MAX_ITEMS).items) == MAX_ITEMS
    message = refusal(HEAD + item() * (MAX_ITEMS + 1))
    assert "200 items" in message
    assert "199" in message


def test_letters_follow_the_options():
    assert letters_of(3) == "ABC"
    assert only_item(kind='"letter"', options='["1", "2", "3"]', answer='"C"').letters == "ABC"
    assert "ABC" in refusal(HEAD + item(kind='"letter"', options='["1", "2", "3"]', answer='"D"'))


def test_a_refusal_speaks_the_teachers_language():
    with pytest.raises(BadFileError) as caught:
        parse_assignment(HEAD + item(kind='"quiz"'))
    message, remedy = caught.value.said(translator("zh-CN").gettext)
    assert message == "第 1 题：`kind` 写的是 `quiz`，没有这个词。"
    assert remedy.startswith("请用下列之一：choice")


def test_a_refusal_comes_whole_out_of_a_worker_process():
    with pytest.raises(BadFileError) as caught:
        parse_assignment(HEAD + item(points="0"))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.said(str) == caught.value.said(str)
