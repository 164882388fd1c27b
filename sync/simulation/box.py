"""One box: the real session over a card, a clock that may be wrong, and a connection that may be dead."""

from __future__ import annotations

import random

from sync.box_session import BoxSession, Pace
from sync.clock import ClockQuality, ClockReading
from sync.simulation.card import Card
from sync.simulation.made_up import BOX, KEY, SCHOOL

_YEAR_2100_MS = 4_102_444_800_000


class WrongClock:
    """A box's clocks: the monotonic one begins at each start, the wall clock may be anywhere."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._ahead_ms = 1_764_000_000_000.0
        self.start(0.0, unset=False)

    def start(self, now_ms: float, *, unset: bool) -> None:
        """Power comes; `unset` forgets what time it is."""
        self._boot, self._started_ms = self._rng.randbytes(16), now_ms
        self._quality = ClockQuality.UNSET if unset else ClockQuality.RESTORED
        if unset:
            self._ahead_ms = -now_ms

    def jump(self) -> None:
        """Somebody, or a time server, sets the wall clock to any time."""
        self._ahead_ms = self._rng.random() * _YEAR_2100_MS
        self._quality = self._rng.choice(list(ClockQuality))

    def monotonic_ms(self, now_ms: float) -> float:
        """The time since the start."""
        return now_ms - self._started_ms

    def wall_ms(self, now_ms: float) -> float:
        """The time of day, right or wrong."""
        return max(0.0, now_ms + self._ahead_ms)

    def read(self, now_ms: float) -> ClockReading:
        """What goes into a record."""
        return ClockReading(
            monotonic_ms=int(self.monotonic_ms(now_ms)),
            wall_ms=int(self.wall_ms(now_ms)),
            boot=self._boot,
            quality=self._quality,
        )


class Box:
    """A box with its card. Its own time is the monotonic clock's."""

    def __init__(self, rng: random.Random, card: Card, now_ms: float) -> None:
        self._rng = rng
        self.card = card
        self.clock = WrongClock(rng)
        self.full_until_ms = 0.0
        self.start(now_ms, unset=False)

    def start(self, now_ms: float, *, unset: bool) -> None:
        """Power comes (again): all that is not on the card is gone."""
        self.clock.start(now_ms, unset=unset)
        self.session = BoxSession(
            school=SCHOOL,
            box=BOX,
            key=KEY,
            software="0",
            pace=Pace(max_records=7, window=3, gather_ms=2_500),
            chance=self._rng.random,
        )
        self.hello_at_ms = now_ms
        self.dead_until_ms: float | None = None
        """When the box sees that its connection is dead; None while it is not."""
        self.pubacks: list[tuple[float, int]] = []
        """When the broker's word for which envelope comes."""

    def own_time_ms(self, now_ms: float) -> float:
        """The time by which the session waits."""
        return self.clock.monotonic_ms(now_ms)

    def reconnect(self, now_ms: float) -> None:
        """The connection is a new one: whatever was on the old one may be lost."""
        self.pubacks.clear()
        self.session.reconnected(self.own_time_ms(now_ms))
        self.hello_at_ms, self.dead_until_ms = now_ms, None

    def lose_the_line(self, until_ms: float) -> None:
        """Nothing goes out or comes in any more, and the box does not know it yet."""
        self.dead_until_ms = until_ms
        self.pubacks.clear()

    def acknowledged(self, now_ms: float) -> list[int]:
        """The tickets for which the broker's word has come by now."""
        due = [ticket for at_ms, ticket in self.pubacks if at_ms <= now_ms]
        self.pubacks = [puback for puback in self.pubacks if puback[0] > now_ms]
        return due

    def wake_at_ms(self, now_ms: float) -> float:
        """When the box has something to do unless it hears something."""
        wake_ms = self.session.wake_at_ms()
        due_ms = [] if wake_ms is None else [now_ms + wake_ms - self.own_time_ms(now_ms)]
        dead_ms = [] if self.dead_until_ms is None else [self.dead_until_ms]
        return min([self.hello_at_ms, *due_ms, *dead_ms, *(at_ms for at_ms, _ in self.pubacks)])

    def swap_card(self, card: Card, now_ms: float, *, told: bool) -> None:
        """Go on with a card that was put back; `told`: as `classbox restore` does, which says so in the outbox."""
        self.card = card
        if told:
            with self.card.transaction() as outbox:
                outbox.restored()
        self.start(now_ms, unset=True)
