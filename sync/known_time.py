"""The latest time that a machine without a battery clock can be sure has passed, over restarts too."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sync.clock import BUILT_AT_MS, Clock, ClockQuality
from sync.whole_files import write_whole

FILE_NAME = "known-time"
_WORTH_WRITING_MS = 3_600_000
"""A card is not worn out for the sake of minutes: certificates end by the day."""
_BEYOND_MS = 4_102_444_800_000
"""No box is still in use in 2100."""


class KnownTime:
    """Remembers in a file when the clock was last disciplined by a time server."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """`folder` is the program's data folder."""
        self._path = folder / FILE_NAME
        self._clock = clock

    def surely_ms(self) -> int:
        """Unix time in milliseconds that has passed: now where the clock is disciplined, else when it last was.

        The last time counts and not the latest: a time server that once told of 2099 must not be believed for ever.
        Where nothing is remembered, it is the time at which this program was written.
        """
        now = self._clock.read()
        if now.quality is not ClockQuality.SYNCED:
            return max(BUILT_AT_MS, self._remembered())
        if abs(now.wall_ms - self._remembered()) >= _WORTH_WRITING_MS:
            with suppress(OSError):  # a full disk: then less is known after the next start, and no harm is done
                write_whole(self._path, f"{now.wall_ms}\n".encode())
        return now.wall_ms

    def _remembered(self) -> int:
        try:
            known_ms = int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0
        return known_ms if known_ms < _BEYOND_MS else 0  # damaged: nothing known is better than nonsense
