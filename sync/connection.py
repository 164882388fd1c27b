"""A connection to a broker that always ends when it is told to, and the loop that always takes it up again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from homework.errors import ClassboxError
from sync.broker_memory import BrokerMemory
from sync.line import open_line
from sync.mqtt import MQTT_5, MQTT_311, Answer, MqttLine
from sync.reasons import LineBroken, Meaning, OldBroker, Overloaded, Refused, failure, meaning_of, tls_trouble

__all__ = [
    "LINE_ERRORS",
    "Arrived",
    "Connection",
    "LineBroken",
    "Meaning",
    "Overloaded",
    "Pauses",
    "Refused",
    "connected",
    "for_ever",
    "trouble_of",
]

LINE_ERRORS: tuple[type[Exception], ...] = (LineBroken, OSError)
"""What a line does all the time, and what needs nobody's attention."""
_ANSWER_S = 30.0
"""How long it may take until a line is open and its broker has accepted us, in each of two versions of MQTT, and how
long the answer to a SUBSCRIBE, which nothing large goes before."""
_SILENCE_S = 15.0
"""How long a broker may say nothing to a CONNECT of MQTT 5 before 3.1.1 is tried: some do not refuse, they are silent.
On a line of 600 ms that loses three packets in ten, TCP sends an answer again after about 1.8, 5.4 and 12.6 s: one in a
hundred is later than this, one in five later than 3 s."""
_PUBACK_S = 600.0
"""How long for a PUBLISH. While bytes move, a thin line needs its time, and a dead one is noticed by the kernel and by
its PINGs; this is for a broker that answers PINGs and never this."""
_LEAVE_S = 2.0
"""How long the end of a connection may take: somebody waits for it."""
_ROOM_BYTES = 8 << 20
"""Of messages that came in and are not dealt with: four of the largest."""
_HEADER_BYTES = 12
"""Of a PUBLISH with QoS 1 and no properties: MQTT 5.0, section 3.3."""

_log = logging.getLogger(__name__)
_brokers: defaultdict[tuple[str, int], BrokerMemory] = defaultdict(partial(BrokerMemory, time.monotonic))
"""By host and port."""


class Arrived(NamedTuple):
    """A message that came on a subscribed topic."""

    topic: str
    payload: bytes


class Connection:
    """An open connection. Every method raises one of `LINE_ERRORS` when the line breaks or the broker is silent.

    `Refused` is raised when the broker said no in a way that only a person can change.
    """

    def __init__(self, line: MqttLine, memory: BrokerMemory) -> None:
        """Use `connected`, which opens and closes the line."""
        self._line, self._memory = line, memory
        self._unanswered: dict[object, int] = {}

    @property
    def version(self) -> int:
        """Of MQTT: 5, or 4 for 3.1.1."""
        return self._line.version

    def carried_bytes(self) -> int:
        """What the line has carried both ways since it was opened, with the headers of TLS, TCP and IP."""
        return self._line.carried_bytes()

    @property
    def largest_bytes(self) -> int:
        """What a packet should not exceed: payload, topic and some bytes.

        The broker's own word, or half of what is known to be too much: where between them its limit lies is not known.
        """
        refused = self._memory.refused_bytes
        return self._line.largest_bytes if refused is None else min(self._line.largest_bytes, refused // 2)

    @property
    def unanswered_bytes(self) -> int:
        """The largest packet that went out and had no PUBACK, 0 when all have one."""
        return max(self._unanswered.values(), default=0)

    async def subscribe(self, *topics: str) -> None:
        """Ask for these topics with QoS 1, and wait for the broker's word. Raises `Refused` when it refuses one."""
        async with _within(_ANSWER_S, "SUBSCRIBE"):
            for answer in await self._line.subscribe(topics):
                _judge(answer, of_subscribe=True)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Publish with QoS 1 and wait for the broker's PUBACK, which says nothing about delivery.

        False when the broker says that nobody listens to that topic; one of MQTT 3.1.1 never does. Raises
        `Overloaded`, one of `LINE_ERRORS`, when the broker wants less for a while, and `Refused`.
        """
        size = len(payload) + len(topic.encode()) + _HEADER_BYTES
        refused = self._memory.refused_bytes
        most = self._line.largest_bytes if refused is None else min(self._line.largest_bytes, refused - 1)
        if size > most:
            raise Refused(Meaning.TOO_LARGE, f"{size:,} > {most:,} bytes")
        this = object()
        self._unanswered[this] = size  # and stays there when the line breaks
        async with _within(_PUBACK_S, "PUBLISH"):
            answer = await self._line.publish(topic, payload, retain=retain)
        del self._unanswered[this]
        self._memory.took(size)
        return _judge(answer) is not Meaning.NOBODY

    async def arrived(self, at_most: int = 1) -> list[Arrived]:
        """Wait for a message, and take with it those that are here already: 1 to `at_most` of them.

        Who asks for more has dealt with what was taken before: the broker gets its PUBACK for it now, and not
        earlier, so that it holds back while we are slow. For one conversation only.
        """
        return [Arrived(one.topic, one.payload) for one in await self._line.take(at_most)]


@asynccontextmanager
async def connected(
    arguments: Mapping[str, Any],
    *,
    identifier: str,
    keepalive_s: int,
    will: tuple[str, bytes] | None = None,
    room_bytes: int = _ROOM_BYTES,
) -> AsyncIterator[Connection]:
    """A connection with a clean session, for as long as the block runs.

    `arguments` are those of `BrokerAddress.connect_arguments`. MQTT 5 is spoken with a broker that knows it, 3.1.1 with
    others. A line is given up when nothing was heard for `keepalive_s` and then, so long again, no answer to a PING,
    which waits behind what is being sent: so that is what a large message may take on a thin line. `will` is the topic
    and the retained message that the broker publishes when the line breaks. Of messages that came in and are not dealt
    with, about `room_bytes` are held; beyond that nothing is read from the line. Raises one of `LINE_ERRORS` or
    `Refused` when there is no connection.
    """
    make = partial(
        MqttLine,
        identifier=identifier,
        keepalive_s=keepalive_s,
        will=will,
        room_bytes=room_bytes,
        username=arguments["username"],
        password=arguments["password"],
    )
    memory = _brokers[arguments["hostname"], arguments["port"]]
    line = await _reached(arguments, make, memory)
    connection = Connection(line, memory)
    try:
        yield connection
    finally:
        if line.hung_up:
            memory.closed(connection.unanswered_bytes)
        await line.leave(_LEAVE_S)


async def _reached(arguments: Mapping[str, Any], make: Callable[[int], MqttLine], memory: BrokerMemory) -> MqttLine:
    """A line whose broker has accepted us, in the version that it speaks."""
    if not memory.is_old:
        try:
            return await _opened(arguments, partial(make, MQTT_5), patience_s=_SILENCE_S)
        except OldBroker as error:
            _log.info("the broker does not speak MQTT 5: %s", error)
    line = await _opened(arguments, partial(make, MQTT_311))
    # Only now: a broker that was just starting or ending may have closed the line as well.
    memory.spoke_old()
    return line


async def _opened(
    arguments: Mapping[str, Any], make: Callable[[], MqttLine], *, patience_s: float | None = None
) -> MqttLine:
    async with _within(_ANSWER_S, "CONNECT"):
        line = await open_line(
            make, arguments["hostname"], arguments["port"], tls=arguments["tls_context"], leave_s=_LEAVE_S
        )
        try:
            async with asyncio.timeout(patience_s):
                await line.reached()
        except BaseException as error:
            # Also when cancelled or too late. Without the DISCONNECT a ghost would stay at the broker under the name of
            # the next connection; nobody waits for it.
            line.say_goodbye()
            asyncio.get_running_loop().call_later(_LEAVE_S, line.cut_off)
            if isinstance(error, TimeoutError):
                raise OldBroker("the broker says nothing") from error
            raise
    return line


def _judge(answer: Answer, *, of_subscribe: bool = False) -> Meaning:
    """What the broker's answer means, when it is not a failure. Raises what `sync.reasons.failure` makes of one."""
    meaning = meaning_of(answer.code, of_subscribe=of_subscribe)
    if meaning in (Meaning.TAKEN, Meaning.NOBODY):
        return meaning
    raise failure(answer.code, answer.reason, of_subscribe=of_subscribe)


@asynccontextmanager
async def _within(limit_s: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise LineBroken(f"no answer to {what} within {limit_s:g} s") from error


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
    if isinstance(error, ClassboxError):
        return error
    if error is None or isinstance(error, LINE_ERRORS):
        return tls_trouble(error)
    return ClassboxError(
        "Sending and receiving was broken off by an error: {detail}.",
        remedy="It is tried again by itself. If this stays, look into the log.",
        detail=f"{type(error).__name__} {error}".strip(),
    )


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
