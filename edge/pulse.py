"""Signs of life of the box's threads: a thread that stands still shows, not only one that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edge.frames import Image

STALLED_S = {"camera": 20.0, "grading": 60.0}
"""Longer than anything done between two beats: opening a camera, grading one large page on a slow board."""


@dataclass
class _Beat:
    at_s: float
    waiting: bool = False
    over: bool = False


class Pulse:
    """Any thread may beat, any may ask."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._beats: dict[str, _Beat] = {}
        self.preview: Image | None = None
        """The camera's newest small picture, for whoever sets it up."""

    def beat(self, name: str) -> None:
        """`name` is alive."""
        with self._lock:
            self._beats[name] = _Beat(self._now())

    def seen(self, image: Image | None) -> None:
        """The camera has looked; `image` is what it saw, where it is a camera."""
        self.preview = image
        self.beat("camera")

    def over(self, name: str) -> None:
        """`name` has come to its end, as a film does; it beats no more and is well."""
        with self._lock:
            self._beats[name] = _Beat(self._now(), over=True)

    @contextmanager
    def waiting(self, name: str) -> Iterator[None]:
        """`name` waits for another thread meanwhile, and is not to blame for how long."""
        with self._lock:
            self._beats[name] = _Beat(self._now(), waiting=True)
        try:
            yield
        finally:
            self.beat(name)

    def silence_s(self, name: str) -> float | None:
        """How long `name` has not been heard of; 0 while it waits or is over, None when it never began."""
        with self._lock:
            beat = self._beats.get(name)
        if beat is None:
            return None
        return 0.0 if beat.waiting or beat.over else self._now() - beat.at_s

    def is_over(self, name: str) -> bool:
        """Whether `name` has come to its end."""
        with self._lock:
            return name in self._beats and self._beats[name].over

    def stalled(self) -> tuple[str, ...]:
        """Whoever has stood still for too long."""
        silent = {name: self.silence_s(name) or 0.0 for name in STALLED_S}
        return tuple(name for name, most_s in STALLED_S.items() if silent[name] > most_s)
