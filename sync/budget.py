"""Whose turn it is on the line, so that its bytes are shared as the lanes deserve. Pure.

Start-time fair queueing (P. Goyal, H. M. Vin, H. Cheng, Start-time Fair Queueing, SIGCOMM 1996): what a lane sent,
divided by its share, is the time until which it has had its due; the lane that is furthest behind goes next. A lane
that had nothing to send saves nothing up, and none waits for longer than the others need for their shares.
"""

from __future__ import annotations

from sync.lanes import Lane

SHARES = {Lane.DOCUMENTS: 2, Lane.RESULTS: 4, Lane.CROPS: 1, Lane.HEALTH: 1}
"""Of eight bytes, while all four have something to send. A sheet's result is what the box is there for."""


class Budget:
    """The account of one box's line."""

    def __init__(self) -> None:
        """Nobody has sent anything."""
        self._now = 0.0
        self._served_until = dict.fromkeys(Lane, 0.0)

    def order(self) -> list[Lane]:
        """The lanes, the one whose turn it is first; among equals the smaller one."""
        return sorted(Lane, key=lambda lane: (self._start(lane), lane))

    def spend(self, lane: Lane, size: int) -> None:
        """A message of `size` bytes of that lane goes out."""
        self._now = self._start(lane)
        self._served_until[lane] = self._now + size / SHARES[lane]

    def _start(self, lane: Lane) -> float:
        return max(self._now, self._served_until[lane])
