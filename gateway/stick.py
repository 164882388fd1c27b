"""A memory stick at the gateway: what boxes wrote is taken in as if it had come over the line, and answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gateway.downlink import StoreDownLog
from gateway.ingest import StoreIngest
from gateway.store.schools import school_ids, school_key
from gateway.store.store import Store
from homework.errors import ClassboxError
from sync.down_messages import encode_downward
from sync.errors import WireError
from sync.gateway_session import GatewaySession, Message
from sync.state import decode_box_state
from sync.stick import boxes_on, is_registered, read_messages, register, write_messages, written_file
from sync.topics import Channel, parse_topic, topic

log = logging.getLogger(__name__)
_AT_ONCE = 64
_LOOK_S = 3.0
_MOST_DOCUMENT_BYTES = 32 << 20
"""Of one box on one stick; what is beyond goes with the next."""


@dataclass(frozen=True)
class Taken:
    """What came of one box's file."""

    school: str
    box: str
    messages: int
    answers: int
    torn: bool = False
    trouble: ClassboxError | None = None


async def take_stick(store: Store, ingest: StoreIngest, stick: Path) -> list[Taken]:
    """Take in everything on a stick and write the answers beside it. What cannot be read costs nothing else."""
    session = GatewaySession(ingest, software=version("classbox"))
    async with store.reading() as connection:
        schools = await school_ids(connection)
    return [
        await _take(store, session, ingest, stick, school=school, box=box)
        for school in schools
        for box in boxes_on(stick, school)
    ]


async def _take(
    store: Store, session: GatewaySession, ingest: StoreIngest, stick: Path, *, school: str, box: str
) -> Taken:
    key = await ingest.box_key(school, box)
    if key is None:
        return Taken(school, box, 0, 0, trouble=_stranger(school, box))
    try:
        kept = read_messages(stick, "up", school=school, box=box, key=key)
        answers: list[Message] = []
        for start in range(0, len(kept.messages), _AT_ONCE):
            batch = kept.messages[start : start + _AT_ONCE]
            answers += await session.handle([Message(_where(school, box, channel), load) for channel, load in batch])
        mine = [
            (place.channel, answer.payload)
            for answer in answers
            if (place := parse_topic(answer.topic)) and (place.school, place.box) == (school, box)
        ]
        mine += await _documents(StoreDownLog(store), kept.messages, school=school, box=box, key=key)
        write_messages(stick, "down", mine, school=school, box=box, key=key)
    except ClassboxError as error:
        log.warning("stick: %s/%s: %s", school, box, error)
        return Taken(school, box, 0, 0, trouble=error)
    log.info("stick: %s/%s: %d messages, %d answers", school, box, len(kept.messages), len(mine))
    return Taken(school, box, len(kept.messages), len(mine), torn=kept.torn)


async def _documents(
    down_log: StoreDownLog, messages: Sequence[tuple[str, bytes]], *, school: str, box: str, key: bytes
) -> list[tuple[Channel, bytes]]:
    """What the school gives its boxes and this one was not told of, by the last hello among its messages."""
    for channel, payload in reversed(messages):
        if channel == "state":
            try:
                state = decode_box_state(payload, school=school, box=box, key=key)
            except WireError:
                return []
            await down_log.look(state)  # remembers how far the box is
            found = await down_log.all_for(state, most_bytes=_MOST_DOCUMENT_BYTES)
            return [("down", encode_downward(message, school=school, box=box, key=key)) for message in found]
    return []


class StickWatch:
    """Serves the registered sticks of the schools here: once when one is put in, and when a box wrote to it anew."""

    def __init__(self, store: Store, ingest: StoreIngest, sticks: Callable[[], Sequence[Path]]) -> None:
        self._store, self._ingest, self._sticks = store, ingest, sticks
        self._served: dict[Path, object] = {}

    async def run(self) -> None:
        """Look every few seconds until cancelled; what goes wrong is written down."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("a stick could not be served")
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> list[Taken]:
        """Serve what is new on the registered sticks."""
        taken: list[Taken] = []
        there: dict[Path, object] = {}
        for stick in await asyncio.to_thread(self._sticks):
            schools = await schools_of(self._store, stick)
            there[stick] = [
                (school, box, _changed(written_file(stick, school, box)))
                for school in schools
                for box in boxes_on(stick, school)
            ]
            if there[stick] and self._served.get(stick) != there[stick]:
                taken += await take_stick(self._store, self._ingest, stick)
        self._served = there
        return taken


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


async def register_stick(store: Store, stick: Path, school: str) -> None:
    """Make a stick the school's own. Raises `ClassboxError` for a school that is not here."""
    async with store.reading() as connection:
        key = await school_key(connection, store.vault, school)
    register(stick, school=school, school_key=key)


async def schools_of(store: Store, stick: Path) -> list[str]:
    """The schools whose own stick this is."""
    async with store.reading() as connection:
        return [
            school
            for school in await school_ids(connection)
            if is_registered(stick, school=school, school_key=await school_key(connection, store.vault, school))
        ]


def _stranger(school: str, box: str) -> ClassboxError:
    return ClassboxError(
        "{box} is not a box of this school.",
        remedy="Enrol it: classgate school enrol SCHOOL BOX",
        box=f"{school}/{box}",
    )


def _where(school: str, box: str, channel: str) -> str:
    return topic(school, box, "state" if channel == "state" else "up")
