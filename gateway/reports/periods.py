"""Days, weeks and terms (学期) as reports count them. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from homework.errors import UsageError

FIRST_YEAR, LAST_YEAR = 1970, 2999
"""Of days and terms that somebody may ask for: before and after them no zone has a midnight for every machine."""


class Term(NamedTuple):
    """A school term: `2026-autumn` from 1 August 2026 to 31 January 2027, `2027-spring` from then to 31 July."""

    name: str
    first: date
    last: date


def term_of(day: date) -> Term:
    """The term that a day lies in."""
    if 2 <= day.month <= 7:
        return Term(f"{day.year}-spring", date(day.year, 2, 1), date(day.year, 7, 31))
    year = day.year if day.month >= 8 else day.year - 1
    return Term(f"{year}-autumn", date(year, 8, 1), date(year + 1, 1, 31))


def term_named(name: str) -> Term:
    """The term of that name. Raises `UsageError` for a name that is none."""
    year, _, season = name.partition("-")
    is_year = len(year) == 4 and year.isascii() and year.isdigit() and FIRST_YEAR <= int(year) <= LAST_YEAR
    if is_year and season in ("autumn", "spring"):
        return term_of(date(int(year), 9 if season == "autumn" else 3, 1))
    raise UsageError("“{name}” is no term.", remedy="Write it as 2026-autumn or 2027-spring.", name=name[:20])


def day_number(day: date) -> int:
    """A day as one number that sorts: 20261130."""
    return day.year * 10_000 + day.month * 100 + day.day


def day_numbered(number: int) -> date:
    """The day of such a number."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def day_at(at_ms: int, zone: tzinfo | None = None) -> date:
    """The day of a moment (Unix ms) in a zone; None: the one in which this machine stands."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone).date()


def start_ms(day: date, zone: tzinfo | None = None) -> int:
    """When a day begins in a zone (None: this machine's), in Unix milliseconds."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round((midnight if zone is not None else midnight.astimezone()).timestamp() * 1000)


def monday_of(day: date) -> date:
    """The Monday of its week."""
    return day - timedelta(days=day.weekday())
