"""Where everything is on a printed sheet, in millimetres.

Origin top left of the paper, x right, y down. Pages count from 1. The JSON form is the contract that
printing, the box and every importer share; `layout_to_json` and `layout_from_json` are its two directions.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from homework.errors import BadFileError

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""x, y, width, height in mm."""

Register = Literal["markers", "print", "page-edge", "marker-image"]
FieldKind = Literal["choice", "choices", "judge", "letter", "number", "compare", "open", "text"]
PupilKind = Literal["digits", "bubbles", "printed", "order"]

MARKER_DICTIONARY = "DICT_4X4_50"
"""The ArUco dictionary of our corner markers (OpenCV's name); ids 0 to 3 are TL, TR, BR, BL."""


class Marker(msgspec.Struct, frozen=True, gc=False):
    """A corner marker: its four black corners clockwise from its own top left, in mm."""

    id: int
    corners_mm: tuple[Point, Point, Point, Point]


class Code(msgspec.Struct, frozen=True, gc=False):
    """The page's code (QR, see `homework/page_code.py`); the box leaves the quiet zone out."""

    box_mm: Box


class Bubble(msgspec.Struct, frozen=True, gc=False):
    """One bubble to mark; `box_mm` bounds its printed outline."""

    label: str
    box_mm: Box


class PupilField(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How the page says whose it is: digit cells, bubble columns, printed in the code, or by order.

    `digits`: `boxes_mm` are the insides of the cells, most significant first. `bubbles`: `columns` holds the
    bubbles labelled 0-9 of each digit, most significant first. `printed`, `order`: neither.
    `name_mm` is where the name is written, for the person who is asked whose page it is.
    """

    kind: PupilKind
    boxes_mm: tuple[Box, ...] = ()
    columns: tuple[tuple[Bubble, ...], ...] = ()
    name_mm: Box | None = None


class Field(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One place to answer. Written kinds have `box_mm` (inside of the frame), bubbles have `bubbles`.

    `around_mm` is the largest box round the field in which nothing else is printed: ink there that is not in
    the field is still the pupil's. `blank` counts from 1. `round` frames are circles (the ○ of `compare`).
    Imported cards: where several columns make one answer, `groups` says how many of `bubbles` belong to each, in
    order; the reading joins them, with `empty` for a column that is left empty beside others.
    """

    item: str
    blank: int
    kind: FieldKind
    box_mm: Box | None = None
    bubbles: tuple[Bubble, ...] = ()
    around_mm: Box | None = None
    round: bool = False
    score_box_mm: Box | None = None
    groups: tuple[int, ...] = ()
    empty: str = ""

    def columns(self) -> tuple[tuple[Bubble, ...], ...]:
        """The bubbles of each column: all of them in one, unless `groups` parts them."""
        if not self.groups:
            return (self.bubbles,)
        ends = [sum(self.groups[: n + 1]) for n in range(len(self.groups))]
        return tuple(self.bubbles[end - size : end] for end, size in zip(ends, self.groups, strict=True))

    def hull_mm(self) -> Box:
        """The bounding box of the field: its frame, or all its bubbles."""
        if self.box_mm is not None:
            return self.box_mm
        x0 = min(b.box_mm[0] for b in self.bubbles)
        y0 = min(b.box_mm[1] for b in self.bubbles)
        x1 = max(b.box_mm[0] + b.box_mm[2] for b in self.bubbles)
        y1 = max(b.box_mm[1] + b.box_mm[3] for b in self.bubbles)
        return (x0, y0, x1 - x0, y1 - y0)


class Page(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One side of paper."""

    page: int
    markers: tuple[Marker, ...]
    code: Code | None = None
    pupil: PupilField | None = None
    fields: tuple[Field, ...] = ()


class SheetLayout(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The layout of one print run of an assignment; `sheet` names it and is printed in every page's code."""

    sheet: str
    assignment: str | None
    page_mm: tuple[float, float]
    pages: tuple[Page, ...]
    register: Register = "markers"
    reference: str | None = None

    def page(self, number: int) -> Page | None:
        """The page of that number (from 1), or None."""
        return next((p for p in self.pages if p.page == number), None)


class _Version(msgspec.Struct):
    layout: int


_version, _layouts = msgspec.json.Decoder(_Version), msgspec.json.Decoder(SheetLayout)


def layout_to_json(layout: SheetLayout) -> str:
    """The contract's JSON: `{"layout": 1, "sheet": …, "register": …, "pages": […]}`."""
    body = msgspec.to_builtins(layout)
    document = {
        "layout": 1,
        "sheet": layout.sheet,
        "assignment": layout.assignment,
        "page_mm": list(layout.page_mm),
        "register": layout.register,
        **({"reference": layout.reference} if layout.reference is not None else {}),
        "pages": body["pages"],
    }
    return msgspec.json.encode(document).decode()


def layout_from_json(text: str | bytes) -> SheetLayout:
    """Parse and check a layout.

    Raises `BadFileError` when it is not JSON, not version 1, or breaks the contract's shape.
    """
    try:  # nearly all are as they should be, and are read in half the time
        if _version.decode(text).layout == 1:
            return _layouts.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # what is wrong with it, and whether anything is, is found below
    remedy = "Print the worksheets again with `classbox print`, or use the layout.json that came with them."
    try:
        raw = msgspec.json.decode(text)
        if not isinstance(raw, dict) or raw.get("layout") != 1:
            raise BadFileError("This is not a sheet layout of version 1.", remedy=remedy)
        return msgspec.convert(raw, SheetLayout)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # nested without end
        raise BadFileError(f"The sheet layout cannot be read: {error}.", remedy=remedy) from error
