"""The keys of boxes are remembered for some seconds, and asked for all together."""

import secrets

import pytest
from sqlalchemy import update

from gateway import box_keys
from gateway.box_keys import BoxKeys
from gateway.simulated_school import SimulatedSchool
from gateway.store.schools import enrol_box, void_box
from gateway.store.tables.schools import boxes
from homework.errors import ClassboxError

ON_BOTH = True


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(box_keys.time, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def enrolled(school: SimulatedSchool, *names: str) -> dict[tuple[str, str], bytes]:
    async with school.store.writing() as connection:
        return {(school.school, n): await enrol_box(connection, school.store.vault, school.school, n) for n in names}


async def test_a_box_that_is_shut_out_or_enrolled_anew_is_known_for_it_after_some_seconds(
    school: SimulatedSchool, clock: Clock
) -> None:
    keys = BoxKeys(school.store)
    ours = await enrolled(school, "a", "b")
    assert await keys.of([*ours, (school.school, "nobody")]) == ours
    async with school.store.writing() as connection:
        await void_box(connection, school.store.vault, school.school, "a")
    anew = await enrolled(school, "b")
    assert await keys.of(list(ours)) == ours
    clock.now_s += 5
    now = await keys.of(list(ours))
    assert now[school.school, "b"] == anew[school.school, "b"]
    assert now[school.school, "a"] != ours[school.school, "a"]


async def test_who_was_busy_lately_is_asked_about_with_whoever_is_due(
    school: SimulatedSchool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch every second, each of another box: the store is asked once in five seconds."""
    asked: list[int] = []
    reading = school.store.reading

    def counted() -> object:
        asked.append(1)
        return reading()

    keys = BoxKeys(school.store)
    ours = list(await enrolled(school, *"abcde"))
    await keys.of(ours)
    monkeypatch.setattr(school.store, "reading", counted)
    for name in [*ours, *ours, *ours]:
        clock.now_s += 1
        assert len(await keys.of([name])) == 1
    assert len(asked) == 3


async def test_a_key_that_cannot_be_opened_costs_its_own_box_alone(school: SimulatedSchool, clock: Clock) -> None:
    keys = BoxKeys(school.store)
    ours = await enrolled(school, "a", "b")
    await keys.of(list(ours))
    async with school.store.writing() as connection:
        mine = boxes.c.school_id == school.school, boxes.c.box_id == "a"
        await connection.execute(update(boxes).where(*mine).values(key_sealed=secrets.token_bytes(60)))
    clock.now_s += 4
    await keys.of(list(ours))
    clock.now_s += 4
    b = (school.school, "b")
    assert await keys.of([b]) == {b: ours[b]}
    with pytest.raises(ClassboxError):
        await keys.of([(school.school, "a")])
