"""订正: how far each pupil has come with putting right what was wrong. Pure.

The first attempt says what there was to correct, the newest one what became of it. Nothing that waits for a person's
look is called wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.attempts import open_places
from edge.filed import FiledPage
from edge.stack import owner_of
from homework.results import ItemResult, PageRecord, VerdictKind
from homework.roster import Pupil, Roster

STACK_SETTING = "again_stack"
"""The setting that holds the assignment of which the stack on the desk is corrected sheets; "" while it is not."""

WRONG = (VerdictKind.WRONG, VerdictKind.BLANK)


class AgainState(StrEnum):
    """未订正, 仍错, 待确认, 已订正, 无需订正; in the order in which a teacher asks about them."""

    OWES = "owes"
    STILL_WRONG = "still-wrong"
    REVIEW = "review"
    DONE = "done"
    NOTHING = "nothing"


_ORDER = tuple(AgainState)


@dataclass(frozen=True)
class ItemAgain:
    """One field that was open in the first attempt: how it was, and how it is on the newest corrected sheet.

    `first` and `now` are the item with the page that it stands on; `now` is None until a corrected sheet came.
    """

    item: str
    blank: int
    first: ItemResult
    first_page: FiledPage
    now: ItemResult | None = None
    now_page: FiledPage | None = None

    @property
    def newest(self) -> ItemResult:
        """How it is now."""
        return self.now or self.first


@dataclass(frozen=True)
class PupilAgain:
    """One pupil of the class who has handed in. `attempts` is how often a sheet of theirs came, at most."""

    pupil: Pupil
    state: AgainState
    items: tuple[ItemAgain, ...]
    attempts: int


def again_of(pages: Iterable[FiledPage], roster: Roster, class_name: str | None) -> tuple[PupilAgain, ...]:
    """The pupils of a class by seat, from every page of an assignment that counts (all attempts)."""
    chains: dict[str, dict[int, list[FiledPage]]] = defaultdict(lambda: defaultdict(list))
    pupils: dict[str, Pupil] = {}
    for page in pages:
        owner = owner_of(page.record, roster, class_name) if page.record is not None else None
        if page.record is not None and owner is not None and class_name in (None, owner.class_name):
            pupils[owner.pupil_id] = owner
            chains[owner.pupil_id][page.record.page].append(page)
    found = []
    for pupil_id, by_page in chains.items():
        attempts = [sorted(by_page[number], key=_attempt) for number in sorted(by_page)]
        items = tuple(item for chain in attempts for item in _items(chain))
        state = min((_state(chain) for chain in attempts), key=_ORDER.index)
        found.append(PupilAgain(pupils[pupil_id], state, items, max(len(chain) for chain in attempts)))
    return tuple(sorted(found, key=lambda one: (one.pupil.class_name, one.pupil.seat)))


def owing(pupils: Sequence[PupilAgain]) -> tuple[PupilAgain, ...]:
    """Who has still something to correct: those who handed in nothing again, then those who are still wrong."""
    return tuple(one for state in (AgainState.OWES, AgainState.STILL_WRONG) for one in pupils if one.state is state)


def _attempt(page: FiledPage) -> int:
    return page.record.attempt if page.record is not None else 0


def _state(chain: Sequence[FiledPage]) -> AgainState:
    """Of one page."""
    records = [page.record for page in chain if page.record is not None]
    kinds = {records[-1].items[place].verdict.kind for place in open_places(records[-1])}
    if kinds & set(WRONG):
        return AgainState.OWES if len(records) == 1 else AgainState.STILL_WRONG
    if VerdictKind.REVIEW in kinds:
        return AgainState.REVIEW
    return AgainState.NOTHING if not open_places(records[0]) else AgainState.DONE


def _items(chain: Sequence[FiledPage]) -> list[ItemAgain]:
    first, newest = chain[0], chain[-1]
    if first.record is None or newest.record is None:
        return []
    later = _by_name(newest.record) if newest is not first else {}
    items = []
    for place in sorted(open_places(first.record)):
        item = first.record.items[place]
        now = later.get((item.item, item.blank))
        items.append(ItemAgain(item.item, item.blank, item, first, now, newest if now is not None else None))
    return items


def _by_name(record: PageRecord) -> dict[tuple[str, int], ItemResult]:
    return {(item.item, item.blank): item for item in record.items}
