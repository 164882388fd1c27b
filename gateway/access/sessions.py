"""Who is signed in. Of what the browser has only digests are kept; what was read is remembered for five seconds.

So a session that was ended at another gateway is over here within five seconds, one that was ended here at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.grants import grants_of
from gateway.access.people import account
from gateway.access.person import Person
from gateway.access.rules import HOUR_MS
from gateway.keys import Vault
from gateway.store.store import Store
from gateway.store.tables.people import known_devices, people, sessions
from homework.errors import one_line
from sync.errors import StoreTrouble
from ui.sessions import new_token, token_digest

REMEMBERED_MS = 5_000
_USED_EVERY_MS = 5 * 60_000
"""So often a session's last use is written."""
_MOST_SESSIONS = 20
"""Of one person: the oldest are signed out."""
_MOST_DEVICES = 20
_MOST_REMEMBERED = 10_000


class Lasting(NamedTuple):
    """How long a session lasts without use, and at most."""

    idle_ms: int = 12 * HOUR_MS
    whole_ms: int = 30 * 24 * HOUR_MS


class SessionLine(NamedTuple):
    """A session as its owner sees it."""

    digest: bytes
    device: str
    made_ms: int
    used_ms: int
    strong: bool


class Sessions:
    """The sessions of all people. Lives in one event loop."""

    def __init__(self, store: Store, *, now_ms: Callable[[], int], lasting: Lasting | None = None) -> None:
        self._store, self._now_ms = store, now_ms
        self.lasting = lasting or Lasting()
        self._remembered: OrderedDict[bytes, tuple[int, Person | None]] = OrderedDict()

    async def person(self, token: str) -> Person | None:
        """Who holds that secret; None for one that is unknown, has ended, or whose person may no longer come in."""
        return await self.person_by(token_digest(token), touch=True)

    async def person_by(self, digest: bytes, *, touch: bool = False) -> Person | None:
        """As `person`, by the digest; `touch` says that it is in use."""
        now_ms = self._now_ms()
        known = self._remembered.get(digest)
        if known is not None and 0 <= now_ms - known[0] < REMEMBERED_MS:
            return known[1]
        async with self._store.reading() as connection:
            found, used_ms = await _read(connection, self._store.vault, digest, now_ms, self.lasting)
        self._remembered.pop(digest, None)
        self._remembered[digest] = (now_ms, found)
        while len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        if touch and found is not None and now_ms - used_ms >= _USED_EVERY_MS:
            await self._touch(digest, now_ms)
        return found

    async def open(self, connection: AsyncConnection, person: int, device: str, *, strong: bool) -> str:
        """A new secret for that person, whatever the browser sent before."""
        token, now_ms = new_token(), self._now_ms()
        kept = await connection.scalars(
            select(sessions.c.digest).where(sessions.c.person_id == person).order_by(sessions.c.used_ms.desc())
        )
        too_many = [bytes(digest) for digest in kept][_MOST_SESSIONS - 1 :]
        if too_many:
            await connection.execute(delete(sessions).where(sessions.c.digest.in_(too_many)))
        await connection.execute(delete(sessions).where(sessions.c.used_ms < now_ms - self.lasting.idle_ms))
        row = {
            "digest": token_digest(token),
            "person_id": person,
            "made_ms": now_ms,
            "used_ms": now_ms,
            "strong": strong,
            "device": one_line(device, limit=80),
        }
        await connection.execute(insert(sessions), row)
        return token

    async def close(self, connection: AsyncConnection, person: int, digest: bytes) -> bool:
        """Sign out one of a person's sessions; False when it is none of theirs."""
        which = (sessions.c.digest == digest, sessions.c.person_id == person)
        ended = await connection.execute(delete(sessions).where(*which))
        self.forget(person)
        return ended.rowcount == 1

    async def close_all(self, connection: AsyncConnection, person: int, *, but: bytes = b"") -> None:
        """Sign out everything of a person, but one."""
        await connection.execute(delete(sessions).where(sessions.c.person_id == person, sessions.c.digest != but))
        self.forget(person)

    async def of(self, connection: AsyncConnection, person: int) -> list[SessionLine]:
        """A person's sessions, the one used last first."""
        columns = (sessions.c.digest, sessions.c.device, sessions.c.made_ms, sessions.c.used_ms, sessions.c.strong)
        query = select(*columns).where(sessions.c.person_id == person).order_by(sessions.c.used_ms.desc())
        now_ms = self._now_ms()
        lines = [SessionLine(bytes(row[0]), *row[1:]) for row in await connection.execute(query)]
        return [line for line in lines if _lasts(line.made_ms, line.used_ms, now_ms, self.lasting)]

    def forget(self, person: int | None = None) -> None:
        """Look again at the next request, at what a person (None: anybody) is and may: something was changed."""
        for digest, (_, known) in list(self._remembered.items()):
            if person is None or known is None or known.id == person:
                del self._remembered[digest]

    async def know_device(self, connection: AsyncConnection, person: int) -> str:
        """A secret for a browser that has signed in once: others' wrong passwords do not make it wait."""
        token, now_ms = new_token(), self._now_ms()
        kept = await connection.scalars(
            select(known_devices.c.digest)
            .where(known_devices.c.person_id == person)
            .order_by(known_devices.c.used_ms.desc())
        )
        too_many = [bytes(digest) for digest in kept][_MOST_DEVICES - 1 :]
        if too_many:
            await connection.execute(delete(known_devices).where(known_devices.c.digest.in_(too_many)))
        row = {"digest": token_digest(token), "person_id": person, "used_ms": now_ms}
        await connection.execute(insert(known_devices), row)
        return token

    async def knows_device(self, connection: AsyncConnection, person: int, token: str) -> bool:
        """Whether that person has signed in with this browser before."""
        digest = token_digest(token)
        which = (known_devices.c.digest == digest, known_devices.c.person_id == person)
        return (await connection.execute(select(known_devices.c.digest).where(*which))).first() is not None

    async def _touch(self, digest: bytes, now_ms: int) -> None:
        try:
            async with self._store.writing() as connection:
                await connection.execute(update(sessions).where(sessions.c.digest == digest).values(used_ms=now_ms))
        except StoreTrouble:
            return  # a full disk keeps nobody out


async def _read(
    connection: AsyncConnection, vault: Vault, digest: bytes, now_ms: int, lasting: Lasting
) -> tuple[Person | None, int]:
    query = (
        select(sessions.c.person_id, sessions.c.made_ms, sessions.c.used_ms, sessions.c.strong)
        .join(people, people.c.person_id == sessions.c.person_id)
        .where(sessions.c.digest == digest, people.c.disabled_ms.is_(None))
    )
    row = (await connection.execute(query)).first()
    if row is None or not _lasts(row.made_ms, row.used_ms, now_ms, lasting):
        return None, now_ms
    found = await person_with_grants(connection, vault, row.person_id, now_ms)
    if found is None:
        return None, now_ms
    return msgspec.structs.replace(found, session=digest, strong=bool(row.strong)), row.used_ms


async def person_with_grants(connection: AsyncConnection, vault: Vault, person: int, now_ms: int) -> Person | None:
    """What somebody is and was granted, for the rules; not signed in. None for one who is not let in."""
    who = await account(connection, vault, person)
    if who is None or who.disabled_ms is not None:
        return None
    held = tuple(one.grant for one in await grants_of(connection, person, now_ms))
    return Person(id=who.id, login=who.login, name=who.name, grants=held, language=who.language)


def _lasts(made_ms: int, used_ms: int, now_ms: int, lasting: Lasting) -> bool:
    # A clock that was set back makes nothing last longer than it would have.
    return abs(now_ms - used_ms) < lasting.idle_ms and abs(now_ms - made_ms) < lasting.whole_ms
