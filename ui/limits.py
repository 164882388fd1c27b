"""Limits on what anybody may try: growing delays after failures, and an allowance that fills up again.

In memory, and bounded: whoever comes from ever new addresses pushes out old ones, and meets the common allowance.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from homework.errors import Phrase

Now = Callable[[], float]
_IPV6_HOME = 64
"""Bits of an IPv6 address that one household shares; the rest is anybody's to choose."""


@dataclass
class _Tries:
    count: int
    until_s: float
    last_s: float


class Delays:
    """After `free` tries each further one has to wait, twice as long every time."""

    def __init__(
        self,
        *,
        free: int,
        first_s: float,
        longest_s: float,
        forget_s: float,
        most_keys: int = 4096,
        now: Now = time.monotonic,
    ) -> None:
        self._free, self._first_s, self._longest_s, self._forget_s = free, first_s, longest_s, forget_s
        self._most_keys, self._now = most_keys, now
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """How long `key` has to wait before its next try; 0 when it may."""
        tries = self._tries.get(key)
        return max(0.0, tries.until_s - self._now()) if tries is not None else 0.0

    def charge(self, key: str) -> None:
        """Count a try before it is judged: many at once must not all pass as the first."""
        now_s = self._now()
        tries = self._tries.pop(key, None)
        if tries is None or now_s - tries.last_s > self._forget_s:
            tries = _Tries(0, 0.0, now_s)
        tries.count += 1
        tries.last_s = now_s
        if tries.count >= self._free:
            tries.until_s = now_s + min(self._first_s * 2 ** min(tries.count - self._free, 30), self._longest_s)
        self._tries[key] = tries
        while len(self._tries) > self._most_keys:
            self._tries.popitem(last=False)

    def forgive(self, key: str) -> None:
        """The try was right: start anew."""
        self._tries.pop(key, None)


class Allowance:
    """`most` at once, then one every `every_s`; for everybody together or for each key."""

    def __init__(self, *, most: int, every_s: float, most_keys: int = 4096, now: Now = time.monotonic) -> None:
        self._most, self._every_s, self._most_keys, self._now = most, every_s, most_keys, now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str = "") -> float:
        """How long until one more is allowed; 0 when it is."""
        left = self._left_now(key)
        return 0.0 if left >= 1.0 else (1.0 - left) * self._every_s

    def charge(self, key: str = "") -> None:
        """Take one."""
        self._set(key, self._left_now(key) - 1.0)

    def give_back(self, key: str = "") -> None:
        """It should not have counted."""
        self._set(key, min(self._left_now(key) + 1.0, float(self._most)))

    def _left_now(self, key: str) -> float:
        left, at_s = self._left.get(key, (float(self._most), self._now()))
        return min(left + (self._now() - at_s) / self._every_s, float(self._most))

    def _set(self, key: str, left: float) -> None:
        self._left.pop(key, None)
        self._left[key] = (left, self._now())
        while len(self._left) > self._most_keys:
            self._left.popitem(last=False)


def time_to_wait(wait_s: float) -> Phrase:
    """How long somebody has to wait, as people say it: in seconds, or from a minute and a half on in minutes."""
    if wait_s < 90:
        return Phrase("{count} s", count=math.ceil(wait_s))
    return Phrase("{count} min", count=math.ceil(wait_s / 60))


def caller(request: web.Request) -> str:
    """Whose tries these are: the address, of IPv6 the part that a household shares."""
    try:
        address = ipaddress.ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        return request.remote or ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_HOME), strict=False))
    return str(address)
