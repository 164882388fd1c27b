"""Signing in with a PIN or a set-up code, and how often anybody may be wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from edge.access.book import AccessBook, AccessError, Person
from ui.limits import Allowance, Delays, caller, time_to_wait
from ui.sessions import read_cookie

log = logging.getLogger(__name__)
T = TypeVar("T")
DEVICE_COOKIE = "-device"


class WrongError(AccessError):
    """Not the right name, PIN or code."""


class TooOftenError(AccessError):
    """Somebody has been wrong too often and must wait; nothing was looked at."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            "Too many wrong tries.",
            remedy="Wait {wait}, then try again; or sign in with a QR code from a device that is signed in.",
            wait=time_to_wait(wait_s),
        )
        self.wait_s = wait_s


class SignIn:
    """Judges PINs and codes. Lives in the event loop; hashing is done beside it.

    An address that is wrong five times waits, longer each time, up to a quarter of an hour. All addresses together have
    30 tries and 6 more an hour: of a million PINs that is 174 in the first day. A browser that has signed in before
    counts for itself, so that pupils who try PINs keep no teacher out.
    """

    def __init__(self, book: AccessBook) -> None:
        self._book = book
        self._by_address = Delays(free=5, first_s=30, longest_s=900, forget_s=6 * 3600)
        self._by_device = Delays(free=8, first_s=30, longest_s=900, forget_s=6 * 3600)
        self._everybody = Allowance(most=30, every_s=600)

    async def by_pin(self, request: web.Request, name: str | None, pin: str) -> Person:
        """The person of that name and PIN. Raises `WrongError`, `TooOftenError`."""
        person = await self._judged(request, lambda: self._book.by_pin(name, pin))
        if person is None:
            raise WrongError(
                "The PIN is not right." if name is None else "The name or the PIN is not right.",
                remedy="Try again; after five wrong tries you have to wait.",
            )
        return person

    async def first(self, request: web.Request, code: str, name: str, pin: str) -> Person:
        """The first teacher, by the set-up code. Raises `WrongError`, `TooOftenError`, `UsageError` for a bad PIN."""
        person = await self._judged(request, lambda: self._book.first_teacher(code, name, pin))
        if person is None:
            raise WrongError(
                "The set-up code is not right.", remedy="It is on the box's own screen; `classbox pin` shows it again."
            )
        return person

    async def _judged(self, request: web.Request, judge: Callable[[], T | None]) -> T | None:
        """The judgement, charged before it is made; what was right, or could not be judged, is given back."""
        device = read_cookie(request, DEVICE_COOKIE)
        known = device is not None and self._book.knows_device(device)
        delays, key = (self._by_device, device or "") if known else (self._by_address, caller(request))
        wait_s = max(delays.wait_s(key), 0.0 if known else self._everybody.wait_s())
        if wait_s > 0:
            log.info("a sign-in has to wait %d s", wait_s)
            raise TooOftenError(wait_s)
        delays.charge(key)
        if not known:
            self._everybody.charge()
        right = False
        try:
            found = await asyncio.to_thread(judge)
            right = found is not None
        finally:
            if right:
                delays.forgive(key)
                if not known:
                    self._everybody.give_back()
            else:
                log.info("a sign-in was wrong")
        return found
