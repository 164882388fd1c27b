"""How often anybody may be wrong about a password.

Three limits together. An address waits after some wrong tries in a row, longer each time. A name may be tried so often
from browsers that have never signed in with it, and then once in a while: that is kept in the database, so that neither
a restart nor another gateway gives new tries. A browser that has signed in before counts for itself alone: thousand
wrong passwords from elsewhere do not make its owner wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.people import known_as
from gateway.store.dialect import add_or_ignore
from gateway.store.tables.people import wrong_tries
from homework.errors import ClassboxError
from ui.limits import Delays, caller, time_to_wait


class _Refill(NamedTuple):
    """So many tries, and then one more in a while."""

    free: int
    every_ms: int


_OF_A_NAME = _Refill(30, 5 * 60_000)
"""From unknown browsers: 318 in the first day."""
_OF_A_CODE = _Refill(10, 15 * 60_000)
"""Of a second factor, by somebody who has the password: 106 in the first day, each right in 3 cases of a million."""


class TooOftenError(ClassboxError):
    """Somebody has been wrong too often and must wait; nothing was looked at."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            "Too many wrong tries.",
            remedy="Wait {wait}, then try again; or ask whoever let you in for a link to a new password.",
            wait=time_to_wait(wait_s),
        )
        self.wait_s = wait_s


class Tries:
    """Counts tries before they are judged: many at once must not all pass as the first."""

    def __init__(self, *, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

        def now_s() -> float:
            return now_ms() / 1000

        self._by_address = Delays(free=20, first_s=10, longest_s=900, forget_s=3600, now=now_s)
        self._by_device = Delays(free=8, first_s=30, longest_s=900, forget_s=6 * 3600, now=now_s)

    async def charge(self, connection: AsyncConnection, request: web.Request, login: str, device: str | None) -> None:
        """Count a try; `device` is the secret of a browser that is known to this name. Raises `TooOftenError`."""
        delays, key = (self._by_address, caller(request)) if device is None else (self._by_device, device)
        wait_s = delays.wait_s(key)
        if wait_s == 0 and device is None:
            wait_s = await self._charge_s(connection, _key(login), _OF_A_NAME)
        if wait_s > 0:
            raise TooOftenError(wait_s)
        delays.charge(key)

    async def forgive(self, connection: AsyncConnection, request: web.Request, login: str, device: str | None) -> None:
        """The try was right. What others have tried of the name from elsewhere stays counted."""
        if device is not None:
            self._by_device.forgive(device)
            return
        self._by_address.forgive(caller(request))
        await _give_back(connection, _key(login), _OF_A_NAME)

    async def charge_code(self, connection: AsyncConnection, person: int) -> None:
        """Count a try of a person's second factor. Raises `TooOftenError`."""
        wait_s = await self._charge_s(connection, _code_key(person), _OF_A_CODE)
        if wait_s > 0:
            raise TooOftenError(wait_s)

    async def forgive_code(self, connection: AsyncConnection, person: int) -> None:
        """The code was right. What others have tried stays counted."""
        await _give_back(connection, _code_key(person), _OF_A_CODE)

    async def _charge_s(self, connection: AsyncConnection, key: bytes, of: _Refill) -> float:
        """Count a try; or, when there is none left, how long until the next, in seconds, and nothing counts.

        The generic cell rate algorithm (ITU-T I.371): `full_ms` lies one interval further for each try that has not
        come back. Two at once wait for one another at the row.
        """
        now_ms, row = self._now_ms(), wrong_tries.c.key == key
        locked = select(wrong_tries.c.full_ms).where(row).with_for_update()
        kept = await connection.scalar(locked)
        if kept is None:
            await connection.execute(delete(wrong_tries).where(wrong_tries.c.full_ms < now_ms - of.every_ms))
            await connection.execute(add_or_ignore(connection, wrong_tries), {"key": key, "full_ms": now_ms})
            kept = await connection.scalar(locked)
        # A clock that was set back keeps nobody out for longer than all tries together would.
        behind_ms = max(0, min((kept or now_ms) - now_ms, of.free * of.every_ms))
        if behind_ms > (of.free - 1) * of.every_ms:
            return (behind_ms - (of.free - 1) * of.every_ms) / 1000
        await connection.execute(update(wrong_tries).where(row).values(full_ms=now_ms + behind_ms + of.every_ms))
        return 0.0


async def _give_back(connection: AsyncConnection, key: bytes, of: _Refill) -> None:
    query = update(wrong_tries).where(wrong_tries.c.key == key)
    await connection.execute(query.values(full_ms=wrong_tries.c.full_ms - of.every_ms))


def _code_key(person: int) -> bytes:
    return hashlib.sha256(f"second factor {person}".encode()).digest()


def _key(login: str) -> bytes:
    return hashlib.sha256(known_as(login).encode("utf-8", "replace")).digest()
