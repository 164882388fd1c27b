"""Where every sheet of a class's homework is: nothing that was slid may be unaccounted for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What became of a page that was slid. Every page has exactly one."""

    COUNTS = "counts"
    CORRECTION = "correction"
    """订正: a later attempt of a page that counts."""
    TWICE = "twice"
    """The same paper again."""
    ASKED = "asked"
    """Whose it is must be said by a person."""
    NOT_GRADED = "not-graded"
    WITHDRAWN = "withdrawn"


class Way(StrEnum):
    """How far what was said of a page has come to the school."""

    BOX = "box"
    """已存本机."""
    HELD = "held"
    """The school has it, and must decide about it."""
    SCHOOL = "school"
    """已传学校."""


@dataclass(frozen=True)
class Slid:
    """A page that was slid: `capture` names it, `seat` is its owner's, None where nobody knows."""

    capture: int
    fate: Fate
    page: int | None
    seat: int | None
    way: Way | None
    """None on a box of no school."""


@dataclass(frozen=True)
class Missing:
    """A page that a pupil of the class has not handed in."""

    seat: int
    page: int


@dataclass(frozen=True)
class Account:
    """Of one class and one homework, in pages. `expected` is None without a class list."""

    expected: int | None
    fates: Counter[Fate]
    places: tuple[tuple[int, int], ...]
    """Seat and page of each page that counts, where the seat is known."""
    ways: Counter[Way]
    """Of the pages that count and of corrections; empty on a box of no school."""
    missing: tuple[Missing, ...]
    open: tuple[Slid, ...]
    """What waits for a person: asked and not graded."""
    under_way: tuple[Slid, ...]
    """What counts and is not at the school: on the box, or held there."""

    @property
    def slid(self) -> int:
        """Every page that was slid, whatever became of it."""
        return sum(self.fates.values())


_REPORTED = (Fate.COUNTS, Fate.CORRECTION)


def account_of(slid: Iterable[Slid], expected: Iterable[tuple[int, int]] | None) -> Account:
    """The account. `expected`: seat and page of everything that the class is to hand in, None without a class list."""
    pages = sorted(slid, key=lambda each: each.capture)
    wanted = None if expected is None else set(expected)
    there = {(each.seat, each.page) for each in pages if each.fate is Fate.COUNTS}
    reported = [each for each in pages if each.fate in _REPORTED]
    return Account(
        expected=None if wanted is None else len(wanted),
        places=tuple(sorted((seat, page) for seat, page in there if seat is not None and page is not None)),
        fates=Counter(each.fate for each in pages),
        ways=Counter(each.way for each in reported if each.way is not None),
        missing=tuple(Missing(seat, page) for seat, page in sorted((wanted or set()) - there)),
        open=tuple(each for each in pages if each.fate in (Fate.ASKED, Fate.NOT_GRADED)),
        under_way=tuple(each for each in reported if each.way in (Way.BOX, Way.HELD)),
    )
