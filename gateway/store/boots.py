"""What is known of the boots of each box, and when its records were made by that.

Page rows keep their clock as it came. They are placed in time when they are read, because what places them may come
weeks later: a clock that is set at last, in a hello without any sheet.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.asking import Asked
from gateway.store.dialect import add_or_replace
from gateway.store.tables.sheets import boots
from sync.clock import ClockReading
from sync.placing import Boot, BoxTimes, Placed, Seen, decode_boot, encode_boot, with_readings

_MOST_BOOTS = 2000
"""So many of a box are looked at, those heard of last: eight years of school days. Without a limit one box could make
every report slow."""
_MOST_READY = 64
_clock = msgspec.msgpack.Decoder(ClockReading)
_boot = lru_cache(maxsize=4096)(decode_boot)
_BOOTS = Asked("boots_named", school_id="TEXT", box_id="TEXT", boot="BYTEA")
_Name = tuple[str, str, bytes]
"""School, box and boot."""


class Made(NamedTuple):
    """What a stored record says of when it was made: the box, its clock as it came, and when it came (Unix ms)."""

    box: str
    clock: bytes
    received_ms: int


async def note_boots(
    connection: AsyncConnection, seen: Mapping[str, Mapping[str, Sequence[Seen]]], *, heard_ms: int
) -> frozenset[str]:
    """Add readings, by school and box, to what is known of their boots. The schools are locked.

    Returns those schools of which the time of a boot that had none is known now: reports may say more than before.
    """
    new: dict[_Name, list[Seen]] = defaultdict(list)
    for school, mine in seen.items():
        for box, readings in mine.items():
            for one in readings:
                new[school, box, one.reading.boot].append(one)
    if not new:
        return frozenset()
    before = await _known(connection, sorted(new))
    after = {name: with_readings(before.get(name, Boot(name[2])), readings) for name, readings in sorted(new.items())}
    rows = [
        {"school_id": school, "box_id": box, "boot": boot, "heard_ms": heard_ms, "body": encode_boot(known)}
        for (school, box, boot), known in after.items()
    ]
    await connection.execute(add_or_replace(connection, boots), rows)
    return frozenset(name[0] for name, known in before.items() if after[name].anchors and not known.anchors)


async def box_times(connection: AsyncConnection, school: str, boxes: Iterable[str]) -> dict[str, BoxTimes]:
    """All that is known of the boots of each of these boxes, ready to place their records."""
    found: dict[str, BoxTimes] = {}
    for box in sorted(set(boxes)):
        rows = await connection.execute(_BODIES, {"school": school, "box": box})
        bodies = tuple(bytes(body) for body in rows.scalars())
        known = _ready.pop((school, box), None)
        if known is None or known[0] != bodies:
            known = bodies, BoxTimes(map(_boot, bodies))
        _ready[school, box] = known
        found[box] = known[1]
    while len(_ready) > _MOST_READY:
        _ready.popitem(last=False)
    return found


_BODIES = (
    select(boots.c.body)
    .where(boots.c.school_id == bindparam("school"), boots.c.box_id == bindparam("box"))
    .order_by(boots.c.heard_ms.desc())
    .limit(_MOST_BOOTS)
)
_ready: OrderedDict[tuple[str, str], tuple[tuple[bytes, ...], BoxTimes]] = OrderedDict()
"""What was made of the same bodies a moment ago, by school and box. They are compared, so that it cannot be old."""


async def places(
    connection: AsyncConnection, school: str, records: Sequence[Made], *, known: dict[str, BoxTimes] | None = None
) -> list[Placed]:
    """When each of these records of a school was made, in the order given.

    One query a box, then some ten microseconds a record: merging a term's records by time is fine. `known` are the
    boxes that were looked at in this transaction; those that are looked at now are added.
    """
    times = {} if known is None else known
    times |= await box_times(connection, school, {record.box for record in records} - times.keys())
    return [times[r.box].place(_clock.decode(r.clock), r.received_ms) for r in records]


async def _known(connection: AsyncConnection, names: Sequence[_Name]) -> dict[_Name, Boot]:
    """What is known of these boots."""
    dialect = connection.dialect.name
    rows = await connection.execute(_named(dialect), _BOOTS.values(dialect, names))
    return {(r.school_id, r.box_id, bytes(r.boot)): decode_boot(bytes(r.body)) for r in rows}


@cache
def _named(dialect: str) -> Select[Any]:
    return _BOOTS.matching(dialect, boots)
