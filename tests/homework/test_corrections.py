"""A person's word counts, outlives a changed key, and can be taken back without a trace."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.assignment import Assignment, parse_assignment
from homework.corrections import (
    LONGEST_COMMENT,
    LONGEST_TEXT,
    Word,
    carried_over,
    corrected,
    field_of,
    said_after,
    same_field,
    toggled,
    unruled,
)
from homework.grading import grade_page, regrade
from homework.layout import Field
from homework.marks import MARKS_DIFFER
from homework.results import (
    Candidate,
    Doubt,
    ItemResult,
    MarkKind,
    PageRecord,
    Reading,
    Said,
    Stamp,
    TeacherMark,
    VerdictKind,
    WhoWroteIt,
)

CORRECT, WRONG, BLANK, REVIEW = VerdictKind.CORRECT, VerdictKind.WRONG, VerdictKind.BLANK, VerdictKind.REVIEW
KEY = parse_assignment("""
[assignment]
id = "words"
title = "words"
[[item]]
kind = "number"
prompt = "7 × 8 ="
answer = "56"
points = 2
[[item]]
kind = "choice"
prompt = "?"
options = ["a", "b"]
answer = "B"
[[item]]
kind = "number"
prompt = "____ ____"
blanks = 2
any_order = true
answer = ["1", "2"]
[[item]]
kind = "number"
prompt = "how long?"
answer = "12"
unit = "厘米"
unit_written = true
[[item]]
kind = "open"
prompt = "why?"
points = 5
[[item]]
kind = "text"
prompt = "the capital of France"
answer = "Paris"
[[item]]
kind = "number"
prompt = "1 + 1 ="
answer = "2"
layer = "C"
""")
FIELDS = [
    Field(item.id, blank, item.kind, (0.0, 0.0, 9.0, 9.0)) for item in KEY.items for blank in range(1, item.blanks + 1)
]
UNREAD = Reading(None, 0.0, Doubt.UNSURE)


def page(*readings: Reading, key: Assignment | None = KEY, marks: dict[int, TeacherMark] | None = None) -> PageRecord:
    all_readings = [*readings, *[Reading("", 0.999)] * (len(FIELDS) - len(readings))]
    on_fields = [(marks or {}).get(place) for place in range(len(FIELDS))]
    return grade_page(
        key,
        "SHEET",
        1,
        list(zip(FIELDS, all_readings, strict=True)),
        WhoWroteIt("3-1", 1, "S001", 1.0),
        marks=on_fields,
    )


def say(record: PageRecord, item: str, word: Word, *, blank: int = 1, key: Assignment | None = KEY) -> PageRecord:
    field = field_of(record, (item, blank))
    assert field is not None
    return corrected(record, {(item, blank): said_after(field, word)}, key)


def verdict(record: PageRecord, item: str, blank: int = 1) -> tuple[VerdictKind, int | None]:
    field = field_of(record, (item, blank))
    assert field is not None
    return (field.verdict.kind, field.verdict.score_hundredths)


def key_with(item: str, answer: str) -> Assignment:
    """The key with another answer to an item."""
    items = tuple(
        msgspec.structs.replace(one, rule=msgspec.structs.replace(one.rule, accepted=((answer,),)))
        if one.id == item
        else one
        for one in KEY.items
    )
    return msgspec.structs.replace(KEY, items=items)


def test_a_reading_that_a_person_gives_is_judged_by_the_key() -> None:
    before = page(Reading("58", 0.6, Doubt.UNSURE, (Candidate("58", 0.6), Candidate("56", 0.3))))
    assert verdict(before, "1") == (REVIEW, None)
    right = say(before, "1", Word(text=" ５６ "))
    assert verdict(right, "1") == (CORRECT, 200)
    field = field_of(right, ("1", 1))
    assert field is not None
    assert field.reading == Reading("56", 1.0)
    assert field.read.text == "58"
    assert right.pending == before.pending - 1
    assert right.score_hundredths == (before.score_hundredths or 0) + 200
    assert verdict(say(before, "1", Word(text="58")), "1") == (WRONG, 0)
    assert verdict(say(before, "1", Word(text="")), "1") == (BLANK, 0)
    assert verdict(say(before, "1", Word(text="5/")), "1") == (WRONG, 0)


def test_two_marks_that_a_person_confirms_are_wrong_and_asked_no_more() -> None:
    before = page(Reading("", 0.9), Reading("AB", 0.9, Doubt.TWO_MARKS))
    assert verdict(before, "2") == (REVIEW, None)
    assert verdict(say(before, "2", Word(text="AB")), "2") == (WRONG, 0)


def test_a_unit_in_words_is_judged_once_a_person_has_typed_it() -> None:
    before = page(*[Reading("", 0.9)] * 4, Reading("12", 0.99))
    assert verdict(before, "4") == (REVIEW, None)
    assert verdict(say(before, "4", Word(text="12厘米")), "4") == (CORRECT, 100)
    assert verdict(say(before, "4", Word(text="12米")), "4")[0] is not CORRECT
    assert verdict(say(before, "4", Word(text="12")), "4") == (REVIEW, None)


def test_a_verdict_outranks_the_key_the_marks_and_a_changed_key() -> None:
    cross = {0: TeacherMark(MarkKind.CROSS, sure=True, stroke=1)}
    before = page(Reading("56", 0.99), marks=cross)
    assert verdict(before, "1") == (WRONG, 0)
    assert MARKS_DIFFER in {problem.code for problem in before.problems}
    ruled = say(before, "1", Word(right=True))
    assert verdict(ruled, "1") == (CORRECT, 200)
    assert MARKS_DIFFER not in {problem.code for problem in ruled.problems}
    assert verdict(regrade(ruled, key_with("1", "99")), "1") == (CORRECT, 200)
    wrong = say(page(Reading("56", 0.99)), "1", Word(right=False))
    assert verdict(wrong, "1") == (WRONG, 0)
    assert verdict(regrade(wrong, key_with("1", "56")), "1") == (WRONG, 0)


def test_a_reading_that_a_person_gave_is_judged_anew_by_a_changed_key() -> None:
    given_56 = say(page(UNREAD), "1", Word(text="56"))
    assert verdict(regrade(given_56, key_with("1", "58")), "1") == (WRONG, 0)
    assert regrade(regrade(given_56, key_with("1", "58")), KEY) == given_56


def test_points_are_given_in_halves_and_never_more_than_it_is_worth() -> None:
    before = page(*[Reading("", 0.9)] * 5, Reading(None, 0.0, Doubt.FOR_THE_TEACHER))
    assert verdict(before, "5") == (REVIEW, None)
    assert verdict(say(before, "5", Word(score_hundredths=350)), "5") == (WRONG, 350)
    assert verdict(say(before, "5", Word(score_hundredths=500)), "5") == (CORRECT, 500)
    assert verdict(say(before, "5", Word(score_hundredths=900)), "5") == (CORRECT, 500)
    assert verdict(say(before, "5", Word(score_hundredths=0)), "5") == (WRONG, 0)


def test_the_words_of_a_text_item_are_right_where_they_are_the_keys_and_a_question_where_not() -> None:
    before = page(*[Reading("", 0.9)] * 6, Reading(None, 0.0, Doubt.FOR_THE_TEACHER))
    assert verdict(say(before, "6", Word(text="Paris")), "6") == (CORRECT, 100)
    assert verdict(say(before, "6", Word(text="paris in France")), "6") == (REVIEW, None)


def test_an_optional_item_left_alone_counts_once_a_person_judges_it() -> None:
    before = page()
    assert verdict(before, "7") == (BLANK, None)
    tried = say(before, "7", Word(right=True))
    assert verdict(tried, "7") == (CORRECT, 100)
    assert tried.max_score_hundredths == (before.max_score_hundredths or 0) + 100


def test_without_a_key_a_persons_reading_is_read_and_her_verdict_waits_for_the_key() -> None:
    before = page(UNREAD, key=None)
    assert verdict(say(before, "1", Word(text="56"), key=None), "1") == (VerdictKind.READ, None)
    ruled = say(before, "1", Word(right=True), key=None)
    assert verdict(ruled, "1") == (REVIEW, None)
    assert verdict(regrade(ruled, KEY), "1") == (CORRECT, 200)


def test_a_comment_and_a_stamp_change_no_verdict() -> None:
    before = page(Reading("56", 0.99))
    remarked = say(before, "1", Word(comment="  well\n done ", stamp=Stamp.EXCELLENT))
    field = field_of(remarked, ("1", 1))
    assert field is not None
    assert field.said == Said(read=Reading("56", 0.99), comment="well done", stamp=Stamp.EXCELLENT)
    assert verdict(remarked, "1") == verdict(before, "1")
    assert say(remarked, "1", Word(comment="", stamp=None)) == before


def test_the_last_word_decides() -> None:
    ruled = say(page(Reading("56", 0.99)), "1", Word(right=False))
    assert verdict(say(ruled, "1", Word(text="56")), "1") == (CORRECT, 200)
    assert verdict(say(ruled, "1", Word(score_hundredths=100)), "1") == (WRONG, 100)
    assert verdict(say(say(ruled, "1", Word(score_hundredths=100)), "1", Word(right=True)), "1") == (CORRECT, 200)


def test_what_is_too_long_is_cut() -> None:
    field = page().items[6]
    said = said_after(field, Word(text="x" * 500, comment="y" * 500))
    assert said is not None
    assert (len(said.text or ""), len(said.comment)) == (LONGEST_TEXT, LONGEST_COMMENT)


def test_one_tap_turns_a_verdict_and_a_second_leaves_no_trace() -> None:
    for reading in (Reading("56", 0.99), Reading("57", 0.99)):
        before = page(reading)
        record = before
        for _ in range(2):
            own = unruled(record, ("1", 1), KEY)
            field = field_of(record, ("1", 1))
            assert own is not None
            assert field is not None
            record = say(record, "1", toggled(field, own))
            assert verdict(record, "1") != verdict(before, "1") or record == before
        assert record == before


def test_a_question_is_first_turned_into_a_tick_and_then_into_a_cross() -> None:
    record, kinds = page(UNREAD), []
    for _ in range(3):
        own = unruled(record, ("1", 1), KEY)
        field = field_of(record, ("1", 1))
        assert own is not None
        assert field is not None
        record = say(record, "1", toggled(field, own))
        kinds.append(verdict(record, "1")[0])
    assert kinds == [CORRECT, WRONG, CORRECT]


def test_a_page_that_is_read_anew_keeps_what_people_said() -> None:
    before = say(page(UNREAD, Reading("A", 0.99)), "1", Word(text="56"))
    anew = page(Reading("58", 0.5, Doubt.UNSURE), Reading("B", 0.99))
    after = carried_over(before, anew, KEY)
    assert verdict(after, "1") == (CORRECT, 200)
    assert verdict(after, "2") == (CORRECT, 100)
    field = field_of(after, ("1", 1))
    assert field is not None
    assert field.read.text == "58"
    assert carried_over(page(), anew, KEY) is anew


def test_a_field_is_the_same_until_somebody_says_something_of_it() -> None:
    before, rekeyed = page(Reading("56", 0.99)), regrade(page(Reading("56", 0.99)), key_with("1", "1"))
    assert same_field(before.items[0], rekeyed.items[0])
    assert not same_field(before.items[0], say(before, "1", Word(right=True)).items[0])


readings = st.builds(
    Reading,
    st.sampled_from([None, "", "1", "2", "56", "58", "A", "B", "AB", "12"]),
    st.just(0.9),
    st.sampled_from([None, None, Doubt.UNSURE, Doubt.INK_BESIDE]),
)
marks = st.dictionaries(
    st.integers(0, len(FIELDS) - 1),
    st.builds(TeacherMark, st.sampled_from([*MarkKind]), st.booleans(), st.none(), st.integers(1, 3)),
    max_size=3,
)
words = st.one_of(
    st.builds(Word, text=st.sampled_from([None, "", "1", "56", "AB", "x", "12厘米"])),
    st.builds(Word, right=st.sampled_from([True, False, None])),
    st.builds(Word, score_hundredths=st.sampled_from([0, 50, 100, 250, 10_000, None])),
    st.builds(Word, comment=st.sampled_from(["", "good"]), stamp=st.sampled_from([None, *Stamp])),
)
pages = st.builds(lambda r, m: page(*r, marks=m), st.lists(readings, min_size=8, max_size=8), marks)
places = st.integers(0, len(FIELDS) - 1).map(lambda n: (FIELDS[n].item, FIELDS[n].blank))


def sound(record: PageRecord) -> None:
    """What holds of every page that was judged."""
    assert record.pending == sum(item.verdict.kind is REVIEW for item in record.items)
    assert record.score_hundredths == sum(item.verdict.score_hundredths or 0 for item in record.items)
    assert record.max_score_hundredths is not None
    assert 0 <= (record.score_hundredths or 0) <= record.max_score_hundredths


@given(pages, st.lists(st.tuples(places, words), max_size=6))
def test_whatever_is_said_is_taken_back_without_a_trace(
    before: PageRecord, said: list[tuple[tuple[str, int], Word]]
) -> None:
    record = before
    for (item, blank), word in said:
        record = say(record, item, word, blank=blank)
        sound(record)
        assert regrade(record, KEY) == record
    unsaid = corrected(record, dict.fromkeys([place for place, _ in said]), KEY)
    assert unsaid == before


@given(pages, places, words, words)
def test_the_order_of_words_on_two_fields_does_not_matter(
    before: PageRecord, place: tuple[str, int], one: Word, other: Word
) -> None:
    first = before.items[0]
    if place == (first.item, first.blank):
        return
    a = say(say(before, first.item, one), place[0], other, blank=place[1])
    b = say(say(before, place[0], other, blank=place[1]), first.item, one)
    assert a == b


@given(pages, places, words)
def test_a_record_with_words_comes_back_from_its_bytes(before: PageRecord, place: tuple[str, int], word: Word) -> None:
    record = say(before, place[0], word, blank=place[1])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=PageRecord) == record


def test_items_of_before_there_were_words_are_still_read() -> None:
    old = {
        "item": "1", "blank": 1, "kind": "number",
        "reading": {"text": "5", "confidence": 0.9, "doubt": None, "candidates": []},
        "verdict": {"kind": "wrong", "score_hundredths": 0}, "mark": None, "own": None,
    }  # fmt: skip
    found = msgspec.convert(old, ItemResult)
    assert found.said is None
    assert found.read == found.reading


@pytest.mark.parametrize("key", [KEY, None])
def test_an_unsaid_page_is_its_own_regrading(key: Assignment | None) -> None:
    before = page(Reading("58", 0.9), key=key)
    assert regrade(before, key) == before
