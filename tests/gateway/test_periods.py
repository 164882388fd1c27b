from datetime import UTC, date, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reports.periods import day_at, day_number, day_numbered, monday_of, start_ms, term_named, term_of
from homework.errors import UsageError

days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
CHINA = timezone(timedelta(hours=8))


@given(days)
def test_every_day_lies_in_one_term_which_is_known_by_its_name(day: date) -> None:
    term = term_of(day)
    assert term.first <= day <= term.last
    assert term_named(term.name) == term
    assert term_of(term.last + timedelta(days=1)).first == term.last + timedelta(days=1)


def test_january_belongs_to_the_term_that_began_in_autumn() -> None:
    assert term_of(date(2027, 1, 20)).name == term_of(date(2026, 9, 1)).name == "2026-autumn"
    assert term_of(date(2027, 2, 1)).name == "2027-spring"


@pytest.mark.parametrize(
    "name", ["", "2026", "2026-winter", "26-autumn", "２０２６-autumn", "0000-autumn", "-1-spring", "9999-autumn"]
)
def test_what_is_no_term_is_refused_in_words(name: str) -> None:
    with pytest.raises(UsageError, match="no term"):
        term_named(name)


@given(days)
def test_a_day_as_a_number_sorts_and_comes_back(day: date) -> None:
    assert day_numbered(day_number(day)) == day
    assert day_number(day) < day_number(day + timedelta(days=1))
    assert monday_of(day) <= day < monday_of(day) + timedelta(days=7)


@given(days)
def test_a_day_begins_where_the_school_stands(day: date) -> None:
    begins = start_ms(day, CHINA)
    assert day_at(begins, CHINA) == day
    assert day_at(begins - 1, CHINA) == day - timedelta(days=1)
    assert day_at(begins, UTC) == day - timedelta(days=1)
    assert day_at(start_ms(day)) == day
