"""A batch of pages that are graded without a ledger: those in doubt wait until the others have been seen. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from edge.booking import assignment_key
from edge.outcomes import Outcome
from edge.owners import StackPage, named_by_stack, with_owner
from homework.results import WhoWroteIt
from homework.roster import Roster


@dataclass(frozen=True)
class Waiting:
    """A page that names nobody for certain; `roster` is the class list that lay beside it."""

    outcome: Outcome
    roster: Roster


class Batch:
    """What a batch has shown so far, by assignment, page, attempt and class list."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], list[StackPage]] = defaultdict(list)
        self._waiting: dict[int, tuple[tuple[object, ...], Waiting]] = {}
        self._count = 0

    def waits(self, one: Outcome, roster: Roster | None) -> bool:
        """Take a page in the order of the batch. True: it is in doubt, and comes again from `named`."""
        record = one.record
        if record is None or roster is None:
            return False
        key = (assignment_key(record), record.page, record.attempt, roster)
        in_doubt = record.who.pupil is None and one.seat is not None and bool(one.seat.shares)
        self._count += 1
        self._seen[key].append(StackPage(self._count, record.who, one.ink, one.seat if in_doubt else None))
        if in_doubt:
            self._waiting[self._count] = (key, Waiting(one, roster))
        return in_doubt

    def named(self) -> Iterator[Waiting]:
        """The pages in doubt, in the order of the batch, under the names that the whole batch makes clear."""
        clear: dict[int, WhoWroteIt] = {}
        for key in dict.fromkeys(key for key, _ in self._waiting.values()):
            roster = key[-1]
            assert isinstance(roster, Roster)
            clear |= named_by_stack(self._seen[key], roster)
        for number, (_, waiting) in self._waiting.items():
            record = waiting.outcome.record
            if number in clear and record is not None:
                yield Waiting(waiting.outcome.named(with_owner(record, clear[number])), waiting.roster)
            else:
                yield waiting
