"""Gateways share the summaries by school: none is made by two at once, and what a dead one left another does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ingest import Changed
from gateway.reports.shares import LASTS_S, NotOurTurn, Shares, lease_of
from gateway.reports.shelf import Shelf, Work
from gateway.reports.summaries import Summary, summarise
from gateway.reports.worker import SummaryWorker
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.leases import take_lease
from gateway.store.store import Store
from gateway.store.tables.schools import leases
from gateway.store.tables.summaries import class_summaries
from sync.lanes import Lane

ON_BOTH = True
ANOTHER = "another"


def worker_of(store: Store, name: str) -> SummaryWorker:
    """One of a gateway that is known by that name."""
    worker = SummaryWorker(store, quiet_s=0.01)
    worker._shares = Shares(name)
    return worker


async def hold(store: Store, school: str, holder: str = ANOTHER, *, lasts_ms: int = 60_000) -> bool:
    async with store.writing() as connection:
        return await take_lease(connection, lease_of(school), holder, lasts_ms=lasts_ms)


async def run_out(store: Store, school: str | None = None) -> None:
    """The lease of a school (of all) has not been renewed for long."""
    async with store.writing() as connection:
        mine = [] if school is None else [leases.c.name == lease_of(school)]
        await connection.execute(update(leases).where(*mine).values(until_ms=0))


async def come(school: SimulatedSchool, *, attempt: int = 1) -> None:
    results = [school.pupils.result(pupil, attempt=attempt) for pupil in school.pupils.roster.pupils]
    await school.ingest.take([school.box.envelope(Lane.RESULTS, results)])


@asynccontextmanager
async def running(worker: SummaryWorker) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def schools_with_sheets(store: Store, first: SimulatedSchool, number: int) -> list[SimulatedSchool]:
    others = [await make_school(store, first.pupils.assignment, school=f"no-{n}") for n in range(2, number + 1)]
    for school in (first, *others):
        await come(school)
    return [first, *others]


async def summaries(store: Store) -> int:
    async with store.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(class_summaries)) or 0


async def test_a_school_that_is_anothers_is_left_to_it_and_taken_over_when_that_one_is_heard_no_more(
    store: Store, school: SimulatedSchool
) -> None:
    await schools_with_sheets(store, school, 2)
    assert await hold(store, "no-1")
    worker = SummaryWorker(store)
    assert await worker.catch_up() == 1
    assert worker.theirs == {"no-1"}
    assert await hold(store, "no-1"), "it is still the other's"
    await run_out(store, "no-1")
    assert await worker.catch_up() == 1
    assert worker.theirs == frozenset()
    assert not await hold(store, "no-1")


async def test_whose_a_school_is_is_not_asked_again_while_nobody_else_can_have_taken_it(
    store: Store, school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await come(school)
    worker, now_s = SummaryWorker(store, quiet_s=0.0), 1000.0
    monkeypatch.setattr("gateway.reports.shares.time", SimpleNamespace(monotonic=lambda: now_s))
    assert await worker.catch_up() == 1
    changed = Changed("no-1", school.pupils.assignment.id, "3-1")
    await hold_after_running_out(store)
    worker.tell([changed])
    await worker._turn()
    assert worker.theirs == {"no-1"}, "what is written is written under the lease all the same"
    await run_out(store)
    asked: list[str] = []
    take = Shares.take

    async def seen(self: Shares, connection: AsyncConnection, name: str) -> bool:
        asked.append(name)
        return await take(self, connection, name)

    monkeypatch.setattr(Shares, "take", seen)
    assert await worker.catch_up() == 0
    assert asked == ["no-1"]
    for later_s, expected in ((1.0, 1), (LASTS_S, 2), (1.0, 2)):
        now_s += later_s
        worker.tell([changed])
        await worker._turn()
        assert len(asked) == expected
    assert worker.made == 4


async def hold_after_running_out(store: Store) -> None:
    await run_out(store)
    assert await hold(store, "no-1")


async def test_a_turn_that_is_lost_while_a_summary_is_made_writes_nothing(
    store: Store, school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other gateway may have a newer one already."""
    await come(school)

    async def slowly(shelf: Shelf, work: Work, **rest: object) -> Summary:
        await run_out(store)
        assert await hold(store, "no-1")
        return await summarise(shelf, work, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.reports.worker.summarise", slowly)
    worker = SummaryWorker(store)
    assert await worker.catch_up() == 0
    assert worker.theirs == {"no-1"}
    assert await summaries(store) == 0


class Watched:
    """Sees who makes what; `made` counts by school and class."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: Counter[tuple[str, Work]] = Counter()
        self.at_work: Counter[str] = Counter()
        monkeypatch.setattr("gateway.reports.worker.summarise", self._summarise)

    async def _summarise(self, shelf: Shelf, work: Work, **rest: object) -> Summary:
        self.made[shelf.school, work] += 1
        self.at_work[shelf.school] += 1
        assert self.at_work[shelf.school] == 1, "two work at one school"
        await asyncio.sleep(0.05)
        self.at_work[shelf.school] -= 1
        return await summarise(shelf, work, **rest)  # type: ignore[arg-type]


async def test_two_gateways_share_the_schools_and_make_no_summary_twice(
    store: Store, school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await schools_with_sheets(store, school, 6)
    watched = Watched(monkeypatch)
    workers = [worker_of(store, name) for name in ("one", "two")]
    made = await asyncio.gather(*(worker.catch_up() for worker in workers))
    assert sum(made) == 6
    assert min(made) > 0
    assert set(watched.made.values()) == {1}


async def test_what_one_left_undone_when_it_died_another_does_and_no_more(
    store: Store, school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were told of everything; the first dies in the middle, and gives nothing back."""
    schools = await schools_with_sheets(store, school, 4)
    watched = Watched(monkeypatch)
    monkeypatch.setattr("gateway.reports.worker._AGAIN_S", 0.05)
    told = [Changed(one.school, one.pupils.assignment.id, "3-1") for one in schools]
    dying, other = (worker_of(store, name) for name in ("dying", "other"))
    dying.tell(told)
    done, same, left = dying._shares.in_order({one.school for one in schools})[:3]
    await asyncio.sleep(0.02)
    await dying._work_at(done)
    await dying._work_at(same)
    assert await hold(store, left, "dying")
    other.tell(told)
    async with running(other):
        await until(lambda: other.made == 1 and other.theirs == {done, same, left})
        await come(next(one for one in schools if one.school == done), attempt=2)  # and nobody is told
        await run_out(store)
        await until(lambda: not other.theirs)
        await until(lambda: other.made == 3)
    assert await summaries(store) == 4
    assert {school: n for (school, _), n in watched.made.items()} == {one.school: 1 for one in schools} | {done: 2}


async def test_an_orderly_end_gives_all_schools_back(store: Store, school: SimulatedSchool) -> None:
    await schools_with_sheets(store, school, 2)
    worker = worker_of(store, "ending")
    async with running(worker):
        await until(lambda: worker.made == 2)
        assert not await hold(store, "no-1")
    assert await hold(store, "no-1")
    assert await hold(store, "no-2")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "keep", "run out", "give back"]), st.sampled_from("ab"), st.sampled_from(["1", "2"])
    ),
    max_size=20,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
@example([("take", "a", "1"), ("run out", "a", "1"), ("take", "b", "1"), ("take", "b", "1")])
async def test_a_school_is_one_gateways_and_whoever_comes_after_another_knows_it(
    store: Store, steps: Sequence[tuple[str, str, str]]
) -> None:
    async with store.writing() as connection:
        await connection.execute(delete(leases))
    last: dict[str, str] = {}
    held: set[str] = set()
    for what, name, school in steps:
        free = school not in held or last[school] == name
        if what == "run out":
            await run_out(store, school)
            held.discard(school)
            continue
        async with store.writing() as connection:
            shares = Shares(name)
            if what == "give back":
                await shares.give_back(connection)
                held -= {one for one in held if last[one] == name}
                continue
            ask = partial(shares.take if what == "take" else shares.keep, connection, school)
            if not free:
                with pytest.raises(NotOurTurn):
                    await ask()
                continue
            said = await ask()
            if what == "take":
                assert said == (last.get(school) != name)
            last[school] = name
            held.add(school)
