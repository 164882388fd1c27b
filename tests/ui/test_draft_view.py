"""What was sent from the page of homework stands on it again: rows, a file's rows, typed lines, and what is refused."""

from __future__ import annotations

from homework.assignment import parse_assignment
from homework.drafts import Head
from ui.draft_view import Draft, as_data, draft_values, opened, sent_draft
from ui.workbooks import questions_workbook

FORM = {"title": "口算", "grade": "3", "prompt-1": "7×8=", "kind-1": "number", "answer-1": "56"}


def test_rows_come_first_then_the_file_then_what_was_typed() -> None:
    draft = sent_draft({**FORM, "text": "6×9=\n"}, "questions.xlsx", questions_workbook())
    assert [item.prompt for item in draft.items] == ["7×8=", "23×4=", "3 是奇数", "最大的是 ( )", "6×9="]
    assert (draft.text, draft.refused) == ("", None)


def test_what_is_refused_costs_nothing_that_stood_there() -> None:
    file = sent_draft({**FORM, "text": "6×9="}, "a.toml", b"\xff\xfe")
    assert file.refused is not None
    assert ([item.prompt for item in file.items], file.text) == (["7×8="], "6×9=")
    day = sent_draft({**FORM, "due": "tomorrow", "text": "6×9="})
    assert day.refused is not None
    assert (day.head.title, day.text) == ("口算", "6×9=")


def test_the_page_has_words_for_every_choice() -> None:
    values = draft_values(Draft(Head()), str.upper, address="/new", table_address="/table.xlsx", editing=False)
    assert values["kinds"]["number"] == "A NUMBER"
    assert set(values["layers"]) == {"A", "B", "C"}
    assert values["refused"] is None
    assert as_data([b"x"]) == ("data:image/png;base64,eA==",)


def test_an_assignment_file_brings_its_head_only_to_an_empty_page() -> None:
    toml = '[assignment]\nid = "g3"\ntitle = "7 × 8"\n[[item]]\nkind = "number"\nprompt = "7 × 8 ="\nanswer = "56"\n'
    alone = sent_draft({"title": ""}, "a.toml", toml.encode())
    assert (alone.head.title, len(alone.items)) == ("7 × 8", 1)
    assert sent_draft(FORM, "a.toml", toml.encode()).head.title == "口算"
    assert opened(parse_assignment(toml)).items == alone.items
