"""Whose page it is: printed in the code, or told by the seat number that the pupil wrote or marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.frames import Image, RegisteredPage
from edge.reading.bubbles import CERTAIN, read_bubbles
from edge.reading.crops import crop_field
from edge.reading.fields import writing_of
from edge.reading.ink import field_ink
from edge.reading.recogniser import Recogniser
from edge.registration.outlines import find_boxes, find_bubbles
from homework.layout import Field, PupilField
from homework.page_code import PageCode
from homework.results import Problem, WhoWroteIt
from homework.roster import Roster

SURE_SEAT = 0.9
"""A page booked to the wrong pupil is worse than a question: seats ask more than other digits."""

NOBODY = WhoWroteIt()


@dataclass(frozen=True)
class Seat:
    """The seat number on a page; None when it is empty or in doubt. `confidence` is of the whole number."""

    number: int | None
    confidence: float


def read_seat(page: RegisteredPage, pupil: PupilField, recogniser: Recogniser) -> Seat:
    """The seat number in its digit cells or bubble columns."""
    if pupil.kind == "digits":
        return _read_cells(page, pupil, recogniser)
    if pupil.kind == "bubbles":
        return _read_columns(page, pupil)
    return Seat(None, 0.0)


def who_wrote_it(
    code: PageCode, seat: Seat, roster: Roster | None, chosen_class: str | None
) -> tuple[WhoWroteIt, tuple[Problem, ...]]:
    """The pupil that the code or the seat names, and what a teacher should know about that.

    The class is the code's, else the one chosen for the stack, else the only one of the roster. A doubtful seat,
    and one at which nobody sits, names no pupil.
    """
    if code.pupil is not None:
        return _printed(code, roster, chosen_class)
    class_name = chosen_class
    if class_name is None and roster is not None and len(roster.classes()) == 1:
        class_name = roster.classes()[0]
    if seat.number is None:
        return WhoWroteIt(class_name=class_name, confidence=seat.confidence), (
            Problem("who-unknown", "The seat number is missing or cannot be read: say whose sheet this is."),
        )
    if class_name is None:
        return WhoWroteIt(seat=seat.number, confidence=seat.confidence), (
            Problem("class-unknown", "The seat number was read, but not whose class: choose the class of this stack."),
        )
    pupil = roster.at_seat(class_name, seat.number) if roster is not None else None
    if pupil is None:
        return WhoWroteIt(class_name=class_name, seat=seat.number, confidence=seat.confidence), (
            Problem("who-unknown", "Nobody on the class list sits at this seat number: say whose sheet this is."),
        )
    return WhoWroteIt(class_name, seat.number, pupil.pupil_id, seat.confidence), ()


def _printed(code: PageCode, roster: Roster | None, chosen_class: str | None) -> tuple[WhoWroteIt, tuple[Problem, ...]]:
    assert code.pupil is not None
    known = roster.by_id(code.pupil) if roster is not None else None
    who = WhoWroteIt(code.class_name, known.seat if known is not None else None, code.pupil, 1.0)
    problems = []
    if roster is not None and known is None:
        problems.append(Problem("not-on-roster", "The pupil printed on this sheet is not on the class list here."))
    if chosen_class is not None and code.class_name != chosen_class:
        problems.append(Problem("other-class", "This sheet belongs to another class; it was booked there."))
    return who, tuple(problems)


def _read_cells(page: RegisteredPage, pupil: PupilField, recogniser: Recogniser) -> Seat:
    assert page.mm_to_px is not None
    outlines = find_boxes(page.capture.image, page.mm_to_px, pupil.boxes_mm)
    cells: list[Image | None] = []
    for box, outline in zip(pupil.boxes_mm, outlines, strict=True):
        cell = Field(item="seat", blank=1, kind="number", box_mm=box)
        shift = outline.shift_mm if outline.found else (0.0, 0.0)
        crop = crop_field(page, cell, shift)
        ink = field_ink(crop)
        cells.append(writing_of(page, crop, ink, shift) if ink.inside else None)
    written = [i for i, cell in enumerate(cells) if cell is not None]
    if not written or written != list(range(written[0], written[-1] + 1)):
        return Seat(None, 0.0)
    digits = recogniser.read("digit", [cell for cell in cells if cell is not None])
    if any(one.text is None or not one.text.isdigit() for one in digits):
        return Seat(None, 0.0)
    confidence = float(np.prod([one.confidence for one in digits]))
    number = int("".join(one.text or "" for one in digits))
    if not all(outline.found for outline in outlines) or number == 0:
        return Seat(None, confidence)
    sure = max(recogniser.threshold("digit"), SURE_SEAT)
    return Seat(number if confidence >= sure else None, confidence)


def _read_columns(page: RegisteredPage, pupil: PupilField) -> Seat:
    assert page.mm_to_px is not None
    digits = []
    for column in pupil.columns:
        outlines = find_bubbles(page.capture.image, page.mm_to_px, tuple(bubble.box_mm for bubble in column))
        found = [outline.shift_mm for outline in outlines if outline.found]
        shift = (float(np.median([x for x, _ in found])), float(np.median([y for _, y in found]))) if found else (0, 0)
        field = Field(item="seat", blank=1, kind="choice", bubbles=column)
        reading = read_bubbles(crop_field(page, field, shift), column, several=False)
        if reading.doubt is not None or len(reading.text or "") > 1:
            return Seat(None, reading.confidence)
        digits.append(reading.text or "")
    text = "".join(digits)
    gap = any(not digit for digit in digits[len(digits) - len("".join(digits)) :])
    if not text or gap or int(text) == 0:
        return Seat(None, 0.0)
    return Seat(int(text), CERTAIN)
