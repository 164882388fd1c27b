"""How the boxes of a school are: heard when, behind by how much, what of theirs is held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.held import HeldCounts, held_counts
from gateway.store.down_log import Behind, how_far
from gateway.store.tables.schools import boxes
from sync.errors import WireError
from sync.records import HealthRecord, decode_record


class BoxFacts(NamedTuple):
    """A box. Times are Unix milliseconds; `health` is what it said last of itself, None for one that never did."""

    box: str
    added_ms: int
    heard_ms: int | None
    health: HealthRecord | None
    documents: Behind | None
    held: HeldCounts
    locked_out: bool


async def boxes_of(
    connection: AsyncConnection, school: str, locked_out: Iterable[tuple[str, str]]
) -> tuple[BoxFacts, ...]:
    """Every box of the school, by name. `locked_out`: those (school, box) whose certificates were taken back."""
    columns = (boxes.c.box_id, boxes.c.added_ms, boxes.c.heard_ms, boxes.c.health)
    found = await connection.execute(select(*columns).where(boxes.c.school_id == school).order_by(boxes.c.box_id))
    documents = await how_far(connection, school)
    held = await held_counts(connection, school)
    denied = set(locked_out)
    return tuple(
        BoxFacts(
            box=row.box_id,
            added_ms=row.added_ms,
            heard_ms=row.heard_ms,
            health=_health(row.health),
            documents=documents.get((school, row.box_id)),
            held=held.get(row.box_id, HeldCounts(0, 0)),
            locked_out=(school, row.box_id) in denied,
        )
        for row in found
    )


def _health(body: bytes | None) -> HealthRecord | None:
    if body is None:
        return None
    try:
        record = decode_record(bytes(body))
    except WireError:  # of a version from the future
        return None
    return record if isinstance(record, HealthRecord) else None
