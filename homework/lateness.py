"""补交: whether a sheet came in time, came late, or nobody can tell. Pure; box and school judge by the same rule.

What is known is when a sheet was slid, not when it was handed in, and that only as an interval: a box may not know the
time. So a sheet is late only where its whole interval is after the due time, and in time only where it is before. And a
pile that is collected when it is due is slid some time after: where most of the class came after it, the pile's sitting
is in time as a whole, and late is what came after that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, TypeVar

SITTING = timedelta(hours=2)
"""A pause up to this long, such as a lesson and a break, is still the same pile."""
_SITTING_MS = SITTING // timedelta(milliseconds=1)
K = TypeVar("K")


class Timing(StrEnum):
    """How a sheet stands to its due time."""

    IN_TIME = "in-time"
    LATE = "late"
    """补交."""
    UNKNOWN = "unknown"
    """时间不详: the clock does not tell."""


class Span(NamedTuple):
    """Between when and when a sheet was slid, in Unix milliseconds."""

    earliest_ms: int
    latest_ms: int


@lru_cache(maxsize=4096)
def due_ms(due: str | None) -> int | None:
    """The moment of an assignment's `due` (ISO 8601 with offset), in Unix milliseconds."""
    return round(datetime.fromisoformat(due).timestamp() * 1000) if due is not None else None


def timings(spans: Mapping[K, Span], due: int | None) -> dict[K, Timing]:
    """How each sheet of one class stands to `due` (Unix ms); nothing without a due time.

    `spans` are the first attempts that count: a corrected sheet has no due time.
    """
    if due is None:
        return {}
    until_ms = limit_ms(spans.values(), due)
    return {key: timing_within(span, due, until_ms) for key, span in spans.items()}


def pupil_timing(pages: Iterable[Timing | None]) -> Timing | None:
    """How a pupil stands who handed in these pages: late with any of them, in time with all; None without any."""
    found = {timing for timing in pages if timing is not None}
    return next((timing for timing in (Timing.LATE, Timing.UNKNOWN, Timing.IN_TIME) if timing in found), None)


def timing_within(span: Span, due: int, until_ms: int | None) -> Timing:
    """How one sheet stands, where the limit of its class is known (`limit_ms`)."""
    if span.latest_ms <= (due if until_ms is None else until_ms):
        return Timing.IN_TIME
    return Timing.LATE if until_ms is not None and span.earliest_ms > until_ms else Timing.UNKNOWN


def limit_ms(spans: Collection[Span], due: int) -> int | None:
    """Until when a sheet of a class is in time; None when nobody knows.

    It is the due time, or the end of the sitting after it in which most were slid.
    Whose time is not known at all has no say in what most did.
    """
    before = sum(span.latest_ms <= due for span in spans)
    after = sorted(span for span in spans if span.earliest_ms > due)
    unsure = sum(span.earliest_ms <= due < span.latest_ms and _is_narrow(span) for span in spans)
    if 2 * len(after) <= before + len(after) + unsure:
        return due
    reach_ms = None
    for span in filter(_is_narrow, after):
        if reach_ms is not None and span.earliest_ms - reach_ms > _SITTING_MS:
            break
        reach_ms = max(reach_ms or 0, span.latest_ms)
    return reach_ms


def _is_narrow(span: Span) -> bool:
    return span.latest_ms - span.earliest_ms <= _SITTING_MS
