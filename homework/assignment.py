"""The assignment: what is asked, what counts as right, what it is worth.

`parse_assignment` reads the TOML contract; `assignment_to_toml` writes it back with the final id.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args

import msgspec

from homework.answer_key import parse_rule
from homework.answers import AnswerRule, Credit, Form
from homework.checked_table import CheckedTable
from homework.errors import BadFileError, Phrase
from homework.layout import FieldKind, PupilKind

__all__ = [
    "MAX_ITEMS",
    "AnswerRule",
    "Assignment",
    "Credit",
    "Form",
    "Item",
    "Layer",
    "Mode",
    "Paper",
    "assignment_from_tables",
    "assignment_to_toml",
    "letters_of",
    "parse_assignment",
]

Layer = Literal["A", "B", "C"]
Paper = Literal["A4", "B5", "16K", "8K", "A3"]
Mode = Literal["homework", "test"]

MAX_ITEMS = 199
"""More than any worksheet holds; it bounds what one file can make the printer and the box do."""

MAX_BLANKS = 20


class Item(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One question. `id` is unique in the assignment; `points_hundredths` is shared by its blanks."""

    id: str
    kind: FieldKind
    prompt: str
    rule: AnswerRule
    blanks: int = 1
    section: str | None = None
    label: str | None = None
    options: tuple[str, ...] = ()
    letters: str = "ABCD"
    points_hundredths: int = 100
    layer: Layer = "A"
    knowledge: tuple[str, ...] = ()
    explanation: str | None = None
    video: str | None = None


class Assignment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A piece of homework. `due` is an ISO 8601 time with offset, or None."""

    id: str
    title: str
    items: tuple[Item, ...]
    subject: str = "math"
    grade: int | None = None
    due: str | None = None
    paper: Paper = "A4"
    mode: Mode = "homework"
    pupil_id: PupilKind = "digits"
    minutes: int | None = None
    columns: int | None = None
    correction_space: bool = False

    def item(self, item_id: str) -> Item | None:
        """The item of that id, or None."""
        return next((i for i in self.items if i.id == item_id), None)


_ASSIGNMENT_KEYS = tuple(f for f in Assignment.__struct_fields__ if f != "items")
_RULE_KEYS = ("answer", "credit", "form", "tolerance", "unit", "unit_written", "any_order")
_ITEM_KEYS = (
    *("id", "section", "label", "kind", "prompt", "options", "letters", *_RULE_KEYS[:1], "points", "layer", "blanks"),
    *_RULE_KEYS[1:],
    *("knowledge", "explanation", "video"),
)
_ONLY_FOR: dict[str, tuple[FieldKind, ...]] = {
    "options": ("choice", "choices", "letter"),
    "letters": ("letter",),
    "credit": ("choices",),
    "form": ("number",),
    "tolerance": ("number",),
    "unit": ("number",),
    "unit_written": ("number",),
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_LINE = re.compile(r" ?\(at (?:line (?P<line>\d+), column \d+|end of document)\)")


def parse_assignment(text: str) -> Assignment:
    """Parse and check an assignment file.

    Raises `BadFileError`, in one line that names the item and says what to do, for anything that breaks the
    contract: not TOML, an unknown key, kind or word, a wrong type, no items or more than `MAX_ITEMS`, an item id
    used twice, an answer that is none for its kind, points that are not positive halves, a due time without offset.
    """
    return assignment_from_tables(_toml(text))


def assignment_from_tables(document: dict[str, Any]) -> Assignment:
    """The assignment of the tables `assignment` and `item` as its file has them, checked in the same way.

    Numbers with a point are `Decimal`, or text. Raises `BadFileError`.
    """
    head = CheckedTable(document, where=Phrase("The assignment file"), known=("assignment", "item"))
    about = head.raw("assignment")
    if not isinstance(about, dict):
        head.fail("The assignment file has no [assignment] table.", 'Begin it with [assignment] and title = "…".')
    table = CheckedTable(about, where="[assignment]", known=_ASSIGNMENT_KEYS)
    items = _items(head.raw("item"), head)
    assignment = Assignment(
        id=_assignment_id(table),
        title=table.text("title", longest=200) or table.fail("[assignment] has no title.", 'Add title = "…".'),
        items=items,
        subject=table.text("subject", longest=40) or "math",
        grade=table.whole("grade", lowest=1, highest=12),
        due=_due(table),
        paper=table.one_of("paper", Paper, "A4"),
        mode=table.one_of("mode", Mode, "homework"),
        pupil_id=table.one_of("pupil_id", PupilKind, "digits"),
        minutes=table.whole("minutes", lowest=1, highest=600),
        columns=table.whole("columns", lowest=1, highest=2),
        correction_space=table.flag("correction_space"),
    )
    if assignment.id:
        return assignment
    return msgspec.structs.replace(assignment, id=_minted_id(assignment))


def assignment_to_toml(assignment: Assignment) -> str:
    """The assignment file, with the final id and without the defaults. Parsing it gives `assignment` again."""
    lines = ["[assignment]", *_pairs(assignment, Assignment, _ASSIGNMENT_KEYS)]
    for item in assignment.items:
        lines += ["", "[[item]]", *_item_pairs(item)]
    return "\n".join(lines) + "\n"


def _toml(text: str) -> dict[str, Any]:
    try:
        # A byte order mark is what Windows' Notepad puts first.
        return tomllib.loads(text.removeprefix("\ufeff"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        place = _LINE.search(str(error))
        raise BadFileError(
            "The assignment file is not TOML: line {line}: {reason}.",
            remedy="Look at that line: text stands in quotes, every key = value on its own line.",
            line=(place and place["line"]) or max(1, len(text.splitlines())),
            reason=_LINE.sub("", str(error)),
        ) from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        # Impossible dates, numbers of thousands of digits, lists nested without end.
        raise BadFileError(
            "The assignment file has a value that cannot be: {reason}.",
            remedy="Look for an impossible date or number.",
            reason=error,
        ) from error


def _assignment_id(table: CheckedTable) -> str:
    wished = table.text("id")
    if wished is not None and not _ID.fullmatch(wished):
        table.fail(
            "{where}: the id `{id}` cannot be used.",
            "Use 1 to 32 letters, digits, - or _; or leave it out, and one is made.",
            id=wished,
        )
    return wished or ""


def _minted_id(assignment: Assignment) -> str:
    """A digest of the content: the same file gives the same id on every machine, whatever its comments."""
    digest = hashlib.sha256(assignment_to_toml(assignment).encode()).digest()
    return "a" + base64.b32encode(digest).decode().lower()[:11]


def _due(table: CheckedTable) -> str | None:
    value = table.raw("due")
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            table.fail("{where}: the due time `{due}` is no date.", "Write it as 2026-12-01T08:00:00+08:00.", due=value)
    if value is None:
        return None
    offset = value.utcoffset() if isinstance(value, datetime) else None
    if offset is None or offset.seconds % 60 or offset.microseconds:
        table.fail(
            "{where}: the due time `{due}` lacks its time of day or its offset from UTC.",
            "Write it as 2026-12-01T08:00:00+08:00.",
            due=value,
        )
    return str(value.isoformat())


def _items(raw: object, head: CheckedTable) -> tuple[Item, ...]:
    if raw is None or raw == []:
        head.fail("The assignment has no items.", "Add at least one [[item]] with kind, prompt and answer.")
    if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
        head.fail("`item` is no list of tables.", "Begin every item with a line [[item]], in double brackets.")
    if len(raw) > MAX_ITEMS:
        head.fail("The assignment has {n} items; {limit} is the most.", "Split it in two.", n=len(raw), limit=MAX_ITEMS)
    items = tuple(_item(position, entry) for position, entry in enumerate(raw, start=1))
    first: dict[str, int] = {}
    for position, item in enumerate(items, start=1):
        if item.id in first:
            head.fail(
                "The items at positions {one} and {other} have the same id `{id}`.",
                "Give each item an id of its own; one without an id is named after its position.",
                one=first[item.id],
                other=position,
                id=item.id,
            )
        first[item.id] = position
    return items


def _item(position: int, entry: dict[str, Any]) -> Item:
    wished = entry.get("id")
    table = CheckedTable(
        entry, where=Phrase("Item {id}", id=wished if isinstance(wished, str | int) else position), known=_ITEM_KEYS
    )
    item_id = str(position) if wished is None else table.plain("id", wished)
    if not 1 <= len(item_id) <= 32 or not item_id.isprintable():
        table.fail("{where}: the id cannot be used.", "Use 1 to 32 letters or digits.")
    kind: FieldKind = table.one_of("kind", FieldKind) or table.fail(
        "{where} has no kind.", "Add kind, one of {kinds}.", kinds=", ".join(get_args(FieldKind))
    )
    for key, kinds in _ONLY_FOR.items():
        if table.has(key) and kind not in kinds:
            table.fail(
                "{where}: `{key}` does not go with kind `{kind}`.",
                "Remove it, or use kind {kinds}.",
                key=key,
                kind=kind,
                kinds=" or ".join(kinds),
            )
    options = _options(table, kind)
    letters = _letters(table, options if kind == "letter" else ())
    blanks = table.whole("blanks", lowest=1, highest=MAX_BLANKS) or 1
    allowed = letters if kind == "letter" else letters_of(len(options))
    return Item(
        id=item_id,
        kind=kind,
        prompt=table.text("prompt") or "",
        rule=parse_rule(table, kind, blanks=blanks, letters=allowed),
        blanks=blanks,
        section=table.text("section", longest=200),
        label=table.text("label", longest=20),
        options=options,
        letters=letters,
        points_hundredths=_points(table),
        layer=table.one_of("layer", Layer, "A"),
        knowledge=table.texts("knowledge"),
        explanation=table.text("explanation"),
        video=_video(table),
    )


def letters_of(count: int) -> str:
    """The labels of that many options, from A."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count]


def _options(table: CheckedTable, kind: FieldKind) -> tuple[str, ...]:
    options = table.texts("options")
    if (kind in ("choice", "choices") or table.has("options")) and not 2 <= len(options) <= 10:
        table.fail("{where} has {n} options.", 'Write 2 to 10 of them, like options = ["12", "15"].', n=len(options))
    return options


def _letters(table: CheckedTable, options: tuple[str, ...]) -> str:
    letters = table.text("letters")
    if letters is None:
        return letters_of(len(options)) if options else "ABCD"
    capitals = re.fullmatch("[A-Z]{2,26}", letters) is not None
    if not capitals or len(set(letters)) != len(letters) or 0 < len(letters) < len(options):
        table.fail(
            "{where}: `letters` is `{letters}`.",
            'Write different capital letters, as many as there are options, like letters = "ABCD".',
            letters=letters,
        )
    return letters


def _points(table: CheckedTable) -> int:
    value = table.raw("points")
    if value is None:
        return 100
    # Comparisons with NaN raise in Decimal, so finiteness is asked first.
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not number or not Decimal(value).is_finite() or not 0 < value <= 1000 or value % Decimal("0.5"):
        table.fail("{where}: `points` is {points}.", "Write a number above 0, in halves: 1, 1.5, 2 …", points=value)
    return int(value * 100)


def _video(table: CheckedTable) -> str | None:
    video = table.text("video")
    # It becomes a link on a page: nothing but the web may stand there.
    if video is not None and not re.fullmatch(r"https?://[^\s\"'<>]+", video):
        table.fail("{where}: `video` is no web address.", "Write it with https:// in front.")
    return video


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, object]:
    """What each field of a struct is when nobody says it. Working that out takes longer than writing an item."""
    return {field.name: field.default for field in msgspec.structs.fields(kind)}


def _pairs(struct: msgspec.Struct, kind: type[msgspec.Struct], keys: Iterable[str]) -> list[str]:
    defaults = _defaults(kind)
    values = ((key, getattr(struct, key)) for key in keys)
    lines = []
    for key, value in values:
        if value in (defaults[key], None, ""):
            continue
        lines.append(f"{key} = {value}" if key == "due" else f"{key} = {_toml_value(value)}")
    return lines


def _item_pairs(item: Item) -> list[str]:
    rule = item.rule
    head = _pairs(item, Item, ("id", "section", "label", "kind", "prompt", "options"))
    if item.kind == "letter" and item.letters != (letters_of(len(item.options)) or "ABCD"):
        head.append(f"letters = {_toml_value(item.letters)}")
    if item.blanks > 1:
        head.append(f"blanks = {item.blanks}")
    if any(rule.accepted):
        entries = [a[0] if len(a) == 1 else a for a in rule.accepted]
        head.append(f"answer = {_toml_value(entries if item.blanks > 1 else entries[0])}")
    if item.points_hundredths != 100:
        whole, half = divmod(item.points_hundredths, 100)
        head.append(f"points = {whole}.5" if half else f"points = {whole}")
    return [
        *head,
        *_pairs(rule, AnswerRule, _RULE_KEYS[1:]),
        *_pairs(item, Item, ("layer", "knowledge", "explanation", "video")),
    ]


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    # JSON's escapes are a subset of TOML's; only DEL may stand raw in JSON and not in TOML (TOML 1.0, "String").
    return msgspec.json.encode(str(value)).decode().replace("\x7f", "\\u007F")
