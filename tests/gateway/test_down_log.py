"""The log of what goes down to a school's boxes (D11)."""

import pytest
from sqlalchemy import select

from gateway.simulated_school import SimulatedSchool
from gateway.store.down_log import append
from gateway.store.schema import down_log
from homework.errors import ClassboxError
from sync.down_bodies import FIRST_CHAIN, MAX_BODY_BYTES, Kind, content_of, next_chain, unpacked
from sync.lanes import Lane
from sync.records import DocumentRecord


async def added(school: SimulatedSchool, kind: Kind, key: str, body: bytes) -> int | None:
    async with school.store.writing() as connection:
        return await append(connection, school.school, kind, key, body)


async def log(school: SimulatedSchool) -> list[tuple[int, str, bytes | None]]:
    async with school.store.reading() as connection:
        rows = await connection.execute(select(down_log).order_by(down_log.c.place))
        return [(row.place, row.key, None if row.packed is None else unpacked(row.packed)) for row in rows]


async def test_the_newest_of_a_kind_and_key_stands_and_places_have_no_gaps(school: SimulatedSchool) -> None:
    assert [await added(school, "setting", "report", body) for body in (b"1", b"1", b"2")] == [1, None, 2]
    assert await added(school, "setting", "other", b"1") == 3
    assert await added(school, "setting", "report", b"1") == 4
    assert await log(school) == [(1, "report", None), (2, "report", None), (3, "other", b"1"), (4, "report", b"1")]


async def test_of_corrections_each_one_counts(school: SimulatedSchool) -> None:
    assert [await added(school, "correction", "a", body) for body in (b"1", b"2", b"2")] == [1, 2, None]
    assert await log(school) == [(1, "a", b"1"), (2, "a", b"2")]


async def test_the_chain_says_what_was_told_and_in_which_order(school: SimulatedSchool) -> None:
    await added(school, "setting", "a", b"1")
    await added(school, "setting", "b", b"2")
    async with school.store.reading() as connection:
        rows = list(await connection.execute(select(down_log).order_by(down_log.c.place)))
    chain = FIRST_CHAIN
    for row in rows:
        chain = next_chain(chain, row.kind, row.key, row.content)
        assert row.chain == chain


async def test_what_is_too_large_is_refused_and_costs_nothing(school: SimulatedSchool) -> None:
    with pytest.raises(ClassboxError, match="too large"):
        await added(school, "layout", "s", bytes(MAX_BODY_BYTES + 1))
    assert await log(school) == []


async def test_what_a_box_was_given_goes_into_the_log_for_the_others(school: SimulatedSchool) -> None:
    body = b"[assignment]"
    record = DocumentRecord(document="assignment", id="g3", digest=content_of(body), body=body)
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, [record])])
    async with school.store.reading() as connection:
        rows = list(await connection.execute(select(down_log).where(down_log.c.key == "g3")))
    assert [(row.kind, row.content, row.origin) for row in rows] == [("assignment", record.digest, school.box.box)]
