"""How fresh the data of schools is: when their boxes were heard, and what is still under way (截至)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.reports.figures import Freshness, State
from gateway.store.tables.schools import boxes
from gateway.store.tables.summaries import school_freshness

HEARD_LATELY_MS = 3 * 86_400_000
"""A box that is off over a weekend is no silent one."""
IN_USE_MS = 14 * 86_400_000
"""A box that was not heard for longer lies in a cupboard: nobody waits for it."""


async def freshness_of(connection: AsyncConnection, school: str | None = None, *, now_ms: int) -> dict[str, Freshness]:
    """Of one school, or of all that have a box."""
    known, kept = _OF_ALL if school is None else _OF_ONE
    given = {} if school is None else {"school": school}
    heard: dict[str, list[int | None]] = defaultdict(list)
    for name, heard_ms in await connection.execute(known, given):
        heard[name].append(heard_ms)
    told = {row.school_id: row for row in await connection.execute(kept, given)}
    return {
        name: _freshness(
            heard.get(name, []),
            under_way=told[name].under_way if name in told else 0,
            behind=told[name].behind if name in told else 0,
            told_ms=told[name].told_ms if name in told else None,
            now_ms=now_ms,
        )
        for name in heard.keys() | told.keys()
    }


_OF_ALL = (select(boxes.c.school_id, boxes.c.heard_ms), select(school_freshness))
_OF_ONE = tuple(
    query.where(table.c.school_id == bindparam("school"))
    for query, table in zip(_OF_ALL, (boxes, school_freshness), strict=True)
)
NOTHING = Freshness(state=State.NOTHING, boxes=0, heard=0, behind=0, under_way=0, as_of_ms=None, told_ms=None)
"""Of a school without a box."""


def _freshness(
    heard: Sequence[int | None], *, under_way: int, behind: int, told_ms: int | None, now_ms: int
) -> Freshness:
    """`heard`: when each enrolled box was heard last, None for never."""
    in_use = [at for at in heard if at is not None and now_ms - at <= IN_USE_MS]
    lately = [at for at in in_use if now_ms - at <= HEARD_LATELY_MS]
    if all(at is None for at in heard):
        state = State.NOTHING
    elif not lately:
        state = State.SILENT
    elif under_way:
        state = State.BEHIND
    else:
        state = State.UNTOLD if told_ms is None else State.COMPLETE
    return Freshness(
        state=state,
        boxes=len(heard),
        heard=len(lately),
        behind=behind,
        under_way=under_way,
        as_of_ms=min(in_use, default=max((at for at in heard if at is not None), default=None)),
        told_ms=told_ms,
    )
