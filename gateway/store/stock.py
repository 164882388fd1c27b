"""What the database has of everything, for monitoring: cheap counts, of no school in particular."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.schools import boxes, pupils, schools
from gateway.store.tables.sheets import class_rollups, held_records

_LATELY_MS = 24 * 3600 * 1000


async def stock(connection: AsyncConnection, *, now_ms: int) -> dict[str, float]:
    """Schools, boxes, boxes heard within a day, documents that boxes could not use, held records without a decision."""
    heard = func.coalesce(func.sum(case((boxes.c.heard_ms > now_ms - _LATELY_MS, 1), else_=0)), 0)
    refused = func.coalesce(func.sum(boxes.c.down_refused), 0)
    known, lately, unusable = (await connection.execute(select(func.count(), heard, refused).select_from(boxes))).one()
    undecided = select(func.count()).select_from(held_records).where(held_records.c.decision.is_(None))
    return {
        "schools": (await connection.execute(select(func.count()).select_from(schools))).scalar_one(),
        "boxes": known,
        "boxes_heard_within_a_day": lately,
        "documents_refused_by_boxes": unusable,
        "held_undecided": (await connection.execute(undecided)).scalar_one(),
    }


class Begun(NamedTuple):
    """Whether there is a school, a pupil on a list, a sheet: what a new installation still lacks."""

    schools: bool
    pupils: bool
    sheets: bool


async def how_far(connection: AsyncConnection) -> Begun:
    """What there is of everything."""
    return Begun(*[(await connection.execute(query)).first() is not None for query in _ANY])


_ANY = [select(one).limit(1) for one in (schools.c.school_id, pupils.c.school_id, class_rollups.c.school_id)]
