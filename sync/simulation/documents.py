"""A school's log in memory that can be put back, and a box's shelf whose disk fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sync.down_bodies import EACH_COUNTS, FIRST_CHAIN, content_of, digest_of_packed, next_chain, packed
from sync.down_messages import MAX_INLINE_BYTES, MAX_OFFERED, PART_BYTES, Entry, Want
from sync.offers import Head, LogEntry, Look
from sync.simulation.made_up import SCHOOL
from sync.state import BoxState


@dataclass
class MemoryDownLog:
    """A `DownLog` of one school."""

    incarnation: bytes
    rows: list[tuple[LogEntry, bytes | None]] = field(default_factory=list)
    """Every entry with its packed body; None once it does not stand any more."""
    given: int = 0
    """Bytes of parts that were given out."""

    def append(self, kind: str, key: str, body: bytes, *, origin: str | None = None) -> bool:
        """As `gateway.store.down_log.append`. Says whether it was new."""
        content, frame = content_of(body), packed(body)
        same = [at for at, (one, _) in enumerate(self.rows) if (one.entry.kind, one.entry.key) == (kind, key)]
        if same and self.rows[same[-1]][0].entry.content == content:
            return False
        for at in [] if kind in EACH_COUNTS else same:
            self.rows[at] = (self.rows[at][0], None)
        inline = frame if len(frame) <= MAX_INLINE_BYTES else None
        entry = Entry(len(self.rows) + 1, kind, key, content, digest_of_packed(frame), len(frame), inline)
        self.rows.append((LogEntry(entry, next_chain(self.head.chain, kind, key, content), origin), frame))
        return True

    @property
    def head(self) -> Head:
        """Where it ends."""
        return Head(self.incarnation, len(self.rows), self.rows[-1][0].chain if self.rows else FIRST_CHAIN)

    def standing(self) -> list[Entry]:
        """Every entry that stands."""
        return [one.entry for one, frame in self.rows if frame is not None]

    def copy(self) -> MemoryDownLog:
        """A backup."""
        return replace(self, rows=list(self.rows))

    async def look(self, state: BoxState) -> Look | None:
        having = state.having
        if having is None:
            return None
        chains = [FIRST_CHAIN, *(one.chain for one, _ in self.rows)]
        continues = (
            having.incarnation in (None, self.incarnation)
            and having.place < len(chains)
            and chains[having.place] == having.chain
        )
        after = having.place if continues else 0
        found = [one for one, frame in self.rows[after:] if frame is not None]
        return Look(self.head, continues, found[: MAX_OFFERED + 1])

    async def part(self, school: str, want: Want) -> bytes | None:
        if school != SCHOOL or not 1 <= want.place <= len(self.rows):
            return None
        one, frame = self.rows[want.place - 1]
        if frame is None or one.entry.digest != want.digest:
            return None
        part = frame[want.offset : want.offset + PART_BYTES]
        self.given += len(part)
        return part

    async def heads(self) -> dict[str, Head]:
        return {SCHOOL: self.head} if self.rows else {}


class MemoryShelf:
    """A box's documents. What is taken survives; `before` and `after` are called round each."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str], bytes] = {}
        self.ever: set[tuple[str, str, bytes]] = set()
        """Whatever once stood here."""
        self.taken = 0
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def content(self, kind: str, key: str) -> bytes | None:
        body = self.bodies.get((kind, key))
        return None if body is None else content_of(body)

    def take(self, kind: str, key: str, body: bytes) -> None:
        self.before()
        self.put(kind, key, body)
        self.taken += 1
        self.after()

    def put(self, kind: str, key: str, body: bytes) -> None:
        """As when a person changes it."""
        self.bodies[kind, key] = body
        self.ever.add((kind, key, content_of(body)))
