"""What a metered line may carry in a month, and what stops when that is nearly used up. Pure but for the clock.

Counted are all bytes that the kernel has sent and received, with their headers (`sync.line.carried_bytes`). Results
stop last: a term of a class's results takes some hundred kilobytes, so whoever chose a limit has other things to fear.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

import msgspec

from homework.errors import ClassboxError
from sync.clock import Clock, ClockQuality
from sync.known_time import KnownTime
from sync.outbox import Outbox

_NOTE = "allowance"
_MONTHS_KEPT = 4
NO_CROPS_FROM: Final = 0.7
RESULTS_FROM: Final = 0.9
SILENT_FROM: Final = 1.25
"""Of what a month may carry. Beyond the limit itself results go on so far, seldom and many at once; then nothing."""


class Restraint(IntEnum):
    """What goes over the line; each leaves out more than the one before."""

    NONE = 0
    NO_CROPS = 1
    RESULTS_FIRST = 2
    """No crops, no signs of health, no large documents."""
    SPARING = 3
    """The same, and results many at once."""
    SILENT = 4
    """Nothing, until the next month or a larger limit."""


class Spent(msgspec.Struct, frozen=True, array_like=True):
    """Bytes by month (`2026-12`), the latest counted last; `unsure` is what was counted since the month was known."""

    months: tuple[tuple[str, int], ...] = ()
    unsure: int = 0

    def of(self, month: str) -> int:
        """What was carried in a month."""
        return dict(self.months).get(month, 0)


def counted(spent: Spent, size: int, month: str, *, sure: bool) -> Spent:
    """What was spent after `size` more bytes in a month.

    A box without a battery clock knows the month surely only once the time has been set. What it carried until then
    counts for the month that it last knew, and for the one in which it finds itself as well: never too little.
    A month that a wrong time server told of costs the true one nothing: its count is found again.
    """
    months = dict(spent.months)
    latest = spent.months[-1][0] if spent.months else month
    carried_over = spent.unsure if sure and month != latest else 0
    total = months.pop(month, 0) + size + carried_over
    kept = (*months.items(), (month, total))[-_MONTHS_KEPT:]
    return Spent(kept, 0 if sure else spent.unsure + size)


def restraint_of(used: int, limit: int) -> Restraint:
    """What still goes after `used` bytes of a month that may carry `limit`."""
    for share, restraint in (
        (SILENT_FROM, Restraint.SILENT),
        (1.0, Restraint.SPARING),
        (RESULTS_FROM, Restraint.RESULTS_FIRST),
        (NO_CROPS_FROM, Restraint.NO_CROPS),
    ):
        if used >= share * limit:
            return restraint
    return Restraint.NONE


def month_of(unix_ms: int) -> str:
    """The calendar month of a time here, as `2026-12`: a contract's months begin at midnight of its own country."""
    return time.strftime("%Y-%m", time.localtime(unix_ms / 1000))


def spent_so_far(outbox: Outbox) -> Spent:
    """What is written down in a box's ledger."""
    kept = outbox.noted(_NOTE)
    try:
        return Spent() if kept is None else msgspec.msgpack.decode(kept, type=Spent)
    except msgspec.DecodeError:  # of a newer program
        return Spent()


class Allowance:
    """The account of one box's line. For one thread; `load` before anything else."""

    def __init__(self, monthly_bytes: int, *, surely_ms: Callable[[], int], is_set: Callable[[], bool]) -> None:
        """`surely_ms` tells a time that has passed (`sync.known_time`), `is_set` whether it is now."""
        self._limit, self._surely_ms, self._is_set = monthly_bytes, surely_ms, is_set
        self._spent = Spent()
        self._since_written = 0

    def load(self, outbox: Outbox) -> None:
        """Go on from what is written down."""
        self._spent = spent_so_far(outbox)

    def save(self, outbox: Outbox) -> None:
        """Write it down."""
        outbox.note(_NOTE, msgspec.msgpack.encode(self._spent))
        self._since_written = 0

    def count(self, size: int) -> None:
        """So many bytes were carried; 0 where only time has passed."""
        self._since_written += size
        self._spent = counted(self._spent, size, month_of(self._surely_ms()), sure=self._is_set())

    @property
    def unwritten(self) -> int:
        """Bytes that a kill would forget."""
        return self._since_written

    @property
    def restraint(self) -> Restraint:
        """What still goes."""
        return restraint_of(self._spent.of(month_of(self._surely_ms())), self._limit)

    def trouble(self) -> ClassboxError | None:
        """What a person has to know; None while results go as ever."""
        match self.restraint:
            case Restraint.SPARING:
                return ClassboxError(
                    "This month's data for the school ({limit} MB) is used up. Results still go, many at once.",
                    remedy="Pictures and the rest wait for the next month, for a larger monthly_mb, or for a stick.",
                    limit=_megabytes(self._limit),
                )
            case Restraint.SILENT:
                return ClassboxError(
                    "This month's data for the school ({limit} MB) and a quarter more is used up: nothing goes.",
                    remedy="Carry the results on a stick, or set a larger monthly_mb. Nothing is lost.",
                    limit=_megabytes(self._limit),
                )
        return None


def allowance_of(monthly_mb: float | None, known: KnownTime, clock: Clock) -> Allowance | None:
    """The account of a box that may use so many megabytes a month; None without a limit."""
    if monthly_mb is None:
        return None
    return Allowance(
        round(monthly_mb * 1_000_000),
        surely_ms=known.surely_ms,
        is_set=lambda: clock.read().quality is ClockQuality.SYNCED,
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:g}"
