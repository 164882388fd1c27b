"""The gateway's half of the way down: what to offer to a box that says what it was told. Pure, but for the port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sync.down_bodies import FIRST_CHAIN
from sync.down_messages import MAX_OFFER_BYTES, MAX_OFFERED, PART_BYTES, Entry, Offer, Part, Want
from sync.state import BoxState


class Head(NamedTuple):
    """Where a school's log ends."""

    incarnation: bytes
    place: int
    chain: bytes


class LogEntry(NamedTuple):
    """An entry that stands in the log. `entry.inline` is there when the body is small, wherever it came from."""

    entry: Entry
    chain: bytes
    origin: str | None


class Look(NamedTuple):
    """What the log has for a box, as one transaction saw it.

    `continues`: it has the box's chain at the box's place, and `entries` stand after it; else they stand from the
    beginning. One more than `MAX_OFFERED` are enough.
    """

    head: Head
    continues: bool
    entries: Sequence[LogEntry]


class DownLog(Protocol):
    """The schools' logs. Each method is called from one asyncio loop."""

    async def look(self, state: BoxState) -> Look | None:
        """What stands after `state.having`, which is remembered as the box's place; None for a stranger."""

    async def part(self, school: str, want: Want) -> bytes | None:
        """The packed bytes of `PART_BYTES` from the wanted offset on; None when that does not stand there."""

    async def heads(self) -> dict[str, Head]:
        """Where the log of each school ends."""


def offer_of(look: Look, state: BoxState) -> Offer | None:
    """The offer that answers a hello; None when the box was told everything."""
    having, head = state.having, look.head
    if having is None or (look.continues and having.place == head.place):
        return None
    entries: list[LogEntry] = []
    size = 0
    for one in look.entries[:MAX_OFFERED]:
        body = one.entry.inline or b""
        if entries and size + len(body) > MAX_OFFER_BYTES:
            break
        size += len(body)
        entries.append(one)
    whole = len(entries) == len(look.entries)
    return Offer(
        incarnation=head.incarnation,
        challenge=state.challenge,
        after=having.place if look.continues else 0,
        before=having.chain if look.continues else FIRST_CHAIN,
        through=head.place if whole else entries[-1].entry.place,
        chain=head.chain if whole else entries[-1].chain,
        last=head.place,
        anew=not look.continues,
        entries=tuple(_for(state.box, one) for one in entries),
    )


def part_of(packed: bytes | None, want: Want) -> Part | None:
    """The part that a box wants, of the bytes that the log has from there on."""
    return Part(want.place, want.digest, want.offset, packed[:PART_BYTES]) if packed else None


def _for(box: str, one: LogEntry) -> Entry:
    """What came from a box it has in all likelihood: it asks for the body if it has not."""
    entry = one.entry
    if one.origin != box or entry.inline is None:
        return entry
    return Entry(entry.place, entry.kind, entry.key, entry.content, entry.digest, entry.size)
