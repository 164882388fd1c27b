"""Whose page it is: printed in the code, or told by the seat number that the pupil wrote or marked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from edge.frames import FieldCrop, Image, RegisteredPage
from edge.reading.bubbles import CERTAIN, read_bubbles
from edge.reading.crops import crop_field
from edge.reading.fields import writing_of
from edge.reading.ink import field_ink
from edge.reading.recogniser import Recogniser
from edge.reading.red import RedIs
from edge.reading.seats import SURE_SEAT, Seat, read_cell, seat_of_cells, sure_seat
from edge.registration.outlines import ToPx, find_boxes, find_bubbles
from homework.layout import Bubble, Field, PupilField
from homework.page_code import PageCode
from homework.results import Problem, WhoWroteIt
from homework.roster import Roster

NO_SEAT = Seat()
WHO_UNKNOWN = "who-unknown"
UNREAD = Problem(WHO_UNKNOWN, "The seat number is missing or cannot be read: say whose sheet this is.")
NOBODYS = Problem(WHO_UNKNOWN, "Nobody on the class list sits at this seat number: say whose sheet this is.")
CLASS_UNKNOWN = Problem(
    "class-unknown", "The seat number was read, but not whose class: choose the class of this stack."
)

IN_ORDER_OF_NO_CLASS = Problem(WHO_UNKNOWN, "Sheets in seat order need a class: choose the class of this stack.")


@dataclass(frozen=True)
class Owner:
    """Whose page it is as far as it tells by itself, and what a teacher should know about that."""

    who: WhoWroteIt
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class SeatCrops:
    """A crop of each digit's cell or column of bubbles, most significant first; none for pages without a seat.

    `found`: whether the outline of each was where it must be. One that was not is cut where its neighbour's says,
    and its digit is never certain.
    """

    crops: tuple[FieldCrop, ...] = ()
    found: bool = False


def crop_seat(page: RegisteredPage, pupil: PupilField, red_is: RedIs = "teacher") -> SeatCrops:
    """The crops of a page's seat cells or columns; none when no outline was found."""
    image = page.capture.image
    shifts: list[tuple[float, float] | None]
    if pupil.kind == "digits":
        fields = [Field(item="seat", blank=n, kind="number", box_mm=box) for n, box in enumerate(pupil.boxes_mm, 1)]
        outlines = find_boxes(image, page.to_px, pupil.boxes_mm)
        shifts = [outline.shift_mm if outline.found else None for outline in outlines]
    else:
        columns = enumerate(pupil.columns, start=1)
        fields = [Field(item="seat", blank=n, kind="choice", bubbles=column) for n, column in columns]
        shifts = [_shift_of_column(image, page.to_px, column) for column in pupil.columns]
    known = [shift for shift in shifts if shift is not None]
    if not known:
        return SeatCrops()
    # The cells are printed side by side: where one is, its neighbour is to a few tenths of a millimetre.
    crops = tuple(
        crop_field(page, field, shift or known[0], red_is=red_is) for field, shift in zip(fields, shifts, strict=True)
    )
    return SeatCrops(crops, found=len(known) == len(shifts))


def _shift_of_column(image: Image, to_px: ToPx, column: tuple[Bubble, ...]) -> tuple[float, float] | None:
    outlines = find_bubbles(image, to_px, tuple(bubble.box_mm for bubble in column))
    found = np.array([outline.shift_mm for outline in outlines if outline.found])
    if len(found) <= len(column) / 2:
        return None
    x, y = np.median(found, axis=0)
    return (float(x), float(y))


def read_seat(page: RegisteredPage, pupil: PupilField, cut: SeatCrops, recogniser: Recogniser) -> Seat:
    """The seat number in the crops of its cells or columns."""
    if not cut.crops or pupil.kind not in ("digits", "bubbles"):
        return NO_SEAT
    seat = _read_cells(page, cut.crops, recogniser) if pupil.kind == "digits" else _read_columns(cut.crops)
    return seat if cut.found else msgspec.structs.replace(seat, agreed=False)


def who_wrote_it(code: PageCode | None, seat: Seat, roster: Roster | None, chosen_class: str | None) -> Owner:
    """The pupil that the code (if the page has one) or the seat names.

    The class is the code's, else the one chosen for the stack, else the only one of the roster. A doubtful seat,
    and one at which nobody sits, names no pupil.
    """
    if code is not None and code.pupil is not None:
        return _printed(code, roster, chosen_class)
    class_name = chosen_class
    if class_name is None and roster is not None and len(roster.classes()) == 1:
        class_name = roster.classes()[0]
    pupils = roster.of_class(class_name) if roster is not None and class_name is not None else ()
    taken = {pupil.seat for pupil in pupils}
    number, confidence = sure_seat(seat, taken)
    if number is None and pupils:
        number, confidence = _nobodys(seat, taken) or (None, confidence)
    if number is None:
        return Owner(WhoWroteIt(class_name=class_name, confidence=confidence), (UNREAD,))
    if class_name is None:
        return Owner(WhoWroteIt(seat=number, confidence=confidence), (CLASS_UNKNOWN,))
    pupil = next((pupil for pupil in pupils if pupil.seat == number), None)
    if pupil is None:
        return Owner(WhoWroteIt(class_name, number, None, confidence), (NOBODYS,))
    return Owner(WhoWroteIt(class_name, number, pupil.pupil_id, confidence))


def _nobodys(seat: Seat, seats: Collection[int]) -> tuple[int, float] | None:
    """A number that was read for certain and that nobody on the class list has."""
    if not seat.agreed or seat.likeliest is None or seat.likeliest[1] < SURE_SEAT or seat.likeliest[0] in seats:
        return None
    return seat.likeliest


def _printed(code: PageCode, roster: Roster | None, chosen_class: str | None) -> Owner:
    assert code.pupil is not None
    known = roster.by_id(code.pupil) if roster is not None else None
    who = WhoWroteIt(code.class_name, known.seat if known is not None else None, code.pupil, 1.0)
    problems = []
    if roster is not None and known is None:
        problems.append(Problem("not-on-roster", "The pupil printed on this sheet is not on the class list here."))
    if chosen_class is not None and code.class_name != chosen_class:
        problems.append(Problem("other-class", "This sheet belongs to another class; it was booked there."))
    return Owner(who, tuple(problems))


def _read_cells(page: RegisteredPage, crops: Sequence[FieldCrop], recogniser: Recogniser) -> Seat:
    inks = [field_ink(crop) for crop in crops]
    written = [i for i, ink in enumerate(inks) if ink.inside]
    if not written or written != list(range(written[0], written[-1] + 1)):
        return NO_SEAT
    images = [writing_of(page, crops[i], inks[i]) for i in written]
    marks, lines = recogniser.read("digit", images), recogniser.read("number", images)
    agreed = all(one.text is not None and one.text == other.text for one, other in zip(marks, lines, strict=True))
    cells = [read_cell(*both) for both in zip(marks, lines, strict=True)]
    return seat_of_cells(cells, empty_after=len(crops) - 1 - written[-1], agreed=agreed)


def _read_columns(crops: Sequence[FieldCrop]) -> Seat:
    digits = []
    for crop in crops:
        reading = read_bubbles(crop, crop.field.bubbles, several=False)
        if reading.doubt is not None or len(reading.text or "") > 1:
            return NO_SEAT
        digits.append(reading.text or "")
    text = "".join(digits)
    gap = any(not digit for digit in digits[len(digits) - len(text) :])
    if not text or gap or int(text) == 0:
        return NO_SEAT
    return Seat.plain(int(text), CERTAIN)
