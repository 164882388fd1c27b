"""What is known of the boots of each box, and when its records were made by that.

Page rows keep their clock as it came. They are placed in time when they are read, because what places them may come
weeks later: a clock that is set at last, in a hello without any sheet.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_replace
from gateway.store.tables.sheets import boots
from sync.clock import ClockReading
from sync.placing import Boot, BoxTimes, Placed, Seen, decode_boot, encode_boot, with_readings

_CHUNK = 400
"""How many values stand in one IN list."""
_MOST_BOOTS = 2000
"""So many of a box are looked at, those heard of last: eight years of school days. Without a limit one box could make
every report slow."""
_MOST_READY = 64
_clock = msgspec.msgpack.Decoder(ClockReading)
_boot = lru_cache(maxsize=4096)(decode_boot)


class Made(NamedTuple):
    """What a stored record says of when it was made: the box, its clock as it came, and when it came (Unix ms)."""

    box: str
    clock: bytes
    received_ms: int


async def note_boots(
    connection: AsyncConnection, school: str, seen: Mapping[str, Sequence[Seen]], *, heard_ms: int
) -> bool:
    """Add readings, by box, to what is known of their boots. The caller holds the school's lock.

    Says whether the time of a boot that had none is known now, so that reports may say more than before.
    """
    new: dict[tuple[str, bytes], list[Seen]] = defaultdict(list)
    for box, readings in seen.items():
        for one in readings:
            new[box, one.reading.boot].append(one)
    before = await _known(connection, school, new.keys())
    after = {name: with_readings(before.get(name, Boot(name[1])), readings) for name, readings in sorted(new.items())}
    rows = [
        {"school_id": school, "box_id": box, "boot": boot, "heard_ms": heard_ms, "body": encode_boot(known)}
        for (box, boot), known in after.items()
    ]
    if rows:
        await connection.execute(add_or_replace(connection, boots), rows)
    return any(after[name].anchors and not known.anchors for name, known in before.items())


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


async def _known(
    connection: AsyncConnection, school: str, names: Collection[tuple[str, bytes]]
) -> dict[tuple[str, bytes], Boot]:
    """What is known of these boots, by box and boot."""
    found: dict[tuple[str, bytes], Boot] = {}
    by_name = sorted(names)
    for start in range(0, len(by_name), _CHUNK):
        some = by_name[start : start + _CHUNK]
        query = select(boots.c.box_id, boots.c.boot, boots.c.body).where(
            boots.c.school_id == school,
            boots.c.box_id.in_(sorted({box for box, _ in some})),
            boots.c.boot.in_(sorted({boot for _, boot in some})),
        )
        rows = await connection.execute(query)
        found |= {(r.box_id, bytes(r.boot)): decode_boot(bytes(r.body)) for r in rows}
    return {name: found[name] for name in by_name if name in found}
