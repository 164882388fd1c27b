"""What a page that was read counts as: one capture for each (assignment, pupil, page, attempt), no more. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.attempts import Likeness
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
    """Another capture of the same page that names the same pupil.

    `attempt` is the one that it counts as, None when it is asked about. `likeness` is what the new page shows beside
    it; `after`: it is the new page, corrected, though it came first.
    """

    capture: int
    attempt: int | None
    likeness: Likeness
    after: bool = False


@dataclass(frozen=True)
class Place:
    """What a page counts as, as which attempt (from 1), and the capture that it is linked to.

    Where that attempt is another page's, that one and those after it are one attempt later.
    """

    standing: Standing
    attempt: int = 1
    linked: int | None = None


def decide(pupil: str | None, rivals: Sequence[Rival], *, again: bool = False) -> Place:
    """What a newly read page counts as.

    The same pupil and the same ink is the same paper again. The same paper on which what was wrong has other ink is
    the next attempt (订正). Any other ink under the same pupil is asked: one of the two is somebody else's; unless a
    person said that it is a correction (`again`), of this page or of the stack in which it lies. A page that names
    nobody is always asked, however much its ink looks like another's: pupils who are right write the same, and a
    question costs less than a lost sheet.
    """
    if pupil is None:
        return Place(Standing.ASK)
    booked = sorted((rival for rival in rivals if rival.attempt is not None), key=lambda rival: rival.attempt or 0)
    for before, rival in zip([None, *booked], booked, strict=False):
        if rival.after and (before is None or before.likeness is Likeness.CORRECTED):
            return Place(Standing.COUNTS, rival.attempt or 1)
    asked = [rival for rival in rivals if rival.attempt is None]
    same = next((rival for rival in (*reversed(booked), *asked) if rival.likeness is Likeness.SAME), None)
    if same is not None:
        return Place(Standing.DUPLICATE, same.attempt or 1, same.capture)
    if not booked:
        return Place(Standing.COUNTS)
    newest = booked[-1]
    if again or newest.likeness is Likeness.CORRECTED:
        return Place(Standing.COUNTS, len(booked) + 1, newest.capture)
    return Place(Standing.ASK, linked=newest.capture)


def assignment_key(record: PageRecord) -> str:
    """What a page is booked under: its assignment, or its sheet while the assignment is not loaded."""
    return record.assignment if record.assignment is not None else f"sheet:{record.sheet}"
