"""What was granted to whom: kept by school, and apart from that what holds for all schools."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.people import new_id
from gateway.access.person import Grant, Role
from gateway.access.rules import LENT_AT_MOST_MS
from gateway.store.dialect import batched
from gateway.store.tables.people import grants, offices
from gateway.store.tables.schools import pupils, schools
from homework.errors import UsageError
from homework.load import subject_of

_MOST = 200
"""Grants of one person that hold: nobody teaches more classes."""


class Given(NamedTuple):
    """A grant as it is kept."""

    id: int
    person: int
    grant: Grant
    by: int


async def grants_of(connection: AsyncConnection, person: int, now_ms: int) -> tuple[Given, ...]:
    """What a person was granted and has not ended; also what begins later."""
    found: list[Given] = []
    for table in (offices, grants):
        lasting = or_(table.c.until_ms.is_(None), table.c.until_ms > now_ms)
        query = select(table).where(table.c.person_id == person, lasting).order_by(table.c.from_ms, table.c.grant_id)
        found += [_given(row) for row in await connection.execute(query)]
    return tuple(found)


async def grants_of_all(
    connection: AsyncConnection, persons: Collection[int], now_ms: int
) -> dict[int, tuple[Given, ...]]:
    """As `grants_of`, of many at once; whoever has none is not in it."""
    found: dict[int, list[Given]] = {}
    for table in (offices, grants):
        lasting = or_(table.c.until_ms.is_(None), table.c.until_ms > now_ms)
        for some in batched(sorted(persons)):
            query = select(table).where(table.c.person_id.in_(some), lasting)
            for row in await connection.execute(query.order_by(table.c.from_ms, table.c.grant_id)):
                found.setdefault(row.person_id, []).append(_given(row))
    return {person: tuple(held) for person, held in found.items()}


async def grants_at(
    connection: AsyncConnection, school: str | None, now_ms: int, *, roles: Sequence[Role] = tuple(Role)
) -> list[Given]:
    """What has not ended at a school, or with None for all schools."""
    table = offices if school is None else grants
    names = [role.value for role in roles]
    query = select(table).where(or_(table.c.until_ms.is_(None), table.c.until_ms > now_ms), table.c.role.in_(names))
    if school is not None:
        query = query.where(grants.c.school_id == school)
    return [_given(row) for row in await connection.execute(query.order_by(table.c.from_ms, table.c.grant_id))]


async def give(connection: AsyncConnection, person: int, grant: Grant, *, by: int) -> int:
    """Write a grant down; returns its number. One that holds already is not written twice.

    Whether it may be given is `gateway.access.rules.may_grant`'s to say. Raises `UsageError` for a school that is none,
    a pupil who is not in the class list, or too many.
    """
    if grant.subject is not None:
        grant = msgspec.structs.replace(grant, subject=subject_of(grant.subject))
    kept = await grants_of(connection, person, grant.from_ms)
    for old in kept:
        if _same(old.grant, grant):
            return old.id
    if len(kept) >= _MOST:
        raise UsageError("That person has too many roles.", remedy="End those that are over first.")
    row: dict[str, Any] = {
        "grant_id": new_id(),
        "person_id": person,
        "role": grant.role.value,
        "from_ms": grant.from_ms,
        "until_ms": grant.until_ms,
        "granted_by": by,
    }
    if grant.school is None:
        await connection.execute(insert(offices), row)
        return int(row["grant_id"])
    await _check_school(connection, grant)
    row |= {"school_id": grant.school, "class_name": grant.class_name, "subject": grant.subject, "pupil": grant.pupil}
    await connection.execute(insert(grants), row)
    return int(row["grant_id"])


async def given(connection: AsyncConnection, school: str | None, grant_id: int) -> Given | None:
    """One grant, also one that has ended."""
    table = offices if school is None else grants
    query = select(table).where(table.c.grant_id == grant_id)
    if school is not None:
        query = query.where(grants.c.school_id == school)
    row = (await connection.execute(query)).first()
    return None if row is None else _given(row)


async def end(connection: AsyncConnection, one: Given, *, now_ms: int) -> None:
    """Let a grant hold no longer. It stays written down."""
    table = offices if one.grant.school is None else grants
    which = (table.c.grant_id == one.id, or_(table.c.until_ms.is_(None), table.c.until_ms > now_ms))
    query = update(table).where(*which).values(until_ms=now_ms)
    if one.grant.school is not None:
        query = query.where(grants.c.school_id == one.grant.school)
    await connection.execute(query)


def midnight_ms(now_ms: int) -> int:
    """The end of the day where the gateway stands, 16 hours from now at most."""
    here = datetime.fromtimestamp(now_ms / 1000).astimezone()
    # Taken apart from the zone: a day on which the clocks change has a midnight of another offset.
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return min(int(midnight.astimezone().timestamp() * 1000), now_ms + LENT_AT_MOST_MS)


async def _check_school(connection: AsyncConnection, grant: Grant) -> None:
    known = await connection.execute(select(schools.c.school_id).where(schools.c.school_id == grant.school))
    if known.first() is None:
        raise UsageError(
            "There is no school {school} here.", remedy="`classgate school list` shows them.", school=grant.school
        )
    if grant.pupil is None:
        return
    where = (pupils.c.school_id == grant.school, pupils.c.pseudonym == grant.pupil)
    listed = await connection.scalar(select(pupils.c.class_name).where(*where))
    if listed is None or (grant.class_name is not None and listed != grant.class_name):
        raise UsageError(
            "That pupil is not in the class list.",
            remedy="Bring in the newest class list, or choose the pupil's class.",
        )


def _same(old: Grant, new: Grant) -> bool:
    def what(grant: Grant) -> tuple[object, ...]:
        return grant.role, grant.school, grant.class_name, grant.subject, grant.pupil, grant.until_ms

    return what(old) == what(new) and old.from_ms <= new.from_ms


def _given(row: Any) -> Given:
    of_school = "school_id" in row._fields
    return Given(
        id=row.grant_id,
        person=row.person_id,
        grant=Grant(
            role=Role(row.role),
            school=row.school_id if of_school else None,
            class_name=row.class_name if of_school else None,
            subject=row.subject if of_school else None,
            pupil=bytes(row.pupil) if of_school and row.pupil is not None else None,
            from_ms=row.from_ms,
            until_ms=row.until_ms,
        ),
        by=row.granted_by,
    )
