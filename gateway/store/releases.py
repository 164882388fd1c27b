"""Tests whose results a teacher has let the pupils and their parents see, class by class.

Of homework nothing stands here: it is seen at once. What is not here is held back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_ignore, batched
from gateway.store.tables.sheets import releases


class Release(NamedTuple):
    """Who let a class see its results (the number of an account; 0: whoever sits at this machine), and when."""

    person_id: int
    released_ms: int


async def release(
    connection: AsyncConnection, school: str, class_name: str, assignment: str, *, person_id: int, at_ms: int
) -> None:
    """Let the results be seen from now on. Who said so first stays written down."""
    row = {
        "school_id": school,
        "assignment": assignment,
        "class_name": class_name,
        "person_id": person_id,
        "released_ms": at_ms,
    }
    await connection.execute(add_or_ignore(connection, releases), row)


async def hold_back(connection: AsyncConnection, school: str, class_name: str, assignment: str) -> None:
    """Take a release back."""
    await connection.execute(delete(releases).where(*_is(school, class_name, assignment)))


async def release_of(connection: AsyncConnection, school: str, class_name: str, assignment: str) -> Release | None:
    """Who released it, and when; None while it is held back."""
    columns = (releases.c.person_id, releases.c.released_ms)
    row = (await connection.execute(select(*columns).where(*_is(school, class_name, assignment)))).first()
    return None if row is None else Release(row.person_id, row.released_ms)


async def released(connection: AsyncConnection, school: str, assignments: Collection[str]) -> set[tuple[str, str]]:
    """Of these assignments, the ones that were released, each with the class."""
    found: set[tuple[str, str]] = set()
    for some in batched(sorted(assignments)):
        query = select(releases.c.assignment, releases.c.class_name).where(
            releases.c.school_id == school, releases.c.assignment.in_(some)
        )
        found |= {(row.assignment, row.class_name) for row in await connection.execute(query)}
    return found


def _is(school: str, class_name: str, assignment: str) -> tuple[ColumnElement[bool], ...]:
    columns = releases.c
    return (columns.school_id == school, columns.assignment == assignment, columns.class_name == class_name)
