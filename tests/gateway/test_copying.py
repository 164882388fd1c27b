"""Sheets go into PostgreSQL by COPY, inside the transaction that makes their receipt."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from benchmarks._postgresql import PostgreSQL
from gateway.config import load_config
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store import adding
from gateway.store.copying import copy_rows
from gateway.store.dialect import lock_school
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import schools
from gateway.store.tables.sheets import lanes, page_records
from homework.assignment import parse_assignment
from sync.errors import StoreTrouble
from sync.lanes import Lane
from tests.gateway.databases import on_postgresql, store_lines

ROOT = Path(__file__).resolve().parents[2]


def after_copying(monkeypatch: pytest.MonkeyPatch, then: Callable[[Any], Awaitable[None]]) -> None:
    """Let something happen when the rows have been copied and nothing is committed."""

    async def copied(connection: Any, *more: Any) -> None:
        await copy_rows(connection, *more)
        monkeypatch.undo()  # once
        await then(connection)

    monkeypatch.setattr(adding, "copy_rows", copied)


async def stored(store: Store) -> tuple[int, int]:
    """Rows of pages, and lanes that are known."""
    async with store.reading() as connection:
        pages = await connection.scalar(select(func.count()).select_from(page_records))
        return int(pages or 0), int(await connection.scalar(select(func.count()).select_from(lanes)) or 0)


async def test_when_the_server_dies_between_the_copy_and_the_commit_nothing_of_it_is_there_and_all_comes_again(
    own_server: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D1, D2: no row without its receipt, no receipt without its row."""
    (tmp_path / "gateway.toml").write_text('data = "data"\n' + store_lines(own_server.url(own_server.database())))
    text = (ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
    async with open_store(load_config(tmp_path / "gateway.toml")) as store:
        school = await make_school(store, parse_assignment(text))
        envelope = school.box.envelope(Lane.RESULTS, school.pupils.results())

        async def die(_connection: Any) -> None:
            await asyncio.to_thread(own_server.kill)

        after_copying(monkeypatch, die)
        with pytest.raises(StoreTrouble):
            await school.ingest.take([envelope])
        await asyncio.to_thread(own_server.start)
        assert await stored(store) == (0, 0)
        (receipt,) = await school.ingest.take([envelope])
        assert receipt.mark == 12
        assert await stored(store) == (12, 1)
        assert (await school.check()).faults == ()


@on_postgresql
async def test_when_the_gateway_fails_between_the_copy_and_the_commit_nothing_of_it_is_there(
    school: SimulatedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D1."""

    async def fail(_connection: Any) -> None:
        raise RuntimeError("here")

    after_copying(monkeypatch, fail)
    envelope = school.box.envelope(Lane.RESULTS, school.pupils.results())
    with pytest.raises(RuntimeError, match="here"):
        await school.ingest.take([envelope])
    assert await stored(school.store) == (0, 0)
    await school.ingest.take([envelope])
    assert await stored(school.store) == (12, 1)


async def copy_schools(store: Store, times: int, *, begun: bool) -> None:
    """The same row so often."""
    async with store.writing() as connection:
        if begun:
            await lock_school(connection, "no-2")
        rows = times * [("no-2", b"", 0)]
        await copy_rows(connection, schools, ("school_id", "key_sealed", "added_ms"), rows)


@on_postgresql
async def test_rows_are_never_copied_before_the_transaction_has_begun(store: Store) -> None:
    """There they would be committed at once."""
    with pytest.raises(RuntimeError, match="before the transaction"):
        await copy_schools(store, 1, begun=False)
    async with store.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(schools)) == 0


@on_postgresql
async def test_what_the_server_refuses_is_told_as_of_an_insert(store: Store) -> None:
    """Else a full disk would look like a record that cannot be stored."""
    with pytest.raises(DBAPIError, match="duplicate key") as caught:
        await copy_schools(store, 2, begun=True)
    assert getattr(caught.value.orig, "sqlstate", None) == "23505"
