"""Forms of the review become words on fields; what no form of ours sends is refused."""

from __future__ import annotations

import pytest

from homework.corrections import Word
from homework.errors import UsageError
from homework.review_answers import SeenField, answers_of, points_in


def test_those_ticked_get_the_answer_of_the_group_and_those_typed_their_own() -> None:
    form = {"do": ["say"], "as": ["56"], "in": ["c0ffee-1-0", "2-1-0"], "text:2-1-0": [" 58 "], "text:3-4-0": ["50"]}
    assert answers_of(form) == {
        SeenField("c0ffee", 1, 0): Word(text="56"),
        SeenField("2", 1, 0): Word(text="58"),
        SeenField("3", 4, 0): Word(text="50"),
    }


@pytest.mark.parametrize("ident", ["", "1-1", "1-1-0-0", "../1-1-0", "1-1-x", "1-1-1000", f"{'1' * 65}-1-0", "１-1-0"])
def test_a_field_that_no_page_of_ours_names_is_refused(ident: str) -> None:
    with pytest.raises(UsageError):
        answers_of({"do": ["right"], "in": [ident]})


@pytest.mark.parametrize(("text", "hundredths"), [("3", 300), ("3.5", 350), ("3,25", 325), (" 0 ", 0), ("0.5", 50)])
def test_points_are_read_as_people_write_them(text: str, hundredths: int) -> None:
    assert points_in(text) == hundredths
