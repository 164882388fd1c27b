"""Answer cards of OMRChecker: its `template.json` as a sheet layout, so that a school keeps the cards that it has.

The format's facts (documentation and schema of the project Udayraj123/OMRChecker, versions 1 and 2): lengths are
pixels of the page resized to `pageDimensions`; a block's `origin` is the top left corner of its first bubble; the
values of a field follow each other by `bubblesGap` in the block's direction, the fields by `labelsGap` across it;
`q1..20` names a run of fields; `customLabels` join fields to one column of the output; `CropOnMarkers` puts the
centres of four printed markers into the page's corners.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec
import numpy as np

from homework.errors import BadFileError, Phrase
from homework.layout import Bubble, Field, FieldKind, Page, PupilField, Register, SheetLayout

BUBBLE_MM = 5.0
"""A card's millimetres are nominal: its bubbles are as large as ours, whatever the paper."""

MOST_BUBBLES = 4000
_DIGITS = tuple("0123456789")

_FIELD_TYPES: dict[str, tuple[tuple[str, ...], str]] = {
    "QTYPE_INT": (_DIGITS, "vertical"),
    "QTYPE_INT_FROM_1": ((*_DIGITS[1:], "0"), "vertical"),
    "QTYPE_MCQ4": (tuple("ABCD"), "horizontal"),
    "QTYPE_MCQ5": (tuple("ABCDE"), "horizontal"),
}
_FINDERS = ("CropPage", "CropOnMarkers", "FeatureBasedAlignment")
_NOT_NEEDED = ("GaussianBlur", "MedianBlur", "Levels", "Contrast")

_RUN = re.compile(r"^([^.\d]+)(\d+)\.{2,3}(\d+)$")
_REMEDY = "Compare it with the documentation of OMRChecker's templates."


@dataclass(frozen=True)
class Card:
    """An imported card: its layout without a sheet's `reference`, and what the picture that it needs is called.

    `picture` is the path in the template of the marker (`register = "marker-image"`) or of the empty card
    (`print`); `columns` are the output's, in order; `passed_over` the preprocessors that are not needed here.
    """

    layout: SheetLayout
    columns: tuple[str, ...]
    picture: str | None = None
    passed_over: tuple[str, ...] = ()
    turns_alike: bool = False
    """Whether the card looks the same upside down, so that only what is round the bubbles can tell."""


@dataclass(frozen=True)
class _Column:
    """One field of the template: its bubbles and what stands for it when it is empty."""

    bubbles: tuple[Bubble, ...]
    empty: str


def parse_template(text: str | bytes, *, several: Iterable[str] = (), seat: str | None = None) -> Card:
    """Read a template. Raises `BadFileError` with what is wrong in it.

    `several` names output columns in which more than one bubble may be marked; `seat` the one, of digits alone,
    that is the pupil's seat number and no item.
    """
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFileError("The template is not JSON: {detail}.", remedy=_REMEDY, detail=error) from error
    if not isinstance(raw, dict):
        raise _wrong("template.json", "is no table")
    if any(str(key).lower() == "qblocks" for key in raw):
        raise BadFileError(
            "This template is of an OMRChecker before version 1.",
            remedy="Rewrite it with `fieldBlocks`, as today's OMRChecker has it.",
        )
    page_px = _pair("pageDimensions", raw.get("pageDimensions", raw.get("templateDimensions")))
    bubble_px = _pair("bubbleDimensions", raw.get("bubbleDimensions"))
    scale = BUBBLE_MM / float(np.sqrt(bubble_px[0] * bubble_px[1]))
    fields = _fields(raw, bubble_px, scale)
    _check_inside(fields, (page_px[0] * scale, page_px[1] * scale))
    columns = _output_columns(raw, fields)
    register, picture, passed_over = _preprocessors(raw)
    pupil = _seat(seat, columns, fields) if seat is not None else None
    wanted = set(several)
    for name in wanted - set(columns):
        raise BadFileError(
            "The card has no column {name}: it has {columns}.",
            remedy="Name columns of the card.",
            name=name,
            columns=", ".join(columns),
        )
    made = tuple(
        _field(name, [fields[part] for part in parts], several=name in wanted)
        for name, parts in columns.items()
        if name != seat
    )
    layout = SheetLayout(
        sheet=_name(page_px, made, pupil, register),
        assignment=None,
        page_mm=(round(page_px[0] * scale, 3), round(page_px[1] * scale, 3)),
        pages=(Page(1, (), pupil=pupil, fields=made),),
        register=register,
    )
    return Card(layout, tuple(columns), picture, passed_over, _turns_alike(layout))


def field_names(text: str) -> list[str]:
    """The fields that a label stands for: `q1..3` is q1, q2, q3; any other is itself. Raises `BadFileError`."""
    if "." not in text:
        return [text]
    found = _RUN.match(text)
    if found is None or int(found[2]) >= int(found[3]) or int(found[3]) - int(found[2]) >= MOST_BUBBLES:
        raise _wrong(text, "is no run of labels like q1..20")
    return [f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1)]


def _fields(raw: dict[str, Any], bubble_px: tuple[float, float], scale: float) -> dict[str, _Column]:
    blocks = raw.get("fieldBlocks", _ungrouped(raw.get("fieldBlockGroups")))
    if not isinstance(blocks, dict) or not blocks:
        raise _wrong("fieldBlocks", "is missing or empty")
    default_empty = raw.get("emptyValue", "")
    own_types = raw.get("customBubbleFieldTypes", {})
    fields: dict[str, _Column] = {}
    count = 0
    for name, block in blocks.items():
        if not isinstance(block, dict):
            raise _wrong(f"fieldBlocks.{name}", "is no table")
        where = f"fieldBlocks.{name}"
        values, direction = _values(block, own_types, where)
        labels = _labels(block.get("fieldLabels"), f"{where}.fieldLabels")
        origin = _pair(f"{where}.origin", block.get("origin"), least=0.0)
        size = _pair(f"{where}.bubbleDimensions", block.get("bubbleDimensions", list(bubble_px)))
        gap = _number(block.get("bubblesGap"), f"{where}.bubblesGap")
        steps = _steps(block.get("labelsGap"), len(labels), f"{where}.labelsGap")
        count += len(labels) * len(values)
        if count > MOST_BUBBLES:
            raise _wrong("fieldBlocks", "has more bubbles than a page can hold")
        for label, along in zip(labels, steps, strict=True):
            if label in fields:
                raise _wrong(f"{where}.fieldLabels", "repeats {label}", label=label)
            bubbles = []
            for k, value in enumerate(values):
                across, down = (gap * k, along) if direction == "horizontal" else (along, gap * k)
                box = (origin[0] + across, origin[1] + down, *size)
                bubbles.append(Bubble(value, _in_mm(box, scale)))
            fields[label] = _Column(tuple(bubbles), str(block.get("emptyValue", default_empty)))
    return fields


def _ungrouped(groups: Any) -> dict[str, Any] | None:
    """The blocks of all groups (a later version of the format)."""
    if not isinstance(groups, dict):
        return None
    return {name: block for group in groups.values() if isinstance(group, dict) for name, block in group.items()}


def _values(block: dict[str, Any], own_types: Any, where: str) -> tuple[tuple[str, ...], str]:
    """The labels of a field's bubbles and the direction in which they follow each other."""
    kind = block.get("fieldType", block.get("bubbleFieldType"))
    known = _FIELD_TYPES.get(str(kind))
    if known is not None:
        return known
    own = own_types.get(kind) if isinstance(own_types, dict) else None
    given = own if isinstance(own, dict) else block
    values, direction = given.get("bubbleValues"), given.get("direction")
    if values is None and kind is not None:
        raise _wrong(f"{where}.fieldType", "is {kind}, which is not known", kind=kind)
    if not isinstance(values, list) or not values or not all(isinstance(v, str | int) for v in values):
        raise _wrong(f"{where}.bubbleValues", "is no list of texts")
    if direction not in ("horizontal", "vertical"):
        raise _wrong(f"{where}.direction", "is neither horizontal nor vertical")
    texts = tuple(str(value) for value in values)
    if len(set(texts)) < len(texts):
        raise _wrong(f"{where}.bubbleValues", "has a value twice")
    return texts, str(direction)


def _output_columns(raw: dict[str, Any], fields: dict[str, _Column]) -> dict[str, tuple[str, ...]]:
    """Each column of the output and the fields that it joins, in the output's order."""
    custom = raw.get("customLabels", {})
    if not isinstance(custom, dict):
        raise _wrong("customLabels", "is no table")
    joined = {str(name): tuple(_labels(parts, f"customLabels.{name}")) for name, parts in custom.items()}
    for name, parts in joined.items():
        for part in parts:
            if part not in fields:
                raise _wrong(f"customLabels.{name}", "names {part}, which is in no field block", part=part)
        if name in fields and parts != (name,):
            raise _wrong(f"customLabels.{name}", "has the name of a field")
    used = [part for parts in joined.values() for part in parts]
    if len(set(used)) < len(used):
        raise _wrong("customLabels", "uses a field twice")
    all_columns = {name: (name,) for name in fields if name not in used} | joined
    wanted = raw.get("outputColumns")
    if not wanted:
        # The order in which the tool itself writes them: by the name's words, then by its number.
        return {name: all_columns[name] for name in sorted(all_columns, key=_by_word_and_number)}
    names = _labels(wanted, "outputColumns")
    for name in names:
        if name not in all_columns:
            raise _wrong("outputColumns", "names {name}, which the card does not have", name=name)
    return {name: all_columns[name] for name in names}


def _preprocessors(raw: dict[str, Any]) -> tuple[Register, str | None, tuple[str, ...]]:
    """How the page is found, the picture for it, and what is passed over. The last finder has the last word."""
    given = raw.get("preProcessors", [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise _wrong("preProcessors", "is no list of tables")
    register: Register = "page-edge"
    picture: str | None = None
    passed_over = []
    for one in given:
        name = str(one.get("name"))
        options = one.get("options") if isinstance(one.get("options"), dict) else {}
        assert isinstance(options, dict)
        if name in _NOT_NEEDED:
            passed_over.append(name)
        elif name not in _FINDERS or options.get("type", "FOUR_MARKERS") != "FOUR_MARKERS":
            raise BadFileError(
                "The card is found by {name}, which Classbox does not do.",
                remedy="Take {name} out of preProcessors; cards are found by their bubbles, too.",
                name=options.get("type", name),
            )
        elif name == "CropOnMarkers":
            register, picture = "marker-image", _picture(options, ("relativePath", "referenceImage"), name)
        elif name == "FeatureBasedAlignment":
            register, picture = "print", _picture(options, ("reference",), name)
    return register, picture, tuple(passed_over)


def _picture(options: dict[str, Any], keys: Sequence[str], name: str) -> str:
    for key in keys:
        if isinstance(options.get(key), str) and options[key]:
            return str(options[key])
    raise _wrong(f"preProcessors.{name}", "names no {key}", key=keys[0])


def _field(name: str, parts: Sequence[_Column], *, several: bool) -> Field:
    bubbles = tuple(bubble for part in parts for bubble in part.bubbles)
    digits = all(bubble.label in _DIGITS for bubble in bubbles)
    kind: FieldKind = "choices" if several else "number" if digits else "choice"
    empties = {part.empty for part in parts}
    return Field(
        item=name,
        blank=1,
        kind=kind,
        bubbles=bubbles,
        groups=tuple(len(part.bubbles) for part in parts) if len(parts) > 1 else (),
        empty=empties.pop() if len(parts) > 1 and len(empties) == 1 else "",
    )


def _seat(name: str, columns: dict[str, tuple[str, ...]], fields: dict[str, _Column]) -> PupilField:
    parts = [fields[part] for part in columns.get(name, ())]
    if not parts or any(sorted(bubble.label for bubble in part.bubbles) != list(_DIGITS) for part in parts):
        raise BadFileError(
            "{name} is no column of digits.", remedy="Name the output column of the seat number.", name=name
        )
    in_order = tuple(tuple(sorted(part.bubbles, key=lambda bubble: bubble.label)) for part in parts)
    return PupilField("bubbles", columns=in_order)


def _turns_alike(layout: SheetLayout) -> bool:
    """Whether the bubbles lie the same when the card is turned by half: then their places cannot tell the turn."""
    boxes = np.array([bubble.box_mm for bubble in all_bubbles(layout.pages[0])])
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    middle = (centres.min(axis=0) + centres.max(axis=0)) / 2
    turned = 2 * middle - centres
    nearest = np.linalg.norm(turned[:, None] - centres[None], axis=2).min(axis=1)
    return bool((nearest < 0.25 * BUBBLE_MM).mean() > 0.9)


def all_bubbles(page: Page) -> list[Bubble]:
    """Every bubble of a page, the seat number's among them."""
    seat = page.pupil.columns if page.pupil is not None else ()
    return [b for field in page.fields for b in field.bubbles] + [b for column in seat for b in column]


def _check_inside(fields: dict[str, _Column], page_mm: tuple[float, float]) -> None:
    for name, column in fields.items():
        for x, y, width, height in (bubble.box_mm for bubble in column.bubbles):
            # A box may reach over the edge by a part of itself: templates are aligned by eye.
            if x < -width / 2 or y < -height / 2 or x + width / 2 > page_mm[0] or y + height / 2 > page_mm[1]:
                raise _wrong(name, "lies outside pageDimensions")


def _labels(given: Any, where: str) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(label, str) and label for label in given):
        raise _wrong(where, "is no list of labels")
    names = [name for label in given for name in field_names(label)]
    if len(set(names)) < len(names):
        raise _wrong(where, "has a label twice")
    return names


def _steps(given: Any, count: int, where: str) -> list[float]:
    """How far each field lies from the first: one gap for all, or one between each two."""
    if isinstance(given, list):
        if len(given) != count - 1:
            raise _wrong(where, "should have {count} gaps", count=count - 1)
        gaps = [_number(gap, where) for gap in given]
    else:
        gaps = [_number(given, where)] * (count - 1)
    return [sum(gaps[:k]) for k in range(count)]


def _pair(name: str, given: Any, *, least: float = 1.0) -> tuple[float, float]:
    if not isinstance(given, list) or len(given) != 2:
        raise _wrong(name, "should be two numbers")
    first, second = (_number(value, name) for value in given)
    if min(first, second) < least or max(first, second) > 100_000:
        raise _wrong(name, "is no length in pixels")
    return first, second


def _number(given: Any, where: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not np.isfinite(given) or given < 0:
        raise _wrong(where, "is no number from 0")
    return float(given)


def _in_mm(box: tuple[float, float, float, float], scale: float) -> tuple[float, float, float, float]:
    x, y, width, height = (round(value * scale, 3) for value in box)
    return x, y, width, height


def _by_word_and_number(name: str) -> tuple[str, int]:
    found = re.match(r"([^\d]*)(\d*)", name)
    assert found is not None
    return found[1], int(found[2] or 0)


def _name(page_px: tuple[float, float], fields: tuple[Field, ...], pupil: PupilField | None, register: str) -> str:
    """The sheet's name: the same card has the same one, wherever it is imported."""
    content = msgspec.json.encode([list(page_px), fields, pupil, register])
    return "omr-" + hashlib.sha256(content).hexdigest()[:10]


def picture_name(output: PurePath, register: Register) -> str:
    """What the picture beside the layout is called."""
    return f"{output.stem}.{'marker' if register == 'marker-image' else 'reference'}.png"


def _wrong(where: str, what: str, **values: object) -> BadFileError:
    what_it_is = Phrase(what, **values)
    return BadFileError("The template is wrong: {where} {what}.", remedy=_REMEDY, where=where, what=what_it_is)
