"""What the pages of one pupil say of an assignment's items, straight from the form in which they are stored. Pure.

A class report makes page records of its rows (`gateway.reports.graded`), because its figures need all that is in them.
A pupil's term is two thousand items of ninety worksheets, of which all but a few are only counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.store.pages import PageRow, unpack_items
from homework.again import AgainState, state_at_first
from homework.layout import SheetLayout
from homework.results import VerdictKind
from homework.statistics import state_of
from sync.records import VERDICT_CODES, PackedItem

Blanks = Mapping[str, Sequence[PackedItem]]
"""What stands in each item's blanks, in the order of the sheet."""

_BLANK = VERDICT_CODES.index(VerdictKind.BLANK)
_ALONE = tuple(state_of({kind}) for kind in VERDICT_CODES)
"""The state of an item of one blank, by its verdict's code."""


def blanks_of(rows: Iterable[PageRow], layouts: Mapping[str, SheetLayout]) -> Blanks:
    """What stands on these pages, in their order; `layouts` by sheet. Items without a name are named by their place."""
    found: dict[str, list[PackedItem]] = {}
    for row in rows:
        packed = unpack_items(row.items)
        names = _names(row, layouts.get(row.sheet), len(packed))
        if not found and len(set(names)) == len(names):  # nearly always
            found = {name: [one] for name, one in zip(names, packed, strict=True)}
            continue
        for name, one in zip(names, packed, strict=True):
            there = found.get(name)
            if there is None:
                found[name] = [one]
            else:
                there.append(one)
    return found


class Went(NamedTuple):
    """How a sheet went: each item's state (`homework.statistics.item_state`), in the order of the sheet; and how far
    its mistakes are put right, where every page of it came once.
    """

    states: Mapping[str, VerdictKind | None]
    again: AgainState


def went(blanks: Blanks) -> Went:
    """How the items of a sheet went."""
    states: dict[str, VerdictKind | None] = {}
    codes: set[int] = set()
    for name, own in blanks.items():
        code = own[0].verdict
        if len(own) == 1 and code != _BLANK:  # nearly always
            codes.add(code)
            states[name] = _ALONE[code]
        else:
            some = {one.verdict for one in own if not _left_alone(one)}
            codes |= some
            states[name] = state_of({VERDICT_CODES[one] for one in some})
    return Went(states, state_at_first({VERDICT_CODES[code] for code in codes} - {VerdictKind.CORRECT}))


def _left_alone(one: PackedItem) -> bool:
    """`homework.grading.is_unattempted`."""
    return one.verdict == _BLANK and one.score_hundredths is None


def _names(row: PageRow, layout: SheetLayout | None, n: int) -> list[str]:
    page = layout.page(row.page) if layout is not None else None
    names = [field.item for field in page.fields] if page is not None else []
    return names if len(names) == n else [f"{row.page}-{place}" for place in range(1, n + 1)]
