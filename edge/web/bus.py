"""Tells every open page that something changed; pages that sleep miss nothing, they ask for the newest state."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass

from edge.tones import Tone

_FRESH_S = 3.0
"""A sound that comes later than this after its sheet would be taken for the next one's."""


@dataclass(frozen=True)
class Happening:
    """A sheet came out at event `number`, `at_s` on the monotonic clock."""

    number: int
    tone: Tone
    at_s: float


class Bus:
    """Numbers what happens. Lives in the event loop; other threads publish through `call_soon_threadsafe`."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._number = 0
        self._waiting: set[asyncio.Event] = set()
        self.last: Happening | None = None

    @property
    def number(self) -> int:
        """How many things have happened."""
        return self._number

    def event_id(self) -> str:
        """The name of the newest event; a new run of the box names differently."""
        return f"{self._run}-{self._number}"

    def number_of(self, event_id: str) -> int | None:
        """The number of an event of this run, or None."""
        run, _, number = event_id.partition("-")
        return int(number) if run == self._run and number.isdecimal() else None

    def tone_after(self, number: int) -> Tone | None:
        """The sound of the newest sheet, when it came out after event `number` and just now."""
        last = self.last
        fresh = last is not None and last.number > number and time.monotonic() - last.at_s < _FRESH_S
        return last.tone if fresh and last is not None else None

    def publish(self, tone: Tone | None = None) -> None:
        """Something changed; with a tone: a sheet came out."""
        self._number += 1
        if tone is not None:
            self.last = Happening(self._number, tone, time.monotonic())
        for event in self._waiting:
            event.set()

    async def after(self, number: int) -> None:
        """Return once something has happened after event `number`."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            while self._number <= number:
                event.clear()
                await event.wait()
        finally:
            self._waiting.discard(event)
