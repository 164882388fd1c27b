"""What boxes said that they have of a class and a homework: the latest word of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.store.dialect import add_or_replace
from gateway.store.schema import tallies
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
    newest: dict[tuple[str, str, str], Told] = {}
    for one in told:
        key = (one.tally.assignment, one.tally.class_name, one.name.box)
        before = newest.get(key) or await _kept(connection, school, key)
        if before is None or before.name.epoch != one.name.epoch or before.name.seq < one.name.seq:
            newest[key] = one
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
        for (assignment, class_name, box), one in sorted(newest.items())
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


async def _kept(connection: AsyncConnection, school: str, key: tuple[str, str, str]) -> Told | None:
    assignment, class_name, box = key
    found = await connection.execute(
        select(tallies).where(
            tallies.c.school_id == school,
            tallies.c.assignment == assignment,
            tallies.c.class_name == class_name,
            tallies.c.box_id == box,
        )
    )
    row = found.first()
    return None if row is None else _told(row)


def _told(row: object) -> Told:
    tally = decode_record(row.body)  # type: ignore[attr-defined]
    assert isinstance(tally, Tally)
    return Told(RowName(row.box_id, row.epoch, row.seq), tally, row.received_ms)  # type: ignore[attr-defined]
