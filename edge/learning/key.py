"""A filled-in sheet as the key: what was read on it, and confirmed by a person, becomes the assignment's answers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from homework.assignment import Assignment, parse_assignment
from homework.errors import UsageError
from homework.layout import Field, SheetLayout

Answers = Mapping[tuple[str, int], str]
"""By item and blank; several accepted answers are parted by ` | `."""

SEPARATOR = "|"


def assignment_of_key(layout: SheetLayout, answers: Answers, *, title: str) -> Assignment:
    """The assignment of a sheet whose answers are known.

    Every field needs an answer, but for `open` and `text`, which a person marks. Raises `ClassboxError` for the first
    that has none, or one that its kind cannot hold.
    """
    fields: dict[str, list[Field]] = {}
    for page in layout.pages:
        for field in page.fields:
            fields.setdefault(field.item, []).append(field)
    if not fields:
        raise UsageError("This sheet has no places to answer.", remedy="Draw them first.")
    lines = ["[assignment]", f"id = {_text(assignment_id(layout))}", f"title = {_text(title.strip() or layout.sheet)}"]
    for item, blanks in fields.items():
        lines += ["", "[[item]]", *_item(item, sorted(blanks, key=lambda field: field.blank), answers)]
    return parse_assignment("\n".join(lines) + "\n")


def assignment_id(layout: SheetLayout) -> str:
    """What the key of a sheet is called: its layout may say so already."""
    return layout.assignment or f"key-{layout.sheet}"


def _item(item: str, blanks: list[Field], answers: Answers) -> list[str]:
    first = blanks[0]
    lines = [f"id = {_text(item)}", f'kind = "{first.kind}"', f"prompt = {_text(f'{item}.')}"]
    if len(blanks) > 1:
        lines.append(f"blanks = {len(blanks)}")
    if first.bubbles:
        lines.append(f"options = {_text([bubble.label for bubble in first.bubbles])}")
    if first.kind in ("open", "text"):
        return lines
    given = [_accepted(answers.get((item, field.blank), "")) for field in blanks]
    if not all(given):
        raise UsageError("Item {item} has no answer.", remedy="Write what is right there.", item=item)
    lines.append(f"answer = {_text(given if len(blanks) > 1 else given[0])}")
    return lines


def _accepted(text: str) -> list[str]:
    return [part.strip() for part in text.split(SEPARATOR) if part.strip()]


def _text(value: object) -> str:
    """A TOML string or list of them: JSON's form is one, but for characters beyond U+FFFF, which stay as they are."""
    return json.dumps(value, ensure_ascii=False)
