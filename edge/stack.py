"""The class as its sheets come in: who has handed in, who is missing, excused, exempt or late. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from homework.absences import Absence, timing_of
from homework.lateness import Timing, pupil_timing
from homework.results import PageRecord
from homework.roster import Pupil, Roster


class SeatState(StrEnum):
    """How far a pupil's homework has come."""

    MISSING = "missing"
    EXCUSED = "excused"
    """请假: the sheet comes later."""
    EXEMPT = "exempt"
    """免做: no sheet is to come."""
    PART = "part"
    """Some pages, not all."""
    REVIEW = "review"
    """All pages, with fields for a person to look at."""
    DONE = "done"


NOTHING_IN = frozenset({SeatState.MISSING, SeatState.EXCUSED, SeatState.EXEMPT})
_AWAY = {Absence.EXCUSED: SeatState.EXCUSED, Absence.EXEMPT: SeatState.EXEMPT}
_NOBODY: Mapping[str, Absence] = MappingProxyType({})


@dataclass(frozen=True)
class Arrived:
    """A page that counts: its record, its capture, and whether it came in time; None where nothing is due."""

    record: PageRecord
    capture: int = 0
    timing: Timing | None = None


@dataclass(frozen=True)
class Seat:
    """One pupil's place in the class (`seat` from 1). `capture` is the page of theirs that came last, 0: none."""

    seat: int
    name: str
    state: SeatState
    missing_pages: tuple[int, ...] = ()
    """Of a pupil who handed in some of the pages: the others."""
    late: bool = False
    """补交: handed in after it was due, or by somebody who was excused."""
    untimed: bool = False
    """时间不详: nobody can tell whether it was late."""
    pupil: str | None = None
    capture: int = 0


@dataclass(frozen=True)
class Stack:
    """A class and one assignment. Without a roster, `seats` are those seen and `total` is None.

    `total` is how many are expected: the class without those who are excused or exempt and handed nothing in.
    """

    class_name: str | None
    seats: tuple[Seat, ...]
    handed_in: int
    total: int | None
    missing: tuple[int, ...]
    excused: tuple[int, ...] = ()
    exempt: tuple[int, ...] = ()
    late: tuple[int, ...] = ()
    untimed: tuple[int, ...] = ()


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


def stack_of(
    pages: Iterable[Arrived],
    *,
    roster: Roster,
    class_name: str | None,
    pages_a_pupil: int = 1,
    absences: Mapping[str, Absence] = _NOBODY,
) -> Stack:
    """How the class stands, from the pages of one assignment that count. `absences` are by pupil.

    Without a roster of the class, everybody who handed in is shown and nobody can be missing.
    """
    found: dict[int, list[Arrived]] = {}
    pupils: Sequence[Pupil] = roster.of_class(class_name) if class_name is not None else ()
    in_class = {pupil.pupil_id: pupil.seat for pupil in pupils}
    for page in pages:
        owner = owner_of(page.record, roster, class_name)
        seat = page.record.who.seat
        if owner is not None:
            seat = in_class.get(owner.pupil_id) if pupils else owner.seat
        elif pupils:
            continue
        if seat is not None:
            found.setdefault(seat, []).append(page)
    there = {pupil.seat: pupil for pupil in pupils}
    numbers = sorted(there) if pupils else sorted(found)
    seats = tuple(_seat(n, there.get(n), found.get(n, ()), pages_a_pupil, absences) for n in numbers)
    of_state = {state: tuple(seat.seat for seat in seats if seat.state is state) for state in SeatState}
    handed_in = sum(seat.state not in NOTHING_IN for seat in seats)
    return Stack(
        class_name=class_name,
        seats=seats,
        handed_in=handed_in,
        total=handed_in + len(of_state[SeatState.MISSING]) if pupils else None,
        missing=of_state[SeatState.MISSING],
        excused=of_state[SeatState.EXCUSED],
        exempt=of_state[SeatState.EXEMPT],
        late=tuple(seat.seat for seat in seats if seat.late),
        untimed=tuple(seat.seat for seat in seats if seat.untimed),
    )


def _seat(
    number: int,
    pupil: Pupil | None,
    pages: Sequence[Arrived],
    pages_a_pupil: int,
    absences: Mapping[str, Absence],
) -> Seat:
    absence = absences.get(pupil.pupil_id) if pupil is not None else None
    state = _state(pages, pages_a_pupil) if pages else _AWAY[absence] if absence is not None else SeatState.MISSING
    there = {page.record.page for page in pages}
    missing = [page for page in range(1, pages_a_pupil + 1) if page not in there] if state is SeatState.PART else []
    timing = timing_of(absence if pages else None, pupil_timing(page.timing for page in pages))
    return Seat(
        seat=number,
        name=pupil.name if pupil is not None else "",
        state=state,
        missing_pages=tuple(missing),
        late=timing is Timing.LATE,
        untimed=timing is Timing.UNKNOWN,
        pupil=pupil.pupil_id if pupil is not None else None,
        capture=max((page.capture for page in pages), default=0),
    )


def _state(pages: Sequence[Arrived], pages_a_pupil: int) -> SeatState:
    if len({page.record.page for page in pages}) < pages_a_pupil:
        return SeatState.PART
    return SeatState.REVIEW if any(page.record.pending for page in pages) else SeatState.DONE
