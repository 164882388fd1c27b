"""Why a pupil's sheet is not to come (请假, 免做), and which of several people's words on it counts. Pure.

A word is said of one pupil and one assignment, on a box or at the school. Which one counts is decided as of corrections
(`homework.merging`), so that box and school say the same in whatever order the words came. A sheet that comes after all
counts; the word stays beside it, and stands again when the sheet is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

import msgspec

from homework.lateness import Timing
from homework.merging import MOST_NAMED, newest_first, winner
from homework.statistics import SubmissionStatus


class Absence(StrEnum):
    """Why a pupil's sheet is not to come: 请假, 免做."""

    EXCUSED = "excused"
    EXEMPT = "exempt"


STATUS: Mapping[Absence, SubmissionStatus] = {Absence.EXCUSED: "excused", Absence.EXEMPT: "exempt"}
"""What a report calls a pupil of whom that counts."""


class AbsenceWord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A person's word: the sheet is not to come, or (None) it is.

    `replaces` are the words on the same pupil and assignment that were known where it was made; `synced`, `wall_ms` the
    clock there (Unix time in milliseconds); `order` its place among the school's, None where that is not known yet.
    """

    id: bytes
    absence: Absence | None
    replaces: tuple[bytes, ...] = ()
    synced: bool = False
    wall_ms: int = 0
    order: int | None = None


def standing(words: Iterable[AbsenceWord]) -> Absence | None:
    """What is said of the pupil once all these words are known."""
    counts = winner(words)
    return None if counts is None else counts.absence


def word_after(
    known: Collection[AbsenceWord], absence: Absence | None, *, name: bytes, synced: bool, wall_ms: int
) -> AbsenceWord:
    """The word `name` that is said in view of those `known`: it counts over all of them."""
    counts = winner(known)
    # The one that counts first, then the newest: of more than can be named those name the others.
    named = [one.id for one in (counts, *newest_first(known)) if one is not None]
    return AbsenceWord(
        id=name,
        absence=absence,
        replaces=tuple(dict.fromkeys(named))[:MOST_NAMED],
        synced=synced,
        wall_ms=wall_ms,
    )


def before(words: Collection[AbsenceWord], name: bytes) -> Absence | None:
    """What would be said of the pupil if the word `name` had not been."""
    return standing(one for one in words if one.id != name)


def timing_of(absence: Absence | None, timing: Timing | None) -> Timing | None:
    """Whether a sheet that came is late: also one of a pupil who was on leave is handed in afterwards (补交)."""
    return Timing.LATE if absence is Absence.EXCUSED else timing
