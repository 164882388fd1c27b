"""`FieldCrop → Reading`: what stands in each field of a registered page. The answer key is not known here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from edge.frames import FieldCrop, Image, RegisteredPage
from edge.reading.bubbles import read_bubble_field
from edge.reading.crops import WRITING_PX_PER_MM, box_in_crop, crop_field, cut_writing
from edge.reading.frame_line import upright_on_frame, without_frame
from edge.reading.ink import PAPER, FieldInk, darkness, field_ink, find_marks, without_outline
from edge.reading.labels import without_labels
from edge.reading.recogniser import Kind, Recogniser, Recognition
from edge.reading.red import RedIs
from edge.reading.stacked import LEAST_STACKED_MM, StackedFraction, find_stacked, read_stacked
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


def crop_fields(page: RegisteredPage, red_is: RedIs = "teacher") -> list[FieldCrop]:
    """A crop of every field, in the page's order; each follows the shift that its own outline showed."""
    assert page.page is not None
    crops = [
        crop_field(page, field, shift or (0.0, 0.0), red_is=red_is)
        for field, shift in zip(page.page.fields, page.shifts_mm, strict=True)
    ]
    return without_labels(page, crops)


def read_fields(page: RegisteredPage, crops: list[FieldCrop], recogniser: Recogniser) -> list[FieldReading]:
    """The reading of every field. Recognisers are called once a kind.

    Blank needs the field and its surroundings to be free of ink. A field whose printed outline was not found where
    it must be, and one of which glare hides a part, is never read as certain.
    """
    readings: dict[int, Reading] = {}
    waiting: dict[Kind, list[_Written]] = defaultdict(list)
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
            waiting[_RECOGNISED[field.kind]].append(_written(index, page, crop, ink))
    for kind, written in waiting.items():
        readings.update(_read_written(kind, written, recogniser))
    return [
        FieldReading(
            crop.field,
            crop,
            readings[index] if shift is not None and not crop.glare else _distrusted(readings[index]),
        )
        for index, (crop, shift) in enumerate(zip(crops, page.shifts_mm, strict=True))
    ]


def writing_of(page: RegisteredPage, crop: FieldCrop, ink: FieldInk) -> Image:
    """What a recogniser looks at: the answer at 8 px/mm, without the printed frame."""
    return _written(0, page, crop, ink).image


@dataclass(frozen=True)
class _Written:
    """A written field that waits for its recogniser; `index` is its place on the page.

    `on_frame`: something upright stands on its frame's line, or along other print, which may be a digit or a part of
    one that nobody can read there.
    """

    index: int
    ink: FieldInk
    image: Image
    on_frame: bool


def _written(index: int, page: RegisteredPage, crop: FieldCrop, ink: FieldInk) -> _Written:
    writing = cut_writing(page, ink.writing_mm, crop.shift_mm, red_ink=crop.red_ink, red_is=crop.red_is)
    image = writing.image
    if not crop.framed:
        return _Written(index, ink, image, on_frame=writing.hidden)
    box = box_in_crop(crop.field.hull_mm(), ink.writing_mm, WRITING_PX_PER_MM)
    if crop.field.round:
        return _Written(index, ink, without_outline(image, box, WRITING_PX_PER_MM, is_round=True), on_frame=False)
    on_frame = crop.field.kind == "number" and upright_on_frame(image, box, WRITING_PX_PER_MM)
    return _Written(index, ink, without_frame(image, box, WRITING_PX_PER_MM), on_frame)


def _read_bubble_field(crop: FieldCrop) -> Reading:
    reading = read_bubble_field(crop)
    if reading.doubt is None and _ink_round_bubbles(crop):
        return Reading(reading.text or None, reading.confidence, Doubt.INK_BESIDE, reading.candidates)
    return reading


def _ink_round_bubbles(crop: FieldCrop) -> bool:
    """Ink outside the hull of the bubbles; between them the options themselves may be printed."""
    scale = crop.px_per_mm
    x, y, width, height = crop.box_px
    clear, edge = round(1.2 * scale), round(0.5 * scale)
    beyond = (x, y, crop.image.shape[1] - x - width, crop.image.shape[0] - y - height)
    if max(beyond) <= clear + edge:
        return False
    dark = darkness(crop.image, scale)
    dark[max(y - clear, 0) : y + height + clear, max(x - clear, 0) : x + width + clear] = PAPER
    _, ink = find_marks(dark[edge:-edge, edge:-edge], scale)
    return bool(ink.any())


def _read_written(kind: Kind, written: list[_Written], recogniser: Recogniser) -> list[tuple[int, Reading]]:
    parts = {one.index: _stacked(one) if kind == "number" else None for one in written}
    recognised = {index: read_stacked(part, recogniser) for index, part in parts.items() if part is not None}
    plain = [one for one in written if one.index not in recognised]
    read = recogniser.read(kind, [one.image for one in plain])
    recognised |= {one.index: recognition for one, recognition in zip(plain, read, strict=True)}
    threshold = recogniser.threshold(kind)
    return [(one.index, _as_reading(kind, recognised[one.index], one, threshold)) for one in written]


def _stacked(one: _Written) -> StackedFraction | None:
    """The parts of a stacked fraction; looked for where the ink is, when it is tall enough for two numbers."""
    x, y, width, height = box_in_crop(one.ink.ink_mm, one.ink.writing_mm, WRITING_PX_PER_MM)
    if one.ink.ink_mm[3] < LEAST_STACKED_MM:
        return None
    pad = round(WRITING_PX_PER_MM / 2)
    return find_stacked(one.image[max(y - pad, 0) : y + height + pad, max(x - pad, 0) : x + width + pad])


def _as_reading(kind: Kind, one: Recognition, written: _Written, threshold: float) -> Reading:
    doubt: Doubt | None = None
    if one.text is None:
        doubt = Doubt.NOT_A_NUMBER if kind == "number" else Doubt.NOT_HANDWRITING
    elif one.confidence < threshold:
        doubt = Doubt.UNSURE
    elif written.ink.beside or written.on_frame:
        doubt = Doubt.INK_BESIDE
    return Reading(one.text, one.confidence, doubt, one.candidates)


def _distrusted(reading: Reading) -> Reading:
    if reading.doubt is not None:
        return reading
    return Reading(reading.text or None, min(reading.confidence, 0.5), Doubt.UNSURE, reading.candidates)
