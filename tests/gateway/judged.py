"""Sheets of a simulated class that say exactly what a test wants of them."""

from collections.abc import Collection

import msgspec

from sync.records import PageResult


def judged(result: PageResult, wrong: int | Collection[int] = 0, *, reading: str = "0") -> PageResult:
    """The same page with nothing in review, and everything right but some fields (the first so many, or these)."""
    places = range(wrong) if isinstance(wrong, int) else wrong
    items = tuple(
        msgspec.structs.replace(item, verdict=verdict, score_hundredths=points, reading=reading, doubt=0)
        for place, item in enumerate(result.items)
        for verdict, points in [(2, 0) if place in places else (1, 100)]
    )
    most = 100 * len(items)
    return msgspec.structs.replace(
        result, items=items, score_hundredths=most - 100 * len(places), max_score_hundredths=most, pending=0
    )
