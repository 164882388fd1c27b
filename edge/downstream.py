"""What came down from the school finds its place on the box: each kind of document has one that takes it.

A taker is called outside any transaction of the ledger, from one thread, and at times twice with the same (a kill in
between): the second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from homework.errors import ClassboxError


class Taker(Protocol):
    """Takes one kind of what comes down."""

    def content(self, key: str) -> bytes | None:
        """The content digest (`sync.down_bodies.content_of`) of what the box has of that key, None for nothing."""

    def take(self, key: str, body: bytes) -> None:
        """Keep it. Raises `ClassboxError` for what cannot be used; an `OSError` or one of its kind is tried again."""


class UnknownKindError(ClassboxError):
    """The school sent something that this version of the box does not know."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            "The school sent something ({kind}) that this version does not know.",
            remedy="Update Classbox.",
            kind=kind,
        )


class Downstream:
    """All takers of a box by their kinds."""

    def __init__(self, takers: Mapping[str, Taker]) -> None:
        self._takers = takers

    def content(self, kind: str, key: str) -> bytes | None:
        """What the box has of that kind and key. Raises `UnknownKindError`."""
        return self._taker(kind).content(key)

    def take(self, kind: str, key: str, body: bytes) -> None:
        """Give it to its taker. Raises what that raises, and `UnknownKindError`."""
        self._taker(kind).take(key, body)

    def _taker(self, kind: str) -> Taker:
        if kind not in self._takers:
            raise UnknownKindError(kind)
        return self._takers[kind]
