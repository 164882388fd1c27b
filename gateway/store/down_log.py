"""The school's log of what goes down to its boxes: documents, settings, corrections.

A newer entry of the same kind and key takes the older one's place; of corrections each one counts. Rows stay, so that
places have no gaps and the chain can be compared; the bytes of what does not stand any more go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import unix_ms
from gateway.store.dialect import add_or_replace, batched
from gateway.store.tables.schools import boxes, down_heads, down_log
from homework.errors import ClassboxError
from sync.down_bodies import (
    EACH_COUNTS,
    FIRST_CHAIN,
    MAX_BODY_BYTES,
    Kind,
    content_of,
    digest_of_packed,
    next_chain,
    packed,
    unpacked,
)
from sync.down_messages import MAX_INLINE_BYTES, PART_BYTES, Entry, Want
from sync.offers import Head, LogEntry

_MAX_KEY = 64


class New(NamedTuple):
    """What is to go down. `content` is the digest of what it says, where that is not the body's own
    (`sealed_content_of`); `origin` the box that it came from.
    """

    kind: Kind
    key: str
    body: bytes
    content: bytes | None = None
    origin: str | None = None


async def append(
    connection: AsyncConnection,
    school: str,
    kind: Kind,
    key: str,
    body: bytes,
    *,
    content: bytes | None = None,
    origin: str | None = None,
) -> int | None:
    """Add an entry and return its place; None when the newest of that kind and key says the same already.

    As `append_all` of one.
    """
    (place,) = await append_all(connection, school, [New(kind, key, body, content, origin)])
    return place


async def append_all(connection: AsyncConnection, school: str, entries: Sequence[New]) -> list[int | None]:
    """Add entries in their order: for each its place, None when the newest of its kind and key says the same already.

    The caller holds the school's lock (`lock_school`). Raises `ClassboxError` for what is too large.
    """
    for entry in entries:
        _check_size(entry)
    standing = await _standing(connection, school, entries)
    head = (await connection.execute(select(down_heads).where(down_heads.c.school_id == school))).one_or_none()
    place, chain = (0, FIRST_CHAIN) if head is None else (head.place, bytes(head.chain))
    places: list[int | None] = []
    rows: dict[int, dict[str, Any]] = {}
    replaced: list[int] = []
    for entry in entries:
        name = (entry.kind, entry.key)
        content = content_of(entry.body) if entry.content is None else entry.content
        before = standing.get(name)
        if before is not None and before.content == content:
            places.append(None)
            continue
        place, chain = place + 1, next_chain(chain, *name, content)
        frame = packed(entry.body)
        if before is not None and entry.kind not in EACH_COUNTS:
            if before.place in rows:
                rows[before.place]["packed"] = None
            else:
                replaced.append(before.place)
        rows[place] = {
            "school_id": school,
            "place": place,
            "kind": entry.kind,
            "key": entry.key,
            "content": content,
            "digest": digest_of_packed(frame),
            "chain": chain,
            "size": len(frame),
            "packed": frame,
            "origin": entry.origin,
            "added_ms": unix_ms(),
        }
        standing[name] = _Standing(place, content)
        places.append(place)
    for some in batched(replaced):
        here = down_log.c.school_id == school, down_log.c.place.in_(some)
        await connection.execute(update(down_log).where(*here).values(packed=None))
    if rows:
        await connection.execute(insert(down_log), list(rows.values()))
        values = {"school_id": school, "place": place, "chain": chain}
        await connection.execute(add_or_replace(connection, down_heads), values)
    return places


class _Standing(NamedTuple):
    """The newest entry of a kind and key."""

    place: int
    content: bytes


async def _standing(
    connection: AsyncConnection, school: str, entries: Sequence[New]
) -> dict[tuple[Kind, str], _Standing]:
    """The newest of what stands under the names of these entries."""
    keys: dict[Kind, set[str]] = defaultdict(set)
    for entry in entries:
        keys[entry.kind].add(entry.key)
    columns = (down_log.c.place, down_log.c.key, down_log.c.content)
    found: dict[tuple[Kind, str], _Standing] = {}
    for kind, wanted in keys.items():
        for some in batched(sorted(wanted)):
            query = select(*columns).where(
                down_log.c.school_id == school,
                down_log.c.kind == kind,
                down_log.c.key.in_(some),
                down_log.c.packed.is_not(None),
            )
            for row in await connection.execute(query.order_by(down_log.c.place)):
                found[kind, row.key] = _Standing(row.place, bytes(row.content))
    return found


def _check_size(entry: New) -> None:
    if len(entry.body) > MAX_BODY_BYTES or len(entry.key) > _MAX_KEY:
        raise ClassboxError(
            "{key} is too large to go to the boxes: {size} bytes, {limit} are the most.",
            remedy="Load it on each box with `classbox load`.",
            key=entry.key,
            size=len(entry.body),
            limit=MAX_BODY_BYTES,
        )


class Behind(NamedTuple):
    """How far a box has come, in entries that stand: `behind` it has not taken in yet, `refused` it cannot use."""

    behind: int
    refused: int


async def heads(connection: AsyncConnection, incarnation: bytes) -> dict[str, Head]:
    """Where the log of each school ends; those that have none are left out."""
    return {
        row.school_id: Head(incarnation, row.place, bytes(row.chain))
        for row in await connection.execute(select(down_heads))
    }


async def standing_body(connection: AsyncConnection, school: str, kind: Kind, key: str) -> bytes | None:
    """What the newest entry of a kind and key says, None where there is none."""
    mine = down_log.c.school_id == school, down_log.c.kind == kind, down_log.c.key == key
    query = select(down_log.c.packed).where(*mine, down_log.c.packed.is_not(None))
    found = (await connection.execute(query.order_by(down_log.c.place.desc()).limit(1))).scalar_one_or_none()
    return None if found is None else unpacked(bytes(found))


async def entries_after(connection: AsyncConnection, school: str, place: int, *, at_most: int) -> list[LogEntry]:
    """What stands after a place, in order. Bodies that are not small stay in the database."""
    log = down_log.c
    small = case((log.size <= MAX_INLINE_BYTES, log.packed), else_=None).label("small")
    columns = (log.place, log.kind, log.key, log.content, log.digest, log.size, log.chain, log.origin, small)
    found = await connection.execute(
        select(*columns)
        .where(log.school_id == school, log.place > place, log.packed.is_not(None))
        .order_by(log.place)
        .limit(at_most)
    )
    entries = []
    for row in found:
        inline = None if row.small is None else bytes(row.small)
        entry = Entry(row.place, row.kind, row.key, bytes(row.content), bytes(row.digest), row.size, inline)
        entries.append(LogEntry(entry, bytes(row.chain), row.origin))
    return entries


async def chain_at(connection: AsyncConnection, school: str, place: int) -> bytes | None:
    """The chain after that place, None where the log never got so far."""
    if place == 0:
        return FIRST_CHAIN
    found = await connection.execute(
        select(down_log.c.chain).where(down_log.c.school_id == school, down_log.c.place == place)
    )
    chain = found.scalar_one_or_none()
    return None if chain is None else bytes(chain)


async def bytes_of(connection: AsyncConnection, school: str, want: Want) -> bytes | None:
    """The packed bytes from the wanted offset on, as many as a part has. None when they do not stand there."""
    found = await connection.execute(
        select(func.substr(down_log.c.packed, want.offset + 1, PART_BYTES)).where(
            down_log.c.school_id == school, down_log.c.place == want.place, down_log.c.digest == want.digest
        )
    )
    part = found.scalar_one_or_none()
    return bytes(part) if part else None


async def note_place(
    connection: AsyncConnection, school: str, box: str, *, place: int, waiting: int, refused: int
) -> None:
    """Remember what a box said that it was told."""
    await connection.execute(
        update(boxes)
        .where(boxes.c.school_id == school, boxes.c.box_id == box)
        .values(down_place=place, down_waiting=waiting, down_refused=refused)
    )


async def how_far(connection: AsyncConnection, school: str | None = None) -> dict[tuple[str, str], Behind]:
    """How far every box (of a school, or of all) has come that ever said so."""
    after = (down_log.c.school_id == boxes.c.school_id, down_log.c.place > boxes.c.down_place)
    untold = select(func.count()).where(*after, down_log.c.packed.is_not(None)).scalar_subquery()
    columns = (boxes.c.school_id, boxes.c.box_id, untold, boxes.c.down_waiting, boxes.c.down_refused)
    query = select(*columns).where(boxes.c.down_place.is_not(None))
    found = await connection.execute(query if school is None else query.where(boxes.c.school_id == school))
    return {(school, box): Behind(new + waiting, refused) for school, box, new, waiting, refused in found}
