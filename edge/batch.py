"""A batch of pages that are graded without a ledger: those in doubt wait until the others have been seen. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from edge.booking import assignment_key
from edge.outcomes import Outcome
from edge.owners import StackPage, named_by_stack, with_owner
from edge.reading.who import WHO_UNKNOWN
from edge.sets import Side, may_be, told_by_order
from homework.results import WhoWroteIt
from homework.roster import Roster

BY_ORDER = 0.995
"""How sure a name is that the order of the stack gave: a whole sheet turned in a pile that is in order is rare."""


@dataclass(frozen=True)
class Waiting:
    """A page that names nobody for certain; `roster` is the class list beside it, `pages` how many its sheet has."""

    outcome: Outcome
    roster: Roster
    pages: int = 1


class Batch:
    """What a batch has shown so far, by assignment, page, attempt and class list."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], list[StackPage]] = defaultdict(list)
        self._waiting: dict[int, tuple[tuple[object, ...], Waiting]] = {}
        self._count = 0
        self._places: dict[tuple[object, ...], list[int]] = defaultdict(list)
        self._sides: dict[int, Side] = {}
        self._pages: dict[tuple[object, ...], int] = {}
        self._unbroken = True

    def waits(self, one: Outcome, roster: Roster | None, pages: int = 1) -> bool:
        """Take a page in the order of the batch; `pages` is how many its sheet has.

        True: it is in doubt, and comes again from `named`.
        """
        record = one.record
        if record is None:
            self.lost()
        if record is None or roster is None:
            return False
        stack = (assignment_key(record), record.attempt, roster)
        key = (*stack, record.page)
        seen = one.seat is not None and bool(one.seat.shares)
        nobody = record.who.pupil is None and any(problem.code == WHO_UNKNOWN for problem in record.problems)
        in_doubt = (record.who.pupil is None and seen) or (nobody and pages > 1)
        self._count += 1
        if seen or not nobody:
            self._seen[key].append(StackPage(self._count, record.who, one.ink, one.seat if in_doubt else None))
        self._places[stack].append(self._count)
        self._sides[self._count] = Side(record.page, record.who.pupil, one.seat)
        self._pages[stack] = pages
        if in_doubt:
            self._waiting[self._count] = (key, Waiting(one, roster, pages))
        return in_doubt

    def lost(self) -> None:
        """A page came that could not be read: from here on the order of the stack says nothing."""
        self._unbroken = False

    def named(self) -> Iterator[Waiting]:
        """The pages in doubt, in the order of the batch, under the names that the whole batch makes clear."""
        clear: dict[int, WhoWroteIt] = {}
        for key in dict.fromkeys(key for key, _ in self._waiting.values()):
            roster = key[2]
            assert isinstance(roster, Roster)
            clear |= named_by_stack(self._seen[key], roster)
        clear |= {number: who for number, who in self._by_order(clear).items() if number not in clear}
        for number, (_, waiting) in self._waiting.items():
            record = waiting.outcome.record
            if number in clear and record is not None:
                yield replace(waiting, outcome=waiting.outcome.named(with_owner(record, clear[number])))
            else:
                yield waiting

    def _by_order(self, clear: Mapping[int, WhoWroteIt]) -> dict[int, WhoWroteIt]:
        """Pages that are their sheet's, where the stack lies in an order that nothing contradicts."""
        found: dict[int, WhoWroteIt] = {}
        for stack, places in self._places.items():
            roster = stack[2]
            assert isinstance(roster, Roster)
            if not self._unbroken or not any(place in self._waiting and place not in clear for place in places):
                continue
            sides = [self._side(place, clear) for place in places]
            for place, pupil_id in told_by_order(sides, self._pages[stack]).items():
                pupil = roster.by_id(pupil_id)
                number = places[place]
                if pupil is not None and number in self._waiting and may_be(sides[place].seat, pupil.seat):
                    found[number] = WhoWroteIt(pupil.class_name, pupil.seat, pupil.pupil_id, BY_ORDER)
        return found

    def _side(self, place: int, clear: Mapping[int, WhoWroteIt]) -> Side:
        side = self._sides[place]
        return replace(side, pupil=clear[place].pupil) if place in clear else side
