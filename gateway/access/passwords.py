"""Passwords: which are good enough, and what is kept of them.

Argon2id (RFC 9106, its second recommended choice: 64 MiB, three passes), in a thread beside the event loop and at most
two at once: whoever sends many sign-ins gets neither the memory nor all processors.
"""

from __future__ import annotations

import asyncio
import unicodedata
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError, VerificationError

from homework.errors import UsageError

LEAST, MOST = 10, 128
"""Signs of a password: NIST SP 800-63B asks for eight at least, and to take long ones as they are."""
_AT_ONCE = 2
_LEAST_DIFFERENT = 5


class Passwords:
    """Makes and compares hashes. Lives in one event loop."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hashed(self, password: str) -> str:
        """What is kept of a password (PHC string format)."""
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, _as_typed(password))

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether it is that one; takes as long when there is none to compare with (`kept` None)."""
        if len(password) > MOST:
            return False
        async with self._room:
            if self._nobodys is None:
                self._nobodys = await asyncio.to_thread(self._hasher.hash, "nobody's")
            right = await asyncio.to_thread(self._verified, self._nobodys if kept is None else kept, password)
        return right and kept is not None

    def is_weaker_than_now(self, kept: str) -> bool:
        """Whether a hash was made with less work than those of today."""
        return self._hasher.check_needs_rehash(kept)

    def _verified(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, _as_typed(password))
        except (VerificationError, InvalidHashError, Argon2Error):
            return False


def checked_password(password: str, again: str, *, login: str) -> str:
    """A password that may be kept. Raises `UsageError` for one that is too short, guessed at once, typed otherwise."""
    typed = _as_typed(password)
    if typed != _as_typed(again):
        raise UsageError("The two passwords are not the same.", remedy="Type the new one twice.")
    if not LEAST <= len(typed) <= MOST:
        raise UsageError(
            "The password is too short or too long.",
            remedy="Take at least {least} characters, {most} at most; a short sentence is easy to remember.",
            least=LEAST,
            most=MOST,
        )
    if len(set(typed)) < _LEAST_DIFFERENT or _is_a_row(typed) or (len(login) >= 4 and login in typed.casefold()):
        raise UsageError(
            "This password is guessed at once.",
            remedy="Take no row of characters and not the name you sign in with; a short sentence is easy to remember.",
        )
    return typed


def _as_typed(password: str) -> str:
    """The same for every keyboard and input method (NIST SP 800-63B: NFKC)."""
    return unicodedata.normalize("NFKC", password)


def _is_a_row(password: str) -> bool:
    """Such as 1234567890, abcdefghij, 9876543210."""
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return steps <= {1, -9} or steps <= {-1, 9}
