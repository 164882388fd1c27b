"""Her mark counts; one that is in doubt only confirms."""

from __future__ import annotations

import msgspec
import pytest

from homework.assignment import Assignment, parse_assignment
from homework.grading import grade_page, regrade
from homework.layout import Field
from homework.marks import MARKS_DIFFER, marked
from homework.results import MarkKind, PageRecord, Reading, TeacherMark, Verdict, VerdictKind, WhoWroteIt

RIGHT, WRONG, BLANK, REVIEW = (
    Verdict(VerdictKind.CORRECT, 200),
    Verdict(VerdictKind.WRONG, 0),
    Verdict(VerdictKind.BLANK, 0),
    Verdict(VerdictKind.REVIEW, None),
)
KEY = """
[assignment]
id = "marks"
title = "marks"
[[item]]
kind = "number"
prompt = "1 + 1 ="
answer = "2"
points = 2
[[item]]
kind = "number"
prompt = "2 + 2 ="
answer = "4"
points = 2
[[item]]
kind = "open"
prompt = "why?"
points = 5
"""


def mark(kind: MarkKind, *, sure: bool = True, score: int | None = None, stroke: int = 1) -> TeacherMark:
    return TeacherMark(kind, sure, score, stroke)


@pytest.mark.parametrize(
    ("own", "kind", "said"),
    [
        (RIGHT, MarkKind.TICK, RIGHT),
        (WRONG, MarkKind.TICK, RIGHT),
        (REVIEW, MarkKind.TICK, RIGHT),
        (BLANK, MarkKind.TICK, REVIEW),
        *((RIGHT, kind, WRONG) for kind in (MarkKind.CROSS, MarkKind.SLASH, MarkKind.RING, MarkKind.DOT)),
        *((REVIEW, kind, WRONG) for kind in (MarkKind.CROSS, MarkKind.SLASH, MarkKind.RING, MarkKind.DOT)),
        (BLANK, MarkKind.CROSS, BLANK),
        (Verdict(VerdictKind.WRONG, 70), MarkKind.CROSS, Verdict(VerdictKind.WRONG, 70)),
        (RIGHT, MarkKind.HALF, Verdict(VerdictKind.WRONG, 100)),
        (RIGHT, MarkKind.UNCLEAR, REVIEW),
        (BLANK, MarkKind.UNCLEAR, REVIEW),
    ],
)
def test_her_mark_counts(own: Verdict, kind: MarkKind, said: Verdict):
    assert marked(own, mark(kind), 200) == said


@pytest.mark.parametrize("kind", list(MarkKind))
@pytest.mark.parametrize("own", [RIGHT, WRONG, BLANK, REVIEW])
def test_a_mark_in_doubt_never_changes_a_verdict_into_another(own: Verdict, kind: MarkKind):
    assert marked(own, mark(kind, sure=False, score=100), 200) in (own, REVIEW)


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (200, RIGHT),
        (150, Verdict(VerdictKind.WRONG, 150)),
        (0, WRONG),
        (201, REVIEW),
        (None, REVIEW),
    ],
)
def test_a_written_score_is_earned_as_far_as_the_item_is_worth_it(score: int | None, said: Verdict):
    assert marked(REVIEW, mark(MarkKind.SCORE, score=score), 200) == said


@pytest.fixture
def key() -> Assignment:
    return parse_assignment(KEY)


def page_of(key: Assignment, texts: tuple[str | None, ...], marks: tuple[TeacherMark | None, ...] = ()) -> PageRecord:
    kinds = ("number", "number", "open")
    fields = [
        (Field(str(n), 1, kind, (0, 0, 9, 9)), Reading(text, 0.99))
        for n, (kind, text) in enumerate(zip(kinds, texts, strict=True), 1)
    ]
    return grade_page(key, "S", 1, fields, WhoWroteIt(), marks=marks)


def test_an_open_item_is_marked_by_her_pen_and_scored(key: Assignment):
    record = page_of(key, ("2", "4", None), (None, None, mark(MarkKind.SCORE, score=350)))
    assert record.items[2].verdict == Verdict(VerdictKind.WRONG, 350)
    assert (record.score_hundredths, record.max_score_hundredths, record.pending) == (750, 900, 0)
    assert not record.problems


def test_where_she_and_the_box_differ_hers_counts_and_it_is_shown(key: Assignment):
    record = page_of(key, ("2", "5", None), (mark(MarkKind.CROSS), mark(MarkKind.TICK, stroke=2), None))
    assert [item.verdict.kind for item in record.items[:2]] == [VerdictKind.WRONG, VerdictKind.CORRECT]
    assert [item.own for item in record.items] == [VerdictKind.CORRECT, VerdictKind.WRONG, None]
    assert [item.reading.text for item in record.items[:2]] == ["2", "5"]
    assert [problem.code for problem in record.problems] == [MARKS_DIFFER]


def test_where_they_agree_nothing_is_shown(key: Assignment):
    record = page_of(key, ("2", "5", None), (mark(MarkKind.TICK), mark(MarkKind.SLASH, stroke=2), None))
    assert [item.own for item in record.items] == [None, None, None]
    assert not record.problems


def test_one_big_tick_marks_a_section_right_only_when_nothing_in_it_is_wrong(key: Assignment):
    big = (mark(MarkKind.TICK),) * 3
    right = page_of(key, ("2", "4", None), big)
    assert [item.verdict.kind for item in right.items] == [VerdictKind.CORRECT] * 3
    assert right.score_hundredths == 900
    mixed = page_of(key, ("2", "5", None), big)
    assert [item.verdict.kind for item in mixed.items] == [VerdictKind.CORRECT, VerdictKind.REVIEW, VerdictKind.REVIEW]
    empty = page_of(key, ("2", "", None), big)
    assert [item.verdict.kind for item in empty.items] == [VerdictKind.CORRECT, VerdictKind.REVIEW, VerdictKind.REVIEW]


def test_a_changed_key_keeps_her_marks(key: Assignment):
    record = page_of(key, ("2", "5", None), (None, mark(MarkKind.TICK), mark(MarkKind.CROSS, stroke=2)))
    other = msgspec.structs.replace(key, items=(parse_assignment(KEY.replace('"2"', '"3"')).items[0], *key.items[1:]))
    again = regrade(record, other)
    assert [item.verdict.kind for item in again.items] == [VerdictKind.WRONG, VerdictKind.CORRECT, VerdictKind.WRONG]
    assert regrade(again, key) == record
    assert [problem.code for problem in again.problems] == [MARKS_DIFFER]
