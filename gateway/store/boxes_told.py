"""Which boxes have not been told of something in their school's log yet."""

from __future__ import annotations

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.schools import boxes, down_log


async def not_told(connection: AsyncConnection, school: str, key: str) -> list[str]:
    """The boxes that were heard once and have not got as far as the newest erasure of that key."""
    place = await connection.scalar(
        select(func.max(down_log.c.place)).where(
            down_log.c.school_id == school,
            down_log.c.kind == "erasure",
            down_log.c.key == key,
            down_log.c.packed.is_not(None),
        )
    )
    if place is None:
        return []
    behind = or_(boxes.c.down_place.is_(None), boxes.c.down_place < place, boxes.c.down_waiting > 0)
    query = select(boxes.c.box_id).where(boxes.c.school_id == school, boxes.c.heard_ms.is_not(None), behind)
    return list((await connection.execute(query.order_by(boxes.c.box_id))).scalars())
