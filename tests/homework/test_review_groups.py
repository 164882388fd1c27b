"""What waits for a look is put into groups that one answer settles."""

from __future__ import annotations

import operator

import msgspec

from homework.results import Doubt, MarkKind, Reading, TeacherMark
from homework.review_groups import OpenPage, Question, groups_of
from tests.homework.reviewing import KEY, asked, doubt, grouped, opened


def test_answers_that_read_alike_are_one_group_over_all_items_of_a_kind_the_most_doubtful_first() -> None:
    groups = grouped(
        opened(1, i1=doubt("56", 0.9)),
        opened(2, i1=doubt("58", 0.6)),
        opened(3, i2=doubt("56", 0.7), i3=doubt("√", 0.3)),
        opened(4, i1=doubt("56", 0.8)),
    )
    assert asked(groups) == [("reading", "√", 1), ("reading", "58", 1), ("reading", "56", 3)]
    assert [crop.key for crop in groups[2].crops] == ["3", "4", "1"]


def test_what_has_no_reading_stands_under_its_likeliest_one_or_is_asked_field_by_field() -> None:
    groups = grouped(
        opened(1, i1=doubt(None, 0.0, "56")), opened(2, i1=doubt(None, 0.0)), opened(3, i1=doubt("56", 0.5))
    )
    assert asked(groups) == [("unread", None, 1), ("reading", "56", 2)]


def test_what_is_read_but_not_decided_is_asked_right_or_wrong_item_by_item() -> None:
    unclear = {1: TeacherMark(MarkKind.UNCLEAR, sure=False, stroke=1)}
    groups = grouped(opened(1, i4=Reading("12", 0.999)), opened(2, i4=Reading("12", 0.999)), opened(3, marks=unclear))
    assert sorted((group.question, group.label, group.text, len(group.crops)) for group in groups) == [
        (Question.VERDICT, "1", "56", 1),
        (Question.VERDICT, "4", "12", 2),
    ]
    assert [group.crops[0].wide for group in groups if group.label == "1"] == [True]


def test_open_items_are_rated_after_all_doubts_in_half_points() -> None:
    groups = grouped(
        opened(1, i5=doubt(None, 0.0, why=Doubt.FOR_THE_TEACHER)),
        opened(2, i5=doubt(None, 0.0, why=Doubt.FOR_THE_TEACHER), i1=doubt("56", 0.9)),
    )
    assert asked(groups) == [("reading", "56", 1), ("points", None, 2)]
    assert groups[1].points == (0, 50, 100, 150, 200)


def test_words_whose_ink_looks_alike_are_one_group() -> None:
    words = doubt(None, 0.0, why=Doubt.FOR_THE_TEACHER)
    groups = grouped(*(opened(n, i6=words, inks={5: ink}) for n, ink in enumerate((b"a", b"b", b"a"), start=1)))
    assert [[crop.key for crop in group.crops] for group in groups if len(group.crops) > 1] == [["1", "3"]]
    assert {group.question for group in groups} == {Question.VERDICT}
    for nothing in ({}, {5: b""}):
        unknown = grouped(opened(1, i6=words, inks=nothing), opened(2, i6=words, inks=nothing))
        assert [len(group.crops) for group in unknown] == [1, 1], "without ink nothing is alike"


def test_without_a_key_what_only_a_person_can_judge_waits_and_the_rest_is_asked() -> None:
    reasons = doubt(None, 0.0, why=Doubt.FOR_THE_TEACHER)
    assert asked(grouped(opened(1, key=False, i1=doubt("56", 0.6), i5=reasons, i6=reasons))) == [("reading", "56", 1)]


def test_the_homework_at_hand_comes_first() -> None:
    other = msgspec.structs.replace(KEY, id="older")
    page = opened(1, i1=doubt("99", 0.1))
    older = msgspec.structs.replace(page.record, assignment="older")
    pages = [OpenPage("1", 1, older, "v", 1), opened(2, i1=doubt("56", 0.9))]
    groups = groups_of(pages, keys={"g3": KEY, "older": other}, fields={}, alike=operator.eq, first="g3")
    assert [group.assignment for group in groups] == ["g3", "older"]


def test_a_short_alphabet_is_offered_whole() -> None:
    (group,) = grouped(opened(1, i3=doubt("√", 0.5)))
    assert group.crops[0].choices == ("√", "×")


def test_a_group_keeps_its_name_while_its_members_come_and_go() -> None:
    few = grouped(opened(1, i1=doubt("56", 0.9)))
    more = grouped(opened(2, i1=doubt("56", 0.4)), opened(3, i2=doubt("56", 0.9)))
    assert few[0].key == more[0].key
