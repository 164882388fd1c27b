"""What boxes said that they have of a class and a homework: the latest word of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.store.dialect import add_or_replace, batched
from gateway.store.tables.sheets import tallies
from sync.records import Tally, decode_record, encode_record


class Told(NamedTuple):
    """A tally, the record that it came in, and when."""

    name: RowName
    tally: Tally
    received_ms: int


async def keep_tallies(connection: AsyncConnection, school: str, told: Sequence[Told]) -> None:
    """Keep of each box, class and homework what was said last. Records may come out of their order.

    Within an epoch numbers tell which is later; another epoch than the one that is there has taken its place.
    """
    newest = await _kept(connection, school, {one.tally.assignment for one in told})
    changed: dict[tuple[str, str, str], Told] = {}
    for one in told:
        key = _key(one)
        before = newest.get(key)
        if before is None or before.name.epoch != one.name.epoch or before.name.seq < one.name.seq:
            newest[key] = changed[key] = one
    rows = [
        {
            "school_id": school,
            "assignment": assignment,
            "class_name": class_name,
            "box_id": box,
            "epoch": one.name.epoch,
            "seq": one.name.seq,
            "body": encode_record(one.tally),
            "received_ms": one.received_ms,
        }
        for (assignment, class_name, box), one in sorted(changed.items())
    ]
    if rows:
        await connection.execute(add_or_replace(connection, tallies), rows)


async def tallies_of(connection: AsyncConnection, school: str, class_name: str, assignment: str) -> list[Told]:
    """What every box of the school has of this class and homework, by box."""
    found = await connection.execute(
        select(tallies)
        .where(
            tallies.c.school_id == school,
            tallies.c.assignment == assignment,
            tallies.c.class_name == class_name,
        )
        .order_by(tallies.c.box_id)
    )
    return [_told(row) for row in found]


async def _kept(
    connection: AsyncConnection, school: str, assignments: Collection[str]
) -> dict[tuple[str, str, str], Told]:
    """What is kept of these assignments: of a school a few classes each, so that one query does for a batch."""
    found: dict[tuple[str, str, str], Told] = {}
    for some in batched(sorted(assignments)):
        query = select(tallies).where(tallies.c.school_id == school, tallies.c.assignment.in_(some))
        for row in await connection.execute(query):
            told = _told(row)
            found[_key(told)] = told
    return found


def _key(told: Told) -> tuple[str, str, str]:
    return told.tally.assignment, told.tally.class_name, told.name.box


def _told(row: object) -> Told:
    tally = decode_record(row.body)  # type: ignore[attr-defined]
    assert isinstance(tally, Tally)
    return Told(RowName(row.box_id, row.epoch, row.seq), tally, row.received_ms)  # type: ignore[attr-defined]
