"""The homework of a school as a list: what there is, since when, how much of it came in."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.reading import assignments_named
from gateway.store.tables.schools import documents
from gateway.store.tables.sheets import class_rollups
from homework.assignment import Assignment


class Homework(NamedTuple):
    """An assignment in its latest version, which came at `changed_ms`.

    `pages` of it have come in.
    """

    assignment: Assignment
    changed_ms: int
    pages: int


async def homework_of(
    connection: AsyncConnection, school: str, *, before_ms: int | None = None, limit: int = 50
) -> list[Homework]:
    """The homework of a school, the newest first; that which changed before a moment."""
    changed = func.max(documents.c.received_ms).label("changed_ms")
    query = (
        select(documents.c.document_id, changed)
        .where(documents.c.school_id == school, documents.c.kind == "assignment")
        .group_by(documents.c.document_id)
        .order_by(func.max(documents.c.received_ms).desc(), documents.c.document_id)
        .limit(limit)
    )
    if before_ms is not None:
        query = query.having(func.max(documents.c.received_ms) < before_ms)
    return await _described(
        connection, school, {row.document_id: row.changed_ms for row in await connection.execute(query)}
    )


async def one_homework(connection: AsyncConnection, school: str, assignment: str) -> Homework | None:
    """One of them, None when it is not there or cannot be read."""
    changed = select(func.max(documents.c.received_ms)).where(
        documents.c.school_id == school, documents.c.kind == "assignment", documents.c.document_id == assignment
    )
    at_ms = (await connection.execute(changed)).scalar()
    found = [] if at_ms is None else await _described(connection, school, {assignment: at_ms})
    return found[0] if found else None


async def _described(connection: AsyncConnection, school: str, changed: dict[str, int]) -> list[Homework]:
    known = await assignments_named(connection, school, changed)
    sums = (
        select(class_rollups.c.assignment, func.sum(class_rollups.c.pages))
        .where(
            class_rollups.c.school_id == school,
            class_rollups.c.assignment.in_(changed),
            class_rollups.c.attempt == 1,
        )
        .group_by(class_rollups.c.assignment)
    )
    pages = {name: int(total) for name, total in await connection.execute(sums)}
    return [Homework(known[name], at_ms, pages.get(name, 0)) for name, at_ms in changed.items() if name in known]
