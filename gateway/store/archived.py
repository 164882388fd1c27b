"""Which months of a school are no longer here, and which captures and worksheets were in them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.archive_file import ArchiveError
from gateway.store.dialect import batched
from gateway.store.tables.past import archived_captures, archived_months
from gateway.store.tables.sheets import assignment_months, page_records

_WIDTH: Final = 16
_ASSIGNMENTS: Final = 256
"""The part in which the worksheets of a month stand; those below are of captures with that first byte."""
_names = msgspec.msgpack.Decoder(tuple[str, ...])


class ArchivedMonth(NamedTuple):
    """A month that was archived, or let go of (`file` ""). `removed`: nothing of it is here any more."""

    school: str
    month: int
    rows: int
    digest: bytes
    file: str
    archived_ms: int
    removed: bool


async def archived(connection: AsyncConnection, school: str | None = None) -> list[ArchivedMonth]:
    """Those of a school or of all, the oldest first."""
    columns = archived_months.c
    query = select(archived_months).order_by(columns.school_id, columns.month, columns.archived_ms)
    if school is not None:
        query = query.where(columns.school_id == school)
    return [
        ArchivedMonth(r.school_id, r.month, r.rows, bytes(r.digest), r.file, r.archived_ms, r.removed_ms is not None)
        for r in await connection.execute(query)
    ]


class InArchiveError(ArchiveError):
    """What is asked for went into an archive: there was something, and it is not here any more."""


async def archived_months_of(connection: AsyncConnection, schools: Collection[str]) -> dict[str, list[int]]:
    """The months of these schools of which homework was archived, the oldest first; schools without are left out."""
    found: dict[str, list[int]] = defaultdict(list)
    columns = archived_months.c
    for some in batched(sorted(schools)):
        query = select(columns.school_id, columns.month).where(columns.school_id.in_(some)).distinct()
        for row in await connection.execute(query.order_by(columns.school_id, columns.month)):
            found[row.school_id].append(row.month)
    return dict(found)


async def refuse_archived(connection: AsyncConnection, school: str, assignment: str) -> None:
    """Raise `InArchiveError` where the sheets of a worksheet of which none is here went into an archive."""
    month = (await archived_work(connection, school, [assignment])).get(assignment)
    if month is not None:
        raise InArchiveError(
            "The sheets of this homework went into the archive of {month}.",
            remedy="What was told of the class stays in its list; for single sheets ask whoever keeps the archive.",
            month=month,
        )


async def going(connection: AsyncConnection, school: str) -> frozenset[int]:
    """The months of a school of which rows may still lie here that count nowhere."""
    query = select(archived_months.c.month).where(
        archived_months.c.school_id == school, archived_months.c.removed_ms.is_(None)
    )
    return frozenset((await connection.execute(query)).scalars())


async def note_removed(connection: AsyncConnection, one: ArchivedMonth, *, now_ms: int) -> None:
    """Say that nothing of it is here any more."""
    mine = (
        archived_months.c.school_id == one.school,
        archived_months.c.month == one.month,
        archived_months.c.archived_ms == one.archived_ms,
    )
    await connection.execute(update(archived_months).where(*mine).values(removed_ms=now_ms))


async def last_archived_ms(connection: AsyncConnection, schools: Collection[str]) -> dict[str, int]:
    """When each of these schools archived last; those that never did are left out."""
    found: dict[str, int] = {}
    columns = archived_months.c
    for some in batched(sorted(schools)):
        query = select(columns.school_id, func.max(columns.archived_ms)).where(columns.school_id.in_(some))
        rows = await connection.execute(query.group_by(columns.school_id))
        found.update((row[0], row[1]) for row in rows)
    return found


async def in_archives(connection: AsyncConnection, school: str, captures: Collection[bytes]) -> dict[bytes, int]:
    """Those of these captures that are in an archive of the school, and of which month."""
    found: dict[bytes, int] = {}
    columns = archived_captures.c
    parts: dict[int, list[bytes]] = defaultdict(list)
    for capture in captures:
        parts[capture[0]].append(capture)
    for some in batched(sorted(parts)):
        query = select(columns.month, columns.part, columns.captures).where(
            columns.school_id == school, columns.part.in_(some)
        )
        for row in await connection.execute(query):
            there = _Captures(bytes(row.captures))
            found |= {capture: row.month for capture in parts[row.part] if capture in there}
    return found


async def archived_work(connection: AsyncConnection, school: str, assignments: Collection[str]) -> dict[str, int]:
    """Those of these worksheets whose month was archived, and which month that was."""
    columns = archived_captures.c
    query = select(columns.month, columns.captures).where(columns.school_id == school, columns.part == _ASSIGNMENTS)
    found: dict[str, int] = {}
    for row in await connection.execute(query.order_by(columns.archived_ms)):
        names = set(_names.decode(bytes(row.captures)))
        found |= {name: row.month for name in assignments if name in names}
    return found


def capture_rows(
    school: str, month: int, archived_ms: int, captures: Iterable[bytes], assignments: Collection[str]
) -> list[dict[str, object]]:
    """What is kept of an archived month so that it is known again: 16 bytes a capture, and its worksheets."""
    parts: dict[int, list[bytes]] = defaultdict(list)
    for capture in sorted(set(captures)):
        parts[capture[0]].append(capture)
    bodies = {part: b"".join(some) for part, some in parts.items()}
    bodies[_ASSIGNMENTS] = msgspec.msgpack.encode(sorted(assignments))
    place = {"school_id": school, "month": month, "archived_ms": archived_ms}
    return [{**place, "part": part, "captures": body} for part, body in sorted(bodies.items())]


async def has_rows(connection: AsyncConnection, month: int) -> bool:
    """Whether a page record of any school lies in a month, or may come to lie there."""
    lying = select(page_records.c.seq).where(page_records.c.month == month).limit(1)
    coming = select(assignment_months.c.month).where(assignment_months.c.month == month).limit(1)
    return any([(await connection.execute(query)).first() is not None for query in (lying, coming)])


class _Captures:
    """Captures one after another, in their order, as they are kept."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // _WIDTH

    def __getitem__(self, at: int) -> bytes:
        return self._packed[at * _WIDTH : (at + 1) * _WIDTH]

    def __contains__(self, capture: bytes) -> bool:
        at = bisect_left(self, capture)
        return at < len(self) and self[at] == capture
