"""Which of several gateways works on the summaries of which school: each school has a lease of its own.

A gateway takes a school's lease when there is something to do there, keeps it in every transaction that writes, and
leaves a school alone that is another's. So they work side by side, on different schools; a dead one's schools are free
once their leases have run out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.leases import give_leases_back, holder_of, take_lease

LASTS_S = 30.0
"""How long a school's lease outlives a gateway that died with it."""
_PREFIX = "summaries-"


class NotOurTurn(Exception):  # noqa: N818 - no error: another gateway does it
    """Another gateway has the lease of the school."""


class Shares:
    """The schools of one gateway, which is known to the others by a name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ours_until_s: dict[str, float] = {}

    def has(self, school: str) -> bool:
        """Whether the school is surely this gateway's for a while: nobody else can have taken it since it was kept."""
        return time.monotonic() < self._ours_until_s.get(school, float("-inf"))

    def forget(self) -> None:
        """Ask anew whose each school is."""
        self._ours_until_s.clear()

    async def take(self, connection: AsyncConnection, school: str) -> bool:
        """Make a school this gateway's. Returns whether it was another's since, who may have done what is known here.

        Raises `NotOurTurn`.
        """
        before = await holder_of(connection, lease_of(school))
        await self.keep(connection, school)
        return before != self._name

    async def keep(self, connection: AsyncConnection, school: str) -> None:
        """Keep it from now on so long, until the transaction ends even if that is longer. Raises `NotOurTurn`."""
        asked_s = time.monotonic()
        if not await take_lease(connection, lease_of(school), self._name, lasts_ms=round(LASTS_S * 1000)):
            self._ours_until_s.pop(school, None)
            raise NotOurTurn
        # Should this transaction fail, the lease is as old as it was; then all is looked at anew (`forget`).
        self._ours_until_s[school] = asked_s + LASTS_S / 2

    async def give_back(self, connection: AsyncConnection) -> None:
        """Let others have all of them at once."""
        self.forget()
        await give_leases_back(connection, _PREFIX, self._name)

    def in_order(self, schools: Iterable[str]) -> list[str]:
        """In an order of this gateway's own: those that have the same to do seldom meet at a school."""
        return sorted(schools, key=lambda school: _hash(f"{self._name}/{school}"))


def lease_of(school: str) -> str:
    """What the lease of a school's summaries is called. Two schools of one name would only take turns."""
    return _PREFIX + _hash(school)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
