"""The line's bytes are shared as the lanes deserve, and no lane starves."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sync.budget import SHARES, Budget
from sync.lanes import Lane

LARGEST = 1 << 20
sizes = st.fixed_dictionaries({lane: st.integers(1, LARGEST) for lane in Lane})


def sent(budget: Budget, sizes: dict[Lane, int], turns: int, ready: set[Lane]) -> Counter[Lane]:
    """Bytes of each lane after so many turns, in which the `ready` ones always have a message of their size."""
    total: Counter[Lane] = Counter()
    for _ in range(turns):
        lane = next(lane for lane in budget.order() if lane in ready)
        budget.spend(lane, sizes[lane])
        total[lane] += sizes[lane]
    return total


@given(sizes, st.integers(1, 200), st.sets(st.sampled_from(Lane), min_size=2))
def test_at_any_moment_two_lanes_differ_by_no_more_than_a_message_of_each(
    sizes: dict[Lane, int], turns: int, ready: set[Lane]
):
    """Theorem 1 of the paper, for lanes that always have something to send."""
    total = sent(Budget(), sizes, turns, ready)
    for one in ready:
        for other in ready:
            apart = total[one] / SHARES[one] - total[other] / SHARES[other]
            assert apart <= sizes[one] / SHARES[one] + sizes[other] / SHARES[other] + 1e-6


def test_equal_messages_go_as_the_shares_say():
    assert sent(Budget(), dict.fromkeys(Lane, 1000), 800, set(Lane)) == {
        lane: share * 100_000 for lane, share in SHARES.items()
    }


def test_results_do_not_wait_for_a_queue_of_large_documents():
    budget = Budget()
    budget.spend(Lane.DOCUMENTS, LARGEST)
    total = sent(budget, {Lane.DOCUMENTS: LARGEST, Lane.RESULTS: 10_000}, 200, {Lane.DOCUMENTS, Lane.RESULTS})
    assert total[Lane.DOCUMENTS] == 0
    assert total[Lane.RESULTS] == 2_000_000


@given(sizes, st.integers(1, 100))
def test_a_lane_that_was_quiet_has_saved_nothing_up(sizes: dict[Lane, int], turns: int):
    budget = Budget()
    sent(budget, sizes, turns, set(Lane) - {Lane.HEALTH})
    after = sent(budget, sizes, 200, set(Lane))
    for lane in set(Lane) - {Lane.HEALTH}:
        ahead = after[Lane.HEALTH] / SHARES[Lane.HEALTH] - after[lane] / SHARES[lane]
        assert ahead <= sizes[Lane.HEALTH] / SHARES[Lane.HEALTH] + 2 * sizes[lane] / SHARES[lane] + 1e-6


def test_who_has_nothing_to_say_passes_the_turn_on():
    assert Budget().order() == [Lane.DOCUMENTS, Lane.RESULTS, Lane.CROPS, Lane.HEALTH]
    budget = Budget()
    budget.spend(Lane.DOCUMENTS, 10)
    assert budget.order() == [Lane.RESULTS, Lane.CROPS, Lane.HEALTH, Lane.DOCUMENTS]
