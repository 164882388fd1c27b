"""What nothing holds any more goes, though it was set aside; and nobody waits for it."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway.garbage import BetweenRequests, calm_collector, settle


class Knot:
    """Holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def let_go_after_it_was_set_aside() -> weakref.ref[Knot]:
    knot = Knot()
    settle()
    return weakref.ref(knot)


def test_a_cycle_that_was_set_aside_goes_with_the_next_look() -> None:
    gone = let_go_after_it_was_set_aside()
    gc.collect()
    assert gone() is not None
    settle()
    assert gone() is None


def test_many_values_alone_never_bring_about_a_look_at_everything() -> None:
    calm_collector()
    before = gc.get_stats()[2]["collections"]
    kept = [[n] for n in range(600_000)]
    assert len(kept) == 600_000
    assert gc.get_stats()[2]["collections"] == before


async def test_everything_is_looked_at_when_no_request_waits() -> None:
    between = BetweenRequests()
    gone = let_go_after_it_was_set_aside()
    settling = asyncio.create_task(between.settle_in_quiet(every_s=0.0))
    with between.answering():
        await asyncio.sleep(0.1)
        assert gone() is not None
    for _ in range(500):
        if gone() is None:
            break
        await asyncio.sleep(0.01)
    assert gone() is None
    settling.cancel()


async def test_what_is_new_is_looked_at_after_some_answers_and_not_while_a_request_waits() -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    del knot
    gc.set_threshold(0)
    between = BetweenRequests()
    with between.answering():
        for _ in range(20):
            with between.answering():
                pass
        await asyncio.sleep(0.02)
        assert gone() is not None
    await asyncio.sleep(0.02)
    assert gone() is None
