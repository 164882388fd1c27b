"""Rooms of the site that a teacher opens to people who are not signed in, such as pupils at the box (学生自助).

Closed unless opened; an open one closes by itself, so that nobody leaves it open for ever.
"""

from __future__ import annotations

import msgspec

from edge.access.lifetimes import HOUR_MS, within
from edge.documents import Documents
from homework.errors import UsageError
from sync.clock import ClockReading

ROOMS = {"self": "/self"}
"""Each room and where its addresses begin."""
OPEN_FOR_MS = 4 * HOUR_MS
_SETTING = "open-room-{room}"
_READING = msgspec.json.Decoder(ClockReading)


def open_rooms(documents: Documents, now: ClockReading) -> frozenset[str]:
    """The rooms that are open now."""
    return frozenset(room for room in ROOMS if _is_open(documents.setting(_SETTING.format(room=room)), now))


def opened_at(documents: Documents, room: str, now: ClockReading) -> ClockReading | None:
    """When a room was opened; None while it is closed."""
    kept = documents.setting(_name(room))
    return _READING.decode(kept) if kept and _is_open(kept, now) else None


def open_room(documents: Documents, room: str, now: ClockReading) -> None:
    """Open a room from now on, for four hours. Raises `UsageError` for one that there is not."""
    documents.put_setting(_name(room), msgspec.json.encode(now).decode())


def close_room(documents: Documents, room: str) -> None:
    """Close a room; one that is closed stays so."""
    if documents.setting(_name(room)):
        documents.put_setting(_name(room), "")


def _name(room: str) -> str:
    if room not in ROOMS:
        raise UsageError("There is no such page to open.", remedy="Choose one of the list.")
    return _SETTING.format(room=room)


def _is_open(kept: str | None, now: ClockReading) -> bool:
    if not kept:
        return False
    try:
        return within(_READING.decode(kept), now, OPEN_FOR_MS)
    except msgspec.DecodeError:
        return False
