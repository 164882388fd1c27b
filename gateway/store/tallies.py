"""What boxes said that they have of a class and a homework: the latest word of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.store.asking import Asked
from gateway.store.dialect import add_or_replace
from gateway.store.tables.sheets import tallies
from sync.records import Tally, decode_record, encode_record

_WORKSHEETS = Asked("worksheets", school_id="TEXT", assignment="TEXT")
_Key = tuple[str, str, str, str]
"""School, assignment, class and box."""


class Told(NamedTuple):
    """A tally, the record that it came in, and when."""

    name: RowName
    tally: Tally
    received_ms: int


async def keep_tallies(connection: AsyncConnection, told: Mapping[str, Sequence[Told]]) -> None:
    """Keep of each box, class and homework of schools what was said last. Records may come out of their order.

    Within an epoch numbers tell which is later; another epoch than the one that is there has taken its place.
    """
    every = [(school, one) for school, mine in told.items() for one in mine]
    if not every:
        return
    newest = await _kept(connection, {(school, one.tally.assignment) for school, one in every})
    changed: dict[_Key, Told] = {}
    for school, one in every:
        key = _key(school, one)
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
        for (school, assignment, class_name, box), one in sorted(changed.items())
    ]
    if rows:
        await connection.execute(add_or_replace(connection, tallies), rows)


async def tallies_of(connection: AsyncConnection, school: str, class_name: str, assignment: str) -> list[Told]:
    """What every box of the school has of this class and homework, by box."""
    given = {"school": school, "assignment": assignment, "class_name": class_name}
    return [_told(row) for row in await connection.execute(_OF_CLASS, given)]


async def tallies_of_all(
    connection: AsyncConnection, school: str, assignments: Collection[str]
) -> dict[tuple[str, str], list[Told]]:
    """The same for every class that boxes told something of these homeworks of, by class and homework."""
    kept = await _kept(connection, [(school, assignment) for assignment in assignments])
    found: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for (_, assignment, class_name, _box), told in sorted(kept.items(), key=lambda pair: pair[0]):
        found[class_name, assignment].append(told)
    return found


_OF_CLASS = (
    select(tallies)
    .where(
        tallies.c.school_id == bindparam("school"),
        tallies.c.assignment == bindparam("assignment"),
        tallies.c.class_name == bindparam("class_name"),
    )
    .order_by(tallies.c.box_id)
)


async def _kept(connection: AsyncConnection, assignments: Collection[tuple[str, str]]) -> dict[_Key, Told]:
    """What is kept of these assignments of schools: of each a few classes, so that one query does for a batch."""
    dialect = connection.dialect.name
    rows = await connection.execute(_of_worksheets(dialect), _WORKSHEETS.values(dialect, sorted(assignments)))
    told = [(row.school_id, _told(row)) for row in rows]
    return {_key(school, one): one for school, one in told}


@cache
def _of_worksheets(dialect: str) -> Select[Any]:
    return _WORKSHEETS.matching(dialect, tallies)


def _key(school: str, told: Told) -> _Key:
    return school, told.tally.assignment, told.tally.class_name, told.name.box


def _told(row: object) -> Told:
    tally = decode_record(row.body)  # type: ignore[attr-defined]
    assert isinstance(tally, Tally)
    return Told(RowName(row.box_id, row.epoch, row.seq), tally, row.received_ms)  # type: ignore[attr-defined]
