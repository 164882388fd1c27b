"""Homework as a person edits it in a form: what the form says, and what assignment comes of it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

import msgspec

from homework.assignment import Assignment, Layer, Paper
from homework.drafts import Head, assignment_of, same_paper
from homework.errors import BadFileError, UsageError
from homework.layout import FieldKind, PupilKind
from homework.typed_items import TypedItem, checked

MOST_ROWS = 400
MOST_COPIES = 100
"""Two classes; more is what the photocopier does quicker."""
PAPERS: tuple[str, ...] = get_args(Paper)
LAYERS: tuple[str, ...] = get_args(Layer)
KINDS: tuple[FieldKind, ...] = get_args(FieldKind)
PUPIL_IDS: tuple[str, ...] = get_args(PupilKind)
PUPIL_ID_WORDS = {
    "digits": "They write their seat number: one master to photocopy",
    "bubbles": "They fill bubbles with their seat number: one master to photocopy",
    "printed": "A sheet for each pupil, with the name printed",
    "order": "Without a number: the sheets are slid in seat order",
}
LAYER_WORDS = {"A": "A basics", "B": "B optional", "C": "C challenge"}
GRADES = tuple(str(grade) for grade in range(1, 13))


@dataclass(frozen=True)
class Row:
    """One question of the form; `more` is what the form does not show."""

    number: int
    item: TypedItem
    more: str


def head_of(given: Mapping[str, str]) -> Head:
    """What the form says of the whole homework. Raises `UsageError` for a day that is none."""
    return Head(
        title=given.get("title", ""),
        grade=given.get("grade", ""),
        due=_due(given.get("due", "")),
        paper=given.get("paper", "A4"),
        mode="test" if "test" in given else "homework",
        pupil_id=given.get("pupil_id", "digits"),
        columns=given.get("columns", ""),
        minutes=given.get("minutes", ""),
        subject=given.get("subject", ""),
        correction_space="correction_space" in given,
    )


def items_of(given: Mapping[str, str]) -> list[TypedItem]:
    """The questions of the form, without those that were taken out. Raises `UsageError`."""
    items: list[TypedItem] = []
    grade = int(given["grade"]) if given.get("grade") in GRADES else None
    for number in range(1, MOST_ROWS):
        if f"prompt-{number}" not in given:
            break
        if f"remove-{number}" not in given:
            items.append(checked(_item(given, number), grade=grade))
    return items


def copies_of_form(text: str) -> int:
    """How many copies a form asks for. Raises `UsageError`."""
    if not re.fullmatch(r"\s*[0-9]{1,4}\s*", text) or not 1 <= int(text) <= MOST_COPIES:
        raise UsageError(
            "`{text}` copies cannot be made at once.",
            remedy="Choose a number from 1 to {limit}; for more, photocopy.",
            text=text[:20],
            limit=MOST_COPIES,
        )
    return int(text)


def rows_of_items(items: Sequence[TypedItem]) -> list[Row]:
    """The rows of the form; a heading stands over the first of its questions only."""
    rows = []
    heading = ""
    for number, item in enumerate(items, 1):
        section = "" if item.section == heading else item.section
        heading = item.section or heading
        shown = msgspec.structs.replace(item, section=section)
        rows.append(Row(number, shown, json.dumps(item.more, ensure_ascii=False) if item.more else ""))
    return rows


def due_for_form(due: str) -> str:
    """A due time as `<input type=datetime-local>` has it, in the time of the machine it is shown by."""
    try:
        return datetime.fromisoformat(due).astimezone().strftime("%Y-%m-%dT%H:%M") if due else ""
    except ValueError:
        return due


def edited(
    old: Assignment | None, head: Head, items: Sequence[TypedItem], known: Callable[[str], Assignment | None]
) -> Assignment:
    """The assignment of a form: `old` with other answers where its printed sheets stay right, else a new one.

    `known` gives the assignment that is kept under an id. Raises `BadFileError`.
    """
    if old is not None:
        same = assignment_of(head, items, assignment_id=old.id)
        if same_paper(old, same):
            return same
    if all(str(item.more.get("id", "0")).isdigit() for item in items):
        items = [msgspec.structs.replace(item, more=_without_id(item.more)) for item in items]
    fresh = assignment_of(head, items)
    # The same questions may have been kept before and had their answers changed since: that one stays as it is.
    name, serial = fresh.id, 1
    while (other := known(fresh.id)) is not None and other != fresh:
        serial += 1
        fresh = msgspec.structs.replace(fresh, id=f"{name}-{serial}")
    return fresh


def _without_id(more: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in more.items() if key != "id"}


def _item(given: Mapping[str, str], number: int) -> TypedItem:
    def said(name: str) -> str:
        return given.get(f"{name}-{number}", "")

    try:
        kind = msgspec.convert(said("kind"), FieldKind)
        more = msgspec.convert(json.loads(said("more") or "{}"), dict[str, Any])
    except (msgspec.ValidationError, ValueError, AttributeError, RecursionError) as error:
        raise UsageError("This page was sent in another form.", remedy="Load the page again.") from error
    return TypedItem(
        prompt=said("prompt").strip(),
        kind=kind,
        answer=said("answer").strip(),
        options=tuple(line.strip() for line in said("options").splitlines() if line.strip()),
        section=said("section").strip(),
        points=said("points"),
        layer=said("layer") if said("layer") in LAYERS else "A",
        knowledge=said("knowledge"),
        explanation=said("explanation"),
        more=more,
    )


def _due(text: str) -> str:
    """The day and time of the form, with this machine's offset from UTC; a day alone means its end of the morning."""
    text = text.strip().replace(" ", "T").replace("/", "-")
    if not text:
        return ""
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", text):
        text += "T08:00"
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadFileError(
            "`{due}` is no day and time.", remedy="Write it as 2026-12-01 08:00.", due=text.replace("T", " ")
        ) from error
    return (found if found.tzinfo is not None else found.astimezone()).isoformat()
