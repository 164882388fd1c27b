"""`FieldCrop → Reading`: what stands in each field of a registered page. The answer key is not known here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from edge.frames import FieldCrop, RegisteredPage
from edge.reading.bubbles import read_bubbles
from edge.reading.crops import box_in_crop, crop_field
from edge.reading.ink import FieldInk, darkness, field_ink, ink_mask
from edge.reading.recogniser import Kind, Recogniser, Recognition
from edge.reading.stacked import StackedFraction, find_stacked, read_stacked
from homework.layout import Field
from homework.results import Doubt, Reading

BLANK = Reading("", 0.999)

_RECOGNISED: dict[str, Kind] = {"number": "number", "letter": "letter", "judge": "judge", "compare": "compare"}


@dataclass(frozen=True)
class FieldReading:
    """A field, its crop and what was read in it."""

    field: Field
    crop: FieldCrop
    reading: Reading


def crop_fields(page: RegisteredPage) -> list[FieldCrop]:
    """A crop of every field, in the page's order; each follows the shift that its own outline showed."""
    assert page.page is not None
    return [
        crop_field(page, field, shift or (0.0, 0.0))
        for field, shift in zip(page.page.fields, page.shifts_mm, strict=True)
    ]


def read_fields(page: RegisteredPage, crops: list[FieldCrop], recogniser: Recogniser) -> list[FieldReading]:
    """The reading of every field. Recognisers are called once a kind.

    Blank needs the field and its surroundings to be free of ink. A field whose printed outline was not found where
    it must be is never read as certain.
    """
    readings: dict[int, Reading] = {}
    waiting: dict[Kind, list[tuple[int, FieldInk]]] = defaultdict(list)
    for index, crop in enumerate(crops):
        field = crop.field
        if field.bubbles:
            readings[index] = _read_bubble_field(crop)
            continue
        ink = field_ink(crop)
        if not ink.inside:
            readings[index] = Reading(None, 0.0, Doubt.INK_BESIDE) if ink.beside else BLANK
        elif field.kind not in _RECOGNISED:
            readings[index] = Reading(None, 0.0, Doubt.FOR_THE_TEACHER)
        else:
            waiting[_RECOGNISED[field.kind]].append((index, ink))
    for kind, fields in waiting.items():
        readings.update(_read_written(kind, fields, recogniser))
    assert page.page is not None
    found = [shift is not None for shift in page.shifts_mm]
    return [
        FieldReading(crop.field, crop, readings[index] if found[index] else _distrusted(readings[index]))
        for index, crop in enumerate(crops)
    ]


def _read_bubble_field(crop: FieldCrop) -> Reading:
    reading = read_bubbles(crop, crop.field.bubbles, several=crop.field.kind == "choices")
    if reading.doubt is None and _ink_round_bubbles(crop):
        return Reading(reading.text or None, reading.confidence, Doubt.INK_BESIDE, reading.candidates)
    return reading


def _ink_round_bubbles(crop: FieldCrop) -> bool:
    """Ink outside the hull of the bubbles; between them the options themselves may be printed."""
    mask = ink_mask(darkness(crop.image))
    x, y, width, height = box_in_crop(crop.field.hull_mm(), crop.region_mm)
    clear = round(1.2 * crop.px_per_mm)
    mask[max(y - clear, 0) : y + height + clear, max(x - clear, 0) : x + width + clear] = False
    edge = round(0.5 * crop.px_per_mm)
    return bool(mask[edge:-edge, edge:-edge].sum() > crop.px_per_mm**2)


def _read_written(kind: Kind, fields: list[tuple[int, FieldInk]], recogniser: Recogniser) -> list[tuple[int, Reading]]:
    stacked = {index: read_stacked(parts, recogniser) for index, ink in fields if (parts := _stacked(kind, ink))}
    plain = [(index, ink) for index, ink in fields if index not in stacked]
    read = recogniser.read(kind, [ink.answer_crop() for _, ink in plain])
    recognised = stacked | {index: one for (index, _), one in zip(plain, read, strict=True)}
    threshold = recogniser.threshold(kind)
    return [(index, _as_reading(kind, recognised[index], ink, threshold)) for index, ink in fields]


def _stacked(kind: Kind, ink: FieldInk) -> StackedFraction | None:
    if kind != "number":
        return None
    x, y, width, height = ink.writing
    return find_stacked(ink.answer_crop(), ink.mask[y : y + height, x : x + width])


def _as_reading(kind: Kind, one: Recognition, ink: FieldInk, threshold: float) -> Reading:
    doubt: Doubt | None = None
    if one.text is None:
        doubt = Doubt.NOT_A_NUMBER if kind == "number" else Doubt.NOT_HANDWRITING
    elif one.confidence < threshold:
        doubt = Doubt.UNSURE
    elif ink.beside:
        doubt = Doubt.INK_BESIDE
    return Reading(one.text, one.confidence, doubt, one.candidates)


def _distrusted(reading: Reading) -> Reading:
    if reading.doubt is not None:
        return reading
    return Reading(reading.text or None, min(reading.confidence, 0.5), Doubt.UNSURE, reading.candidates)
