"""订正: how far each pupil has come with putting right what was wrong. Pure.

The first attempt says what there was to correct, the newest one what became of it. Nothing that waits for a person's
look is called wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from homework.grading import is_unattempted
from homework.results import ItemResult, PageRecord, VerdictKind
from homework.roster import Pupil

P = TypeVar("P")
"""Whatever a program knows a page by: on a box the page as it is filed, at the school its capture."""

WRONG = (VerdictKind.WRONG, VerdictKind.BLANK)


class AgainState(StrEnum):
    """未订正, 仍错, 待确认, 已订正, 无需订正; in the order in which a teacher asks about them."""

    OWES = "owes"
    STILL_WRONG = "still-wrong"
    REVIEW = "review"
    DONE = "done"
    NOTHING = "nothing"


_ORDER = tuple(AgainState)
STATE_WORDS = {
    AgainState.OWES: "not corrected yet",
    AgainState.STILL_WRONG: "still wrong",
    AgainState.REVIEW: "corrections to look at",
    AgainState.DONE: "corrected",
    AgainState.NOTHING: "nothing to correct",
}
"""Message ids."""


class Attempt(msgspec.Struct, Generic[P], frozen=True):
    """One page that counts, of any attempt: whose it is, what it says, and what the program knows it by."""

    pupil: Pupil
    record: PageRecord
    page: P


class ItemAgain(msgspec.Struct, Generic[P], frozen=True):
    """One field that was open in the first attempt: how it was, and how it is on the newest corrected sheet.

    `first` and `now` are the item with the page that it stands on; `now` is None until a corrected sheet came.
    """

    item: str
    blank: int
    first: ItemResult
    first_page: P
    now: ItemResult | None = None
    now_page: P | None = None

    @property
    def newest(self) -> ItemResult:
        """How it is now."""
        return self.now or self.first


class PupilAgain(msgspec.Struct, Generic[P], frozen=True):
    """One pupil of the class who has handed in. `attempts` is how often a sheet of theirs came, at most."""

    pupil: Pupil
    state: AgainState
    items: tuple[ItemAgain[P], ...]
    attempts: int


def open_places(record: PageRecord) -> frozenset[int]:
    """The places (from 0, among the record's items) that a pupil still has to correct, or a person to look at.

    Everything that is not right; but not the B and C items that were left alone.
    """
    return frozenset(
        [
            place
            for place, item in enumerate(record.items)
            if item.verdict.kind is not VerdictKind.CORRECT and not is_unattempted(item)
        ]
    )


def again_of(attempts: Iterable[Attempt[P]]) -> tuple[PupilAgain[P], ...]:
    """The pupils by class and seat, from every page of one assignment that counts (all attempts)."""
    chains: dict[str, dict[int, list[Attempt[P]]]] = defaultdict(lambda: defaultdict(list))
    pupils: dict[str, Pupil] = {}
    for one in attempts:
        pupils[one.pupil.pupil_id] = one.pupil
        chains[one.pupil.pupil_id][one.record.page].append(one)
    found = []
    for pupil_id, by_page in chains.items():
        pages = [sorted(by_page[number], key=lambda one: one.record.attempt) for number in sorted(by_page)]
        # What is open on a sheet is asked for thrice, and a class has fifty of them.
        opened = [open_places(chain[0].record) for chain in pages]
        items = tuple([item for chain, places in zip(pages, opened, strict=True) for item in _items(chain, places)])
        state = min(
            [_state([one.record for one in chain], places) for chain, places in zip(pages, opened, strict=True)],
            key=_ORDER.index,
        )
        found.append(PupilAgain(pupils[pupil_id], state, items, max(len(chain) for chain in pages)))
    return tuple(sorted(found, key=lambda one: (one.pupil.class_name, one.pupil.seat)))


def owing(pupils: Sequence[PupilAgain[P]]) -> tuple[PupilAgain[P], ...]:
    """Who has still something to correct: those who handed in nothing again, then those who are still wrong."""
    return tuple(one for state in (AgainState.OWES, AgainState.STILL_WRONG) for one in pupils if one.state is state)


def _state(records: Sequence[PageRecord], opened: frozenset[int]) -> AgainState:
    """Of one page, from its attempts in their order; `opened` are the places that were open on the first."""
    newest = records[-1]
    now = opened if len(records) == 1 else open_places(newest)
    kinds = {newest.items[place].verdict.kind for place in now}
    if len(records) == 1:
        return state_at_first(kinds)
    if not kinds.isdisjoint(WRONG):
        return AgainState.STILL_WRONG
    if VerdictKind.REVIEW in kinds:
        return AgainState.REVIEW
    return AgainState.NOTHING if not opened else AgainState.DONE


def state_at_first(kinds: AbstractSet[VerdictKind]) -> AgainState:
    """Of a sheet that came once, from what was said of the places that are open on it (`open_places`)."""
    if not kinds.isdisjoint(WRONG):
        return AgainState.OWES
    if VerdictKind.REVIEW in kinds:
        return AgainState.REVIEW
    return AgainState.DONE if kinds else AgainState.NOTHING


def _items(chain: Sequence[Attempt[P]], opened: frozenset[int]) -> list[ItemAgain[P]]:
    first, newest = chain[0], chain[-1]
    later = {(item.item, item.blank): item for item in newest.record.items} if newest is not first else {}
    items = []
    for place in sorted(opened):
        item = first.record.items[place]
        now = later.get((item.item, item.blank))
        page = newest.page if now is not None else None
        items.append(ItemAgain(item.item, item.blank, item, first.page, now, page))
    return items
