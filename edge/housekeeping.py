"""Makes room: lets pictures go that the school has had long enough, or, when the disk is short, sooner."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.ledger import Ledger
from edge.pictures import Pictures
from edge.retention import KeptPicture, Why, for_room, too_old
from homework.errors import ClassboxError
from sync.clock import Clock, ClockReading

log = logging.getLogger(__name__)
_AT_ONCE = 50
"""Pictures that go in one transaction: a sheet that comes meanwhile waits for it no longer than for another sheet."""
_PAUSE_S = 6 * 3600.0
_SHORT_PAUSE_S = 600.0


@dataclass(frozen=True)
class Swept:
    """What went, and whether the disk is short all the same."""

    old: int = 0
    for_room: int = 0
    short: bool = False


def sweep(
    ledger: Ledger, pictures: Pictures, *, now: ClockReading, days: int, short_bytes: int, belongs_to_school: bool
) -> Swept:
    """Let pictures go by age, then as many more as the disk needs. A box without a school keeps every one.

    Raises `DatabaseError` when the ledger cannot be written: then nothing goes.
    """
    if not belongs_to_school:
        return Swept(short=pictures.free_bytes() < short_bytes)
    mark, there = ledger.look_at_school(now)
    old = _let_go(ledger, pictures, too_old(there, mark, days=days), Why.OLD, now)
    went, left = 0, for_room(there)
    while pictures.free_bytes() < short_bytes and left:
        batch, left = _enough(pictures, left, short_bytes - pictures.free_bytes())
        went += _let_go(ledger, pictures, batch, Why.ROOM, now)
    if old or went:
        log.info("pictures that the school has made room: %d after %d days, %d for a short disk", old, days, went)
    return Swept(old, went, short=pictures.free_bytes() < short_bytes)


class RoomKeeper:
    """Sweeps every few hours, and sooner while the disk is short. Says what a person should know."""

    def __init__(
        self,
        ledger: Ledger,
        pictures: Pictures,
        *,
        clock: Clock,
        days: int,
        short_bytes: int,
        belongs_to_school: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._pictures = pictures
        self._clock = clock
        self._days = days
        self._short_bytes = short_bytes
        self._belongs_to_school = belongs_to_school
        self._next_s = 0.0
        self._short = False

    def look(self, _ending: Callable[[], bool]) -> ClassboxError | None:
        """Look at the disk, and make room when it is time. Raises `DatabaseError`."""
        short = self._pictures.free_bytes() < self._short_bytes
        if time.monotonic() >= self._next_s or (short and not self._short):
            swept = sweep(
                self._ledger,
                self._pictures,
                now=self._clock.read(),
                days=self._days,
                short_bytes=self._short_bytes,
                belongs_to_school=self._belongs_to_school(),
            )
            short = swept.short
            self._next_s = time.monotonic() + (_SHORT_PAUSE_S if short else _PAUSE_S)
        self._short = short
        if not short:
            return None
        return ClassboxError(
            "The disk is nearly full. What the school has already has made room.",
            remedy="Make room on the disk, or connect the box to the school. Results are still taken.",
        )


def _enough(
    pictures: Pictures, order: Sequence[KeptPicture], wanted_bytes: int
) -> tuple[list[KeptPicture], Sequence[KeptPicture]]:
    """The first of them that make so much room together, at most as many as go at once; and the rest."""
    size = 0
    for number, picture in enumerate(order[:_AT_ONCE], start=1):
        size += pictures.size_bytes(picture.digest)
        if size >= wanted_bytes:
            return list(order[:number]), order[number:]
    return list(order[:_AT_ONCE]), order[_AT_ONCE:]


def _let_go(ledger: Ledger, pictures: Pictures, going: Sequence[KeptPicture], why: Why, now: ClockReading) -> int:
    """First the ledger says so, then the files go: a kill in between leaves files that the next start removes."""
    gone = 0
    for at in range(0, len(going), _AT_ONCE):
        digests = ledger.let_pictures_go([each.capture for each in going[at : at + _AT_ONCE]], why, now)
        pictures.remove(digests)
        gone += len(digests)
    return gone
