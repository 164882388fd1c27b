"""What a page that was read counts as: one capture for each (assignment, pupil, page, attempt), no more. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from homework.results import PageRecord, WhoWroteIt
from homework.roster import Roster


class Standing(StrEnum):
    """What a page counts as. Only `COUNTS` is in any report; every other capture is kept beside it."""

    COUNTS = "counts"
    DUPLICATE = "duplicate"
    ASK = "ask"
    """Graded, but whose it is must be asked: no pupil, or one whose page with other ink counts already."""
    NOT_GRADED = "not-graded"
    WITHDRAWN = "withdrawn"
    """A person took it back."""


def pupil_key(who: WhoWroteIt, roster: Roster) -> str | None:
    """What a pupil is booked under: the id; on a box without any class list, class and seat; else nobody."""
    if who.pupil is not None:
        return who.pupil
    return f"{who.class_name or ''}#{who.seat}" if who.seat is not None and not roster.pupils else None


@dataclass(frozen=True)
class Rival:
    """Another capture of the same page that names the same pupil. `counts`: it is the one that is reported."""

    capture: int
    counts: bool
    same_ink: bool


def decide(pupil: str | None, rivals: Sequence[Rival]) -> tuple[Standing, int | None]:
    """What a newly read page counts as, and the capture that it is linked to.

    The same pupil and the same ink is the same paper again. The same pupil with other ink is asked: one of the
    two is somebody else's. A page that names nobody is always asked, however much its ink looks like another's:
    pupils who are right write the same, and a question costs less than a lost sheet.
    """
    if pupil is None:
        return Standing.ASK, None
    again = next((rival for rival in rivals if rival.same_ink), None)
    if again is not None:
        return Standing.DUPLICATE, again.capture
    holder = next((rival for rival in rivals if rival.counts), None)
    return (Standing.COUNTS, None) if holder is None else (Standing.ASK, holder.capture)


def assignment_key(record: PageRecord) -> str:
    """What a page is booked under: its assignment, or its sheet while the assignment is not loaded."""
    return record.assignment if record.assignment is not None else f"sheet:{record.sheet}"
