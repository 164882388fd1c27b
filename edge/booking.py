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
class Neighbour:
    """Another page of the same sheet and page number that the ledger holds, as far as booking asks."""

    capture: int
    pupil: str | None
    standing: Standing
    same_ink: bool


def decide(pupil: str | None, holder: int | None, neighbours: Sequence[Neighbour]) -> tuple[Standing, int | None]:
    """What a newly read page counts as, and the capture that it is linked to.

    `holder` is the capture that counts for this assignment, pupil, page and attempt already.

    The same ink is the same paper: a duplicate, unless both pages name a pupil and not the same one (two
    sheets left empty look alike). The same pupil with other ink is asked: one of the two is somebody else's.
    """
    alike = [n for n in neighbours if n.same_ink and (pupil is None or n.pupil in (None, pupil))]
    repeated = next((n for n in alike if n.standing is Standing.COUNTS), None)
    if repeated is not None:
        return Standing.DUPLICATE, repeated.capture
    asked = next((n for n in alike if n.standing is Standing.ASK and (pupil is None or n.pupil == pupil)), None)
    if asked is not None:
        return Standing.DUPLICATE, asked.capture
    if pupil is None:
        return Standing.ASK, None
    if holder is not None:
        return Standing.ASK, holder
    return Standing.COUNTS, None


def assignment_key(record: PageRecord) -> str:
    """What a page is booked under: its assignment, or its sheet while the assignment is not loaded."""
    return record.assignment if record.assignment is not None else f"sheet:{record.sheet}"
