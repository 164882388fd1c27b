"""The box's connection: carries a `BoxSession` over MQTT for as long as it runs, whatever the network does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeGuard, TypeVar

from homework.errors import ClassboxError
from sync.allowance import Allowance, Restraint
from sync.box_session import BoxSession, Pace, Received
from sync.broker_address import BrokerAddress
from sync.clock import Clock
from sync.connection import (
    LINE_ERRORS,
    Arrived,
    Connection,
    Meaning,
    Overloaded,
    Pauses,
    Refused,
    connected,
    for_ever,
    trouble_of,
)
from sync.downward import Shelf
from sync.errors import FutureVersion
from sync.greeting import misfit, too_new
from sync.inbox import Inbox
from sync.outbox import Outbox
from sync.signed import MAX_MESSAGE_BYTES
from sync.topics import client_id, topic

_log = logging.getLogger(__name__)
_FAREWELL_S = 2.0
_KEEPALIVE_S = 90
"""A message may take 90 to 180 s: the largest document, 1 MiB, needs 131 s of a line of 64 kbit/s."""
_THRIFTY_KEEPALIVE_S, _THRIFTY_HELLO_S = 600, 3600.0
"""Where a month's bytes are limited: else PINGs and hellos of a box that has nothing to say would be most of them."""
_METER_S = 5.0
_WRITE_DOWN_S, _WRITE_DOWN_BYTES = 300.0, 64 << 10
"""A kill forgets what was carried since; a card is not worn out for the sake of some PINGs."""
_ON_THE_LINE_BYTES = 128 << 10
"""Beyond so many bytes without a PUBACK the next envelope waits: what is new and urgent must not queue for minutes
behind them. 16 s of a line of 64 kbit/s; a line of 2 Mbit/s is kept full up to half a second of round trip."""
PACE = Pace(gather_ms=2_500)
"""A class report is there when the last sheet has left the camera, or 2.5 s later."""
_TAKEN_AT_ONCE = 32
"""Messages from the school in a transaction; a sheet that is booked meanwhile waits for no more than these."""
_AROUND_MESSAGE_BYTES = 128
"""What MQTT puts round a message: topic, lengths."""
_HELLO_NOT_BEFORE_S = 0.5
"""After one hello, so that somebody who repeats old messages of the gateway does not make the box talk."""
T = TypeVar("T")

OutboxAccess = Callable[[], AbstractContextManager[Outbox]]
"""Opens the outbox in a transaction that commits when the block ends well. May block: it is called in a thread."""


class BoxLink:
    """Sends what waits, hears receipts, comes back after every failure; ends only when `run` is cancelled."""

    def __init__(
        self,
        *,
        outbox: OutboxAccess,
        broker: BrokerAddress,
        school: str,
        box: str,
        key: bytes,
        software: str,
        shelf: Shelf | None = None,
        pace: Pace = PACE,
        clock: Clock | None = None,
        allowance: Allowance | None = None,
        linger_s: float = 0.5,
        poll_s: float = 2.0,
        hello_every_s: float = 300.0,
        longest_pause_s: float = 60.0,
        spread_s: float = 5.0,
        on_progress: Callable[[], None] = lambda: None,
        on_trouble: Callable[[ClassboxError | None], None] = lambda _trouble: None,
        on_misfit: Callable[[ClassboxError | None], None] = lambda _misfit: None,
        on_documents: Callable[[ClassboxError | None], None] = lambda _trouble: None,
        on_allowance: Callable[[ClassboxError | None], None] = lambda _trouble: None,
    ) -> None:
        """Set up a link; nothing happens before `run`.

        After `wake` it waits `linger_s` for more records to share a frame, and while sheets keep coming as long as
        `pace` says; without it, it looks every `poll_s`.
        `clock` is told with each hello. With an `allowance` its bytes are counted and kept to; `on_allowance` hears
        what a person should know of it. `hello_every_s` bounds how long a restored gateway goes unnoticed. `spread_s`
        is the time over which boxes that all lost the same broker come back to it. `on_progress` is called in the loop
        when the connection or a count may have changed, `on_trouble` when something keeps the link down that a person
        has to put right, and with None once it is right again; `on_misfit` whenever it is known whether both programs
        are new enough for each other. `shelf` takes what comes down from the school, without one nothing is taken;
        `on_documents` hears in the loop whenever something was looked at, and what is wrong. Raises `UsageError` for an
        address that is none.
        """
        broker.check()
        self._outbox = outbox
        self._broker = broker
        self._up, self._down, self._state = (topic(school, box, c) for c in ("up", "down", "state"))
        self._client_id = client_id(school, box)
        self._session = BoxSession(
            school=school,
            box=box,
            key=key,
            software=software,
            takes_documents=shelf is not None,
            pace=pace,
            clock=clock,
        )
        self._allowance, self._on_allowance = allowance, on_allowance
        self._keepalive_s = _KEEPALIVE_S if allowance is None else _THRIFTY_KEEPALIVE_S
        hello_every_s = hello_every_s if allowance is None else max(hello_every_s, _THRIFTY_HELLO_S)
        self._linger_s, self._poll_s, self._hello_every_s = linger_s, poll_s, hello_every_s
        self._pauses = Pauses(
            shortest_s=min(0.5, longest_pause_s / 2),
            longest_s=longest_pause_s,
            spread_s=min(spread_s, longest_pause_s),
            chance=random.random,
        )
        self._on_progress, self._on_trouble, self._on_misfit = on_progress, on_trouble, on_misfit
        self._on_documents, self._shelf = on_documents, shelf
        self._seen_bytes = 0
        self._attempt = random.randrange(1 << 16)  # noqa: S311 - spreads boxes over a cluster's nodes
        self._connected = False
        self._heard: bool | None = None
        self._standing_trouble: ClassboxError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work = asyncio.Event()
        self._grew = asyncio.Event()
        self._ask = asyncio.Event()
        self._came = asyncio.Event()
        # One thread, because SQLite may block and the session is not made for two.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")

    @property
    def connected(self) -> bool:
        """Whether the broker is there now. That says nothing of the gateway: receipts do."""
        return self._connected

    @property
    def heard(self) -> bool | None:
        """Whether somebody at the school listens, as far as the broker says; None where it says nothing."""
        return self._heard

    def wake(self) -> None:
        """Say that the outbox grew. May be called from any thread, also before and after `run`."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._grew.set)

    async def run(self) -> None:
        """Keep the conversation up until cancelled; then say that the box is offline."""
        self._loop = asyncio.get_running_loop()
        expected = (*LINE_ERRORS, sqlite3.Error, ClassboxError)
        try:
            await for_ever(self._converse, pauses=self._pauses, expected=expected, log=_log, on_end=self._ended)
        finally:
            self._thread.shutdown(wait=False)
            if self._allowance is not None:
                with contextlib.suppress(sqlite3.Error, ClassboxError), self._outbox() as outbox:
                    self._allowance.save(outbox)

    @property
    def restraint(self) -> Restraint:
        """What the line may still carry this month."""
        return self._session.restraint

    async def _converse(self) -> None:
        await self._look_at_allowance()
        self._attempt += 1  # of a cluster the next node
        arguments = await asyncio.to_thread(self._broker.connect_arguments, self._attempt)
        will = (self._state, self._session.farewell())
        async with connected(
            arguments, identifier=self._client_id, keepalive_s=self._keepalive_s, will=will
        ) as connection:
            largest = min(MAX_MESSAGE_BYTES, connection.largest_bytes - _AROUND_MESSAGE_BYTES)
            await self._on_thread(lambda: self._session.reconnected(_now_ms(), largest_bytes=largest))
            self._set_connected(on=True)
            self._seen_bytes = 0
            try:
                async with asyncio.TaskGroup() as tasks:
                    # The first in the line, so that no answer comes before it. On a line of long round trips it counts
                    # that hello and envelopes follow at once, without waiting for the broker's word.
                    tasks.create_task(connection.subscribe(self._down), name="subscribe")
                    tasks.create_task(self._listen(connection), name="receipts")
                    tasks.create_task(self._say_hello(connection), name="hello")
                    tasks.create_task(self._send(connection, tasks), name="envelopes")
                    tasks.create_task(self._gather(), name="linger")
                    if self._shelf is not None:
                        tasks.create_task(self._fetch(connection, self._shelf, tasks), name="documents")
                    if self._allowance is not None:
                        tasks.create_task(self._meter(connection, self._allowance), name="meter")
            except asyncio.CancelledError:
                with contextlib.suppress(*LINE_ERRORS):
                    async with asyncio.timeout(_FAREWELL_S):
                        await connection.publish(self._state, self._session.farewell(), retain=True)
                raise
            finally:
                self._count(connection)

    async def _look_at_allowance(self) -> None:
        """Before anything is carried. Raises `ClassboxError` when nothing may be any more."""
        if self._allowance is None:
            return
        if not self._allowance.unwritten:
            await self._in_outbox(self._allowance.load)
        self._restrain(self._allowance)

    async def _meter(self, connection: Connection, allowance: Allowance) -> None:
        """Count what the line carries. Raises `ClassboxError` when that is all that it may."""
        written_s = time.monotonic()
        while True:
            await asyncio.sleep(_METER_S)
            self._count(connection)
            late = time.monotonic() - written_s >= _WRITE_DOWN_S
            if allowance.unwritten >= _WRITE_DOWN_BYTES or (late and allowance.unwritten):
                await self._in_outbox(allowance.save)
                written_s = time.monotonic()
            self._restrain(allowance)

    def _count(self, connection: Connection) -> None:
        """Count what this connection has carried since it was looked at last."""
        if self._allowance is not None:
            carried = max(self._seen_bytes, connection.carried_bytes())
            self._allowance.count(carried - self._seen_bytes)
            self._seen_bytes = carried

    def _restrain(self, allowance: Allowance) -> None:
        restraint = allowance.restraint
        if restraint is not self._session.restraint:
            _log.info("this month's data: %s", restraint.name)
            self._session.restraint = restraint
            self._work.set()
            self._came.set()
        trouble = allowance.trouble()
        silent = restraint is Restraint.SILENT
        self._on_allowance(None if silent else trouble)
        if silent and trouble is not None:
            raise trouble

    def _ended(self, error: Exception | None) -> None:
        self._set_connected(on=False)
        self._set_heard(None)
        if error is not None:
            # Two that take the line from one another come in again and again: that is no sign of being right.
            self._standing_trouble = error if _is_double(error) else None
            self._on_trouble(trouble_of(error))

    async def _listen(self, connection: Connection) -> None:
        while True:
            # What has come meanwhile shares a transaction: each costs the card a write that is waited for.
            messages = await connection.arrived(_TAKEN_AT_ONCE)
            for received in await self._in_outbox(partial(self._receive, messages)):
                if received.refused is not None:
                    _log.warning("dropped an answer: %s", received.refused)
                if isinstance(received.refused, FutureVersion):
                    self._on_misfit(too_new())
                if received.greeting is not None:
                    self._on_misfit(misfit(received.greeting))
                if received.say_hello:
                    self._ask.set()
                if received.downward:
                    self._came.set()
                if received.judgements:
                    if self._heard is False:
                        self._set_heard(True)
                    self._work.set()
                    self._on_progress()

    def _receive(self, messages: Sequence[Arrived], outbox: Outbox) -> list[Received]:
        return [self._session.receive(outbox, message.payload) for message in messages]

    async def _send(self, connection: Connection, tasks: asyncio.TaskGroup) -> None:
        """Envelopes follow one another without waiting for PUBACKs, as far as window and `_ON_THE_LINE_BYTES` go."""
        on_the_line = 0
        room = asyncio.Event()

        async def publish(ticket: int, message: bytes) -> None:
            nonlocal on_the_line
            done: Callable[[int, float], None]
            try:
                heard = await connection.publish(self._up, message)
                self._set_heard(heard)
                done = partial(self._session.acknowledged, heard=heard)
            except Overloaded as error:
                _log.info("the broker wants less: %s", error)
                done = self._session.overloaded
            except Refused as error:
                if not error.concerns_one_message:
                    raise
                _log.warning("an envelope of %d bytes was refused: %s", len(message), error.reason)
                self._standing_trouble = error
                self._on_trouble(error)
                done = self._session.refused
            on_the_line -= len(message)
            room.set()
            await self._on_thread(lambda: done(ticket, _now_ms()))

        while True:
            self._work.clear()
            message, due_ms = await self._on_thread(self._next)
            if message is not None:
                on_the_line += len(message[1])
                tasks.create_task(publish(*message), name="envelope")
                while on_the_line >= _ON_THE_LINE_BYTES:
                    room.clear()
                    await room.wait()
                continue
            pause_s = self._poll_s if due_ms is None else min(self._poll_s, max(0.05, (due_ms - _now_ms()) / 1000))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._work.wait()

    def _next(self) -> tuple[tuple[int, bytes] | None, float | None]:
        """In the thread: ticket and bytes of the next envelope; without one, when to look again."""
        with self._outbox() as outbox:
            outgoing = self._session.next_envelope(outbox, _now_ms())
        if outgoing is None:
            return None, self._session.wake_at_ms()
        # Packed outside the transaction: who books a sheet meanwhile does not wait for it.
        return (outgoing.ticket, self._session.encoded(outgoing)), None

    async def _fetch(self, connection: Connection, shelf: Shelf, tasks: asyncio.TaskGroup) -> None:
        """Put in its place what has come, and ask for the parts that are lacking."""
        session = self._session.downward
        while True:
            self._came.clear()
            settled = await self._on_thread(lambda: session.settle(self._inbox, shelf, _now_ms()))
            self._on_documents(settled.trouble)
            if settled.say_hello:
                self._ask.set()
            while (
                want := await self._in_outbox(lambda outbox: self._session.next_want(outbox, _now_ms()))
            ) is not None:
                tasks.create_task(self._wish(connection, want), name="wish")
            due_ms = session.wake_at_ms()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due_ms is None else max(0.05, (due_ms - _now_ms()) / 1000)):
                    await self._came.wait()

    async def _wish(self, connection: Connection, want: bytes) -> None:
        try:
            await connection.publish(self._up, want)
        except (Overloaded, Refused) as error:  # its part does not come, and is asked for again in time
            _log.info("a wish was not taken: %s", error)

    @contextlib.contextmanager
    def _inbox(self) -> Iterator[Inbox]:
        with self._outbox() as outbox:
            yield outbox.inbox

    async def _gather(self) -> None:
        while True:
            await self._grew.wait()
            await asyncio.sleep(self._linger_s)
            self._grew.clear()
            self._work.set()

    async def _say_hello(self, connection: Connection) -> None:
        """At once, then whenever it has to be asked afresh, and at times; never more often than it does any good."""
        pauses = Pauses(shortest_s=1.0, longest_s=self._hello_every_s, spread_s=0.0, chance=random.random)
        while True:
            self._ask.clear()
            next_s = time.monotonic() + _HELLO_NOT_BEFORE_S
            try:
                for hello in await self._in_outbox(self._session.hellos):
                    self._set_heard(await connection.publish(self._state, hello, retain=True))
            except Overloaded as error:
                _log.info("the broker wants less: %s", error)
                await asyncio.sleep(pauses.after(0.0))
                continue
            self._on_trouble(self._standing_trouble)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._hello_every_s):
                    await self._ask.wait()
                await asyncio.sleep(next_s - time.monotonic())
                continue
            if _is_double(self._standing_trouble):
                self._standing_trouble = None  # nobody came again

    async def _in_outbox(self, work: Callable[[Outbox], T]) -> T:
        def step() -> T:
            with self._outbox() as outbox:
                return work(outbox)

        return await self._on_thread(step)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _set_heard(self, heard: bool | None) -> None:
        if self._heard != heard:
            self._heard = heard
            self._on_progress()

    def _set_connected(self, *, on: bool) -> None:
        if self._connected != on:
            self._connected = on
            self._on_progress()


def _is_double(error: Exception | None) -> TypeGuard[Refused]:
    return isinstance(error, Refused) and error.meaning is Meaning.DOUBLE


def _now_ms() -> float:
    return time.monotonic() * 1000
