"""Whose the doubtful pages of a stack are, with all that the stack has shown so far. Pure.

A seat is one pupil's: where a page may say 14 or 19 and 14 has handed in, it says 19. All doubtful pages are solved
together, as a linear assignment of the largest likelihood; "none of the free seats" is an answer too, so that an
absent pupil's seat is no net for strangers. What is not clear by a wide margin stays a question.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from edge.matching import best_matching
from edge.reading.seats import Seat, merged
from edge.reading.signature import same_ink
from edge.reading.who import UNREAD, WHO_UNKNOWN
from homework.results import PageRecord, Problem, WhoWroteIt
from homework.roster import Roster

MARGIN = math.log(100)
"""By how much (log-likelihood) every other solution must be worse before a page is given to a seat.

As sure as a page must be by itself (`SURE_SEAT`). Chosen on figures: see `docs/reading.md`.
"""

SECOND_SHEET = 0.01
"""How often the seat of a page with other ink is taken all the same.

Somebody else wrote that number by mistake (one pupil in 200 is assumed), or the pupil handed in two sheets (the same).
"""

LEAST_SHARE = 0.3
"""A page is given only to a seat that its own ink speaks for: that nothing else is left is no proof."""

AGAIN_SHARE = 0.1
"""The same for a page whose ink is that of a page booked at that seat: two witnesses."""

_NO_CANDIDATE = 1e-4
_NEVER = -math.inf


@dataclass(frozen=True)
class Doubtful:
    """A page that names nobody for certain; `page` is any name for it."""

    page: int
    seat: Seat
    ink: bytes


@dataclass(frozen=True)
class Booked:
    """A page whose seat is settled: by a sure reading, or by a person."""

    seat: int
    ink: bytes


@dataclass(frozen=True)
class Clear:
    """What the stack makes of a doubtful page: its seat, and how sure that is (0..1)."""

    seat: int
    confidence: float


@dataclass(frozen=True)
class StackPage:
    """A page as it lies in the stack. With a `seat` it is in doubt, whoever it was given to; without, `who` stands."""

    page: int
    who: WhoWroteIt
    ink: bytes
    seat: Seat | None = None


def named_by_stack(pages: Sequence[StackPage], roster: Roster) -> dict[int, WhoWroteIt]:
    """Whose the doubtful pages are that are clear now. All are of one page of one assignment and attempt."""
    booked: dict[str, list[Booked]] = defaultdict(list)
    doubtful: dict[str, list[Doubtful]] = defaultdict(list)
    for one in pages:
        if one.seat is not None:
            doubtful[one.who.class_name or ""].append(Doubtful(one.page, one.seat, one.ink))
        elif one.who.pupil is not None and (pupil := roster.by_id(one.who.pupil)) is not None:
            booked[pupil.class_name].append(Booked(pupil.seat, one.ink))
    found = {}
    for class_name, waiting in doubtful.items():
        pupils = {pupil.seat: pupil for pupil in roster.of_class(class_name)}
        for page, clear in make_clear(waiting, booked[class_name], pupils.keys()).items():
            pupil = pupils[clear.seat]
            found[page] = WhoWroteIt(class_name, pupil.seat, pupil.pupil_id, clear.confidence)
    return found


def with_owner(record: PageRecord, who: WhoWroteIt) -> PageRecord:
    """The record under the name that the stack gave it; in doubt again when that is nobody's."""
    problems: tuple[Problem, ...] = tuple(problem for problem in record.problems if problem.code != WHO_UNKNOWN)
    if who.pupil is None:
        problems = (*problems, UNREAD)
    return msgspec.structs.replace(record, who=who, problems=problems)


def make_clear(doubtful: Sequence[Doubtful], booked: Sequence[Booked], seats: Collection[int]) -> dict[int, Clear]:
    """The doubtful pages that are clear now, by `page`. All are of one page of one assignment and attempt of one class.

    `seats` are the class's. No seat that is booked is given away, except to the same paper seen again; no two
    papers get the same seat. Photos of one paper (the same ink) are one paper with one answer. The order in which
    pages are given does not matter.
    """
    taken = {one.seat for one in booked}
    found: dict[int, Clear] = {}
    papers = []
    for paper in _papers(doubtful):
        again = {one.seat for one in booked if any(same_ink(photo.ink, one.ink) for photo in paper)}
        if not again:
            papers.append(paper)
            continue
        seat = min(again)
        share = merged([photo.seat for photo in paper]).share_of(seat)
        if len(again) == 1 and share >= AGAIN_SHARE:
            found |= {photo.page: Clear(seat, max(share, 1 - SECOND_SHEET)) for photo in paper}
    weights = [_weights(merged([photo.seat for photo in paper]), taken, seats) for paper in papers]
    for group in _that_share_seats(weights):
        for index, clear in _solved({index: weights[index] for index in group}).items():
            found |= {photo.page: clear for photo in papers[index]}
    return found


@dataclass(frozen=True)
class _Weights:
    """A paper's shares of the free seats that it may name, and the weight of its being none of them."""

    free: Mapping[int, float]
    aside: float


def _weights(seat: Seat, taken: Collection[int], seats: Collection[int]) -> _Weights:
    free = {number: share for number, share in seat.shares if number in seats and number not in taken}
    elsewhere = sum(share for number, share in seat.shares if number in taken and number in seats)
    candidates = {number: share for number, share in free.items() if share >= _NO_CANDIDATE}
    slight = sum(free.values()) - sum(candidates.values())
    return _Weights(candidates, seat.outside(seats) + elsewhere * SECOND_SHEET + slight + 1e-9)


def _solved(papers: Mapping[int, _Weights]) -> dict[int, Clear]:
    """The papers that are clear among those that compete for the same seats."""
    rows = sorted(papers)
    columns = sorted({seat for paper in papers.values() for seat in paper.free})
    gains = [
        [math.log(papers[row].free[seat]) if seat in papers[row].free else _NEVER for seat in columns]
        + [math.log(papers[row].aside) if other == row else _NEVER for other in rows]
        for row in rows
    ]
    best = best_matching(gains)
    total = _sum(gains, best)
    clear = {}
    for place, (row, column) in enumerate(zip(rows, best, strict=True)):
        if column >= len(columns) or papers[row].free[columns[column]] < LEAST_SHARE:
            continue
        otherwise = [list(line) for line in gains]
        otherwise[place][column] = _NEVER
        margin = total - _sum(otherwise, best_matching(otherwise))
        if margin >= MARGIN:
            clear[row] = Clear(columns[column], 1 / (1 + math.exp(-margin)))
    return clear


def _sum(gains: Sequence[Sequence[float]], matching: Sequence[int]) -> float:
    return sum(line[column] for line, column in zip(gains, matching, strict=True))


def _papers(doubtful: Sequence[Doubtful]) -> list[list[Doubtful]]:
    """The photos of each paper together, papers and photos in the order of their names."""
    papers: list[list[Doubtful]] = []
    for photo in sorted(doubtful, key=lambda each: each.page):
        same = [paper for paper in papers if any(same_ink(photo.ink, other.ink) for other in paper)]
        papers = [paper for paper in papers if not any(paper is other for other in same)]
        papers.append(sorted([photo, *(each for paper in same for each in paper)], key=lambda each: each.page))
    return papers


def _that_share_seats(weights: Sequence[_Weights]) -> list[list[int]]:
    """Indices in groups: who competes for a seat, directly or through others, is solved together."""
    groups: list[tuple[set[int], list[int]]] = []
    for index, paper in enumerate(weights):
        seats, members = set(paper.free), [index]
        apart = []
        for group in groups:
            if group[0] & seats:
                seats |= group[0]
                members += group[1]
            else:
                apart.append(group)
        groups = [*apart, (seats, members)]
    return [sorted(members) for _, members in groups]
