"""How far each pupil has come with corrections, whatever a program knows its pages by."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from homework.again import AgainState, Attempt, again_of, open_places, owing
from homework.assignment import parse_assignment
from homework.grading import grade_page
from homework.layout import Field
from homework.results import Doubt, PageRecord, Reading, WhoWroteIt
from homework.roster import Pupil

KEY = parse_assignment("""
[assignment]
id = "g3"
title = "7 × 8"
[[item]]
kind = "number"
prompt = "7 × 8 ="
answer = "56"
[[item]]
kind = "number"
prompt = "6 × 9 ="
answer = "54"
""")
PUPIL = Pupil("3-1", 7, "李小明", "S007")


def record(attempt: int, *read: str | None, page: int = 1) -> PageRecord:
    """A page with those texts; None is in doubt."""
    fields = [Field(item.id, 1, item.kind, (9.0, 9.0, 20.0, 9.0)) for item in KEY.items]
    readings = [Reading(text, 0.999) if text is not None else Reading(None, 0.1, Doubt.UNSURE) for text in read]
    found = grade_page(KEY, "SHEET", page, list(zip(fields, readings, strict=True)), WhoWroteIt("3-1", 7))
    return msgspec.structs.replace(found, attempt=attempt)


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([record(1, "56", "54")], AgainState.NOTHING),
        ([record(1, "56", "53")], AgainState.OWES),
        ([record(1, "56", "")], AgainState.OWES),
        ([record(1, "56", None)], AgainState.REVIEW),
        ([record(1, "55", "53"), record(2, "56", "53")], AgainState.STILL_WRONG),
        ([record(1, "55", "53"), record(2, "56", None)], AgainState.REVIEW),
        ([record(1, "55", "53"), record(2, "56", "53"), record(3, "56", "54")], AgainState.DONE),
        ([record(1, "56", "54"), record(1, "56", "53", page=2)], AgainState.OWES),
    ],
)
def test_the_first_attempt_says_what_to_correct_and_the_newest_what_became_of_it(
    records: list[PageRecord], state: AgainState
) -> None:
    for order in permutations(enumerate(records)):
        [one] = again_of([Attempt(PUPIL, each, f"page-{number}") for number, each in order])
        assert (one.pupil, one.state) == (PUPIL, state)
        assert bool(owing([one])) is (state in (AgainState.OWES, AgainState.STILL_WRONG))


def test_each_open_item_is_shown_then_and_now_with_the_pages_it_stands_on() -> None:
    [one] = again_of([Attempt(PUPIL, record(1, "55", "54"), "then"), Attempt(PUPIL, record(2, "56", "54"), "now")])
    [item] = one.items
    assert (item.item, item.first.reading.text, item.first_page) == ("1", "55", "then")
    assert (item.newest.reading.text, item.now_page, one.attempts) == ("56", "now", 2)


def test_nobody_who_handed_in_nothing_is_in_the_list() -> None:
    assert again_of([]) == ()
    assert open_places(record(1, "56", None)) == {1}
