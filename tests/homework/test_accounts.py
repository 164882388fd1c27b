"""Nothing that was slid is unaccounted for, and nobody who handed in is called missing."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from homework.accounts import Fate, Missing, Slid, Way, account_of

SEATS = st.integers(1, 6)
PAGES = st.lists(
    st.builds(
        Slid,
        capture=st.integers(1, 10_000),
        fate=st.sampled_from(Fate),
        page=st.sampled_from([1, 2, None]),
        seat=st.none() | SEATS,
        way=st.sampled_from(Way),
    ),
    unique_by=lambda each: each.capture,
    max_size=30,
)
EXPECTED = st.none() | st.sets(st.tuples(SEATS, st.sampled_from([1, 2])))


@given(PAGES, EXPECTED)
def test_every_page_that_was_slid_has_one_fate_and_what_counts_one_way(
    slid: list[Slid], expected: set[tuple[int, int]] | None
) -> None:
    account = account_of(slid, expected)

    assert account.slid == len(slid)
    assert account.ways.total() == account.fates[Fate.COUNTS] + account.fates[Fate.CORRECTION]
    assert account.ways[Way.BOX] + account.ways[Way.HELD] == len(account.under_way)
    assert len(account.open) == account.fates[Fate.ASKED] + account.fates[Fate.NOT_GRADED]


@given(PAGES, st.sets(st.tuples(SEATS, st.sampled_from([1, 2]))))
def test_missing_is_exactly_what_is_expected_and_does_not_count(
    slid: list[Slid], expected: set[tuple[int, int]]
) -> None:
    account = account_of(slid, expected)
    there = {(each.seat, each.page) for each in slid if each.fate is Fate.COUNTS}

    assert {(each.seat, each.page) for each in account.missing} == expected - there
    assert account.expected == len(expected)


def test_a_class_without_a_list_has_nobody_missing() -> None:
    account = account_of([Slid(1, Fate.COUNTS, 1, 3, None)], None)

    assert (account.expected, account.missing, account.ways) == (None, (), Counter())


def test_a_sheet_that_is_only_asked_about_is_missing_and_open_at_once() -> None:
    account = account_of([Slid(7, Fate.ASKED, 1, None, Way.BOX)], [(3, 1)])

    assert account.missing == (Missing(3, 1),)
    assert [each.capture for each in account.open] == [7]
    assert account.under_way == ()
