"""Pupils of a register that knows no seats: each gets one that stays, and an id that is nobody else's. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from homework.pasted_roster import with_ids_of_before
from homework.roster import MAX_SEAT, Pupil, Roster, minted_pupil_id, roster_of


class Unseated(NamedTuple):
    """A pupil as a register has her. `ids`: what may name her, best first; `seat`: what it says, often nothing."""

    class_name: str
    name: str
    ids: tuple[str, ...]
    seat: str


def seated(pupils: Sequence[Unseated], known: Roster) -> tuple[Roster, tuple[str, ...]]:
    """The class list of pupils, and the classes where a seat had to be counted because nobody said it.

    Each has the seat that the register says, else the one that she has in `known`, else the next that is free, in the
    order given. Whoever is in `known` keeps her id. At most `MAX_PUPILS_A_CLASS` of a class.
    """
    if not pupils:
        return Roster(()), ()
    uses = Counter(one for pupil in pupils for one in pupil.ids[:1])
    by_class: dict[str, list[Unseated]] = defaultdict(list)
    for pupil in pupils:
        by_class[pupil.class_name].append(pupil)
    before = known.by_class()
    rows: list[tuple[int, dict[str, str]]] = []
    counted: list[str] = []
    for class_name, members in by_class.items():
        ids = [_own_id(pupil.ids, uses) for pupil in members]
        seats = _said(members, before.get(class_name, ()), ids)
        free = (seat for seat in range(1, MAX_SEAT + 1) if seat not in set(seats))
        counted += [class_name] if 0 in seats else []
        for pupil, own, said in zip(members, ids, seats, strict=True):
            seat = said or next(free)
            own = own or minted_pupil_id(class_name, seat, pupil.name)  # noqa: PLW2901 - needs the seat
            rows.append((len(rows) + 1, {"class": class_name, "seat": str(seat), "name": pupil.name, "pupil_id": own}))
    return with_ids_of_before(roster_of(rows), known), tuple(counted)


def _said(members: Sequence[Unseated], before: Sequence[Pupil], ids: Sequence[str]) -> list[int]:
    """The seats that are known, one a pupil; 0 where none is, or another has it."""
    by_id = {one.pupil_id: one.seat for one in before}
    names = Counter(one.name for one in before)
    by_name = {one.name: one.seat for one in before if names[one.name] == 1}
    told = [int(one.seat) if re.fullmatch(r"[0-9]{1,2}", one.seat) else 0 for one in members]
    had = [by_id.get(own, 0) or by_name.get(one.name, 0) for one, own in zip(members, ids, strict=True)]
    seats = [0] * len(members)
    for wishes in (told, had):
        for at, seat in enumerate(wishes):
            if not seats[at] and 1 <= seat <= MAX_SEAT and seat not in seats:
                seats[at] = seat
    return seats


def _own_id(ids: Sequence[str], uses: Counter[str]) -> str:
    """The best id that is nobody else's; "" when there is none. `uses`: how many have it as their best."""
    return next((one for at, one in enumerate(ids) if uses[one] == (at == 0)), "")
