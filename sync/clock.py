"""Time on a machine that may wake without knowing it.

A Raspberry Pi has no battery clock. So a reading says how good its wall time is, and keeps the boot and the
monotonic time beside it: whoever later learns the true time of one reading of a boot knows that of all.
"""

from __future__ import annotations

import ctypes
import time
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Protocol
from uuid import UUID

import msgspec

_TIME_ERROR = 5
"""`adjtimex(2)`: the clock is not synchronized."""
BUILT_AT_MS = 1_764_000_000_000
"""No clock that works shows a time before this program was written (2025-11-24)."""


class ClockQuality(IntEnum):
    """How far the wall time can be believed; a greater one outranks a smaller one."""

    UNSET = 0
    """Never set since power came: 1970, or the time of the image."""
    RESTORED = 1
    """Taken from the card or from a person: late by as long as the box was off."""
    SYNCED = 2
    """Disciplined by a time server (or a satellite, or a battery clock that one set)."""


class ClockReading(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One look at the clock. Times are in milliseconds; `boot` is the kernel's boot id (16 bytes).

    `monotonic_ms` counts from the start of the boot, also while the machine sleeps, whatever is done to the wall time.
    """

    monotonic_ms: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    wall_ms: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    boot: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    quality: ClockQuality


class Clock(Protocol):
    """Where time comes from."""

    def read(self) -> ClockReading:
        """Now."""


def surely_ms() -> int:
    """Unix time in milliseconds that has passed: now where a time server disciplines the clock, else `BUILT_AT_MS`."""
    now = SystemClock().read()
    return now.wall_ms if now.quality is ClockQuality.SYNCED else BUILT_AT_MS


class SystemClock:
    """The kernel's clocks; asks `adjtimex` whether a time server disciplines the wall time."""

    def __init__(self, boot_id: Path = Path("/proc/sys/kernel/random/boot_id")) -> None:
        self._boot = UUID(boot_id.read_text().strip()).bytes

    def read(self) -> ClockReading:
        # Asked before the time is read: a clock that is set in between must not pass off the time before as set.
        synced = _is_synced()
        wall_ms = time.time_ns() // 1_000_000
        unset = wall_ms < BUILT_AT_MS
        quality = ClockQuality.UNSET if unset else ClockQuality.SYNCED if synced else ClockQuality.RESTORED
        return ClockReading(
            monotonic_ms=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
            wall_ms=max(0, wall_ms),
            boot=self._boot,
            quality=quality,
        )


def _is_synced() -> bool:
    # struct timex is 208 bytes on 64-bit Linux; all zero means "tell, change nothing".
    state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    return 0 <= state < _TIME_ERROR
