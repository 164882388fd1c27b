"""The box and a memory stick that goes to the school: what the school has not goes out, what it answered comes in.

A conversation of its own beside the line's: nothing counts as on the way because it lies on a stick, and nothing as
delivered before a receipt has come back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from edge.ledger import Ledger
from homework.errors import ClassboxError
from provisioning.identity import Identity
from sync.box_session import BoxSession, Pace
from sync.clock import SystemClock
from sync.downward import Shelf
from sync.inbox import Inbox
from sync.receipts import Accept
from sync.stick import StickError, answers_file, is_registered, read_messages, write_messages

log = logging.getLogger(__name__)
_EVERYTHING: Final = Pace(window=1 << 30)
_QUIET_S: Final = 30.0
_AGAIN_S: Final = 60.0
"""A stick that could not be written is tried again after so long: packing a term takes seconds."""


@dataclass(frozen=True)
class Exchanged:
    """What went out and what came in."""

    records: int
    envelopes: int
    receipts: int
    refused: int
    """Answers that were not meant for this box, or were changed."""
    torn: bool
    """The file with the answers ended before its time."""
    size_bytes: int


def take_answers(ledger: Ledger, identity: Identity, stick: Path, shelf: Shelf | None = None) -> tuple[int, int, bool]:
    """Read what the gateway answered, and put what it gives its boxes in its place. Raises `StickError`.

    Returns how many receipts proved something, how many messages were refused, and whether the file was torn.
    """
    kept = read_messages(stick, "down", school=identity.school, box=identity.box, key=identity.box_key)
    session = _session(identity, takes_documents=shelf is not None)
    proved = refused = 0
    for _channel, payload in kept.messages:
        with ledger.outbox() as outbox:
            received = session.receive(outbox, payload)
        if received.downward and shelf is not None:
            session.downward.settle(partial(_inbox, ledger), shelf, time.monotonic() * 1000)
        refused += received.refused is not None
        proved += sum(isinstance(judgement, Accept) for judgement in received.judgements)
    with ledger.outbox() as outbox:
        session.heard_out(outbox)
    return proved, refused, kept.torn


def put_out(ledger: Ledger, identity: Identity, stick: Path, *, takes_documents: bool = False) -> tuple[int, int, int]:
    """Write what the school is not known to have, and which of its documents the box was told of.

    Returns records, envelopes and bytes. Raises `StickError`.
    """
    session = _session(identity, takes_documents=takes_documents)
    with ledger.outbox() as outbox:
        messages = [("state", hello) for hello in session.hellos(outbox)]
    records = envelopes = 0
    while True:
        with ledger.outbox() as outbox:
            outgoing = session.next_envelope(outbox, 0.0)
        if outgoing is None:
            break
        envelopes += 1
        records += len(outgoing.envelope.entries)
        messages.append(("up", session.encoded(outgoing)))
    size = write_messages(stick, "up", messages, school=identity.school, box=identity.box, key=identity.box_key)
    return records, envelopes, size


def exchange(ledger: Ledger, identity: Identity, stick: Path, shelf: Shelf | None = None) -> Exchanged:
    """First what came, then what is still to go. Raises `StickError` when that cannot be written.

    Answers that cannot be read keep nothing from going out: the gateway writes them anew.
    """
    try:
        receipts, refused, torn = take_answers(ledger, identity, stick, shelf)
    except StickError as error:
        log.warning("stick: %s", error)
        receipts, refused, torn = 0, 0, True
    records, envelopes, size = put_out(ledger, identity, stick, takes_documents=shelf is not None)
    return Exchanged(records, envelopes, receipts, refused, torn, size)


class StickWatch:
    """Serves the school's registered sticks: once when one is put in, and again when there is more to take along."""

    def __init__(
        self,
        ledger: Ledger,
        identity: Identity,
        sticks: Callable[[], Sequence[Path]],
        *,
        shelf: Shelf | None = None,
        on_done: Callable[[Exchanged], None] = lambda _: None,
        on_change: Callable[[], None] = lambda: None,
        quiet_s: float = _QUIET_S,
    ) -> None:
        """`on_done` hears of each exchange: the time for a tone; `on_change` when `may_be_pulled` has changed."""
        self._ledger, self._identity, self._sticks, self._shelf = ledger, identity, sticks, shelf
        self._on_done, self._on_change, self._quiet_s = on_done, on_change, quiet_s
        self._may_be_pulled = False
        self._failed: dict[Path, tuple[float, ClassboxError]] = {}
        self._served: dict[Path, tuple[object, int]] = {}
        self._grown: tuple[int, float] = (-1, 0.0)

    @property
    def may_be_pulled(self) -> bool:
        """Whether a stick of the school is in, and holds everything that it is to carry."""
        return self._may_be_pulled

    def look(self, _ending: Callable[[], bool]) -> ClassboxError | None:
        """Serve every registered stick that is new, or that lacks something. Returns what went wrong."""
        there = {stick: self._which(stick) for stick in self._sticks() if self._is_ours(stick)}
        self._served = {stick: served for stick, served in self._served.items() if stick in there}
        self._failed = {stick: failed for stick, failed in self._failed.items() if stick in there}
        records = sum(lane.captured for lane in self._ledger.outbox_counts().values())
        if records != self._grown[0]:
            self._grown = (records, time.monotonic())
        rests = time.monotonic() - self._grown[1] >= self._quiet_s
        for stick, which in there.items():
            served = self._served.get(stick)
            if served is not None and served[0] == which and (served[1] == records or not rests):
                continue
            if stick in self._failed and time.monotonic() - self._failed[stick][0] < _AGAIN_S:
                continue
            try:
                done = exchange(self._ledger, self._identity, stick, self._shelf)
            except ClassboxError as error:
                log.warning("stick: %s", error)
                self._failed[stick] = time.monotonic(), error
                continue
            self._failed.pop(stick, None)
            self._served[stick] = (which, records)
            log.info("stick: %d records out, %d receipts in, %d bytes", done.records, done.receipts, done.size_bytes)
            self._on_done(done)
        full = any(served == (self._which(stick), records) for stick, served in self._served.items())
        if full != self._may_be_pulled:
            self._may_be_pulled = full
            self._on_change()
        return next((error for _, error in self._failed.values()), None)

    def _is_ours(self, stick: Path) -> bool:
        return is_registered(stick, school=self._identity.school, school_key=self._identity.school_key)

    def _which(self, stick: Path) -> object:
        """Another one, or the same put in again after the gateway wrote to it."""
        try:
            return answers_file(stick, self._identity.school, self._identity.box).stat().st_mtime_ns
        except OSError:
            return None


@contextmanager
def _inbox(ledger: Ledger) -> Iterator[Inbox]:
    with ledger.outbox() as outbox:
        yield outbox.inbox


def _session(identity: Identity, *, takes_documents: bool) -> BoxSession:
    return BoxSession(
        school=identity.school,
        box=identity.box,
        key=identity.box_key,
        software=version("classbox"),
        takes_documents=takes_documents,
        pace=_EVERYTHING,
        clock=SystemClock(),
    )
