"""How a sheet came out, as one word; each has its own sound. One list for the pages and for the box's own speaker."""

from __future__ import annotations

from enum import StrEnum

from edge.booking import Standing
from homework.results import PageRecord, PageStatus


class Tone(StrEnum):
    """How a sheet came out; each has its own sound and colour."""

    GRADED = "graded"
    ASK = "ask"
    WRONG = "wrong"
    """A sheet, but not one that can be graded now: another worksheet, not loaded, not read."""
    DUPLICATE = "duplicate"
    NOT_OURS = "not-ours"
    """No worksheet at all."""
    STICK = "stick"
    """The school's memory stick has what it is to carry: it may be pulled out."""


NOTES_HZ: dict[Tone, tuple[int, ...]] = {
    Tone.GRADED: (1047,),
    Tone.ASK: (784, 1047),
    Tone.WRONG: (196,),
    Tone.DUPLICATE: (262, 523),
    Tone.NOT_OURS: (247, 185),
    Tone.STICK: (587, 440),
}
"""The notes of each, one after the other: one soft high note, two that rise, a low one, low and high, two that fall.

For the stick two that fall as well, but higher: no sheet lies there then.
"""

NOTE_STEP_S, NOTE_S = 0.13, 0.15
"""From the beginning of a note to that of the next, and how long each sounds: two are over in 280 ms."""


def tone_of(status: PageStatus, standing: Standing, record: PageRecord | None, *, held_back: bool = False) -> Tone:
    """The one thing that a sound says of a sheet. `held_back`: it is of a test, and must not say how it was judged."""
    if status is PageStatus.NOT_A_SHEET:
        return Tone.NOT_OURS
    if status is not PageStatus.GRADED or record is None:
        return Tone.WRONG
    if standing is Standing.DUPLICATE:
        return Tone.DUPLICATE
    pending = record.pending > 0 and not held_back
    return Tone.ASK if standing is Standing.ASK or pending else Tone.GRADED
