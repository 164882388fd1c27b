"""What was found out about a broker that does not say it, kept for a while. Pure.

One of MQTT 3.1.1 has no word for what it does not take: it closes the line, and the same message would come again with
the next one, for ever.
"""

from __future__ import annotations

from collections.abc import Callable

SUSPECT_BYTES = 64 << 10
"""Only a larger message is suspected of having cost a line. AWS IoT Core takes least of all known brokers: 128 KB."""
_STRIKES = 3
_OLD_FOR_S = 3_600.0
"""For so long one that did not speak MQTT 5 is not asked for it again: it may only have been slow, or be newer now."""
_REFUSES_FOR_S = 86_400.0
"""For so long what is too large is not tried again: three tries of a megabyte are what a thin line can spare a day."""


class BrokerMemory:
    """Of one broker. `now_s` is a monotonic clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Nothing is known at first."""
        self._now_s = now_s
        self._old_until_s = self._refuses_until_s = now_s()
        self._refused_bytes: int | None = None
        self._strikes, self._suspect_bytes = 0, 0

    @property
    def is_old(self) -> bool:
        """Whether it spoke MQTT 3.1.1 lately, after it had refused 5."""
        return self._now_s() < self._old_until_s

    def spoke_old(self) -> None:
        """It has just accepted 3.1.1 and not 5."""
        self._old_until_s = self._now_s() + _OLD_FOR_S

    @property
    def refused_bytes(self) -> int | None:
        """The smallest packet that it is known not to take; None when nothing is known."""
        return self._refused_bytes if self._now_s() < self._refuses_until_s else None

    def took(self, size: int) -> None:
        """It has acknowledged a packet of so many bytes."""
        if size >= self._suspect_bytes:
            self._strikes = 0

    def closed(self, unanswered_bytes: int) -> None:
        """It closed a line; `unanswered_bytes` is the largest packet without an acknowledgement then, 0 without any.

        Any broker closes lines, and one that restarts does so in the middle of a packet. Three lines in a row with a
        large one each are taken for its way of saying that the least of these is too large.
        """
        if unanswered_bytes <= SUSPECT_BYTES:
            self._strikes = 0
            return
        self._suspect_bytes = min(unanswered_bytes, self._suspect_bytes) if self._strikes else unanswered_bytes
        self._strikes += 1
        if self._strikes >= _STRIKES:
            self._refused_bytes, self._strikes = self._suspect_bytes, 0
            self._refuses_until_s = self._now_s() + _REFUSES_FOR_S
