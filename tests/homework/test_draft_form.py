"""A form of homework becomes an assignment, and keeps its name only while its printed sheets stay right."""

from __future__ import annotations

import pytest

from homework.assignment import Assignment
from homework.draft_form import due_for_form, edited, head_of, items_of, rows_of_items
from homework.errors import ClassboxError

FORM = {
    "title": "口算",
    "grade": "3",
    "due": "2026-12-01 08:00",
    "prompt-1": "7×8=",
    "kind-1": "number",
    "answer-1": "56",
    "points-1": "2",
    "section-1": "一、口算",
    "prompt-2": "6×9=",
    "kind-2": "number",
    "answer-2": "54",
    "points-2": "2",
}


def made(form: dict[str, str], old: Assignment | None = None, known: dict[str, Assignment] | None = None) -> Assignment:
    return edited(old, head_of(form), items_of(form), (known or {}).get)


def test_other_answers_keep_the_name_and_other_questions_do_not() -> None:
    old = made(FORM)
    answers = made({**FORM, "answer-1": "57"}, old)
    assert (answers.id, answers.items[0].rule.accepted) == (old.id, (("57",),))
    assert made({**FORM, "prompt-1": "7×9="}, old).id != old.id


def test_the_same_questions_under_a_name_that_says_otherwise_get_another_name() -> None:
    first = made(FORM)
    changed = made({**FORM, "answer-1": "57"}, first)
    assert made(FORM, known={first.id: first}).id == first.id
    assert made(FORM, known={first.id: changed}).id == f"{first.id}-2"


def test_what_was_taken_out_is_gone_and_a_heading_stands_once() -> None:
    rows = rows_of_items(items_of({**FORM, "section-2": "一、口算"}))
    assert [(row.number, row.item.prompt, row.item.section) for row in rows] == [
        (1, "7×8=", "一、口算"),
        (2, "6×9=", ""),
    ]
    assert [item.prompt for item in items_of({**FORM, "remove-1": "on"})] == ["6×9="]


def test_a_due_time_comes_back_as_it_was_written() -> None:
    assert due_for_form(head_of(FORM).due) == "2026-12-01T08:00"
    assert due_for_form(head_of({"due": "2026/12/01"}).due) == "2026-12-01T08:00", "a day alone means the morning"


@pytest.mark.parametrize(
    "wrong", [{"due": "tomorrow"}, {"kind-1": "riddle"}, {"more-1": "[1]"}, {"more-1": "[" * 100_000}]
)
def test_what_no_form_of_ours_sends_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ClassboxError):
        made({**FORM, **wrong})
