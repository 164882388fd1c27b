"""How often anybody may be wrong about a password.

Three limits together. An address waits after some wrong tries in a row, longer each time. A name may be tried so often
from browsers that have never signed in with it, and then once in a while: that is kept in the database, so that neither
a restart nor another gateway gives new tries. A browser that has signed in before counts for itself alone: thousand
wrong passwords from elsewhere do not make its owner wait.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

from aiohttp import web
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.people import known_as
from gateway.store.dialect import add_or_ignore
from gateway.store.schema import wrong_tries
from homework.errors import ClassboxError, Phrase
from ui.limits import Delays, caller

_FREE = 30
_EVERY_MS = 5 * 60_000
"""A name has 30 tries from unknown browsers, and one more every five minutes: 318 in the first day."""


class TooOftenError(ClassboxError):
    """Somebody has been wrong too often and must wait; nothing was looked at."""

    def __init__(self, wait_s: float) -> None:
        minutes = math.ceil(wait_s / 60)
        wait = Phrase("{count} s", count=math.ceil(wait_s)) if wait_s < 90 else Phrase("{count} min", count=minutes)
        super().__init__(
            "Too many wrong tries.",
            remedy="Wait {wait}, then try again; or ask whoever let you in for a link to a new password.",
            wait=wait,
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
            wait_s = await self._charge_name_s(connection, login)
        if wait_s > 0:
            raise TooOftenError(wait_s)
        delays.charge(key)

    async def forgive(self, connection: AsyncConnection, request: web.Request, login: str, device: str | None) -> None:
        """The try was right. What others have tried of the name from elsewhere stays counted."""
        if device is not None:
            self._by_device.forgive(device)
            return
        self._by_address.forgive(caller(request))
        await connection.execute(
            update(wrong_tries)
            .where(wrong_tries.c.key == _key(login))
            .values(full_ms=wrong_tries.c.full_ms - _EVERY_MS)
        )

    async def _charge_name_s(self, connection: AsyncConnection, login: str) -> float:
        """Count a try of a name; or, when it has none left, how long until the next, in seconds, and nothing counts.

        The generic cell rate algorithm (ITU-T I.371): `full_ms` lies one interval further for each try that has not
        come back. Two at once wait for one another at the row.
        """
        now_ms, row = self._now_ms(), wrong_tries.c.key == _key(login)
        locked = select(wrong_tries.c.full_ms).where(row).with_for_update()
        kept = await connection.scalar(locked)
        if kept is None:
            await connection.execute(delete(wrong_tries).where(wrong_tries.c.full_ms < now_ms - _EVERY_MS))
            await connection.execute(add_or_ignore(connection, wrong_tries), {"key": _key(login), "full_ms": now_ms})
            kept = await connection.scalar(locked)
        # A clock that was set back keeps nobody out for longer than all tries together would.
        behind_ms = max(0, min((kept or now_ms) - now_ms, _FREE * _EVERY_MS))
        if behind_ms > (_FREE - 1) * _EVERY_MS:
            return (behind_ms - (_FREE - 1) * _EVERY_MS) / 1000
        await connection.execute(update(wrong_tries).where(row).values(full_ms=now_ms + behind_ms + _EVERY_MS))
        return 0.0


def _key(login: str) -> bytes:
    return hashlib.sha256(known_as(login).encode("utf-8", "replace")).digest()
