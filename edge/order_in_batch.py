"""A batch whose sheets were slid in the order of the seats: the n-th sheet is the n-th seat's. Pure.

Nobody watches a call here, so the order is believed only when all of it fits: as many sheets as pupils are there,
each with the same pages, none twice, and no sticker that says otherwise. Else nobody is named, and why is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import msgspec

from edge.outcomes import Outcome
from edge.reading.signature import same_ink
from edge.reading.who import WHO_UNKNOWN
from homework.errors import ClassboxError, Phrase, UsageError
from homework.results import Problem, WhoWroteIt
from homework.roster import Pupil, Roster

ORDER_UNCLEAR = Problem(WHO_UNKNOWN, "The sheets do not come out with the seats of the class: say whose this one is.")

Side = tuple[str | None, int | None]


class OrderError(ClassboxError):
    """Why a stack in seat order names nobody."""


NO_CLASS = OrderError(
    "These sheets come in seat order, and it is not known of which class.",
    remedy="Name the class with --class, and its class list with --roster.",
)


class OrderOfBatch:
    """The pictures of a batch, in their order; `class_name` is the class that was named, `away` the absent seats."""

    def __init__(self, class_name: str | None, away: Collection[int] = ()) -> None:
        self._class_name = class_name
        self._away = frozenset(away)
        self._pictures: list[tuple[Outcome, ...]] = []
        self._roster: Roster | None = None
        self._waiting: list[Outcome] = []
        self._of_no_class = False

    def waits(self, pages: Sequence[Outcome], roster: Roster | None) -> list[bool]:
        """Take a picture with its pages: which of them come again from `named`."""
        read = tuple(page for page in pages if page.record is not None)
        if read and not any(page.by_order for page in read):
            return [False] * len(pages)  # of another worksheet
        self._pictures.append(tuple(page for page in read if page.by_order))
        if not read:
            return [False] * len(pages)
        self._roster = self._roster or roster
        unnamed = [page.by_order and page.record is not None and page.record.who.pupil is None for page in pages]
        if self._class() is None:
            self._of_no_class |= any(unnamed)
            return [False] * len(pages)
        waits = [one and not _asked(page) for page, one in zip(pages, unnamed, strict=True)]
        self._waiting += [page for page, one in zip(pages, waits, strict=True) if one]
        return waits

    def lost(self) -> None:
        """A picture that could not be opened: somebody's."""
        self._pictures.append(())

    def named(self) -> tuple[Iterator[Outcome], OrderError | None]:
        """The pages that waited, under their names; or as they were, and why."""
        if self._of_no_class:
            return iter(self._waiting), NO_CLASS
        if not self._waiting:
            return iter(()), None
        try:
            owners = self._owners()
        except OrderError as error:
            return map(_unclear, self._waiting), error
        return iter([_under(page, owners[id(page)]) for page in self._waiting]), None

    def _class(self) -> str | None:
        classes = self._roster.classes() if self._roster is not None else ()
        return self._class_name or (classes[0] if len(classes) == 1 else None)

    def _owners(self) -> dict[int, Pupil]:
        """Whose each page is, by its identity. Raises `OrderError`."""
        class_name = self._class()
        pupils = self._roster.of_class(class_name) if self._roster is not None and class_name is not None else ()
        if not pupils:
            raise NO_CLASS
        strangers = self._away - {pupil.seat for pupil in pupils}
        if strangers:
            raise OrderError(
                "Nobody in class {name} sits at {seats}.",
                remedy="Correct --absent.",
                name=class_name,
                seats=", ".join(map(str, sorted(strangers))),
            )
        present = [pupil for pupil in pupils if pupil.seat not in self._away]
        each, rest = divmod(len(self._pictures), len(present)) if present else (0, 1)
        if rest or not each:
            raise OrderError(
                "{pictures} pages came in seat order, and {pupils} pupils of class {name} are not named as absent.",
                remedy="Name who is absent: --absent 7,12.",
                pictures=len(self._pictures),
                pupils=len(present),
                name=class_name,
            )
        self._check_sides(each)
        owners = {}
        for place, picture in enumerate(self._pictures):
            pupil = present[place // each]
            for page in picture:
                assert page.record is not None
                if page.record.who.pupil not in (None, pupil.pupil_id):
                    raise _broken(page, "its sticker names another pupil than its place in the stack")
                owners[id(page)] = pupil
        return owners

    def _check_sides(self, each: int) -> None:
        """Every pupil's pictures must show the same pages in the same order, none of them twice."""
        shown: list[tuple[Side, ...]] = [tuple((p.sheet, p.page) for p in picture) for picture in self._pictures]
        pattern = [next((one for one in shown[n::each] if one), ()) for n in range(each)]
        for place, one in enumerate(shown):
            if one and one != pattern[place % each]:
                raise _broken(self._pictures[place][0], "another page belongs at its place in the stack")
        sides = [side for one in pattern for side in one]
        if len(set(sides)) != len(sides):
            page = next(picture[0] for picture in self._pictures if picture)
            raise _broken(page, "there are more sheets than pupils")
        for n in range(each):
            for one_before, one_after in pairwise(self._pictures[n::each]):
                if any(same_ink(a.ink, b.ink) for a, b in zip(one_before, one_after, strict=False)):
                    raise _broken(one_after[0], "it looks like the sheet before it")


def parse_seats(text: str) -> frozenset[int]:
    """`7,12,20-25` as seats. Raises `UsageError`."""
    seats: set[int] = set()
    for part in text.replace("，", ",").split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else not last)):
            raise UsageError("{text} is no list of seats.", remedy="Write it like this: 7,12 or 20-25.", text=text)
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= 99:
            raise UsageError("{text} is no list of seats.", remedy="Write it like this: 7,12 or 20-25.", text=text)
        seats.update(range(low, high + 1))
    return frozenset(seats)


def _asked(page: Outcome) -> bool:
    return any(problem.code == WHO_UNKNOWN for problem in page.problems)


def _unclear(page: Outcome) -> Outcome:
    assert page.record is not None
    return page.named(msgspec.structs.replace(page.record, problems=(*page.record.problems, ORDER_UNCLEAR)))


def _under(page: Outcome, pupil: Pupil) -> Outcome:
    assert page.record is not None
    who = WhoWroteIt(pupil.class_name, pupil.seat, pupil.pupil_id, 1.0)
    return page.named(msgspec.structs.replace(page.record, who=who))


def _broken(page: Outcome, why: str) -> OrderError:
    return OrderError(
        "The order of the stack breaks at {source}, page {page}: {why}.",
        remedy="Put the sheets in order, and name who is absent: --absent 7,12.",
        source=page.source,
        page=page.page_of_source,
        why=Phrase(why),
    )
