"""The gateway's connection: carries a `GatewaySession` over MQTT for as long as it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from homework.errors import ClassboxError
from sync.broker_address import BrokerAddress
from sync.connection import (
    LINE_ERRORS,
    Connection,
    LineBroken,
    Overloaded,
    Pauses,
    Refused,
    connected,
    for_ever,
    trouble_of,
)
from sync.gateway_session import GatewaySession, Message
from sync.ingest import Ingest
from sync.offers import DownLog
from sync.seldom import Seldom
from sync.topics import EVERY_STATE, EVERY_UP, PROBE

_log = logging.getLogger(__name__)
_ROOM_BYTES = 32 << 20
"""Of messages that came and are not committed yet, so many bytes are held; then the line is not read from, and the
broker keeps the rest: sixteen of the largest, a hundred thousand of a sheet."""
_ANSWERS, _ANSWERS_BYTES = 2000, 32 << 20
"""Answers held in memory at most; what comes beyond is dropped, and the box asks again. A part of a document has up to
8 KiB, receipts of a box with much held some more."""
_KEEPALIVE_S = 30
_PROBE_S = 2.0
"""How long a broker may take to deliver a message to a shared subscription before it counts as one that cannot."""
_UNSHARED_S = 600.0
"""After this, a broker that was seen not to share is tried again with the next connection."""
_PUBLISHERS = 16
"""Receipts on the way at once, so that a broker far away costs no round trip each. They keep their order: each takes
the next answer and sends it before it waits."""

_NEWS_S = 1.0
"""How often the schools' logs are looked at. It costs one small query."""


class Turn(Protocol):
    """Whose turn it is among several gateways on one store. Nothing but the load rests on it."""

    async def mine(self) -> None:
        """Return once it is this gateway's turn."""

    async def over(self) -> None:
        """Return once it is no longer."""


class GatewayLink:
    """Hears every box, hands batches to the store, answers; ends only when `run` is cancelled."""

    def __init__(
        self,
        *,
        ingest: Ingest,
        broker: BrokerAddress,
        name: str = "gateway",
        software: str = "",
        down_log: DownLog | None = None,
        batch: int = 64,
        gather_s: float = 0.25,
        longest_pause_s: float = 15.0,
        group: str | None = None,
        turn: Turn | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up a link; nothing happens before `run`. At most `batch` messages share a transaction.

        After one that was smaller what comes within `gather_s` of its beginning goes into the next, because a
        transaction costs more than another message in it. The first message after a silence waits for nobody, the
        others half of that on average.

        Several gateways on one store have the same `group`, a secret, under which a broker that can shares the
        envelopes among them. All else is heard by the one whose `turn` it is, and so are the envelopes where the
        broker cannot share. Without a turn a gateway is the only one.

        `on_change` is called in the loop when the connection came or went. Raises `UsageError` for an address that
        is none.
        """
        broker.check()
        self._session = GatewaySession(ingest, down_log=down_log, software=software)
        self._broker = broker
        self._client_id = f"{name}-{secrets.token_hex(6)}"
        self._group, self._turn = group, turn
        self._attempt = 0
        self._unshared_until_s = 0.0
        self._shares = self._listens = False
        self._batch, self._gather_s = batch, gather_s
        self._longest_pause_s, self._on_change = longest_pause_s, on_change
        self._connected = asyncio.Event()
        self._trouble: ClassboxError | None = None
        self._worth_a_line = Seldom()
        self._answers: asyncio.Queue[Message] = asyncio.Queue(_ANSWERS)
        self._answers_bytes = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages were dropped because a newer program than this one made them (`newer messages`)."""
        return self._session.counts

    @property
    def connected(self) -> bool:
        """Whether the broker is there now, and what is this gateway's to hear is subscribed."""
        return self._connected.is_set()

    @property
    def shares(self) -> bool:
        """Whether the broker shares the envelopes among the gateways."""
        return self._shares

    @property
    def listens(self) -> bool:
        """Whether it is this gateway that hears the hellos (and, unless the broker shares them, the envelopes)."""
        return self._listens

    async def wait_connected(self) -> None:
        """Return once the topics are subscribed."""
        await self._connected.wait()

    @property
    def trouble(self) -> ClassboxError | None:
        """What keeps the link from being there that a person has to put right; None when there is nothing."""
        return self._trouble

    async def run(self) -> None:
        """Serve until cancelled, coming back after every failure."""
        pauses = Pauses(shortest_s=0.1, longest_s=self._longest_pause_s, spread_s=0.0, chance=random.random)
        expected = (*LINE_ERRORS, ClassboxError)
        await for_ever(self._serve, pauses=pauses, expected=expected, log=_log, on_end=self._ended)

    async def _serve(self) -> None:
        self._attempt += 1  # of a cluster the next node
        arguments = await asyncio.to_thread(self._broker.connect_arguments, self._attempt)
        async with connected(
            arguments, identifier=self._client_id, keepalive_s=_KEEPALIVE_S, room_bytes=_ROOM_BYTES
        ) as connection:
            self._shares = await self._can_share(connection)
            if self._shares:
                await connection.subscribe(f"$share/{self._group}/{EVERY_UP}")
            if self._turn is None:
                await self._listen(connection)
            self._trouble = None
            self._connected.set()
            self._on_change()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_PUBLISHERS):
                    tasks.create_task(self._publish(connection), name="receipts")
                tasks.create_task(self._tell_news(), name="news")
                if self._turn is not None:
                    tasks.create_task(self._take_turns(connection, self._turn), name="turn")
                while True:
                    arrived = await connection.arrived(self._batch)
                    began_s = time.monotonic()
                    self._queue(await self._session.handle([Message(*message) for message in arrived]))
                    if len(arrived) < self._batch:
                        await asyncio.sleep(began_s + self._gather_s - time.monotonic())

    def _queue(self, answers: Sequence[Message]) -> None:
        for answer in answers:
            if self._answers_bytes + len(answer.payload) > _ANSWERS_BYTES:
                continue
            with contextlib.suppress(asyncio.QueueFull):  # the box asks again
                self._answers.put_nowait(answer)
                self._answers_bytes += len(answer.payload)

    async def _tell_news(self) -> None:
        """Look for what any process has put into the schools' logs."""
        while True:
            await asyncio.sleep(_NEWS_S)
            if not self._listens:  # one of several tells it
                continue
            try:
                self._queue(await self._session.news())
            except Exception:  # noqa: BLE001 - no reason to hang up; the boxes ask by themselves at times
                _log.exception("the store cannot tell whether there is anything new for the boxes")

    async def _can_share(self, connection: Connection) -> bool:
        """Whether a message comes to a shared subscription. Some brokers grant one and deliver nothing to it."""
        if self._group is None or time.monotonic() < self._unshared_until_s:
            return False
        # First: a broker that cuts the line for it is not asked again soon.
        self._unshared_until_s = time.monotonic() + _UNSHARED_S
        where = f"{PROBE}/{secrets.token_hex(8)}"
        try:
            await connection.subscribe(f"$share/{secrets.token_hex(8)}/{where}")
            await connection.publish(where, b"")
            async with asyncio.timeout(_PROBE_S):
                while where not in {message.topic for message in await connection.arrived()}:
                    pass
        except (TimeoutError, Refused) as error:
            _log.info("the broker does not share: %s", error or "nothing came")
            return False
        self._unshared_until_s = 0.0
        return True

    async def _listen(self, connection: Connection) -> None:
        # `state` is retained, and what is retained comes to no shared subscription: subscribing brings the hello of
        # every box, and each hears where it stands.
        await connection.subscribe(*(() if self._shares else (EVERY_UP,)), EVERY_STATE)
        self._listens = True

    async def _take_turns(self, connection: Connection, turn: Turn) -> None:
        await turn.mine()
        await self._listen(connection)
        _log.info("it is this gateway's turn to hear the boxes")
        self._on_change()
        await turn.over()
        raise LineBroken("it is another gateway's turn")  # coming back without the subscriptions is the whole change

    def _ended(self, error: Exception | None) -> None:
        self._connected.clear()
        self._listens = False
        self._trouble = trouble_of(error)
        self._on_change()

    async def _publish(self, connection: Connection) -> None:
        """Publish answers apart from taking in: a broker that dies before its PUBACK must not hold up the rest."""
        while True:
            answer = await self._answers.get()
            self._answers_bytes -= len(answer.payload)
            try:
                await connection.publish(answer.topic, answer.payload)
            except Overloaded as error:
                _log.info("the broker wants less: %s", error)
                await asyncio.sleep(1 + 4 * random.random())  # noqa: S311 - spreads, keeps no secret
            except LINE_ERRORS as error:
                _log.info("a receipt was not acknowledged: %s", error)
            except Refused as error:
                # Taking in goes on: what is committed is committed, and the box asks again.
                if self._worth_a_line(error.meaning):
                    _log.warning("the broker refused a receipt: %s", error)
                if self._trouble is None:
                    self._trouble = error
                    self._on_change()
