"""Links that let somebody in once: an invitation, a new password, the step between password and second factor.

They are handed over by people, on paper or as a picture: no mail server is assumed. Only digests are kept.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.rules import HOUR_MS
from gateway.store.tables.people import links, people
from ui.sessions import new_token, token_digest


class Kind(StrEnum):
    """What a link is good for."""

    INVITE = "invite"
    RESET = "reset"
    CODE = "code"
    """The password was right; the second factor is still to come."""


LASTS_MS = {Kind.INVITE: 14 * 24 * HOUR_MS, Kind.RESET: 24 * HOUR_MS, Kind.CODE: 10 * 60_000}
_MOST_UNUSED = 5
"""Links of one kind that a person may have open: the oldest end."""


async def make_link(
    connection: AsyncConnection, kind: Kind, person: int, *, by: int, now_ms: int, lasts_ms: int | None = None
) -> str:
    """A new link's secret, shown once."""
    secret = new_token()
    row = {
        "digest": token_digest(secret),
        "kind": kind.value,
        "person_id": person,
        "made_by": by,
        "made_ms": now_ms,
        "until_ms": now_ms + (LASTS_MS[kind] if lasts_ms is None else lasts_ms),
    }
    open_ones = select(links.c.digest).where(
        links.c.person_id == person, links.c.kind == kind.value, links.c.used_ms.is_(None)
    )
    kept = [bytes(one) for one in await connection.scalars(open_ones.order_by(links.c.made_ms.desc()))]
    if kept[_MOST_UNUSED - 1 :]:
        await connection.execute(delete(links).where(links.c.digest.in_(kept[_MOST_UNUSED - 1 :])))
    await connection.execute(delete(links).where(links.c.until_ms < now_ms))
    await connection.execute(insert(links), row)
    return secret


async def who_by_link(connection: AsyncConnection, kind: Kind, secret: str, *, now_ms: int) -> int | None:
    """Whom a link lets in, without using it up; None for one that is used, over, or none."""
    query = select(links.c.person_id).join(people, people.c.person_id == links.c.person_id)
    query = query.where(*_good(kind, secret, now_ms), people.c.disabled_ms.is_(None))
    return await connection.scalar(query)


async def use_link(connection: AsyncConnection, kind: Kind, secret: str, *, now_ms: int) -> int | None:
    """Use a link up: whom it lets in. None for one that is used, over, or none; of two at once one gets None."""
    person = await who_by_link(connection, kind, secret, now_ms=now_ms)
    if person is None:
        return None
    used = await connection.execute(update(links).where(*_good(kind, secret, now_ms)).values(used_ms=now_ms))
    return person if used.rowcount == 1 else None


def _good(kind: Kind, secret: str, now_ms: int) -> tuple[ColumnElement[bool], ...]:
    digest = token_digest(secret)
    return links.c.digest == digest, links.c.kind == kind.value, links.c.used_ms.is_(None), links.c.until_ms > now_ms
