"""The likeliest matching is the likeliest, whatever the gains."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.matching import best_matching

NEVER = -math.inf
GAIN = st.floats(-20, 20) | st.just(NEVER) | st.just(-1.0)


@st.composite
def gains(draw: st.DrawFn) -> list[list[float]]:
    """Up to five rows with shared columns and one column each that is theirs alone."""
    rows, shared = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    return [
        [
            *(draw(GAIN) for _ in range(shared)),
            *(draw(st.floats(-20, 20)) if at == row else NEVER for at in range(rows)),
        ]
        for row in range(rows)
    ]


def total(table: list[list[float]], matching: tuple[int, ...] | list[int]) -> float:
    return sum(line[column] for line, column in zip(table, matching, strict=True))


@settings(deadline=None)
@given(gains())
def test_no_way_of_matching_gains_more(table: list[list[float]]) -> None:
    found = best_matching(table)
    assert len(set(found)) == len(table)
    every = itertools.permutations(range(len(table[0]) if table else 0), len(table))
    assert total(table, found) == pytest.approx(max(total(table, each) for each in every), abs=1e-9)


def test_a_row_gives_way_when_all_gain_by_it() -> None:
    assert best_matching([[9.0, 8.0, NEVER], [9.0, 1.0, NEVER], [NEVER, 7.0, 6.0]]) == [1, 0, 2]
