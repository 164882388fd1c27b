"""A school, a box and its key, and what the box has to tell: made up, for the simulation, tests and benchmarks."""

from __future__ import annotations

from sync.clock import ClockQuality, ClockReading
from sync.records import HealthRecord, PageResult, encode_record

SCHOOL, BOX = "school", "box"
KEY = bytes(range(32))
_FUTURE = b"\x92\x01\x63"
"""Kind 1, version 99."""


def reading(now_ms: float) -> ClockReading:
    """What a clock shows that a time server set."""
    return ClockReading(monotonic_ms=int(now_ms), wall_ms=int(now_ms), boot=bytes(16), quality=ClockQuality.SYNCED)


def page_record(capture: bytes, now_ms: float, clock: ClockReading | None = None, *, assignment: str = "a") -> bytes:
    """The payload of a page without items, named by the digest of its picture (16 bytes)."""
    page = PageResult(
        capture=capture,
        pseudonym=None,
        seat=1,
        clock=clock or reading(now_ms),
        assignment=assignment,
        sheet="S",
        page=1,
        attempt=1,
        revision=1,
        class_name="c",
        max_score_hundredths=0,
        score_hundredths=0,
        pending=0,
        duplicate_of=None,
        problems=(),
        items=(),
    )
    return encode_record(page)


def health_record(clock: ClockReading) -> bytes:
    """The payload of a sign of health."""
    return encode_record(HealthRecord(clock=clock, software="0", free_mb=1, temperature_c=None, waiting=0))


def future_record(name: bytes) -> bytes:
    """The payload of a record that a gateway of today has to hold."""
    return _FUTURE + name
