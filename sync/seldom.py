"""Says when something is worth another line in the log: a stranger must not be able to fill it."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable


class Seldom:
    """True once a while for each thing, and for so many things at most."""

    def __init__(
        self, *, every_s: float = 60.0, at_most: int = 256, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s, self._at_most, self._now_s = every_s, at_most, now_s
        self._said_s: dict[Hashable, float] = {}

    def __call__(self, what: Hashable) -> bool:
        """Whether to say it now. While `at_most` other things were said within `every_s`, nothing new is."""
        now_s = self._now_s()
        if what in self._said_s and now_s - self._said_s[what] < self._every_s:
            return False
        self._said_s.pop(what, None)
        while self._said_s and now_s - next(iter(self._said_s.values())) >= self._every_s:  # the oldest stand first
            del self._said_s[next(iter(self._said_s))]
        if len(self._said_s) >= self._at_most:
            return False
        self._said_s[what] = now_s
        return True
