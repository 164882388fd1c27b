"""The school's log of what goes down to its boxes: documents, settings, corrections.

A newer entry of the same kind and key takes the older one's place; of corrections each one counts. Rows stay, so that
places have no gaps and the chain can be compared; the bytes of what does not stand any more go.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_replace
from gateway.store.schema import boxes, down_heads, down_log
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
)
from sync.down_messages import MAX_INLINE_BYTES, PART_BYTES, Entry, Want
from sync.offers import Head, LogEntry

_MAX_KEY = 64


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

    The caller holds the school's lock (`lock_school`). `content` is the digest of what it says, where that is not the
    body's own (`sealed_content_of`); `origin` the box that it came from. Raises `ClassboxError` for what is too large.
    """
    if len(body) > MAX_BODY_BYTES or len(key) > _MAX_KEY:
        raise ClassboxError(
            "{key} is too large to go to the boxes: {size} bytes, {limit} are the most.",
            remedy="Load it on each box with `classbox load`.",
            key=key,
            size=len(body),
            limit=MAX_BODY_BYTES,
        )
    content = content_of(body) if content is None else content
    same = (down_log.c.school_id == school, down_log.c.kind == kind, down_log.c.key == key)
    newest = await connection.execute(
        select(down_log.c.content).where(*same).order_by(down_log.c.place.desc()).limit(1)
    )
    if newest.scalar_one_or_none() == content:
        return None
    if kind not in EACH_COUNTS:
        await connection.execute(update(down_log).where(*same, down_log.c.packed.is_not(None)).values(packed=None))
    head = (await connection.execute(select(down_heads).where(down_heads.c.school_id == school))).one_or_none()
    place = 1 if head is None else head.place + 1
    chain = next_chain(FIRST_CHAIN if head is None else bytes(head.chain), kind, key, content)
    frame = packed(body)
    await connection.execute(
        insert(down_log),
        {
            "school_id": school,
            "place": place,
            "kind": kind,
            "key": key,
            "content": content,
            "digest": digest_of_packed(frame),
            "chain": chain,
            "size": len(frame),
            "packed": frame,
            "origin": origin,
            "added_ms": time.time_ns() // 1_000_000,
        },
    )
    await connection.execute(
        add_or_replace(connection, down_heads), {"school_id": school, "place": place, "chain": chain}
    )
    return place


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
