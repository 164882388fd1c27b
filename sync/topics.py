"""Builds and parses MQTT topics; nobody else formats one.

classbox/1/{school}/{box}/up       box → gateway
classbox/1/{school}/{box}/down     gateway → box
classbox/1/{school}/{box}/state    retained, with a will
classbox/probe/{random}            gateway → itself
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from sync.errors import BadTopic

Channel = Literal["up", "down", "state"]

EVERY_UP = "classbox/1/+/+/up"
"""The filter of a gateway for what boxes send."""
EVERY_STATE = "classbox/1/+/+/state"
"""The filter of a gateway for who is there."""
PROBE = "classbox/probe"
"""Below it gateways try what a broker can do."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Topic(msgspec.Struct, frozen=True):
    """One topic: whose it is, and which way it goes."""

    school: str
    box: str
    channel: Channel

    def __str__(self) -> str:
        return f"classbox/1/{checked_id(self.school)}/{checked_id(self.box)}/{self.channel}"


def checked_id(name: str) -> str:
    """`name` itself when it may name a school or a box. Raises `BadTopic` otherwise."""
    if _ID.fullmatch(name) is None:
        raise BadTopic(name)
    return name


def topic(school: str, box: str, channel: Channel) -> str:
    """The topic as text. Raises `BadTopic` for ids that break the rules."""
    return str(Topic(school, box, channel))


def parse_topic(text: str) -> Topic:
    """The parts of a topic. Raises `BadTopic` when it is not one of ours."""
    parts = text.split("/")
    if len(parts) != 5 or parts[:2] != ["classbox", "1"]:
        raise BadTopic(text)
    for channel in get_args(Channel):
        if parts[4] == channel:
            return Topic(checked_id(parts[2]), checked_id(parts[3]), channel)
    raise BadTopic(text)


def client_id(school: str, box: str) -> str:
    """The MQTT client id of a box: its certificate's name, so that nobody else can take it."""
    return f"{checked_id(school)}/{checked_id(box)}"
