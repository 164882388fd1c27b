"""The little in which SQLite and PostgreSQL differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, any_, bindparam, collate, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert

from gateway.store.asking import Arrays, Kind
from gateway.store.tables.schools import schools

_T = TypeVar("_T")
_CHUNK = 400
"""How many values stand in one IN list: the limits on variables (PostgreSQL's protocol: 32,767) are far away, and
SQLite's planner stays quick."""


def batched(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """The values in pieces that fit into an IN list."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def among(dialect: str, column: ColumnElement[Any], name: str, *, of: Kind = "BYTEA") -> ColumnElement[bool]:
    """Whether a column has one of the values in the parameter of that name, a list; `of` is what PostgreSQL calls them.

    PostgreSQL is asked the same words however many there are, and makes its plan once; SQLite knows no arrays.
    """
    if dialect == "sqlite":
        return column.in_(bindparam(name, expanding=True))
    return column == any_(bindparam(name, type_=Arrays(of)))


def insert_into(dialect: str, table: Table) -> Any:
    """INSERT. Both dialects' INSERT has the same `on_conflict_…`, but no common type."""
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)


def add_or_ignore(connection: AsyncConnection, table: Table) -> Insert:
    """INSERT that leaves a row of the same primary key as it is."""
    return _add(connection.dialect.name, table, frozenset())


def add_or_replace(connection: AsyncConnection, table: Table, *, only: Collection[str] | None = None) -> Insert:
    """INSERT that replaces the other columns (or `only` those) of a row of the same primary key."""
    rest = frozenset(c.name for c in table.columns if not c.primary_key and (only is None or c.name in only))
    return _add(connection.dialect.name, table, rest)


@cache
def _add(dialect: str, table: Table, replaced: frozenset[str]) -> Insert:
    """Made once: to make a statement, and the name under which its text is kept, costs more than to run it."""
    statement = insert_into(dialect, table)
    keys = list(table.primary_key.columns)
    news = {name: statement.excluded[name] for name in sorted(replaced)}
    added: Insert = (
        statement.on_conflict_do_update(index_elements=keys, set_=news)
        if news
        else statement.on_conflict_do_nothing(index_elements=keys)
    )
    return added


_LOCKED = select(schools.c.school_id).where(schools.c.school_id == bindparam("school")).with_for_update(key_share=True)


async def lock_school(connection: AsyncConnection, school: str) -> bool:
    """Keep other writers of the school out until the transaction ends. False when there is no such school.

    PostgreSQL locks the school's row; SQLite's transaction holds its one writer's lock already. Whoever locks several
    does it in the order of their names, or two would wait for one another.
    """
    # FOR NO KEY UPDATE: what merely points at the school (a box that is enrolled meanwhile) does not have to wait.
    found = await connection.execute(_LOCKED, {"school": school})
    return found.first() is not None


_BY_KEYS = select(func.set_config("enable_seqscan", "off", True))
"""A plan is kept until somebody counts the rows anew: one made for an almost empty table would read all of a full one.
"""

_ALL_LOCKED = (
    select(schools.c.school_id)
    .where(schools.c.school_id == any_(bindparam("schools", type_=Arrays("TEXT"))))
    .order_by(collate(schools.c.school_id, "C"))  # as Python sorts, whatever the database's own order is
    .with_for_update(key_share=True)
)


async def lock_schools(connection: AsyncConnection, names: Collection[str]) -> None:
    """Lock several schools as `lock_school` does each, in the order of their names.

    What the rest of the transaction looks for it finds by keys alone.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_BY_KEYS)
        await connection.execute(_ALL_LOCKED, {"schools": sorted(names)})
