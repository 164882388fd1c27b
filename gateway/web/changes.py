"""Wakes open pages when their report has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from gateway.ingest import Changed


class Subscription:
    """One open page."""

    def __init__(self, watched: Changed | None) -> None:
        self._watched = watched
        self._closed = False
        self._event = asyncio.Event()

    def tell(self, changed: Iterable[Changed]) -> None:
        """Wake the page if one of the changes concerns it."""
        if any(self._concerns(change) for change in changed):
            self._event.set()

    def wake(self) -> None:
        """Wake the page."""
        self._event.set()

    def close(self) -> None:
        """Wake the page for good."""
        self._closed = True
        self._event.set()

    async def wait(self) -> bool:
        """True at the next change, several before it make one; False once nothing more will come."""
        await self._event.wait()
        self._event.clear()
        return not self._closed

    def _concerns(self, change: Changed) -> bool:
        mine = self._watched
        return mine is None or (
            mine.school == change.school
            and (mine.assignment is None or change.assignment in (None, mine.assignment))
            and (mine.class_name is None or change.class_name in (None, mine.class_name))
        )


class Changes:
    """All open pages. Lives in the event loop; nothing is queued for pages that are slow."""

    def __init__(self) -> None:
        self._open: set[Subscription] = set()
        self._listeners: list[Callable[[frozenset[Changed] | None], None]] = []

    def pass_on(self, listener: Callable[[frozenset[Changed] | None], None]) -> None:
        """Tell `listener` as well what has changed, and None when it may be anything."""
        self._listeners.append(listener)

    def tell(self, changed: Iterable[Changed]) -> None:
        """Tell every open page what has changed."""
        happened = frozenset(changed)
        for subscription in self._open:
            subscription.tell(happened)
        for listener in self._listeners:
            listener(happened)

    def tell_all(self) -> None:
        """Tell every open page that it may have changed."""
        for subscription in self._open:
            subscription.wake()
        for listener in self._listeners:
            listener(None)

    def close(self) -> None:
        """Let every page go: the program is stopping."""
        for subscription in self._open:
            subscription.close()

    @contextmanager
    def watching(self, watched: Changed | None) -> Iterator[Subscription]:
        """A subscription to one report (None in it: to any of that school), or with None to every change."""
        subscription = Subscription(watched)
        self._open.add(subscription)
        try:
            yield subscription
        finally:
            self._open.discard(subscription)
