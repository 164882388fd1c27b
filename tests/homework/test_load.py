import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.answers import AnswerRule
from homework.assignment import Assignment, Item, Layer
from homework.layout import FieldKind
from homework.load import CAPS_MIN, CORE, Minutes, day_load, minutes

ALL_IN = {"math": [Minutes(20, estimated=False)], "语文": [Minutes(25, estimated=True)]}


def assignment(*items: tuple[FieldKind, int, Layer], own: int | None = None) -> Assignment:
    made = tuple(
        Item(id=str(n), kind=kind, prompt="", rule=AnswerRule(kind="number", accepted=()), blanks=blanks, layer=layer)
        for n, (kind, blanks, layer) in enumerate(items)
    )
    return Assignment(id="hw", title="口算", items=made, minutes=own)


def test_the_teachers_own_minutes_stand_and_are_no_estimate() -> None:
    assert minutes(assignment(("number", 1, "A"), own=15)) == Minutes(15, estimated=False)


def test_an_estimate_is_called_one_and_leaves_voluntary_items_out() -> None:
    assert minutes(assignment(*[("number", 1, "A")] * 20)) == Minutes(14, estimated=True)  # 800 s
    assert minutes(assignment(("number", 3, "A"), ("open", 1, "B"), ("open", 1, "C"))) == Minutes(2, estimated=True)
    assert minutes(assignment(("open", 1, "C"))) == Minutes(0, estimated=True)
    assert minutes(assignment(("compare", 1, "A"))) == Minutes(1, estimated=True)


def test_the_caps_are_those_of_the_rule() -> None:
    assert [CAPS_MIN.get(grade) for grade in range(1, 11)] == [0, 0, 60, 60, 60, 60, 90, 90, 90, None]


def test_a_day_is_judged_only_when_all_subjects_are_in() -> None:
    half = day_load(ALL_IN, grade=3, recent=())
    assert (half.minutes, half.estimated, half.subjects) == (45, True, ("chinese", "math"))
    assert (half.complete, half.cap_min, half.over) == (False, 60, None)
    whole = ALL_IN | {"英语": [Minutes(16, estimated=False)]}
    assert day_load(whole, grade=3, recent=("math",)).over is True
    assert day_load(whole, grade=7, recent=("math",)).over is False
    assert day_load(whole, grade=3, recent=("科学",)).over is None
    assert day_load(whole, grade=None, recent=()).over is None
    assert day_load(whole, grade=10, recent=()).over is None


def test_in_the_first_two_grades_any_minute_is_too_much_and_english_is_not_waited_for() -> None:
    assert day_load(ALL_IN, grade=1, recent=()).over is True
    assert day_load({name: [Minutes(0, estimated=True)] for name in ALL_IN}, grade=2, recent=()).over is False


def test_a_subject_has_one_name_whatever_it_was_called() -> None:
    load = day_load({"Math": [Minutes(1, estimated=False)], "数学": [Minutes(2, estimated=False)]}, grade=3, recent=())
    assert (load.minutes, load.subjects) == (3, ("math",))


@given(
    st.dictionaries(st.sampled_from([*CORE, "science"]), st.lists(st.integers(0, 200), min_size=1, max_size=3)),
    st.integers(1, 12),
    st.sets(st.sampled_from(["science", "art"])),
)
def test_more_homework_never_makes_a_day_lighter(
    given_minutes: dict[str, list[int]], grade: int, recent: set[str]
) -> None:
    def load(more: int) -> tuple[int, bool | None]:
        days = {name: [Minutes(n + more, estimated=False) for n in some] for name, some in given_minutes.items()}
        found = day_load(days, grade=grade, recent=recent)
        return found.minutes, found.over

    (before, over), (after, still_over) = load(0), load(5)
    assert before <= after
    assert (over is None) == (still_over is None)
    assert not over or still_over


@pytest.mark.parametrize("kind", ["choice", "choices", "judge", "letter", "number", "compare", "open", "text"])
def test_every_kind_of_item_takes_time(kind: FieldKind) -> None:
    assert minutes(assignment((kind, 1, "A"))).value >= 1
