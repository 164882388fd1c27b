from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.answers import AnswerRule, Credit
from homework.assignment import Assignment, Item, Layer, parse_assignment
from homework.grading import WRONG_ASSIGNMENT, grade_item, grade_page, max_score_hundredths, regrade, share_points
from homework.layout import Bubble, Field, FieldKind
from homework.results import Doubt, PageRecord, Problem, Reading, Verdict, VerdictKind, WhoWroteIt

CORRECT, WRONG, BLANK, REVIEW, READ = (
    VerdictKind.CORRECT,
    VerdictKind.WRONG,
    VerdictKind.BLANK,
    VerdictKind.REVIEW,
    VerdictKind.READ,
)
WHO = WhoWroteIt(class_name="3-1", seat=12, pupil="S012", confidence=1.0)


def read(text: str | None, doubt: Doubt | None = None) -> Reading:
    return Reading(text, 0.99, doubt)


def make(kind: FieldKind, *accepted: str | tuple[str, ...], points: int = 100, layer: Layer = "A", **rule: Any) -> Item:
    """An item with one blank for each of `accepted`."""
    slots = tuple((a,) if isinstance(a, str) else a for a in accepted)
    return Item(
        id="1",
        kind=kind,
        prompt="",
        rule=AnswerRule(kind=kind, accepted=slots, **rule),
        blanks=len(slots),
        options=("一", "二", "三", "四") if kind in ("choice", "choices") else (),
        points_hundredths=points,
        layer=layer,
    )


def graded(item: Item, *texts: str | Reading | None) -> list[tuple[VerdictKind, int | None]]:
    readings = [t if isinstance(t, Reading) else read(t) for t in texts]
    return [(v.kind, v.score_hundredths) for v in grade_item(item, readings)]


@pytest.mark.parametrize(
    ("kind", "key", "right", "wrong"),
    [
        ("number", "92", "092", "93"),
        ("number", "1/2", "0.5", "5"),
        ("number", "7……3", "7...3", "7"),
        ("judge", "√", "✓", "×"),
        ("letter", "C", "c", "D"),
        ("compare", ">", "＞", "<"),
        ("choice", "B", "B", "A"),
        ("choices", "AC", "CA", "AB"),
    ],
)
def test_each_kind_tells_right_from_wrong(kind: FieldKind, key: str, right: str, wrong: str) -> None:
    assert graded(make(kind, key), right) == [(CORRECT, 100)]
    assert graded(make(kind, key), wrong) == [(WRONG, 0)]


@pytest.mark.parametrize(
    "reading",
    [
        read(None),
        read("92", Doubt.UNSURE),
        read("", Doubt.INK_BESIDE),
        read("9/"),
        read("92x"),
        Reading(None, 0.0),
    ],
)
def test_what_is_unreadable_or_in_doubt_goes_to_review_without_a_score(reading: Reading) -> None:
    assert graded(make("number", "92"), reading) == [(REVIEW, None)]


@pytest.mark.parametrize(
    ("kind", "key", "text"),
    [
        ("choice", "B", "AB"),
        ("choice", "B", "F"),
        ("choice", "B", "2"),
        ("choices", "AC", "AF"),
        ("letter", "B", "Q"),
        ("judge", "√", "v"),
        ("compare", ">", "7"),
    ],
)
def test_what_the_field_cannot_hold_goes_to_review(kind: FieldKind, key: str, text: str) -> None:
    assert graded(make(kind, key), text) == [(REVIEW, None)]


@pytest.mark.parametrize("kind", ["open", "text"])
def test_open_and_text_items_are_for_the_teacher_unless_nothing_was_written(kind: FieldKind) -> None:
    item = make(kind, "a model answer")
    assert graded(item, "a model answer") == [(REVIEW, None)]
    assert graded(item, None) == [(REVIEW, None)]
    assert graded(item, "") == [(BLANK, 0)]


def test_an_empty_field_is_blank_and_earns_nothing() -> None:
    assert graded(make("number", "92"), "") == [(BLANK, 0)]


@pytest.mark.parametrize("layer", ["B", "C"])
def test_an_optional_item_left_alone_has_no_score_and_a_tried_one_has(layer: Layer) -> None:
    item = make("number", "1", "2", layer=layer)
    assert graded(item, "", "") == [(BLANK, None), (BLANK, None)]
    assert graded(item, "1", "") == [(CORRECT, 50), (BLANK, 0)]
    assert graded(item, None, "") == [(REVIEW, None), (BLANK, 0)]
    assert graded(item, "", read("", Doubt.INK_BESIDE)) == [(BLANK, 0), (REVIEW, None)]


@given(st.integers(1, 100_000), st.integers(1, 20))
def test_the_shares_of_the_blanks_sum_to_the_points_and_differ_by_a_hundredth_at_most(points: int, blanks: int) -> None:
    shares = share_points(points, blanks)
    assert sum(shares) == points
    assert max(shares) - min(shares) <= 1
    assert list(shares) == sorted(shares, reverse=True)


@given(st.integers(1, 400).map(lambda n: n * 50), st.integers(1, 9))
def test_all_blanks_right_earn_exactly_the_points(points: int, blanks: int) -> None:
    item = make("number", *(str(n) for n in range(blanks)), points=points)
    scores = [score for _, score in graded(item, *(str(n) for n in range(blanks)))]
    assert sum(s for s in scores if s is not None) == points


def test_a_number_of_readings_other_than_the_blanks_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="1 readings for 2 blanks"):
        grade_item(make("number", "1", "2"), [read("1")])


def test_in_any_order_each_accepted_answer_is_used_once() -> None:
    item = make("number", "3", "5", any_order=True)
    assert graded(item, "5", "3") == [(CORRECT, 50), (CORRECT, 50)]
    assert graded(item, "3", "3") == [(CORRECT, 50), (WRONG, 0)]
    assert graded(item, "7", "5") == [(WRONG, 0), (CORRECT, 50)]
    assert graded(item, "", "5") == [(BLANK, 0), (CORRECT, 50)]


def test_in_any_order_a_slot_is_given_up_for_one_who_has_no_other() -> None:
    item = make("number", ("1", "2"), ("1", "3"), ("4",), any_order=True)
    assert [kind for kind, _ in graded(item, "1", "2", "4")] == [CORRECT] * 3
    assert [kind for kind, _ in graded(item, "3", "1", "4")] == [CORRECT] * 3
    assert sorted(kind for kind, _ in graded(item, "1", "1", "1")) == [CORRECT, CORRECT, WRONG]


slots = st.lists(st.sets(st.sampled_from("123"), min_size=1).map(tuple), min_size=2, max_size=4)


@given(slots, st.data())
def test_in_any_order_as_many_are_right_as_any_assignment_to_slots_allows(
    accepted: list[tuple[str, ...]], data: st.DataObject
) -> None:
    texts = data.draw(st.lists(st.sampled_from("1234"), min_size=len(accepted), max_size=len(accepted)))
    found = graded(make("number", *accepted, any_order=True), *texts)
    best = max(sum(text in slot for text, slot in zip(order, accepted, strict=True)) for order in permutations(texts))
    assert sum(kind is CORRECT for kind, _ in found) == best


@given(slots, st.data())
def test_in_any_order_a_blank_in_review_makes_no_other_wrong_whatever_stands_there(
    accepted: list[tuple[str, ...]], data: st.DataObject
) -> None:
    texts = data.draw(st.lists(st.sampled_from("1234"), min_size=len(accepted), max_size=len(accepted)))
    place = data.draw(st.integers(0, len(texts) - 1))
    doubted: list[str | Reading] = [*texts]
    doubted[place] = read(texts[place], Doubt.UNSURE)
    item = make("number", *accepted, any_order=True)
    others = [kind for n, (kind, _) in enumerate(graded(item, *doubted)) if n != place]
    known = graded(item, *texts)
    assert sum(kind is WRONG for kind in others) <= sum(kind is WRONG for kind, _ in known)
    # Nor does the key's word on the doubted text take a slot from the others.
    assert others.count(CORRECT) >= sum(kind is CORRECT for kind, _ in known) - 1


def test_in_any_order_a_doubtful_twin_does_not_take_the_slot() -> None:
    item = make("number", "3", "5", any_order=True)
    assert graded(item, read("3", Doubt.UNSURE), "3") == [(REVIEW, None), (CORRECT, 50)]


@pytest.mark.parametrize(
    ("credit", "picks", "score"),
    [
        ("all", "ABC", 300),
        ("all", "AB", 0),
        ("all", "ABCD", 0),
        ("proportional", "ABC", 300),
        ("proportional", "AB", 200),
        ("proportional", "ABD", 100),
        ("proportional", "AD", 0),
        ("proportional", "D", 0),
        ("no-wrong", "ABC", 300),
        ("no-wrong", "A", 100),
        ("no-wrong", "ABCD", 0),
    ],
)
def test_several_picks_are_credited_as_the_policy_says(credit: Credit, picks: str, score: int) -> None:
    item = make("choices", "ABC", points=300, credit=credit)
    assert graded(item, picks) == [(CORRECT if score == 300 else WRONG, score)]


def test_partial_credit_rounds_to_the_nearest_hundredth() -> None:
    assert graded(make("choices", "ABC", points=50, credit="proportional"), "AB") == [(WRONG, 33)]
    assert graded(make("choices", "ABC", points=250, credit="proportional"), "AB") == [(WRONG, 167)]


def test_a_unit_in_a_script_that_is_not_read_goes_to_review() -> None:
    item = make("number", "5", unit="元", unit_written=True)
    assert graded(item, "5元") == [(REVIEW, None)]
    assert graded(item, "6") == [(REVIEW, None)]
    assert graded(item, "") == [(BLANK, 0)]


def test_a_latin_unit_is_judged_and_a_missing_one_is_the_teachers_to_judge() -> None:
    item = make("number", "5", unit="cm", unit_written=True)
    assert graded(item, "5cm") == [(CORRECT, 100)]
    assert graded(item, "50mm") == [(CORRECT, 100)]
    assert graded(item, "6cm") == [(WRONG, 0)]
    assert graded(item, "5") == [(REVIEW, None)]
    assert graded(item, "6") == [(WRONG, 0)]
    assert graded(item, "5kg") == [(REVIEW, None)]
    assert graded(make("number", "5", unit="m²", unit_written=True), "5m2") == [(CORRECT, 100)]


def field(item: str, kind: FieldKind = "number", blank: int = 1) -> Field:
    return Field(item=item, blank=blank, kind=kind, box_mm=(0.0, 0.0, 10.0, 10.0))


def assignment(*items: Item) -> Assignment:
    named = tuple(msgspec.structs.replace(item, id=str(n)) for n, item in enumerate(items, start=1))
    return Assignment(id="hw", title="口算", items=named)


def page_of(
    key: Assignment | None, fields: list[tuple[Field, Reading]], problems: tuple[Problem, ...] = ()
) -> PageRecord:
    return grade_page(key, "SHEET1", 2, fields, WHO, problems=problems)


def test_a_page_sums_what_counts() -> None:
    key = assignment(
        make("number", "92"),
        make("judge", "√"),
        make("number", "5", layer="B"),
        make("open", (), points=500),
        make("number", "1"),
    )
    record = page_of(
        key,
        [
            (field("1"), read("92")),
            (field("2", "judge"), read("×")),
            (field("3"), read("")),
            (field("4", "open"), read(None)),
            (field("5"), read("")),
        ],
        (Problem("blurred", "The picture is blurred."),),
    )
    assert [i.verdict.kind for i in record.items] == [CORRECT, WRONG, BLANK, REVIEW, BLANK]
    assert (record.score_hundredths, record.max_score_hundredths, record.pending) == (100, 800, 1)
    assert (record.sheet, record.assignment, record.page, record.who, record.attempt) == ("SHEET1", "hw", 2, WHO, 1)
    assert [p.code for p in record.problems] == ["blurred"]
    assert max_score_hundredths(key, record.items) == 800


def test_fields_keep_their_order_even_when_blanks_do_not_stand_in_theirs() -> None:
    key = assignment(make("number", "3", "5"))
    record = page_of(key, [(field("1", blank=2), read("5")), (field("1", blank=1), read("4"))])
    assert [(i.blank, i.verdict.kind) for i in record.items] == [(2, CORRECT), (1, WRONG)]


def test_an_item_that_goes_on_overleaf_is_worth_its_blanks_on_this_page() -> None:
    key = assignment(make("number", "3", "5", "7"))
    record = page_of(key, [(field("1", blank=2), read("5")), (field("1", blank=3), read("7"))])
    assert (record.score_hundredths, record.max_score_hundredths) == (66, 66)


def test_without_an_assignment_a_page_is_read_and_not_judged() -> None:
    bubbles = tuple(Bubble(label, (0.0, 0.0, 1.0, 1.0)) for label in ("1", "10"))
    choice = Field(item="5", blank=1, kind="choice", bubbles=bubbles)
    record = page_of(
        None,
        [
            (field("1"), read("92")),
            (field("2"), read("")),
            (field("3"), read("9", Doubt.UNSURE)),
            (field("4", "open"), read("x")),
            (choice, read("10")),
            (choice, read("110")),
        ],
    )
    assert [i.verdict for i in record.items] == [
        Verdict(READ, None),
        Verdict(BLANK, None),
        Verdict(REVIEW, None),
        Verdict(REVIEW, None),
        Verdict(READ, None),
        Verdict(REVIEW, None),
    ]
    assert (record.assignment, record.score_hundredths, record.max_score_hundredths) == (None, None, None)
    assert record.pending == 3


@pytest.mark.parametrize("alien", [field("9"), field("1", "judge"), field("1", blank=2)])
def test_a_sheet_that_the_assignment_does_not_fit_is_not_judged_at_all(alien: Field) -> None:
    record = page_of(assignment(make("number", "92")), [(field("1"), read("92")), (alien, read("×"))])
    assert [p.code for p in record.problems] == [WRONG_ASSIGNMENT]
    assert [i.verdict.kind for i in record.items] == [READ, READ]
    assert (record.score_hundredths, record.max_score_hundredths) == (None, None)


texts = st.one_of(st.none(), st.sampled_from(["", "92", "3", "5", "x", "5cm", "√", "AB"]))
doubts = st.none() | st.sampled_from(list(Doubt))
readings = st.builds(Reading, texts, st.floats(0, 1), doubts)
rules = st.builds(
    lambda a, b, any_order, unit: make("number", a, b, any_order=any_order, unit=unit, unit_written=unit is not None),
    st.sampled_from(["92", "3", "5", "7"]),
    st.sampled_from(["92", "3", "5", "7"]),
    st.booleans(),
    st.sampled_from([None, "cm", "元"]),
)


@given(st.lists(readings, min_size=4, max_size=4), rules, rules, rules, rules)
def test_the_key_never_steers_what_was_read(given_: list[Reading], a: Item, b: Item, c: Item, d: Item) -> None:
    places = [field("1", blank=1), field("1", blank=2), field("2", blank=1), field("2", blank=2)]
    fields = list(zip(places, given_, strict=True))
    records = [page_of(key, fields) for key in (assignment(a, b), assignment(c, d), None)]
    for record in records:
        assert [i.reading for i in record.items] == given_
        assert record.pending == sum(i.verdict.kind is REVIEW for i in record.items)
        for result in record.items:
            if result.reading.doubt is not None or result.reading.text is None:
                assert result.verdict == Verdict(REVIEW, None)


@given(st.lists(readings, min_size=4, max_size=4), rules, rules, rules, rules)
def test_regrading_is_grading_by_the_other_key(given_: list[Reading], a: Item, b: Item, c: Item, d: Item) -> None:
    places = [field("1", blank=1), field("1", blank=2), field("2", blank=1), field("2", blank=2)]
    fields = list(zip(places, given_, strict=True))
    old, new = page_of(assignment(a, b), fields), page_of(assignment(c, d), fields)
    assert regrade(old, assignment(c, d)) == new
    assert regrade(new, assignment(a, b)) == old
    assert regrade(regrade(old, None), assignment(a, b)) == old


@given(st.lists(readings, min_size=2, max_size=2), rules)
def test_no_page_earns_more_than_it_could(given_: list[Reading], item: Item) -> None:
    record = page_of(assignment(item), list(zip([field("1"), field("1", blank=2)], given_, strict=True)))
    assert record.score_hundredths is not None
    assert record.max_score_hundredths is not None
    assert 0 <= record.score_hundredths <= record.max_score_hundredths


def test_regrading_lifts_the_problem_once_the_right_assignment_is_there() -> None:
    record = page_of(assignment(make("judge", "√")), [(field("1"), read("92"))])
    assert [p.code for p in record.problems] == [WRONG_ASSIGNMENT]
    again = regrade(record, assignment(make("number", "92")))
    assert again.problems == ()
    assert again.score_hundredths == 100


def test_a_card_may_have_a_column_that_the_key_does_not_know() -> None:
    """A roll number on an imported card is read, and the key judges the rest; a sheet of ours must fit as a whole."""
    key = parse_assignment(
        '[assignment]\nid = "a"\ntitle = "t"\ngrade = 3\n'
        '[[item]]\nid = "q1"\nkind = "number"\nprompt = "1 + 1 ="\nanswer = 2\n'
    )
    fields = [
        (Field("Roll", 1, "number"), Reading("407", 0.99)),
        (Field("q1", 1, "number"), Reading("2", 0.99)),
    ]
    loose = grade_page(key, "s", 1, fields, WhoWroteIt(), bound=False)
    assert [item.verdict.kind for item in loose.items] == [VerdictKind.READ, VerdictKind.CORRECT]
    assert (loose.score_hundredths, loose.max_score_hundredths) == (100, 100)
    assert regrade(loose, key) == loose
    assert grade_page(key, "s", 1, fields, WhoWroteIt()).score_hundredths is None
    assert grade_page(key, "s", 1, fields[:1], WhoWroteIt(), bound=False).score_hundredths is None
