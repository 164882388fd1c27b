"""The box's half of the way down without any transport: which part to want next, what came, what goes in its place.

What must survive a restart is in the inbox; what is on the way is only in memory, and is wanted again after one.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from homework.errors import ClassboxError
from sync.down_bodies import EACH_COUNTS, digest_of_packed, unpacked
from sync.down_messages import Downward, Entry, News, Offer, Part, Want
from sync.errors import MalformedRecord
from sync.inbox import MAX_WAITING, Heard, Inbox, Waiting

_log = logging.getLogger(__name__)
_IN_FLIGHT = 4
"""Parts on the way at once: 32 KiB, 4 s of a line of 64 kbit/s."""
_MAX_STORED_BYTES = 16 << 20
"""Parts on the disk, beside those of the one body that is first: what cannot be taken in must not fill it."""
_PATIENCE_MS = 15_000.0
_PATIENCE_AT_MOST_MS = 300_000.0
_NOT_NOW_MS = 60_000.0
"""How long after the disk took no document it is tried again."""

Transaction = Callable[[], AbstractContextManager[Inbox]]


class UnusableError(ClassboxError):
    """What came from the school is nothing that this box can use, now or later."""


class Shelf(Protocol):
    """Where documents have their places on the box. Called outside of transactions, from one thread.

    Both raise `UnusableError` for what this version cannot use. Whatever else they raise of `ClassboxError` or
    `OSError` passes: it is tried again later.
    """

    def content(self, kind: str, key: str) -> bytes | None:
        """The content digest of what the box has under that name; None for nothing."""

    def take(self, kind: str, key: str, body: bytes) -> None:
        """Put a body in its place. Doing so twice comes to the same."""


class Settled(NamedTuple):
    """What `DownwardSession.settle` did."""

    done: int
    say_hello: bool
    trouble: ClassboxError | None


class _Step(NamedTuple):
    entry: Entry
    packed: bytes | None
    """None while it has to be compared first."""


class DownwardSession:
    """One box's side. `heard`, `having` and `next_want` are called inside the inbox's transactions."""

    def __init__(self, *, reader: bytes) -> None:
        """`reader` names who reads (`Inbox.opened`)."""
        self._reader: bytes | None = reader
        self._on_the_way: dict[tuple[int, int], float | None] = {}
        """By place and offset, when it is given up; None: as long from now on as there is patience."""
        self._stalls = 0
        self._not_before_ms: dict[int, float] = {}
        self._trouble: dict[int, ClassboxError] = {}
        self.largest_bytes: int | None = None
        """Packed, of what is asked for while the line may carry little; None for no limit."""
        self._more = False
        """The log reaches further than this box was told."""

    def opened(self, inbox: Inbox) -> Inbox:
        """The inbox, which hears at the first time who reads now."""
        if self._reader is not None:
            inbox.opened(self._reader)
            self._reader = None
        return inbox

    def reconnected(self) -> None:
        """What was on the way is lost."""
        self._on_the_way.clear()
        self._stalls = 0

    def heard(self, inbox: Inbox, message: Downward) -> bool:
        """Take in what came on `down`. Says whether the box should say hello."""
        match message:
            case News(incarnation, last):
                told = self.opened(inbox).told()
                return told[0] != incarnation or told[1] < last
            case Offer():
                return self._offered(inbox, message)
            case Part():
                if self.opened(inbox).keep(message):
                    self._stalls = 0
                    self._on_the_way.pop((message.place, message.offset), None)
                    self._on_the_way = dict.fromkeys(self._on_the_way)
        return False

    def next_want(self, inbox: Inbox, now_ms: float) -> Want | None:
        """The next part to ask for, or None when enough is on the way. It counts as on the way from now on."""
        there = {one.entry.place for one in self.opened(inbox).waiting()}
        self._on_the_way = {where: due for where, due in self._on_the_way.items() if where[0] in there}
        self._look_at_the_clock(now_ms)
        if len(self._on_the_way) >= (1 if self._stalls else _IN_FLIGHT):
            return None
        stored = inbox.stored_bytes()
        for at, one in enumerate(self._to_fetch(inbox, now_ms)):
            if at > 0 and stored + one.entry.size - one.got > _MAX_STORED_BYTES:
                break
            for offset in inbox.lacking(one.entry):
                where = (one.entry.place, offset)
                if where not in self._on_the_way:
                    self._on_the_way[where] = now_ms + self._patience_ms()
                    return Want(one.entry.place, one.entry.digest, offset)
        return None

    def wake_at_ms(self) -> float | None:
        """When to call `next_want` and `settle` again unless something comes; None: not before."""
        due_ms = [*(due for due in self._on_the_way.values() if due is not None), *self._not_before_ms.values()]
        return min(due_ms, default=None)

    def settle(self, transaction: Transaction, shelf: Shelf, now_ms: float) -> Settled:
        """Compare what waits with what the box has, and put in its place what is whole. May take long."""
        done = 0
        while True:
            with transaction() as inbox:
                step = self._next_step(self.opened(inbox), now_ms)
                if step is None:
                    waiting, refused = inbox.waiting(), inbox.refused()
                    break
            done += self._take(transaction, shelf, step, now_ms)
        there = {one.entry.place for one in waiting}
        self._trouble = {place: error for place, error in self._trouble.items() if place in there}
        self._not_before_ms = {place: due for place, due in self._not_before_ms.items() if place in there}
        # With the last one in its place the gateway is told, so that who looks there sees it.
        say_hello = done > 0 and (not waiting or (self._more and len(waiting) <= MAX_WAITING))
        trouble = next(iter(self._trouble.values()), _cannot_use(refused) if refused else None)
        return Settled(done, say_hello, trouble)

    def _offered(self, inbox: Inbox, offer: Offer) -> bool:
        heard = self.opened(inbox).offered(offer)
        if heard is Heard.IGNORED:
            self._more = self._more or offer.last > inbox.told()[1]
            return False
        if heard is Heard.BEGUN_AGAIN:
            self.reconnected()
        self._more = offer.last > offer.through
        return heard is not Heard.TAKEN or (self._more and len(inbox.waiting()) <= MAX_WAITING)

    def _to_fetch(self, inbox: Inbox, now_ms: float) -> list[Waiting]:
        return [
            one
            for one in inbox.waiting()
            if one.wanted
            and not one.whole
            and self._not_before_ms.get(one.entry.place, 0.0) <= now_ms
            and (self.largest_bytes is None or one.entry.size <= self.largest_bytes)
        ]

    def _look_at_the_clock(self, now_ms: float) -> None:
        """Whatever is overdue, all of it is given up, and one part is asked for until something comes."""
        if any(due is not None and due <= now_ms for due in self._on_the_way.values()):
            self._on_the_way.clear()
            self._stalls += 1
        for where, due in self._on_the_way.items():
            if due is None:
                self._on_the_way[where] = now_ms + self._patience_ms()

    def _patience_ms(self) -> float:
        return min(_PATIENCE_MS * 2.0**self._stalls, _PATIENCE_AT_MOST_MS)

    def _next_step(self, inbox: Inbox, now_ms: float) -> _Step | None:
        held_up = set[tuple[str, str]]()
        for one in inbox.waiting():
            entry = one.entry
            name = (entry.kind, entry.key)
            if name in held_up or self._not_before_ms.get(entry.place, -math.inf) > now_ms:
                held_up.add(name)
                continue
            if not one.wanted:
                return _Step(entry, None)
            if one.whole:
                return _Step(entry, inbox.body(entry))
            if entry.kind in EACH_COUNTS:
                held_up.add(name)
        return None

    def _take(self, transaction: Transaction, shelf: Shelf, step: _Step, now_ms: float) -> bool:
        entry = step.entry
        try:
            own = self._in_place(shelf, step)
        except (UnusableError, MalformedRecord) as error:
            _log.warning("%s %s from the school cannot be used: %s", entry.kind, entry.key, error)
            with transaction() as inbox:
                inbox.refuse(entry)
            return True
        except (ClassboxError, OSError, sqlite3.Error) as error:
            _log.warning("%s %s from the school cannot be kept now: %s", entry.kind, entry.key, error)
            self._not_before_ms[entry.place] = now_ms + _NOT_NOW_MS
            self._trouble[entry.place] = error if isinstance(error, ClassboxError) else _disk(error)
            return False
        except Exception:  # noqa: BLE001 - whatever is wrong with one, the others go on
            _log.exception("%s %s from the school cannot be used", entry.kind, entry.key)
            with transaction() as inbox:
                inbox.refuse(entry)
            return True
        with transaction() as inbox:
            if own is None:
                inbox.want(entry.place)
            else:
                inbox.done(entry, own)
        return own is not None

    def _in_place(self, shelf: Shelf, step: _Step) -> bytes | None:
        """The content digest of what stands in its place now; None when its body is wanted."""
        entry = step.entry
        if step.packed is None:
            return entry.content if shelf.content(entry.kind, entry.key) == entry.content else None
        if digest_of_packed(step.packed) != entry.digest:
            raise MalformedRecord("its bytes are not those that were offered")
        shelf.take(entry.kind, entry.key, unpacked(step.packed))
        return shelf.content(entry.kind, entry.key) or entry.content


def _cannot_use(count: int) -> ClassboxError:
    return ClassboxError(
        "{count} documents from the school cannot be used by this box.",
        remedy="Update Classbox. If this stays, tell the person who looks after the school's computer.",
        count=count,
    )


def _disk(error: Exception) -> ClassboxError:
    return ClassboxError(
        "What came from the school cannot be kept: {reason}.",
        remedy="Make room on the disk, or check who may write there.",
        reason=error,
    )
