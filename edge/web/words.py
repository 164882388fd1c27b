"""What a seat is called on the pages: English message ids, translated where they are shown."""

from __future__ import annotations

from edge.stack import SeatState

SEAT_WORDS = {
    SeatState.MISSING: "missing",
    SeatState.EXCUSED: "on leave",
    SeatState.EXEMPT: "exempt",
    SeatState.PART: "some pages are missing",
    SeatState.REVIEW: "handed in, something to look at",
    SeatState.DONE: "handed in",
}
