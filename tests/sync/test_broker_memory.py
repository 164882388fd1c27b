"""What is concluded from lines that a broker closes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.broker_memory import SUSPECT_BYTES, BrokerMemory

DAY_S = 86_400
LARGE = st.integers(SUSPECT_BYTES + 1, 2 << 20)


class Times:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(LARGE, min_size=3, max_size=3))
def test_three_lines_in_a_row_with_a_large_packet_say_that_the_least_of_them_is_too_large(sizes: list[int]):
    memory = BrokerMemory(Times())
    for size in sizes:
        assert memory.refused_bytes is None
        memory.closed(size)
    assert memory.refused_bytes == min(sizes)


@pytest.mark.parametrize("between", ["a line with nothing large", "the same taken"])
def test_a_broker_that_only_restarts_now_and_then_is_not_taken_for_one_that_refuses(between: str):
    memory = BrokerMemory(Times())
    for _ in range(10):
        memory.closed(500_000)
        memory.closed(500_000)
        if between == "the same taken":
            memory.took(500_000)
        else:
            memory.closed(SUSPECT_BYTES)
    assert memory.refused_bytes is None


@given(LARGE)
def test_that_smaller_ones_pass_does_not_clear_a_large_one(size: int):
    memory = BrokerMemory(Times())
    for _ in range(3):
        memory.took(size - 1)
        memory.closed(size)
    assert memory.refused_bytes == size


def test_what_was_too_large_is_tried_again_the_next_day():
    times = Times()
    memory = BrokerMemory(times)
    for _ in range(3):
        memory.closed(500_000)
    times.now_s += DAY_S - 1
    assert memory.refused_bytes == 500_000
    times.now_s += 2
    assert memory.refused_bytes is None
    memory.closed(500_000)
    assert memory.refused_bytes is None, "nor is it suspected more than at first"
