"""The law on which teachers rely: what is read from the paper does not depend on the answer that is expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge.frames import Capture
from edge.pipeline import Books, GradedPage, grade_capture
from homework.assignment import Assignment, Item
from homework.results import PageRecord, PageStatus, VerdictKind
from homework.roster import Pupil, Roster
from models.recognisers import Recognisers

WRITTEN = {"1": "92", "2": "43", "3": "3/4", "4": "8……1", "7": "×", "8": "C", "9": "<"}
ROSTER = Roster(tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46)))
NUMBERS = st.one_of(
    st.integers(-999, 99999).map(str),
    st.decimals(0, 999, places=2).map(str),
    st.tuples(st.integers(1, 99), st.integers(2, 99)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.tuples(st.integers(1, 9), st.integers(0, 9)).map(lambda pair: f"{pair[0]}……{pair[1]}"),
)
KEYS = {
    "number": NUMBERS,
    "choice": st.sampled_from("ABCD"),
    "choices": st.sampled_from(["A", "AB", "ACD", "BD"]),
    "judge": st.sampled_from("√×"),
    "letter": st.sampled_from("ABCD"),
    "compare": st.sampled_from("><="),
}


@pytest.fixture(scope="module")
def recogniser() -> Recognisers:
    return Recognisers.load()


@pytest.fixture(scope="module", params=[(5, {}), (17, {"blur_px": 1.0, "brightness": 0.7})], ids=["clear", "hard"])
def page(request: Any, print_worksheet: Callable[..., Any], photograph: Callable[..., Capture]) -> Any:
    """A written worksheet and its photograph: every kind, some of it in doubt."""
    seed, conditions = request.param
    sheet = print_worksheet("digits", seed=seed)
    sheet.seat("23")
    for item, text in WRITTEN.items():
        sheet.write(item, text)
    sheet.mark("5", "B")
    sheet.mark("6", "A")
    sheet.mark("6", "C", "faint")
    sheet.write("10", "2", blank=1)
    return sheet, photograph(sheet.paper(), size_px=(2592, 1944), **conditions)


@pytest.fixture(scope="module")
def without(page: Any, recogniser: Recognisers) -> GradedPage:
    """The page read with no key at all."""
    return graded(page, None, recogniser)


def graded(page: Any, key: Assignment | None, recogniser: Recognisers) -> GradedPage:
    sheet, photo = page
    layouts = {sheet.layout.sheet: sheet.layout}
    return grade_capture(photo, Books(layouts.get, lambda _: key, roster=ROSTER), recogniser)


def read_of(graded_page: GradedPage) -> list[Any]:
    """Everything that was read from the paper, to the last digit of its confidence."""
    assert graded_page.status is PageStatus.GRADED
    record = graded_page.record
    assert record is not None
    readings = [(item.item, item.blank, item.reading) for item in record.items]
    return [readings, record.who, graded_page.ink, [field.quad_px for field in graded_page.fields]]


def tempting(record: PageRecord, item: Item) -> list[str]:
    """What a reader that peeks would be drawn to: its own second thoughts."""
    of_item = [one for one in record.items if one.item == item.id]
    said = [candidate.text for one in of_item for candidate in one.reading.candidates]
    return [text for text in said if text and item.kind in ("number", "letter", "judge", "compare")]


def with_key(assignment: Assignment, answers: dict[str, tuple[tuple[str, ...], ...]]) -> Assignment:
    return msgspec.structs.replace(
        assignment,
        items=tuple(
            msgspec.structs.replace(item, rule=msgspec.structs.replace(item.rule, accepted=answers[item.id]))
            for item in assignment.items
        ),
    )


# A failing key says enough: to look for a smaller one costs a photograph's reading each time.
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data())
def test_the_same_photograph_is_read_alike_under_any_key(
    page: Any, without: GradedPage, recogniser: Recognisers, data: st.DataObject
):
    assert without.record is not None
    answers: dict[str, tuple[tuple[str, ...], ...]] = {}
    for item in page[0].assignment.items:
        others = tempting(without.record, item)
        keys = st.one_of(KEYS[item.kind], *([st.sampled_from(others)] if others else []))
        one_blank = st.lists(keys, min_size=1, max_size=3).map(tuple)
        answers[item.id] = data.draw(st.tuples(*[one_blank] * item.blanks), label=f"key of item {item.id}")
    keyed = graded(page, with_key(page[0].assignment, answers), recogniser)
    assert read_of(keyed) == read_of(without)


def test_another_key_changes_what_a_reading_is_worth(page: Any, without: GradedPage, recogniser: Recognisers):
    sheet, _ = page
    assert without.record is not None
    said = {(one.item, one.blank): one.reading for one in without.record.items}
    sure = [item for item in sheet.assignment.items if item.blanks == 1 and said[item.id, 1].doubt is None]
    sure = [item for item in sure if said[item.id, 1].text]
    assert sure, "nothing on the page was read for certain: the law above would hold of an empty page too"
    answers = {item.id: item.rule.accepted for item in sheet.assignment.items}
    agreeing = with_key(sheet.assignment, {**answers, **{i.id: ((said[i.id, 1].text or "",),) for i in sure}})
    record = graded(page, agreeing, recogniser).record
    assert record is not None
    verdicts = {(one.item, one.blank): one.verdict.kind for one in record.items}
    assert {verdicts[item.id, 1] for item in sure} == {VerdictKind.CORRECT}
