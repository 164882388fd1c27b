"""补交: which sheets of a class came late, by what the box knows of its own clock. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.filed import FiledPage
from edge.stack import owner_of
from homework.lateness import Span, Timing, due_ms, timings
from homework.roster import Roster
from sync.placing import NEVER_MS, BoxTimes, Known, Placed


def timings_in_class(
    pages: Sequence[FiledPage],
    roster: Roster,
    class_name: str | None,
    due: str | None,
    box_times: Callable[[], BoxTimes],
) -> dict[int, Timing]:
    """Of the pages of an assignment that is `due` then, how each capture of one class stands to that time.

    Only first attempts have one. Nothing without a due time; `box_times` is not asked for then.
    """
    if due is None:
        return {}
    times = box_times()
    spans = {}
    for page in pages:
        owner = owner_of(page.record, roster, class_name) if page.record is not None else None
        if page.record is not None and page.record.attempt == 1 and (owner is None or owner.class_name == class_name):
            spans[page.capture] = _span(times.place(page.clock))
    return timings(spans, due_ms(due))


def _span(placed: Placed) -> Span:
    if placed.known is Known.RESTORED and placed.latest_ms >= NEVER_MS:
        # No time server was ever there since: the school goes by the box's clock, as its teachers see it.
        return Span(placed.guess_ms, placed.guess_ms)
    return Span(placed.earliest_ms, placed.latest_ms)
