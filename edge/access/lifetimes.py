"""How long something has lasted on a machine whose clock may be wrong; pure.

Within one boot the monotonic clock says it, whatever the wall clock does. Over a boot only the wall clock can, and only
where it is set and has not run backwards. What cannot be said is None, and whoever asks treats it as too long.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.clock import ClockQuality, ClockReading

HOUR_MS = 3_600_000
_LONGEST_DAY_MS = 16 * HOUR_MS
_DAY_WITHOUT_CLOCK_MS = 10 * HOUR_MS


def elapsed_ms(since: ClockReading, now: ClockReading) -> int | None:
    """Milliseconds from one reading to a later one; None when nobody can say."""
    if since.boot == now.boot:
        return now.monotonic_ms - since.monotonic_ms if now.monotonic_ms >= since.monotonic_ms else None
    if ClockQuality.UNSET in (since.quality, now.quality) or now.wall_ms < since.wall_ms:
        return None
    return now.wall_ms - since.wall_ms


def within(since: ClockReading, now: ClockReading, most_ms: int) -> bool:
    """Whether surely no more than `most_ms` have passed."""
    passed = elapsed_ms(since, now)
    return passed is not None and passed <= most_ms


def rest_of_day_ms(now: ClockReading) -> int:
    """Until midnight where the box stands, 16 hours at most; 10 hours when the clock is not set."""
    if now.quality is ClockQuality.UNSET:
        return _DAY_WITHOUT_CLOCK_MS
    here = datetime.fromtimestamp(now.wall_ms / 1000).astimezone()
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return min(int((midnight - here).total_seconds() * 1000), _LONGEST_DAY_MS)


def lent_is_over(since: ClockReading, now: ClockReading, life_ms: int) -> bool:
    """Whether what was lent for a day is over.

    Strict: after a boot it holds only when a time server says what time it is, for a clock that wakes where it stopped
    would give the same afternoon again and again. Within a boot the wall clock may end it sooner than the monotonic
    one (a lid was closed), never later.
    """
    if since.boot != now.boot and now.quality is not ClockQuality.SYNCED:
        return True
    if not within(since, now, life_ms):
        return True
    both_set = ClockQuality.UNSET not in (since.quality, now.quality)
    return both_set and now.wall_ms - since.wall_ms > life_ms
