"""The class as its sheets come in: who has handed in, who is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from homework.results import PageRecord
from homework.roster import Pupil, Roster


class SeatState(StrEnum):
    """How far a pupil's homework has come."""

    MISSING = "missing"
    PART = "part"
    """Some pages, not all."""
    REVIEW = "review"
    """All pages, with fields for a person to look at."""
    DONE = "done"


@dataclass(frozen=True)
class Seat:
    """One pupil's place in the class (`seat` from 1)."""

    seat: int
    name: str
    state: SeatState
    missing_pages: tuple[int, ...] = ()
    """Of a pupil who handed in some of the pages: the others."""


@dataclass(frozen=True)
class Stack:
    """A class and one assignment. Without a roster, `seats` are those seen and `total` is None."""

    class_name: str | None
    seats: tuple[Seat, ...]
    handed_in: int
    total: int | None
    missing: tuple[int, ...]


def owner_of(record: PageRecord, roster: Roster, class_name: str | None) -> Pupil | None:
    """Whose page it is by the roster; None when the roster does not know."""
    who = record.who
    if who.pupil is not None and (pupil := roster.by_id(who.pupil)) is not None:
        return pupil
    wanted = who.class_name or class_name
    return roster.at_seat(wanted, who.seat) if wanted is not None and who.seat is not None else None


def chosen_class(roster: Roster, *wishes: str | None) -> str | None:
    """The first wish that says something, else the only class there is, else None: it has to be asked."""
    classes = roster.classes()
    return next(filter(None, wishes), classes[0] if len(classes) == 1 else None)


def stack_of(pages: Iterable[PageRecord], *, roster: Roster, class_name: str | None, pages_a_pupil: int = 1) -> Stack:
    """How the class stands, from the pages of one assignment that count.

    Without a roster of the class, everybody who handed in is shown and nobody can be missing.
    """
    found: dict[int, list[PageRecord]] = {}
    pupils: Sequence[Pupil] = roster.of_class(class_name) if class_name is not None else ()
    in_class = {pupil.pupil_id: pupil.seat for pupil in pupils}
    for record in pages:
        owner = owner_of(record, roster, class_name)
        seat = record.who.seat
        if owner is not None:
            seat = in_class.get(owner.pupil_id) if pupils else owner.seat
        elif pupils:
            continue
        if seat is not None:
            found.setdefault(seat, []).append(record)
    names = {pupil.seat: pupil.name for pupil in pupils}
    numbers = sorted(names) if pupils else sorted(found)
    seats = tuple(_seat(n, names.get(n, ""), found.get(n, ()), pages_a_pupil) for n in numbers)
    return Stack(
        class_name=class_name,
        seats=seats,
        handed_in=sum(seat.state is not SeatState.MISSING for seat in seats),
        total=len(pupils) or None,
        missing=tuple(seat.seat for seat in seats if seat.state is SeatState.MISSING),
    )


def _seat(number: int, name: str, records: Sequence[PageRecord], pages_a_pupil: int) -> Seat:
    state = _state(records, pages_a_pupil)
    there = {record.page for record in records}
    missing = [page for page in range(1, pages_a_pupil + 1) if page not in there] if state is SeatState.PART else []
    return Seat(number, name, state, tuple(missing))


def _state(records: Sequence[PageRecord], pages_a_pupil: int) -> SeatState:
    pages = {record.page for record in records}
    if not pages:
        return SeatState.MISSING
    if len(pages) < pages_a_pupil:
        return SeatState.PART
    return SeatState.REVIEW if any(record.pending for record in records) else SeatState.DONE
