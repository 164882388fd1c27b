"""When a record was made, told afterwards by somebody with a right clock. Pure.

A box may wake in 1970, at its image's time, at a restored time or in 2099, and learn the true time later or never. What
it says of its clock (`sync.clock.ClockReading`) holds three things that stay true all the same: within one boot the
monotonic clock counts; boots follow one another, as the numbers of records do; nothing is made after it was received.
From these follows for every record an interval in which it was made (`BoxTimes.place`): narrow where a time server set
the clock at any moment of that boot, else between its neighbours.

What is known of a boot (`Boot`) has a bounded size, and grows by one reading at a time (`with_readings`). Knowing more
never makes an interval wrong that was right: of several readings of one boot that contradict each other one may be
false, so all of them count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Annotated, NamedTuple

import msgspec

from sync.clock import BUILT_AT_MS, ClockQuality, ClockReading

ANCHOR_ERROR_MS = 16_000
"""How far a disciplined clock may be off: Linux calls itself unsynchronized when its own bound on the error is beyond
16 s (`NTP_PHASE_LIMIT`, kernel/time/ntp.c)."""
DRIFT_PPM = 500
"""By how much a monotonic clock may run fast or slow: the largest correction of its frequency that Linux takes
(`MAXFREQ`, include/linux/timex.h), and the rate at which it lets its own bound on the error grow: 43 s a day. A crystal
is ten times better."""
RECEIVER_ERROR_MS = 300_000
"""How far the clock of who receives may be off: the usual allowance between machines of one network (Kerberos, RFC
4120). So a reading that claims to be set, and lies more than this and `ANCHOR_ERROR_MS` after its reception, is not
believed."""
NEVER_MS = 4_102_444_800_000
"""2100: as late as anything is that nobody has received yet."""
_KEPT = 16
"""So many anchors, and receptions, are kept of a boot."""
_STRETCHES = 8

Millis = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Point = tuple[Millis, Millis]
"""A monotonic time, and the wall time that belongs to it."""


class Known(StrEnum):
    """How the time of a record is known."""

    SYNCED = "synced"
    """Its own clock was set by a time server."""
    FITTED = "fitted"
    """The clock was set at another moment of the same boot."""
    RESTORED = "restored"
    """A restored clock said so, which runs behind. Its `guess_ms` may be late by as long as the box was off."""
    BETWEEN = "between"
    """Only what came before and after is known."""


class Placed(NamedTuple):
    """When a record was made, in Unix milliseconds: surely within `earliest_ms` and `latest_ms`, likely `guess_ms`.

    `latest_ms` is `NEVER_MS` where nothing later is known.
    """

    earliest_ms: int
    latest_ms: int
    guess_ms: int
    known: Known


class Numbered(NamedTuple):
    """The number of a record that was put into its lane in the same boot in which its clock was read.

    A page that is graded again is not: it has the clock of its capture, and may have been numbered boots later.
    """

    epoch: bytes
    lane: int
    seq: int


class Seen(NamedTuple):
    """A reading that has come: when it was received (Unix ms, None: nobody knows), and the number it came under."""

    reading: ClockReading
    received_ms: int | None
    numbered: Numbered | None = None


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """The numbers that one boot gave in a lane of an epoch."""

    epoch: Annotated[bytes, msgspec.Meta(max_length=16)]
    lane: int
    first_seq: int
    last_seq: int


class Boot(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one boot of a box. `until_ms` is the greatest monotonic time that was seen of it.

    `anchors` are monotonic and wall time of readings that claim to be set; `received` monotonic time and the time of
    reception.
    """

    boot: bytes
    until_ms: int = 0
    anchors: tuple[Point, ...] = ()
    received: tuple[Point, ...] = ()
    stretches: tuple[Stretch, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Boot)


def encode_boot(boot: Boot) -> bytes:
    """What is known of a boot, to be kept."""
    return _encoder.encode(boot)


def decode_boot(body: bytes) -> Boot:
    """What `encode_boot` made."""
    return _decoder.decode(body)


def with_readings(boot: Boot, seen: Sequence[Seen]) -> Boot:
    """What is known of a boot after more of its readings were seen, in any order, also the same twice."""
    until_ms, stretches = boot.until_ms, {(s.epoch, s.lane): [s.first_seq, s.last_seq] for s in boot.stretches}
    anchors: list[Point] = []
    received: list[Point] = []
    for reading, received_ms, numbered in seen:
        if reading.boot != boot.boot:
            continue
        at_ms = reading.monotonic_ms
        until_ms = max(until_ms, at_ms)
        if reading.quality is ClockQuality.SYNCED:
            anchors.append((at_ms, reading.wall_ms))
        if received_ms is not None:
            received.append((at_ms, received_ms))
        if numbered is not None:
            epoch, lane, seq = numbered
            ends = stretches.setdefault((epoch, lane), [seq, seq])
            if seq < ends[0]:
                ends[0] = seq
            elif seq > ends[1]:
                ends[1] = seq
    return Boot(
        boot=boot.boot,
        until_ms=until_ms,
        anchors=_with_points(boot.anchors, anchors),
        received=_with_points(boot.received, received),
        stretches=tuple(Stretch(*lane, *ends) for lane, ends in list(stretches.items())[-_STRETCHES:]),
    )


def _with_points(kept: tuple[Point, ...], new: Sequence[Point]) -> tuple[Point, ...]:
    """At most `_KEPT`: always the first, the last, those with the least and the greatest offset; the rest far apart."""
    if not new:
        return kept
    points = sorted({*kept, *_telling(new)})
    while len(points) > _KEPT:
        needed = set(_telling(points))
        gaps = [
            (points[place + 1][0] - points[place - 1][0], place)
            for place in range(1, len(points) - 1)
            if points[place] not in needed
        ]
        del points[min(gaps)[1]]
    return tuple(points)


def _telling(points: Sequence[Point]) -> Iterable[Point]:
    return (
        min(points),
        max(points),
        min(points, key=_offset),
        max(points, key=_offset),
    )


def _offset(point: Point) -> int:
    return point[1] - point[0]


class _Window(NamedTuple):
    """What the anchors of a boot say of a moment of it."""

    earliest_ms: int
    latest_ms: int
    guess_ms: int


class _Facts:
    """What one boot's own readings say of it, without its neighbours."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot
        self.received = tuple(p for p in boot.received if p[1] >= BUILT_AT_MS)  # else the receiver's clock is unset
        self.received_offset_ms = min(map(_offset, self.received), default=NEVER_MS)
        self.anchors = tuple(p for p in boot.anchors if self.believes(p))

    @cached_property
    def first_window(self) -> _Window | None:
        """When the boot began."""
        return self.window(0)

    @cached_property
    def last_window(self) -> _Window | None:
        """When it was seen last."""
        return self.window(self.boot.until_ms)

    @cached_property
    def begun_before_ms(self) -> int:
        """By when it had begun, as what was received of it says."""
        return self.received_by_ms(0)

    def believes(self, point: Point) -> bool:
        """Whether a reading that claims to be set may be right. It is for its neighbours to show that it is not."""
        monotonic_ms, wall_ms = point
        if wall_ms < BUILT_AT_MS:
            return False
        margin_ms = ANCHOR_ERROR_MS + RECEIVER_ERROR_MS  # the quick answer: a drift only adds to it
        return (
            wall_ms - monotonic_ms <= self.received_offset_ms + margin_ms
            or wall_ms - ANCHOR_ERROR_MS <= self.received_by_ms(monotonic_ms)
        )

    def received_by_ms(self, at_ms: int) -> int:
        """The latest at which that monotonic time can have been: what was received of the boot says it."""
        return min(
            (received + RECEIVER_ERROR_MS + at_ms - then + _drift_ms(at_ms - then) for then, received in self.received),
            default=NEVER_MS,
        )

    def window(self, at_ms: int, also: Point | None = None) -> _Window | None:
        """What the anchors say, and `also` one more; None without any that is believed."""
        anchors = self.anchors if also is None or also in self.anchors else (*self.anchors, also)
        if not anchors:
            return None
        nearest = min(anchors, key=lambda point: abs(point[0] - at_ms))
        offsets = [wall_ms - then for then, wall_ms in anchors]
        guess_ms = at_ms + _offset(nearest)
        if _agree(anchors, max(offsets) - min(offsets)):
            slack_ms = ANCHOR_ERROR_MS + _drift_ms(at_ms - nearest[0])
            return _Window(guess_ms - slack_ms, guess_ms + slack_ms, guess_ms)
        # One of them is false, and nobody knows which; likely not the one that the clock was set to last.
        guess_ms = at_ms + _offset(max(anchors))
        slack_ms = ANCHOR_ERROR_MS + max(_drift_ms(at_ms - then) for then, _ in anchors)
        return _Window(at_ms + min(offsets) - slack_ms, at_ms + max(offsets) + slack_ms, guess_ms)


@lru_cache(maxsize=4096)
def _facts(boot: Boot) -> _Facts:
    """Boots that are over do not change, and reports ask for the same ones again and again."""
    return _Facts(boot)


class _Known:
    """A boot with what follows for it from its neighbours."""

    def __init__(self, boot: Boot) -> None:
        self.boot, self.until_ms = boot, boot.until_ms
        self.doubted = False
        self.begun_after_ms = BUILT_AT_MS
        self.ended_before_ms = NEVER_MS

    @cached_property
    def facts(self) -> _Facts:
        """What its own readings say. Of most boots nobody asks."""
        return _facts(self.boot)

    def window(self, at_ms: int, also: Point | None = None) -> _Window | None:
        """What the boot's own readings say of that moment; None where none is believed."""
        return None if self.doubted else self.facts.window(at_ms, also)

    def ended_after_ms(self) -> int:
        """A time at which the boot still ran."""
        if self.facts.last_window is not None and not self.doubted:
            return self.facts.last_window.earliest_ms
        return self.begun_after_ms + _least_ms(self.until_ms)

    def begun_before_ms(self) -> int:
        """A time at which the boot ran already."""
        return min(
            self.facts.first_window.latest_ms if self.facts.first_window is not None and not self.doubted else NEVER_MS,
            self.facts.begun_before_ms,
            _before(self.ended_before_ms, self.until_ms),
        )


class BoxTimes:
    """All that is known of the boots of one box, ready to place its records.

    A box has two boots a day, and a report asks for two or three of them. So what only few answers need is worked out
    when it is needed: what the others say of a boot whose own clock says nothing.
    """

    def __init__(self, boots: Iterable[Boot]) -> None:
        self._boots = {boot.boot: _Known(boot) for boot in boots}
        self._chains = self._in_order()
        self._bounded = False
        for chain in self._chains:
            if not _surely_in_order(chain):
                _doubt(chain)

    def place(self, reading: ClockReading, received_ms: int | None = None) -> Placed:
        """When the record with this reading was made. `received_ms` is when it came, None where that says nothing."""
        boot = self._boots.get(reading.boot) or _Known(Boot(reading.boot))
        at_ms = reading.monotonic_ms
        by_ms = boot.facts.received_by_ms(at_ms)
        if received_ms is not None and received_ms >= BUILT_AT_MS:
            by_ms = min(by_ms, received_ms + RECEIVER_ERROR_MS)
        own: Point | None = (at_ms, reading.wall_ms) if reading.quality is ClockQuality.SYNCED else None
        if own is not None and not (boot.facts.believes(own) and reading.wall_ms - ANCHOR_ERROR_MS <= by_ms):
            own = None
        window = boot.window(at_ms, own)
        if window is None or by_ms < window.earliest_ms:
            self._bound()
            return _between(boot, reading, by_ms)
        latest_ms = min(window.latest_ms, by_ms)
        guess_ms = min(max(window.guess_ms, window.earliest_ms), latest_ms)
        return Placed(window.earliest_ms, latest_ms, guess_ms, Known.SYNCED if own is not None else Known.FITTED)

    def _bound(self) -> None:
        if not self._bounded:
            # Twice, because what one lane says of a boot may help its neighbours in another.
            for chain in (*self._chains, *self._chains):
                _bound(chain)
            self._bounded = True

    def _in_order(self) -> list[list[_Known]]:
        """Boots in their order, for each lane of each epoch. Two whose numbers mix have none: clones of one card."""
        lanes: dict[tuple[bytes, int], list[tuple[int, int, bytes]]] = defaultdict(list)
        for name, known in self._boots.items():
            for s in known.boot.stretches:
                lanes[s.epoch, s.lane].append((s.first_seq, s.last_seq, name))
        chains = []
        for found in lanes.values():
            mixed = set()
            furthest: tuple[int, int, bytes] | None = None
            for one in sorted(found):
                if furthest is not None and one[0] <= furthest[1]:
                    mixed |= {one[2], furthest[2]}
                if furthest is None or one[1] > furthest[1]:
                    furthest = one
            chains.append([self._boots[name] for _first, _last, name in sorted(found) if name not in mixed])
        return chains


def _surely_in_order(chain: Sequence[_Known]) -> bool:
    """Whether each boot began, by its first anchor, after all before it were seen last by theirs: nothing to doubt.

    The windows are wider than that on both sides, so that they contradict each other even less. False where it cannot
    be told so quickly.
    """
    furthest_ms = 0
    for known in chain:
        boot = known.boot
        if not boot.anchors:
            continue
        most_ms = min((at - then for then, at in boot.received if at >= BUILT_AT_MS), default=NEVER_MS)
        most_ms += ANCHOR_ERROR_MS + RECEIVER_ERROR_MS
        if any(wall < BUILT_AT_MS or wall - then > most_ms for then, wall in boot.anchors):
            return False  # one that is perhaps not believed
        if _offset(min(boot.anchors)) < furthest_ms:
            return False
        furthest_ms = max(furthest_ms, boot.until_ms + _offset(max(boot.anchors)))
    return True


def _doubt(chain: Sequence[_Known]) -> None:
    """Two boots whose clocks contradict their order: one was set wrongly, and nobody knows which; so neither counts."""
    standing: list[_Known] = []
    for known in chain:
        window = known.facts.first_window
        if window is None or known.doubted:
            continue
        if standing and standing[-1].ended_after_ms() > window.latest_ms:
            standing.pop().doubted = known.doubted = True
        else:
            standing.append(known)


def _bound(chain: Sequence[_Known]) -> None:
    """A boot began after the one before it ended, and ended before the one after it began."""
    least_ms = BUILT_AT_MS
    for known in chain:
        known.begun_after_ms = max(known.begun_after_ms, least_ms)
        least_ms = max(least_ms, known.ended_after_ms())
    most_ms = NEVER_MS
    for known in reversed(chain):
        known.ended_before_ms = min(known.ended_before_ms, most_ms)
        most_ms = min(most_ms, known.begun_before_ms())


def _between(boot: _Known, reading: ClockReading, by_ms: int) -> Placed:
    """Where no reading of the boot is believed: after the boot before, before the one after, and before it came."""
    at_ms = reading.monotonic_ms
    latest_ms = min(by_ms, _before(boot.ended_before_ms, boot.until_ms - at_ms))
    earliest_ms = boot.begun_after_ms + _least_ms(at_ms)
    if earliest_ms > latest_ms:  # what its neighbours say contradicts itself
        earliest_ms, latest_ms = BUILT_AT_MS, max(BUILT_AT_MS, by_ms)
    if reading.quality is ClockQuality.RESTORED and not boot.facts.boot.anchors:
        behind_ms = reading.wall_ms - ANCHOR_ERROR_MS - _drift_ms(at_ms)
        if behind_ms <= latest_ms:
            earliest_ms = max(earliest_ms, behind_ms)
            return Placed(earliest_ms, latest_ms, min(max(reading.wall_ms, earliest_ms), latest_ms), Known.RESTORED)
    # The message that was on the way for the shortest time is the best clock that there is.
    guess_ms = at_ms + boot.facts.received_offset_ms if boot.facts.received else earliest_ms
    return Placed(earliest_ms, latest_ms, min(max(guess_ms, earliest_ms), latest_ms), Known.BETWEEN)


def _agree(anchors: Sequence[Point], spread_ms: int) -> bool:
    """Whether all anchors of a boot can be right; `spread_ms` is between the least and the greatest offset."""
    if spread_ms <= 2 * ANCHOR_ERROR_MS:
        return True
    return all(
        abs((wall - then) - (other_wall - other)) <= 2 * ANCHOR_ERROR_MS + _drift_ms(other - then)
        for place, (then, wall) in enumerate(anchors)
        for other, other_wall in anchors[:place]
    )


def _drift_ms(span_ms: int) -> int:
    """By how much more or less than a monotonic clock counted may have passed, rounded up."""
    return -(-abs(span_ms) * DRIFT_PPM // (1_000_000 - DRIFT_PPM))


def _before(end_ms: int, span_ms: int) -> int:
    """What lies at least as long before an end as a monotonic clock counted; an end that nobody knows stays so."""
    return end_ms if end_ms >= NEVER_MS else end_ms - _least_ms(span_ms)


def _least_ms(span_ms: int) -> int:
    """The least time that has passed while a monotonic clock counted `span_ms`; never negative."""
    return max(0, span_ms - _drift_ms(span_ms))
