"""Which of several people's words on one field counts, wherever and in whatever order they came. Pure.

A word is a *correction*: it says something of the judgement, the comment or the stamp of one field, and names the
corrections of that field that were known where it was made. Of each of the three, on every side alike:

1. One that another one names is replaced by it: whoever made the other saw what it had done.
2. Of those made apart (neither names the other) a clock that a time server had set stands before any other; of two
   such the later time counts. So a box that wakes in 2099 wins nothing.
3. Else the later in the school's order counts. A box does not know the place of its own yet: it is after all that
   came down without naming them, for what the school knew when it made those, it named.

Taking back is a correction as well: it says that nothing is said. All of them are kept.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from homework.corrections import Place
from homework.results import ItemResult, Reading, Said, Stamp

MOST_NAMED = 16
"""So many corrections one names. Of more on one field these are the newest, and they name the others."""


class Word(Protocol):
    """What of a word decides whether it counts. `order` is its place among the school's, None where not known yet."""

    @property
    def id(self) -> bytes: ...
    @property
    def replaces(self) -> tuple[bytes, ...]: ...
    @property
    def synced(self) -> bool: ...
    @property
    def wall_ms(self) -> int: ...
    @property
    def order(self) -> int | None: ...


W = TypeVar("W", bound=Word)


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What is said of the answer: the three belong together, for a text gives the verdict back to the key."""

    text: str | None = None
    right: bool | None = None
    score_hundredths: int | None = None


class Correction(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A person's word on one field as it travels. What is UNSET it says nothing of.

    `read` is what the box had read, in case nobody has that any more who takes it back. `synced`, `wall_ms`: the clock
    where it was made (Unix time in milliseconds). `order` is its place among the school's corrections, from 1; None
    where that is not known yet.
    """

    id: bytes
    place: Place
    judgement: Judgement | msgspec.UnsetType = msgspec.UNSET
    comment: str | msgspec.UnsetType = msgspec.UNSET
    stamp: Stamp | msgspec.UnsetType | None = msgspec.UNSET
    read: Reading | None = None
    replaces: tuple[bytes, ...] = ()
    synced: bool = False
    wall_ms: int = 0
    order: int | None = None


class Counting(NamedTuple):
    """The correction that counts for each of what can be said of a field; None where nobody said anything of it."""

    judgement: Correction | None
    comment: Correction | None
    stamp: Correction | None


def counting(corrections: Iterable[Correction]) -> Counting:
    """Which of the corrections of one field count. Depends on the set alone: neither on order nor on doubling."""
    every = list(corrections)
    return Counting(
        winner(one for one in every if one.judgement is not msgspec.UNSET),
        winner(one for one in every if one.comment is not msgspec.UNSET),
        winner(one for one in every if one.stamp is not msgspec.UNSET),
    )


def winner(words: Iterable[W]) -> W | None:
    """That of several people's words on one thing which counts, None of none. Depends on the set alone."""
    every = {one.id: one for one in sorted(words, key=_rank, reverse=True)}.values()
    replaced = {name for one in every for name in one.replaces if name != one.id}
    heads = [one for one in every if one.id not in replaced]
    # Two that name each other (nobody honest makes such) replace neither.
    return max(heads or every, key=_rank, default=None)


def newest_first(words: Iterable[W]) -> list[W]:
    """Words by the same rank, but for what names what."""
    return sorted(words, key=_rank, reverse=True)


def said_after_all(item: ItemResult, corrections: Collection[Correction]) -> Said | None:
    """What is said of a field (None: nothing) once all its corrections are known; what they are silent on stays."""
    said = item.said or Said(read=item.reading)
    ruling, remark, stamped = counting(corrections)
    if ruling is not None and ruling.judgement is not msgspec.UNSET:
        said = msgspec.structs.replace(said, **msgspec.structs.asdict(ruling.judgement))
    if remark is not None and remark.comment is not msgspec.UNSET:
        said = msgspec.structs.replace(said, comment=remark.comment)
    if stamped is not None and stamped.stamp is not msgspec.UNSET:
        said = msgspec.structs.replace(said, stamp=stamped.stamp)
    return None if said == Said(read=said.read) else said


def correction_between(
    before: Said | None,
    after: Said | None,
    *,
    known: Collection[Correction],
    name: bytes,
    place: Place,
    read: Reading,
    synced: bool,
    wall_ms: int,
) -> Correction:
    """The correction `name` by which `before` becomes `after`; `known` are those of the field that its maker saw."""
    was, now = before or Said(read=read), after or Said(read=read)
    return Correction(
        id=name,
        place=place,
        judgement=_judgement(now) if _judgement(now) != _judgement(was) else msgspec.UNSET,
        comment=now.comment if now.comment != was.comment else msgspec.UNSET,
        stamp=now.stamp if now.stamp != was.stamp else msgspec.UNSET,
        read=next((one.read for one in known if one.read is not None), read),
        replaces=_named(known),
        synced=synced,
        wall_ms=wall_ms,
    )


def _judgement(said: Said) -> Judgement:
    return Judgement(said.text, said.right, said.score_hundredths)


def _named(known: Collection[Correction]) -> tuple[bytes, ...]:
    """The corrections that one made now names: those that count first, then the newest."""
    counts = {one.id: one for one in counting(known) if one is not None}
    rest = [one for one in newest_first(known) if one.id not in counts]
    return tuple(dict.fromkeys(one.id for one in (*counts.values(), *rest)))[:MOST_NAMED]


def _rank(one: Word) -> tuple[bool, int, float, bytes]:
    order = math.inf if one.order is None else one.order
    return (one.synced, one.wall_ms if one.synced else 0, order, one.id)
