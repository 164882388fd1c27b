"""Statements that come again are read by PostgreSQL's driver itself, and nobody can tell."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Engine, Select, bindparam, event, func, select
from sqlalchemy.exc import DBAPIError, StatementError

from benchmarks._postgresql import PostgreSQL
from gateway.config import load_config
from gateway.simulated_school import SimulatedSchool
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import pupils, schools
from sync.errors import StoreTrouble
from tests.gateway.databases import on_postgresql, store_lines


def of_the_school() -> Select[tuple[Any, ...]]:
    query = select(pupils.c.pseudonym, pupils.c.class_name, pupils.c.seat, pupils.c.name_sealed)
    return query.where(pupils.c.school_id == bindparam("school"), pupils.c.seat > 3).order_by(pupils.c.seat)


@contextmanager
def said_by_sqlalchemy(store: Store) -> Iterator[list[str]]:
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    engine: Engine = store._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield said
    event.remove(engine, "before_cursor_execute", note)


@on_postgresql
async def test_a_statement_that_comes_again_gives_the_same_rows_without_sqlalchemy(school: SimulatedSchool) -> None:
    query = of_the_school()
    with said_by_sqlalchemy(school.store) as said:
        async with school.store.reading() as connection:
            results = [await connection.execute(query, {"school": school.school}) for _ in range(4)]
            rows = [result.all() for result in results]
    assert len(said) == 2
    assert len(rows[0]) > 3
    assert rows[1:] == rows[:1] * 3
    assert [[row.class_name for row in some] for some in rows] == [["3-1"] * len(rows[0])] * 4
    assert [[type(value) for value in some[0]] for some in rows] == [[bytes, str, int, bytes]] * 4
    assert [dict(row._mapping) for row in rows[3]] == [dict(row._mapping) for row in rows[0]]


@on_postgresql
async def test_what_the_driver_gives_in_another_form_is_read_as_ever(school: SimulatedSchool) -> None:
    query = select(func.avg(pupils.c.seat).label("mean")).where(pupils.c.school_id == bindparam("school"))
    async with school.store.reading() as connection:
        found = [await connection.scalar(query, {"school": school.school}) for _ in range(4)]
    assert found == found[:1] * 4


@on_postgresql
async def test_what_the_server_refuses_is_said_with_the_reason(school: SimulatedSchool) -> None:
    query = select(100 // (schools.c.added_ms - bindparam("when", type_=BigInteger)))
    async with school.store.reading() as connection:
        added_ms = int(await connection.scalar(select(schools.c.added_ms)) or 0)
        for _ in range(3):
            await connection.execute(query, {"when": added_ms - 1})
        with pytest.raises(DBAPIError, match="division by zero"):
            await connection.execute(query, {"when": added_ms})


@on_postgresql
async def test_a_parameter_that_is_not_given_is_still_said_to_be_missing(school: SimulatedSchool) -> None:
    query = of_the_school()
    async with school.store.reading() as connection:
        for _ in range(3):
            await connection.execute(query, {"school": school.school})
        with pytest.raises(StatementError, match="school"):
            await connection.execute(query)


async def test_when_the_server_dies_between_two_statements_the_store_says_so_and_reads_again_afterwards(
    own_server: PostgreSQL, tmp_path: Path
) -> None:
    (tmp_path / "gateway.toml").write_text('data = "data"\n' + store_lines(own_server.url(own_server.database())))
    query = select(schools.c.title).where(schools.c.school_id == bindparam("school"))
    async with open_store(load_config(tmp_path / "gateway.toml")) as store:

        async def look(between: Any = None) -> list[Any]:
            async with store.reading() as connection:
                for _ in range(3):
                    await connection.execute(query, {"school": "no-1"})
                if between is not None:
                    await asyncio.to_thread(between)
                return list((await connection.execute(query, {"school": "no-1"})).all())

        assert await look() == []
        with pytest.raises(StoreTrouble):
            await look(own_server.kill)
        await asyncio.to_thread(own_server.start)
        assert await look() == []
