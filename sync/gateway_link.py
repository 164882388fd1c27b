"""The gateway's connection: carries a `GatewaySession` over MQTT for as long as it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import Callable

import aiomqtt

from sync.broker_address import BrokerAddress
from sync.gateway_session import GatewaySession, Message
from sync.ingest import Ingest
from sync.topics import EVERY_STATE, EVERY_UP

_log = logging.getLogger(__name__)
_PUBACK_S = 30.0
_QUEUED = 2000
"""Messages held in memory at most, each way; what comes beyond is dropped, and then comes again."""


class GatewayLink:
    """Hears every box, hands batches to the store, answers; ends only when `run` is cancelled."""

    def __init__(
        self,
        *,
        ingest: Ingest,
        broker: BrokerAddress,
        name: str = "gateway",
        batch: int = 64,
        longest_pause_s: float = 15.0,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up a link; nothing happens before `run`. At most `batch` messages share a transaction.

        `on_change` is called in the loop when the connection came or went.
        """
        self._session = GatewaySession(ingest)
        self._arguments = broker.connect_arguments()
        self._client_id = f"{name}-{secrets.token_hex(6)}"
        self._batch, self._longest_pause_s, self._on_change = batch, longest_pause_s, on_change
        self._connected = asyncio.Event()
        self._answers: asyncio.Queue[Message] = asyncio.Queue(_QUEUED)

    @property
    def connected(self) -> bool:
        """Whether the broker is there now and the topics are subscribed."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Return once the topics are subscribed."""
        await self._connected.wait()

    async def run(self) -> None:
        """Serve until cancelled, coming back after every failure."""
        pause_s = 0.2
        while True:
            began_s = time.monotonic()
            try:
                await self._serve()
            except* (aiomqtt.MqttError, OSError) as group:
                _log.info("the link to the broker is down: %s", "; ".join(str(e) for e in group.exceptions))
            finally:
                self._connected.clear()
                self._on_change()
            if time.monotonic() - began_s > self._longest_pause_s:
                pause_s = 0.2
            await asyncio.sleep(pause_s * (0.5 + random.random() / 2))  # noqa: S311
            pause_s = min(pause_s * 2, self._longest_pause_s)

    async def _serve(self) -> None:
        async with aiomqtt.Client(
            identifier=self._client_id,
            clean_session=True,
            keepalive=30,
            max_queued_incoming_messages=_QUEUED,
            **self._arguments,
        ) as client:
            # `state` is retained: subscribing brings the hello of every box, and each hears where it stands.
            await client.subscribe([(EVERY_UP, 1), (EVERY_STATE, 1)])
            self._connected.set()
            self._on_change()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish(client), name="receipts")
                async for first in client.messages:
                    batch = [first]
                    while len(client.messages) and len(batch) < self._batch:
                        batch.append(await anext(client.messages))
                    answers = await self._session.handle(
                        [Message(str(m.topic), m.payload) for m in batch if isinstance(m.payload, bytes)]
                    )
                    for answer in answers:
                        with contextlib.suppress(asyncio.QueueFull):  # the box asks again
                            self._answers.put_nowait(answer)

    async def _publish(self, client: aiomqtt.Client) -> None:
        """Publish answers apart from taking in: a broker that dies before its PUBACK must not hold up the rest."""
        while True:
            answer = await self._answers.get()
            try:
                await client.publish(answer.topic, answer.payload, qos=1, timeout=_PUBACK_S)
            except aiomqtt.MqttError as error:
                _log.info("a receipt was not acknowledged: %s", error)
