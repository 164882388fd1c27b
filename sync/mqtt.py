"""One MQTT connection in asyncio. Only this file knows the library.

paho packs, unpacks and numbers packets, sends PINGs and bounds what is in flight; it neither opens a socket nor waits:
it reads from and writes into a pipe in memory, and asyncio carries the bytes. aiomqtt, which this replaced, hid the
reason codes, acknowledged what nobody had taken in yet, and opened its lines in a thread that nothing could stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sync.line import carried_bytes
from sync.reasons import LineBroken, Meaning, OldBroker, failure, meaning_of, tls_trouble
from sync.signed import MAX_MESSAGE_BYTES

_log = logging.getLogger(__name__)
MQTT_5, MQTT_311 = paho.MQTTv5, paho.MQTTv311
_RECEIVE_MAXIMUM = 200
"""Messages that a broker may send before the first is acknowledged; three of the gateway's batches."""
_IN_FLIGHT = 64
"""Publishes on the way at once. Both sides bound theirs below it by themselves."""
_HEADER_BYTES = 256
"""What MQTT puts round a payload: topic, lengths, properties."""
_MOST_BYTES = 268_435_455
"""MQTT 3.1.1, section 2.2.3: more than this no packet has."""


class Answer(NamedTuple):
    """A reason code and its name."""

    code: int
    reason: str


class Arrival(NamedTuple):
    """A message that came; `number` is for its acknowledgement, 0 when none is wanted."""

    topic: str
    payload: bytes
    number: int


class MqttLine(asyncio.Protocol):
    """A connection from CONNECT to its end; used once. Lives in the loop that made it."""

    def __init__(
        self,
        version: int,
        *,
        identifier: str,
        keepalive_s: int,
        room_bytes: int,
        username: str | None,
        password: str | None,
        will: tuple[str, bytes] | None,
    ) -> None:
        """`room_bytes` bounds the messages that wait to be taken or acknowledged; beyond it nothing is read."""
        self._loop = asyncio.get_running_loop()
        self.version, self._keepalive_s, self._room_bytes = version, keepalive_s, room_bytes
        self._client = client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=identifier,
            clean_session=None if version == MQTT_5 else True,
            protocol=MQTTProtocolVersion(version),
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.max_inflight_messages_set(_IN_FLIGHT)
        if username is not None:
            client.username_pw_set(username, password)
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_socket_register_write = self._on_work
        self._pipe: _Pipe | None = None
        self._transport: asyncio.Transport | None = None
        self._reached: asyncio.Future[None] = self._loop.create_future()
        self._answers: dict[int, asyncio.Future[list[Answer] | None]] = {}
        self._arrived: deque[Arrival] = deque()
        self._taken: list[Arrival] = []
        self._held_bytes = 0
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._ended: Exception | None = None
        self._paused = False
        self._ticking: asyncio.TimerHandle | None = None
        self.largest_bytes = _MOST_BYTES
        """The largest packet that the broker takes."""
        self.hung_up = False
        """Whether the broker has closed the line, without a reason or because something was too large."""

    # --- for the caller ----------------------------------------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Bytes of messages that came and are not acknowledged yet."""
        return self._held_bytes

    async def reached(self) -> None:
        """Wait until the broker has accepted us. Raises what `sync.reasons.failure` makes of its refusal, `OSError`."""
        await self._reached
        self._check()

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> Answer:
        """Publish with QoS 1 and wait for the PUBACK. Raises `LineBroken` or what else ended the connection."""
        self._check()
        return (await self._answer(self._client.publish(topic, payload, qos=1, retain=retain).mid))[0]

    async def subscribe(self, topics: tuple[str, ...]) -> list[Answer]:
        """Ask for topics with QoS 1, and wait for the SUBACK: one answer for each."""
        self._check()
        number = self._client.subscribe([(name, 1) for name in topics])[1]
        assert number is not None
        return await self._answer(number)

    async def take(self, at_most: int) -> list[Arrival]:
        """Wait for messages, and take those that are here: 1 to `at_most`. Those taken before are acknowledged now."""
        self._acknowledge()
        while not self._arrived:
            self._check()
            self._news.clear()
            await self._news.wait()
        self._taken = [self._arrived.popleft() for _ in range(min(at_most, len(self._arrived)))]
        return self._taken

    def carried_bytes(self) -> int:
        """What the line has carried both ways, headers included; 0 where that is not known (any more)."""
        line = self._transport.get_extra_info("socket") if self._transport is not None else None
        return 0 if line is None else carried_bytes(line)

    def say_goodbye(self) -> None:
        """Send the DISCONNECT and close behind it, without waiting for anything."""
        if self._transport is not None and not self._transport.is_closing():
            self._client.disconnect()
            self._work()

    async def leave(self, limit_s: float) -> None:
        """Say goodbye, and wait until the line is closed; after `limit_s` it is cut off."""
        try:
            self.say_goodbye()
            async with asyncio.timeout(limit_s):
                await self._closed.wait()
        except TimeoutError:
            pass
        finally:
            self.cut_off()

    def cut_off(self) -> None:
        """Let go of everything at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- what the loop calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line is there: say CONNECT."""
        self._transport = cast("asyncio.Transport", transport)
        self._pipe = self._client.pipe = _Pipe(self._transport)
        self._tick()
        if self.version == MQTT_5:
            self._client.connect("broker", keepalive=self._keepalive_s, clean_start=True, properties=_asked())
        else:
            self._client.connect("broker", keepalive=self._keepalive_s)

    def data_received(self, data: bytes) -> None:
        """Bytes from the broker."""
        assert self._pipe is not None
        self._pipe.put(data)
        self._read()

    def connection_lost(self, error: Exception | None) -> None:
        """The line is gone. Without a word before the CONNACK that is how some brokers refuse a version of MQTT."""
        if not self._reached.done() and (error is None or isinstance(error, ConnectionResetError)):
            self._end(OldBroker("the broker closed the connection instead of answering"))
        if self._ended is None and (error is None or isinstance(error, ConnectionResetError | BrokenPipeError)):
            self.hung_up = True
        self._end(tls_trouble(error) or error or LineBroken("the broker closed the connection"))
        if self._pipe is not None:
            self._pipe.ended = True
            self._read()  # so that the library notices, too
        if self._ticking is not None:
            self._ticking.cancel()
        self._closed.set()

    # --- what the library calls --------------------------------------------------------------------------

    def _on_connect(
        self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.value:
            where = getattr(properties, "ServerReference", None)
            self._end(failure(reason.value, where or _said(reason, properties)))
            return
        self.largest_bytes = getattr(properties, "MaximumPacketSize", _MOST_BYTES)
        self._client.at_most_in_flight(min(_IN_FLIGHT, getattr(properties, "ReceiveMaximum", _IN_FLIGHT)))
        if not self._reached.done():
            self._reached.set_result(None)

    def _on_disconnect(
        self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server and reason.value >= 0x80:
            self.hung_up = self._ended is None and meaning_of(reason.value) is Meaning.TOO_LARGE
            self._end(failure(reason.value, _said(reason, properties)))
        elif self._reached.done():
            self._end(LineBroken(str(reason)))
        else:  # an answer that is none in this version
            self._end(OldBroker(str(reason)))

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            client.ack(message.mid, message.qos)
            return
        self._arrived.append(Arrival(topic, bytes(message.payload), message.mid if message.qos else 0))
        self._held_bytes += len(message.payload)
        self._news.set()
        if self._held_bytes >= self._room_bytes and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _on_publish(self, _client: Any, _data: Any, number: int, reason: ReasonCode, properties: Properties) -> None:
        self._settle(number, [Answer(reason.value, _said(reason, properties))])

    def _on_subscribe(
        self, _client: Any, _data: Any, number: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._settle(number, [Answer(reason.value, _said(reason, properties)) for reason in reasons])

    def _on_work(self, _client: Any, _data: Any, _pipe: Any) -> None:
        # Once for all that is said in this turn of the loop: it leaves in one write.
        self._loop.call_soon(self._work)

    # --- inside ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        self._guarded(self._client.loop_write)
        if self._pipe is not None:
            self._pipe.flush()

    def _read(self) -> None:
        assert self._pipe is not None
        self._guarded(self._client.loop_read)
        while self._pipe.has_more and self._ended is None:
            self._guarded(self._client.loop_read)

    def _tick(self) -> None:
        if self._ended is None:
            if self._paused:
                self._client.not_listening()
            self._guarded(self._client.loop_misc)
            self._ticking = self._loop.call_later(1.0, self._tick)

    def _guarded(self, step: Callable[[], object]) -> None:
        """Whatever a broker's bytes do to the library costs the connection, and nothing else."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - as it says
            _log.warning("what the broker said cannot be read: %s %s", type(error).__name__, error)
            self._end(LineBroken(f"what the broker said cannot be read: {type(error).__name__}"))
            self.cut_off()

    def _acknowledge(self) -> None:
        for arrival in self._taken:
            self._held_bytes -= len(arrival.payload)
            if arrival.number and self._ended is None:
                self._client.ack(arrival.number, 1)
        self._taken = []
        if self._paused and self._held_bytes < self._room_bytes and self._transport is not None:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _check(self) -> None:
        if self._ended is not None:
            raise self._ended.with_traceback(None)

    async def _answer(self, number: int) -> list[Answer]:
        waiting: asyncio.Future[list[Answer] | None] = self._loop.create_future()
        self._answers[number] = waiting
        try:
            answer = await waiting
        finally:
            if self._answers.get(number) is waiting:
                del self._answers[number]
        if answer is None:
            self._check()
            raise AssertionError  # it has ended
        return answer

    def _settle(self, number: int, answers: list[Answer]) -> None:
        waiting = self._answers.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answers)

    def _end(self, why: Exception) -> None:
        """The first reason counts; everybody who waits hears of it."""
        if self._ended is None:
            self._ended = why
        if not self._reached.done():
            self._reached.set_result(None)
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_result(None)
        self._news.set()


class _Pipe:
    """What the library takes for a socket: it reads what asyncio brought, and writes for asyncio to carry."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._in, self._at = b"", 0
        self._out: list[bytes | bytearray] = []
        self.ended = False

    @property
    def has_more(self) -> bool:
        return self._at < len(self._in)

    def put(self, data: bytes) -> None:
        self._in, self._at = (self._in[self._at :] + data if self.has_more else data), 0

    def flush(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def recv(self, buffer_size: int) -> bytes:
        if not self.has_more:
            if self.ended:
                return b""
            raise BlockingIOError
        piece = self._in[self._at : self._at + buffer_size]
        self._at += len(piece)
        if not self.has_more:
            self._in, self._at = b"", 0
        return piece

    def send(self, buffer: bytes | bytearray) -> int:
        self._out.append(buffer)
        return len(buffer)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def fileno(self) -> int:
        return -1

    def pending(self) -> int:
        return 0

    def setblocking(self, flag: bool) -> None:
        """Nothing here blocks."""


class _Client(paho.Client):
    """The library with a pipe in place of its socket."""

    pipe: _Pipe

    def _create_socket(self) -> Any:
        return self.pipe

    def at_most_in_flight(self, count: int) -> None:
        """MQTT 5.0, section 3.2.2.3.3. The library's own setter asks for a closed connection."""
        self._max_inflight_messages = max(1, count)

    def not_listening(self) -> None:
        """We read nothing now by our own will, so silence says nothing; the broker hears our PINGs all the same."""
        self._last_bytes_received = paho.time_func()
        self._ping_t = 0.0


def _asked() -> Properties:
    """What a CONNECT of MQTT 5 asks for: nothing kept behind our back, and no more at once than can be held."""
    asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
    asked.SessionExpiryInterval = 0
    asked.ReceiveMaximum = _RECEIVE_MAXIMUM
    asked.MaximumPacketSize = MAX_MESSAGE_BYTES + _HEADER_BYTES
    return asked


def _said(reason: ReasonCode, properties: Properties | None) -> str:
    """The reason's name, and what the broker says besides."""
    more = getattr(properties, "ReasonString", None)
    return f"{reason}, {more}" if more else str(reason)
