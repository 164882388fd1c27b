"""Keys of programs: what each is good for, at which school (None: the district), until when. Only digests are kept.

A key stands for itself and not for whoever made it: it goes on when that person leaves, and ends on its day, or when a
head or an administrator takes it away. At its school it may what a head may, of that only its scopes; a key of the
district what a person of the district may.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from aiohttp import web
from sqlalchemy import ColumnElement, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.deeds import Deed, Thing
from gateway.access.people import new_id
from gateway.access.person import Grant, Person, Role
from gateway.access.rules import HOUR_MS, may, may_grant
from gateway.store.store import Store
from gateway.store.tables.programs import office_tokens, tokens
from homework.errors import ClassboxError, UsageError, one_line
from sync.errors import StoreTrouble
from ui.sessions import new_token, token_digest

PREFIX: Final = "classbox"
"""What a key begins with, so that tools which look for secrets in files know one."""
GOOD_FOR: Final = (
    *(Deed.SEE_CLASS, Deed.SEE_PUPIL, Deed.SEE_CROP, Deed.SEE_SCHOOL, Deed.EXPORT, Deed.BE_TOLD),
    *(Deed.EDIT_ROSTER, Deed.ASSIGN, Deed.CORRECT, Deed.SAY_ABSENT),
)
GOOD_FOR_DISTRICT: Final = (Deed.SEE_DISTRICT, Deed.SEE_SCHOOL)
DISTRICT: Final = "~"
"""Stands in a key of the district where others have their school; no school is called that."""
LONGEST_TITLE: Final = 64
LONGEST_DAYS: Final = 400
MOST_KEYS: Final = 50
"""Of one school, or of the district."""
_REMEMBERED_MS = 5_000
_USED_EVERY_MS = 10 * 60_000
_MOST_REMEMBERED = 1_000


class KeyLine(NamedTuple):
    """A key as those see it who may take it away."""

    id: int
    title: str
    scopes: frozenset[str]
    made_by: int
    made_ms: int
    until_ms: int
    used_ms: int | None


class NoSuchKeyError(ClassboxError):
    """There is no such key (any more)."""


def can_give(giver: Person, school: str | None, now_ms: int) -> tuple[Deed, ...]:
    """What a person may make a key good for: what they may there, or could let a head (a district officer) do."""
    role, deeds = (Role.DISTRICT, GOOD_FOR_DISTRICT) if school is None else (Role.HEAD, GOOD_FOR)
    whose = Grant(role, school=school, class_name=None, subject=None, pupil=None, from_ms=now_ms, until_ms=None)
    if may_grant(giver, whose, now_ms):
        return deeds
    if school is None:
        return deeds if may(giver, Deed.SEE_DISTRICT, Thing(), now_ms) else ()
    return tuple(deed for deed in deeds if may(giver, deed, Thing(school=school), now_ms))


async def make_key(
    connection: AsyncConnection,
    school: str | None,
    giver: Person,
    *,
    title: str,
    scopes: Collection[str],
    days: int,
    now_ms: int,
) -> str:
    """A new key's text, shown once. Raises `UsageError`. The caller holds the school's lock."""
    table = _table(school)
    title = " ".join(one_line(title, limit=LONGEST_TITLE + 1).split())
    if not title or len(title) > LONGEST_TITLE:
        raise UsageError("The key has no title, or too long a one.", remedy="Say which program it is for.")
    wanted = {Deed(scope) for scope in scopes if scope in can_give(giver, school, now_ms)}
    if not wanted or len(wanted) != len(set(scopes)):
        raise UsageError("The key is good for nothing that you could give.", remedy="Choose what it is for.")
    if not 1 <= days <= LONGEST_DAYS:
        raise UsageError("A key lasts from 1 to {most} days.", remedy="Make a new one then.", most=LONGEST_DAYS)
    ended = table.c.until_ms < now_ms - LONGEST_DAYS * 24 * HOUR_MS
    await connection.execute(delete(table).where(*_of(school), ended))
    if len(await keys_of(connection, school)) >= MOST_KEYS:
        raise UsageError("There are {most} keys already.", remedy="Take some away.", most=MOST_KEYS)
    secret = new_token()
    row: dict[str, object] = {} if school is None else {"school_id": school}
    row |= {
        "token_id": new_id(),
        "digest": token_digest(secret),
        "title": title,
        "scopes": " ".join(sorted(wanted)),
        "made_by": giver.id,
        "made_ms": now_ms,
        "until_ms": now_ms + days * 24 * HOUR_MS,
    }
    await connection.execute(insert(table), row)
    return f"{PREFIX}.{DISTRICT if school is None else school}.{secret}"


async def keys_of(connection: AsyncConnection, school: str | None) -> list[KeyLine]:
    """The keys of a school or of the district, the newest first, also those that have ended."""
    table = _table(school)
    query = select(table).where(*_of(school)).order_by(table.c.made_ms.desc(), table.c.token_id)
    return [
        KeyLine(r.token_id, r.title, frozenset(r.scopes.split()), r.made_by, r.made_ms, r.until_ms, r.used_ms)
        for r in await connection.execute(query)
    ]


async def end_key(connection: AsyncConnection, school: str | None, key: int) -> None:
    """Take a key away for good. Raises `NoSuchKeyError`."""
    table = _table(school)
    if (await connection.execute(delete(table).where(*_of(school), table.c.token_id == key))).rowcount != 1:
        raise NoSuchKeyError("There is no such key any more.", remedy="Load the page again.")


def _table(school: str | None) -> Table:
    return office_tokens if school is None else tokens


def _of(school: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if school is None else (tokens.c.school_id == school,)


class ProgramKeys:
    """Who a key is, for the gate. What was read is remembered for five seconds. Lives in one event loop."""

    def __init__(self, store: Store, *, now_ms: Callable[[], int]) -> None:
        self._store, self._now_ms = store, now_ms
        self._remembered: OrderedDict[tuple[str, bytes], tuple[int, Person | None]] = OrderedDict()

    async def person(self, request: web.Request) -> Person | None:
        """Whose key a request carries (`Authorization: Bearer`); None for none, or one that is not good."""
        kind, _, sent = request.headers.get("Authorization", "").partition(" ")
        parts = sent.strip().split(".")
        if kind.lower() != "bearer" or len(parts) != 3 or parts[0] != PREFIX or not parts[1].isascii():
            return None
        place, now_ms = (parts[1], token_digest(parts[2])), self._now_ms()
        known = self._remembered.pop(place, None)
        if known is None or not 0 <= now_ms - known[0] < _REMEMBERED_MS:
            known = now_ms, await self._read(*place, now_ms)
        self._remembered[place] = known
        while len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return known[1]

    def forget(self) -> None:
        """Look again at the next request: a key was taken away."""
        self._remembered.clear()

    async def _read(self, school: str, digest: bytes, now_ms: int) -> Person | None:
        of, role = (None, Role.DISTRICT) if school == DISTRICT else (school, Role.HEAD)
        table = _table(of)
        which = (*_of(of), table.c.digest == digest)
        async with self._store.reading() as connection:
            row = (await connection.execute(select(table).where(*which))).first()
        if row is None or now_ms >= row.until_ms:
            return None
        if row.used_ms is None or now_ms - row.used_ms >= _USED_EVERY_MS:
            with contextlib.suppress(StoreTrouble):  # a full disk keeps nobody out
                async with self._store.writing() as connection:
                    await connection.execute(update(table).where(*which).values(used_ms=now_ms))
        grant = Grant(role, of, None, None, None, from_ms=0, until_ms=row.until_ms)
        scopes = frozenset({*row.scopes.split(), Deed.SEE_START.value})
        return Person(id=row.token_id, login="", name=row.title, grants=(grant,), scopes=scopes)
