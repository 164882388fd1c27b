"""Whose page it is: printed in the code, or told by the seat number that the pupil wrote or marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.frames import FieldCrop, RegisteredPage
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


def crop_seat(page: RegisteredPage, pupil: PupilField) -> list[FieldCrop]:
    """A crop of each digit's cell or column of bubbles, most significant first; none for pages without a seat."""
    assert page.mm_to_px is not None
    image, matrix = page.capture.image, page.mm_to_px
    if pupil.kind == "digits":
        cells = [Field(item="seat", blank=n, kind="number", box_mm=box) for n, box in enumerate(pupil.boxes_mm, 1)]
        outlines = find_boxes(image, matrix, pupil.boxes_mm)
        shifts = [outline.shift_mm if outline.found else None for outline in outlines]
        return [crop_field(page, cell, shift) for cell, shift in zip(cells, shifts, strict=True) if shift is not None]
    crops = []
    for n, column in enumerate(pupil.columns, start=1):
        outlines = find_bubbles(image, matrix, tuple(bubble.box_mm for bubble in column))
        found = np.array([outline.shift_mm for outline in outlines if outline.found])
        if len(found) > len(column) / 2:
            x, y = np.median(found, axis=0)
            field = Field(item="seat", blank=n, kind="choice", bubbles=column)
            crops.append(crop_field(page, field, (float(x), float(y))))
    return crops


def read_seat(page: RegisteredPage, pupil: PupilField, crops: list[FieldCrop], recogniser: Recogniser) -> Seat:
    """The seat number in the crops of its cells or columns; in doubt when the outline of one was not found."""
    if len(crops) != len(pupil.boxes_mm or pupil.columns):
        return Seat(None, 0.0)
    if pupil.kind == "digits":
        return _read_cells(page, crops, recogniser)
    return _read_columns(crops) if pupil.kind == "bubbles" else Seat(None, 0.0)


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


def _read_cells(page: RegisteredPage, crops: list[FieldCrop], recogniser: Recogniser) -> Seat:
    inks = [field_ink(crop) for crop in crops]
    written = [i for i, ink in enumerate(inks) if ink.inside]
    if not written or written != list(range(written[0], written[-1] + 1)):
        return Seat(None, 0.0)
    digits = recogniser.read("digit", [writing_of(page, crops[i], inks[i]) for i in written])
    if any(one.text is None or not one.text.isdigit() for one in digits):
        return Seat(None, 0.0)
    confidence = float(np.prod([one.confidence for one in digits]))
    number = int("".join(one.text or "" for one in digits))
    sure = number > 0 and confidence >= max(recogniser.threshold("digit"), SURE_SEAT)
    return Seat(number if sure else None, confidence)


def _read_columns(crops: list[FieldCrop]) -> Seat:
    digits = []
    for crop in crops:
        reading = read_bubbles(crop, crop.field.bubbles, several=False)
        if reading.doubt is not None or len(reading.text or "") > 1:
            return Seat(None, reading.confidence)
        digits.append(reading.text or "")
    text = "".join(digits)
    gap = any(not digit for digit in digits[len(digits) - len(text) :])
    if not text or gap or int(text) == 0:
        return Seat(None, 0.0)
    return Seat(int(text), CERTAIN)
