"""Which pictures may go: those that the school has had for so many days, oldest first; and when room is short. Pure.

A picture that the school does not have for certain never goes, whatever the clock or the disk says. A clock that woke
in 1970 or says 2099 must not make a picture old, so age is counted in time that is known to have passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sync.clock import ClockQuality, ClockReading

DAY_MS: Final = 86_400_000
LONGEST_STEP_MS: Final = 7 * DAY_MS
"""No two looks at a clock make anything older by more, however long the box was off."""
BELIEVED_MS: Final = 400 * DAY_MS
"""A box that was off for longer than that has a wrong clock."""


class Why(StrEnum):
    """Why a picture went."""

    OLD = "old"
    ROOM = "room"
    ERASED = "erased"
    """Its pupil was erased."""


@dataclass(frozen=True)
class Mark:
    """A look at the clock, and how much time the box had counted by then."""

    counted_ms: int
    clock: ClockReading


@dataclass(frozen=True)
class KeptPicture:
    """A picture whose capture the school has. `open_question`: a person still has something to say on its sheet."""

    capture: int
    digest: str
    since_ms: int
    """What the box had counted when it first saw that the school has it."""
    open_question: bool = False


def next_mark(before: Mark | None, now: ClockReading) -> Mark:
    """How much time has passed for certain since the mark before.

    Within one boot the monotonic clock says it. Over a restart at least the time since then has passed; more is
    believed only of two clocks that a time server had set, and never more than a week at once.
    """
    if before is None:
        return Mark(0, now)
    if before.clock.boot == now.boot:
        return Mark(before.counted_ms + max(0, now.monotonic_ms - before.clock.monotonic_ms), now)
    passed_ms = now.monotonic_ms
    if before.clock.quality == now.quality == ClockQuality.SYNCED:
        said_ms = now.wall_ms - before.clock.wall_ms
        if passed_ms < said_ms <= BELIEVED_MS:
            passed_ms = max(passed_ms, min(said_ms, LONGEST_STEP_MS))
    return Mark(before.counted_ms + passed_ms, now)


def too_old(pictures: Iterable[KeptPicture], mark: Mark, *, days: int) -> list[KeptPicture]:
    """The pictures that the school has had for so many days, oldest first. One with an open question stays."""
    return [
        picture
        for picture in _oldest_first(pictures)
        if not picture.open_question and mark.counted_ms - picture.since_ms >= days * DAY_MS
    ]


def for_room(pictures: Iterable[KeptPicture]) -> Sequence[KeptPicture]:
    """All that may go when room is short, in that order: oldest first, those with an open question last."""
    return sorted(_oldest_first(pictures), key=lambda picture: picture.open_question)


def _oldest_first(pictures: Iterable[KeptPicture]) -> list[KeptPicture]:
    return sorted(pictures, key=lambda picture: picture.capture)
