"""What lies between boxes and gateway: a broker that forgets and repeats, and a line that loses and delays."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator

from sync.gateway_session import Message
from sync.simulation.made_up import BOX, SCHOOL
from sync.simulation.worlds import Faults
from sync.topics import topic

UP, DOWN, STATE = (topic(SCHOOL, BOX, channel) for channel in ("up", "down", "state"))
_CALM_DELAY_MS = 50.0


class Line:
    """Messages on the way, in the order in which they will arrive."""

    def __init__(self, rng: random.Random, faults: Faults) -> None:
        self._rng = rng
        self._faults = faults
        self._on_the_way: list[tuple[float, int, Message]] = []
        self._ever: list[Message] = []
        self._retained: Message | None = None
        self.calm = False
        self._replay_at_ms = self._next_replay(0.0)
        self.carried = 0

    def post(self, message: Message, now_ms: float) -> None:
        """Publish it: it comes once, never or twice, sooner or later."""
        self._ever.append(message)
        if message.topic == STATE:
            self._retained = message
        times = 1
        if not self.calm:
            times = 0 if self._rng.random() < self._faults.loss else 1 + (self._rng.random() < self._faults.double)
        for _ in range(times):
            self._send(message, now_ms + self._rng.random() * self.delay_ms)

    @property
    def delay_ms(self) -> float:
        """The longest that anything takes now."""
        return _CALM_DELAY_MS if self.calm else self._faults.delay_ms

    def wipe(self) -> None:
        """The broker is killed and its disk wiped."""
        self._on_the_way.clear()
        self._retained = None

    def subscribe_again(self, now_ms: float) -> None:
        """The gateway comes (back) to the broker and hears what is retained."""
        if self._retained is not None:
            self.post(self._retained, now_ms)

    def arrived(self, now_ms: float) -> Iterator[Message]:
        """What has arrived until now, also what is posted meanwhile."""
        while self._replay_at_ms <= now_ms:
            self._replay_at_ms = self._next_replay(self._replay_at_ms)
            if self._ever:
                self._send(self._rng.choice(self._ever), now_ms)
        while self._on_the_way and self._on_the_way[0][0] <= now_ms:
            yield heapq.heappop(self._on_the_way)[2]

    def next_ms(self) -> float:
        """When the next message arrives if nothing more is posted."""
        return min(self._replay_at_ms, self._on_the_way[0][0] if self._on_the_way else math.inf)

    def _send(self, message: Message, at_ms: float) -> None:
        self.carried += 1
        heapq.heappush(self._on_the_way, (at_ms, self.carried, message))

    def _next_replay(self, after_ms: float) -> float:
        if not self._faults.replay:
            return math.inf
        often = self._faults.replay / (10 if self.calm else 1)  # calm is long
        return after_ms + self._rng.expovariate(often / TICK_MS)


TICK_MS = 500.0
"""The step of time in which the chances of `Faults` are given."""
