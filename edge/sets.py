"""Sheets of several pages: whose a page is by the order of the stack, and which pages are missing. Pure.

A stack goes through a scanner sheet by sheet (1 2 1 2 …) or all fronts and then all backs, turned over as a pile or
not. While every page is where that order has it and every seat that was read for certain agrees, a page whose own seat
is in doubt is its sheet's. Where the order breaks nothing is concluded, and the page is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge.owners import AGAIN_SHARE
from edge.reading.seats import Seat
from homework.results import PageRecord

LEAST_SURE_SETS = 3
"""So many sheets must have all their pages booked to one pupil each before the order is believed."""


@dataclass(frozen=True)
class Side:
    """A page in the order of the stack. `pupil` is None where it names nobody for certain; `seat` is what it says."""

    page: int
    pupil: str | None
    seat: Seat | None = None


@dataclass(frozen=True)
class Order:
    """The stack as sheets: places of `sides`, each sheet's pages in one order; `fed_as_sheets`: one after another."""

    sheets: tuple[tuple[int, ...], ...]
    fed_as_sheets: bool


def order_of(sides: Sequence[Side], pages: int) -> Order | None:
    """The order in which the stack lies; None when a page is missing, doubled or elsewhere, or two orders agree.

    `sides` are all pages of one assignment, none left out; `pages` is how many a sheet has.
    """
    count = len(sides) // pages
    if pages < 2 or count * pages != len(sides) or count < LEAST_SURE_SETS:
        return None
    places = range(len(sides))
    by_sheets = tuple(tuple(places[n * pages : (n + 1) * pages]) for n in range(count))
    passes = [tuple(places[n * count : (n + 1) * count]) for n in range(pages)]
    same_way = tuple(zip(*passes, strict=True))
    turned = tuple(zip(*(one if n % 2 == 0 else one[::-1] for n, one in enumerate(passes)), strict=True))
    possible = [Order(by_sheets, True), Order(same_way, False), Order(turned, False)]
    held = [order for order in possible if _holds(sides, order.sheets, pages)]
    return held[0] if len(held) == 1 else None


def told_by_order(sides: Sequence[Side], pages: int) -> dict[int, str]:
    """Whose the doubtful pages are by the order of the stack: their places, and the pupils of their sheets.

    A page on which a seat can be made out must say that pupil's with a tenth at least (the caller checks who that
    is through `may_be`); an empty seat is filled in only where whole sheets were fed.
    """
    order = order_of(sides, pages)
    if order is None:
        return {}
    found = {}
    for sheet in order.sheets:
        sure = {sides[place].pupil for place in sheet} - {None}
        if len(sure) != 1:
            continue
        [pupil] = sure
        for place in sheet:
            one = sides[place]
            written = one.seat is not None and bool(one.seat.shares)
            if one.pupil is None and pupil is not None and (written or order.fed_as_sheets):
                found[place] = pupil
    return found


def may_be(seat: Seat | None, number: int) -> bool:
    """Whether a page's own ink allows that seat: nothing is written, or it says so with a tenth at least."""
    return seat is None or not seat.shares or seat.share_of(number) >= AGAIN_SHARE


def missing_pages(records: Iterable[PageRecord], pages: Mapping[str, int]) -> dict[int, list[str]]:
    """The pages that are not there of pupils of whom another page is: page number to pupils, in the order seen.

    `pages` says how many pages each sheet (by its id) has.
    """
    there: dict[tuple[str, str], set[int]] = defaultdict(set)
    for record in records:
        if record.who.pupil is not None:
            there[(record.sheet, record.who.pupil)].add(record.page)
    missing: dict[int, list[str]] = defaultdict(list)
    for (sheet, pupil), seen in there.items():
        for page in range(1, pages.get(sheet, 1) + 1):
            if page not in seen:
                missing[page].append(pupil)
    return dict(sorted(missing.items()))


def _holds(sides: Sequence[Side], sheets: tuple[tuple[int, ...], ...], pages: int) -> bool:
    first = [sides[place].page for place in sheets[0]]
    if sorted(first) != list(range(1, pages + 1)):
        return False
    sure = 0
    booked: set[tuple[str, int]] = set()
    for sheet in sheets:
        if [sides[place].page for place in sheet] != first:
            return False
        pupils = [sides[place].pupil for place in sheet]
        named = [(pupil, sides[place].page) for pupil, place in zip(pupils, sheet, strict=True) if pupil is not None]
        if booked & set(named) or any(a[0] != b[0] for a, b in pairwise(named)):
            return False
        booked |= set(named)
        sure += len(named) == pages
    return sure >= LEAST_SURE_SETS
