"""Assignment in, worksheets out: PDF, layout and the filled-in key. Pure: bytes and records only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from homework.assignment import Assignment
from homework.errors import BadFileError, UsageError
from homework.layout import (
    Box,
    Bubble,
    Code,
    Field,
    Marker,
    Page,
    PupilField,
    SheetLayout,
    layout_to_json,
)
from homework.page_code import PageCode, page_code_text
from homework.results import points
from homework.roster import Pupil, Roster
from homework.sheets.fonts import find_fonts
from homework.sheets.paper import LINE_MM, Furniture, furnish
from homework.sheets.plan import as_data, plan_sections
from homework.sheets.surroundings import with_surroundings
from homework.sheets.symbols import code_svg, marker_svg
from homework.sheets.typeset import Spot, find_spots, typeset
from homework.sheets.words import CHINESE, Words

MAX_PAGES = 99
"""What the page code can say."""

MAX_COPIES = 500
"""A year group; more is a wrong key, and would only fill the disk."""

_DENSITIES = (1.0, 0.85, 0.7)
"""Factors of the white between rows, the most generous first."""

_UNNAMED = "00000000"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class SheetSet(msgspec.Struct, frozen=True, gc=False):
    """One print run. `worksheets_pdf` holds every copy; `layout` and `answers_pdf` are of one."""

    worksheets_pdf: bytes
    layout: SheetLayout
    answers_pdf: bytes
    assignment: Assignment


def make_sheets(
    assignment: Assignment,
    *,
    roster: Roster | None = None,
    class_name: str | None = None,
    copies: int = 1,
    duplex: bool = False,
    fonts: Sequence[Path] | None = None,
    words: Words = CHINESE,
) -> SheetSet:
    """Lay the assignment out, for a whole class when it is `printed`, else as `copies` of one master.

    `roster` is needed for `printed` and ignored otherwise; `class_name` chooses among several classes, and is
    printed on a master when given. `duplex` adds an empty back to an odd number of pages, so that each copy begins
    on a new leaf. `fonts` are folders with a Chinese typeface (None: the system's). The same assignment and fonts
    give the same layout and sheet id, whoever it is printed for.

    Raises `UsageError` for a class that is missing or ambiguous, `ClassboxError` without a Chinese typeface.
    """
    if not 1 <= copies <= MAX_COPIES:
        raise UsageError(
            "{copies} copies cannot be printed at once.",
            remedy="Choose a number from 1 to {limit}.",
            copies=copies,
            limit=MAX_COPIES,
        )
    pupils = _pupils(assignment, roster, class_name)
    book, families = find_fonts(fonts)
    modules = max(code_svg(page_code_text(_code(_UNNAMED, 99, pupil)))[1] for pupil in pupils or (None,))
    furniture = furnish(
        assignment.paper,
        pupil=assignment.pupil_id,
        code_modules=modules,
        corrections=assignment.correction_space,
    )
    data = _common(assignment, furniture, families, words)
    blank_copy = {"class_name": class_name or "", "name": "", "seat": "", "codes": 0}
    one = {**data, "copies": [blank_copy]}
    density, spots = _fit(one, book)
    one["density"] = density
    total = _page_count(spots)
    _check_fit(spots, total, furniture)
    pages = _pages(spots, total, furniture, assignment)

    draft = SheetLayout(_UNNAMED, assignment.id, furniture.page_mm, pages)
    sheet = _digest(draft, assignment)
    one = {**one, "sheet": sheet, "total": total, "stride": total, "codes": _codes(sheet, total, None)}
    master = typeset(one, book)
    layout = msgspec.structs.replace(
        draft,
        sheet=sheet,
        pages=with_surroundings(pages, furniture.page_mm, master, _kept_clear(spots, furniture)),
    )
    return SheetSet(
        worksheets_pdf=_worksheets(one, book, pupils, copies=copies, duplex=duplex, master=master),
        layout=layout,
        answers_pdf=typeset({**one, "answers": True}, book),
        assignment=assignment,
    )


def _fit(one: dict[str, Any], book: Any) -> tuple[float, tuple[Spot, ...]]:
    """The most generous spacing among those that need the fewest pages: a last page for two items wastes paper."""
    measured = {**one, "stride": 1000, "total": 1000, "codes": [code_svg("CB1")[0]] * 1000}
    tried = {density: find_spots({**measured, "density": density}, book) for density in _DENSITIES}
    fewest = min(_page_count(spots) for spots in tried.values())
    return next((density, spots) for density, spots in tried.items() if _page_count(spots) == fewest)


def _check_fit(spots: Sequence[Spot], total: int, furniture: Furniture) -> None:
    if total > MAX_PAGES:
        raise BadFileError(
            "The worksheet would have {pages} pages; {limit} is the most.",
            remedy="Split the assignment.",
            pages=total,
            limit=MAX_PAGES,
        )
    left, top, width, height = furniture.body
    for spot in spots:
        x, y, w, h = spot.box
        inside = left <= x and x + w <= left + width + 1 and top <= y and y + h <= top + height + 1
        if spot.what in ("field", "bubble", "score") and not inside:
            raise BadFileError(
                "Item {item} does not fit on a page.",
                remedy="Shorten its prompt, set it in one column, or choose a larger paper.",
                item=spot.item,
            )


def _page_count(spots: Sequence[Spot]) -> int:
    return max((spot.page for spot in spots if spot.what in ("field", "bubble")), default=1)


def _pupils(assignment: Assignment, roster: Roster | None, class_name: str | None) -> tuple[Pupil, ...]:
    """The pupils to print for, by seat; none for a master."""
    printed = assignment.pupil_id == "printed"
    classes = roster.classes() if roster is not None else ()
    if class_name is not None and roster is not None and class_name not in classes:
        raise UsageError(
            "Class {name} is not in the roster.",
            remedy="Choose one of: {classes}.",
            name=class_name,
            classes=", ".join(classes),
        )
    if not printed:
        return ()
    if roster is None or not classes:
        raise UsageError(
            "Sheets with printed names need the class list.",
            remedy="Give the roster (--roster class.csv), or choose another pupil_id in the assignment.",
        )
    if class_name is None and len(classes) > 1:
        raise UsageError(
            "The roster has {count} classes: {classes}.",
            remedy="Choose one with --class.",
            count=len(classes),
            classes=", ".join(classes),
        )
    return roster.of_class(class_name or classes[0])


def _code(sheet: str, page: int, pupil: Pupil | None) -> PageCode:
    if pupil is None:
        return PageCode(sheet, page)
    return PageCode(sheet, page, pupil.class_name, pupil.pupil_id)


def _codes(sheet: str, total: int, pupil: Pupil | None) -> list[str]:
    return [code_svg(page_code_text(_code(sheet, page, pupil)))[0] for page in range(1, total + 1)]


def _common(assignment: Assignment, furniture: Furniture, families: Sequence[str], words: Words) -> dict[str, Any]:
    wide = furniture.page_mm[0] > 230
    return {
        "title": assignment.title,
        "words": msgspec.to_builtins(words),
        "fonts": list(families),
        "size": 13 if (assignment.grade or 3) <= 3 else 11.5,
        "line": LINE_MM,
        "answers": False,
        "sheet": _UNNAMED,
        "page": furniture.page_mm,
        "markers": [
            {"svg": marker_svg(number), "box": [x, y, furniture.marker_mm, furniture.marker_mm]}
            for number, (x, y) in enumerate(furniture.markers)
        ],
        "code": furniture.code,
        "title_box": furniture.title,
        "identity": furniture.identity,
        "body": furniture.body,
        "footer": furniture.footer,
        "corrections": furniture.corrections,
        "pupil": assignment.pupil_id,
        "columns": assignment.columns or 0,
        "most_columns": 4 if wide else 3,
        "facts": _facts(assignment, words),
        "sections": as_data(plan_sections(assignment, words)),
    }


def _facts(assignment: Assignment, words: Words) -> str:
    facts = [] if assignment.minutes is None else [words.minutes.format(assignment.minutes)]
    facts.append(words.total.format(points(sum(item.points_hundredths for item in assignment.items))))
    if len({item.layer for item in assignment.items}) > 1:
        facts += [f"{layer} {words.layers[layer]}" for layer in sorted({item.layer for item in assignment.items})]
    return "　".join(facts)


def _worksheets(
    one: dict[str, Any], book: Any, pupils: Sequence[Pupil], *, copies: int, duplex: bool, master: bytes
) -> bytes:
    total = one["total"]
    if not pupils and copies == 1:
        return master
    people: list[Pupil | None] = [*pupils] or [None] * copies
    codes: list[str] = []
    sheets = []
    for pupil in people:
        if pupil is None:
            sheets.append({**one["copies"][0]})
            continue
        sheets.append(
            {"class_name": pupil.class_name, "name": pupil.name, "seat": f"{pupil.seat:02d}", "codes": len(codes)}
        )
        codes += _codes(one["sheet"], total, pupil)
    stride = total + total % 2 if duplex else total
    return typeset({**one, "copies": sheets, "codes": codes or one["codes"], "stride": stride}, book)


def _pages(spots: Sequence[Spot], total: int, furniture: Furniture, assignment: Assignment) -> tuple[Page, ...]:
    return tuple(
        Page(
            page=number,
            markers=_markers(furniture),
            code=Code(furniture.code),
            pupil=_pupil_field([spot for spot in spots if spot.page == number], assignment),
            fields=_fields([spot for spot in spots if spot.page == number]),
        )
        for number in range(1, total + 1)
    )


def _markers(furniture: Furniture) -> tuple[Marker, ...]:
    side = furniture.marker_mm
    return tuple(
        Marker(number, ((x, y), (x + side, y), (x + side, y + side), (x, y + side)))
        for number, (x, y) in enumerate(furniture.markers)
    )


def _pupil_field(spots: Sequence[Spot], assignment: Assignment) -> PupilField:
    name = next((_box(spot) for spot in spots if spot.what == "name"), None)
    seats = [spot for spot in spots if spot.what == "seat"]
    return PupilField(
        kind=assignment.pupil_id,
        boxes_mm=tuple(_box(spot) for spot in sorted(spots, key=lambda s: s.index) if spot.what == "cell"),
        columns=tuple(
            tuple(Bubble(spot.label, _box(spot)) for spot in seats if spot.index == column)
            for column in sorted({spot.index for spot in seats})
        ),
        name_mm=name,
    )


def _fields(spots: Sequence[Spot]) -> tuple[Field, ...]:
    fields: dict[tuple[str, int], Field] = {}
    scores = {(spot.item, spot.blank): _box(spot) for spot in spots if spot.what == "score"}
    for spot in spots:
        key = (spot.item, spot.blank)
        if spot.what == "field":
            fields[key] = Field(
                item=spot.item,
                blank=spot.blank,
                kind=msgspec.convert(spot.kind, Any),
                box_mm=_box(spot),
                round=spot.round,
                score_box_mm=scores.get(key),
            )
        elif spot.what == "bubble":
            field = fields.get(key) or Field(item=spot.item, blank=spot.blank, kind=msgspec.convert(spot.kind, Any))
            bubble = Bubble(spot.label, _box(spot))
            fields[key] = msgspec.structs.replace(field, bubbles=(*field.bubbles, bubble))
    return tuple(fields.values())


def _kept_clear(spots: Sequence[Spot], furniture: Furniture) -> dict[int, list[Box]]:
    """Places of each page that belong to no answer: quiet zones, and where names, scores, corrections are written."""
    side, quiet = furniture.marker_mm, furniture.marker_mm / 6
    marks = [(x - quiet, y - quiet, side + 2 * quiet, side + 2 * quiet) for x, y in furniture.markers]
    clear: dict[int, list[Box]] = {page: [*marks] for page in {spot.page for spot in spots}}
    for spot in spots:
        if spot.what in ("name", "written", "score", "cell", "seat"):
            clear[spot.page].append(spot.box)
    if furniture.corrections is not None:
        for places in clear.values():
            places.append(furniture.corrections)
    return clear


def _box(spot: Spot) -> Box:
    # A hundredth of a millimetre is finer than any printer, and keeps the JSON small and the digest stable.
    x, y, width, height = (round(value, 2) for value in spot.box)
    return (x, y, width, height)


def _digest(draft: SheetLayout, assignment: Assignment) -> str:
    """8 characters of Crockford's base 32 (no I, L, O, U) from SHA-256: 40 bits name the print run."""
    content = layout_to_json(draft).encode() + b"\n" + msgspec.json.encode(assignment)
    number = int.from_bytes(hashlib.sha256(content).digest()[:5], "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
