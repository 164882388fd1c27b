"""A list of schools to choose from, narrowed by what is typed: by the server, and with a script while one types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_MANY = 12
"""From so many on one looks for a school by its name and not with the eyes."""


class Choice(NamedTuple):
    """A school: what it is called, where it leads, and whether it is shown."""

    words: str
    address: str
    shown: bool


class Chosen:
    """`all` schools (title, address) in their order; those are shown whose title holds `find`, in whatever case."""

    def __init__(self, schools: Sequence[tuple[str, str]], find: str = "") -> None:
        self.find = find.strip()[:40]
        wanted = self.find.casefold()
        self.all = tuple(Choice(title, address, wanted in title.casefold()) for title, address in schools)

    @property
    def findable(self) -> bool:
        """Whether there are so many that there is a field to find one."""
        return len(self.all) > _MANY

    @property
    def found(self) -> bool:
        """Whether any is shown."""
        return any(one.shown for one in self.all)
