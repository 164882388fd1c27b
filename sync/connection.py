"""A connection to a broker that always ends when it is told to, and the loop that always takes it up again.

Only this file knows the MQTT library. `aiomqtt` waits with `asyncio.wait_for`, which before Python 3.12 loses a
cancellation that comes together with what it waits for (cpython #86296): a task stopped in the moment of a PUBACK
would run on for ever, and whoever waits for its end with it. So the library is told to wait without a limit, which
it does plainly, and the limits are kept here with `asyncio.timeout`, which loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiomqtt

from homework.errors import ClassboxError

LINE_ERRORS: tuple[type[Exception], ...] = (aiomqtt.MqttError, OSError)
"""What a line does all the time, and what needs nobody's attention."""
_DEAD_AFTER_S = 60
"""How long the kernel waits for the other machine to take bytes that were sent before it calls the line dead."""
_ANSWER_S = 30.0
"""How long a broker may take to answer a CONNECT or a SUBSCRIBE, which nothing large goes before."""
_PUBACK_S = 600.0
"""How long for a PUBLISH. While bytes move, a thin line needs its time, and a dead one is noticed by the kernel and by
its PINGs; this is for a broker that answers PINGs and never this."""
_PENDING = 64
"""Publishes that may wait for their PUBACK without a warning in the log; both sides bound them by themselves."""
_THIN_LINEAR_TIMEOUTS = 16
"""TCP_THIN_LINEAR_TIMEOUTS (tcp(7)), which Python does not name.

While fewer than four packets are on the way, a lost one goes again after one patience, not after twice as long each
time. On a line that loses three packets in ten, a class that came behind a lost acknowledgement waited up to a minute.
"""
_SOCKET_OPTIONS = (
    [
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER_S * 1000),  # RFC 5482
        (socket.IPPROTO_TCP, _THIN_LINEAR_TIMEOUTS, 1),
    ]
    if hasattr(socket, "TCP_USER_TIMEOUT")  # Linux
    else []
)
_LEAVE_S = 2.0
"""How long the end of a connection may take: somebody waits for it."""


class Arrived(NamedTuple):
    """A message that came on a subscribed topic."""

    topic: str
    payload: bytes


class Connection:
    """An open connection. Every method raises one of `LINE_ERRORS` when the line breaks or the broker is silent."""

    def __init__(self, client: aiomqtt.Client) -> None:
        """Use `connected`, which opens and closes the client."""
        self._client = client

    async def subscribe(self, *topics: str) -> None:
        """Ask for these topics with QoS 1, and wait for the broker's word."""
        async with _within(_ANSWER_S, "SUBSCRIBE"):
            await self._client.subscribe([(name, 1) for name in topics], timeout=math.inf)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the broker's PUBACK, which says nothing about delivery."""
        async with _within(_PUBACK_S, "PUBLISH"):
            await self._client.publish(topic, payload, qos=1, retain=retain, timeout=math.inf)

    async def arrived(self, at_most: int = 1) -> list[Arrived]:
        """Wait for a message, and take with it those that are here already: 1 to `at_most` of them."""
        messages = [await anext(self._client.messages)]
        while len(self._client.messages) and len(messages) < at_most:
            messages.append(await anext(self._client.messages))
        return [Arrived(str(m.topic), m.payload) for m in messages if isinstance(m.payload, bytes)]


@asynccontextmanager
async def connected(
    arguments: Mapping[str, Any],
    *,
    identifier: str,
    keepalive_s: int,
    will: tuple[str, bytes] | None = None,
    queued: int = 0,
) -> AsyncIterator[Connection]:
    """A connection with a clean session, for as long as the block runs.

    `arguments` are those of `BrokerAddress.connect_arguments`. The library gives a line up when it heard nothing for
    `keepalive_s` and then, so long again, no answer to a PING, which waits behind what is being sent: so that is what
    a large message may take on a thin line. `will` is the topic and the retained message that the
    broker publishes when the line breaks; of messages that come in, at most `queued` wait in memory (0: no limit),
    what is beyond is dropped. Raises one of `LINE_ERRORS` when there is no connection.
    """
    client = aiomqtt.Client(
        identifier=identifier,
        will=aiomqtt.Will(*will, qos=1, retain=True) if will is not None else None,
        clean_session=True,
        keepalive=keepalive_s,
        max_queued_incoming_messages=queued,
        socket_options=_SOCKET_OPTIONS,
        timeout=math.inf,
        **arguments,
    )
    client.pending_calls_threshold = _PENDING
    async with _within(_ANSWER_S, "CONNECT"):
        await _enter(client)
    try:
        yield Connection(client)
    finally:
        with contextlib.suppress(*LINE_ERRORS):
            async with asyncio.timeout(_LEAVE_S):
                await client.__aexit__(None, None, None)


class Pauses:
    """How long to wait before each attempt to connect. Pure; the numbers of many boxes must not be alike.

    When a broker comes back, or the power of a whole district, every box finds out in the same second. So the first
    attempt, and the one after a connection that had lasted, is spread evenly over `spread_s`. While attempts fail, each
    pause is drawn evenly between the shortest and a bound that trebles up to `longest_s` ("full jitter": M. Brooker,
    Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
    """

    def __init__(self, *, shortest_s: float, longest_s: float, spread_s: float, chance: Callable[[], float]) -> None:
        """`chance` gives numbers in 0..1."""
        self._shortest_s, self._longest_s, self._spread_s, self._chance = shortest_s, longest_s, spread_s, chance
        self._bound_s = shortest_s

    def first(self) -> float:
        """Seconds to wait before the first attempt of all."""
        return self._spread_s * self._chance()

    def after(self, lasted_s: float) -> float:
        """Seconds to wait after an attempt whose connection ended after `lasted_s`."""
        if lasted_s > self._longest_s:
            self._bound_s = self._shortest_s
            return self.first()
        self._bound_s = min(self._longest_s, 3 * self._bound_s)
        return self._shortest_s + (self._bound_s - self._shortest_s) * self._chance()


async def for_ever(
    converse: Callable[[], Coroutine[Any, Any, None]],
    *,
    pauses: Pauses,
    expected: tuple[type[Exception], ...],
    log: logging.Logger,
    on_end: Callable[[Exception | None], None],
) -> None:
    """Hold conversation after conversation until cancelled, whatever ends them.

    `expected` errors get a line in the log, others their traceback. `on_end` hears after each conversation which
    error ended it, None for one that was told to end.
    """
    await asyncio.sleep(pauses.first())
    while True:
        began_s = time.monotonic()
        # A task of its own: a TaskGroup inside may swallow a cancellation when one of its tasks fails in the same
        # moment, and count one that nobody asked for (both until Python 3.13). Here neither can reach the loop.
        conversation = asyncio.create_task(converse())
        try:
            await asyncio.wait([conversation])
        except asyncio.CancelledError:
            conversation.cancel()
            await asyncio.gather(conversation, return_exceptions=True)
            on_end(None)
            raise
        error = _reason(conversation, expected)
        if error is None or isinstance(error, expected):
            log.info("the line is down: %s", error)
        else:
            log.error("the line is down for a reason that nobody thought of", exc_info=error)
        on_end(error)
        await asyncio.sleep(pauses.after(time.monotonic() - began_s))


def trouble_of(error: Exception | None) -> ClassboxError | None:
    """What a person should read of the error that ended a conversation; None for what a line does all the time."""
    if error is None or isinstance(error, LINE_ERRORS):
        return None
    if isinstance(error, ClassboxError):
        return error
    return ClassboxError(
        "Sending and receiving was broken off by an error: {detail}.",
        remedy="It is tried again by itself. If this stays, look into the log.",
        detail=f"{type(error).__name__} {error}".strip(),
    )


async def _enter(client: aiomqtt.Client) -> None:
    try:
        await client.__aenter__()
    except aiomqtt.MqttError:
        raise
    except BaseException:
        # Cancelled or too late, with the socket open: the loop sends the DISCONNECT that this asks for, or a ghost
        # would stay at the broker under the name of the next connection. Nobody waits for it.
        with contextlib.suppress(*LINE_ERRORS):
            async with asyncio.timeout(0):
                await client.__aexit__(None, None, None)
        raise


def _reason(ended: asyncio.Task[None], expected: tuple[type[Exception], ...]) -> Exception | None:
    """The error that ended a task: of several, one that was not expected."""
    error = None if ended.cancelled() else ended.exception()
    errors = [] if error is None else list(_leaves(error))
    return next((e for e in errors if not isinstance(e, expected)), errors[0] if errors else None)


def _leaves(error: BaseException) -> Iterator[Exception]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    elif isinstance(error, Exception):
        yield error


@asynccontextmanager
async def _within(limit_s: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise aiomqtt.MqttError(f"no answer to {what} within {limit_s:g} s") from error
