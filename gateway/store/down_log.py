"""The school's log of what goes down to its boxes: documents, settings, corrections.

A newer entry of the same kind and key takes the older one's place; of corrections each one counts. Rows stay, so that
places have no gaps and the chain can be compared; the bytes of what does not stand any more go.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.dialect import add_or_replace
from gateway.store.schema import down_heads, down_log
from homework.errors import ClassboxError
from sync.down_bodies import FIRST_CHAIN, MAX_BODY_BYTES, Kind, content_of, digest_of_packed, next_chain, packed

EACH_COUNTS: Collection[str] = ("correction",)
"""Kinds of which a newer entry does not take the place of an older one."""
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
