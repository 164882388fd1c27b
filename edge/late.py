"""补交: which sheets of a class came late. Pure.

The box sees when a sheet is slid, not when it was handed in: a pile that is collected when it is due is slid some time
after. So a time alone makes nobody late while most of the class came after it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta

from edge.filed import FiledPage
from edge.stack import came_late, owner_of
from homework.roster import Roster
from sync.clock import ClockQuality, ClockReading

SITTING = timedelta(hours=2)
"""A pause up to this long, such as a lesson and a break, is still the same pile."""


def late_captures(clocks: Mapping[int, ClockReading], due: int | None) -> frozenset[int]:
    """Of the captures of one class, those that are late: what came after `due` (milliseconds).

    Where most came after it, the pile itself was slid after it was due: then its sitting is on time, and late is what
    came after that. A capture whose clock was never set is never late, and has no say.
    """
    set_clocks = {c: clock for c, clock in clocks.items() if clock.quality is not ClockQuality.UNSET}
    after = sorted((clock.wall_ms, capture) for capture, clock in set_clocks.items() if came_late(clock, due))
    late = [capture for _, capture in after]
    if 2 * len(after) <= len(set_clocks):
        return frozenset(late)
    pauses = (later[0] - earlier[0] for earlier, later in itertools.pairwise(after))
    longest_ms = SITTING / timedelta(milliseconds=1)
    pile = next((n for n, pause_ms in enumerate(pauses, start=1) if pause_ms > longest_ms), len(after))
    return frozenset(late[pile:])


def late_in_class(
    pages: Sequence[FiledPage], roster: Roster, class_name: str | None, due: int | None
) -> frozenset[int]:
    """Of the pages of an assignment, the captures of one class that are late. Only a first attempt can be."""
    if due is None:
        return frozenset()
    clocks = {}
    for page in pages:
        owner = owner_of(page.record, roster, class_name) if page.record is not None else None
        if page.record is not None and page.record.attempt == 1 and (owner is None or owner.class_name == class_name):
            clocks[page.capture] = page.clock
    return late_captures(clocks, due)
