"""A hostile stranger at the broker: hears everything, and says any of it again, in any order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_KEPT = 400


class Said(NamedTuple):
    """A message as it was heard."""

    topic: str
    payload: bytes


class Replaying:
    """What it has heard, each message once. Comes back by itself when the broker was away."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.heard: dict[Said, None] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="stranger")
        self._client.on_connect = lambda client, *_: client.subscribe("classbox/#", qos=1)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        assert parts.hostname is not None
        assert parts.port is not None
        self._client.connect(parts.hostname, parts.port)
        self._client.loop_start()

    def say_again(self, messages: int, rng: random.Random) -> int:
        """Say so many of what was ever heard again, and return how many that were."""
        old = list(self.heard)
        for said in (again := rng.choices(old, k=messages) if old else []):
            self._client.publish(said.topic, said.payload, qos=1, retain=said.topic.endswith("/state"))
        return len(again)

    def close(self) -> None:
        """Be silent."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        if len(self.heard) < _KEPT:
            self.heard[Said(message.topic, bytes(message.payload))] = None


@contextmanager
def replaying(url: str) -> Iterator[Replaying]:
    """One while the block runs."""
    stranger = Replaying(url)
    try:
        yield stranger
    finally:
        with suppress(OSError, ValueError):
            stranger.close()
