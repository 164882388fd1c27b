"""Links that let somebody in once: a new device of a signed-in teacher, a substitute. In memory, for two minutes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ui.sessions import new_token, token_digest

LINK_LIFE_S = 120.0
_MOST = 50


@dataclass(frozen=True)
class _Link:
    person: int
    until_s: float


class Links:
    """Lives in the event loop. A restart of the box forgets them all."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._links: OrderedDict[bytes, _Link] = OrderedDict()

    def make(self, person: int) -> str:
        """A token that lets that person in once."""
        token = new_token()
        self._links[token_digest(token)] = _Link(person, self._now() + LINK_LIFE_S)
        while len(self._links) > _MOST:
            self._links.popitem(last=False)
        return token

    def person(self, token: str) -> int | None:
        """Whom it would let in; it stays good (looking at a link must not use it up: messengers look first)."""
        link = self._links.get(token_digest(token))
        return link.person if link is not None and self._now() <= link.until_s else None

    def use(self, token: str) -> int | None:
        """Whom it lets in; it is used up."""
        person = self.person(token)
        self._links.pop(token_digest(token), None)
        return person

    def cancel(self, person: int) -> None:
        """Take back every link for that person."""
        for digest in [digest for digest, link in self._links.items() if link.person == person]:
            del self._links[digest]
