"""The page on which homework is made, for both programs: what was sent becomes a draft, a draft the page's values."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homework.assignment import Assignment, parse_assignment
from homework.draft_form import (
    GRADES,
    KINDS,
    LAYER_WORDS,
    LAYERS,
    PAPERS,
    PUPIL_ID_WORDS,
    PUPIL_IDS,
    due_for_form,
    head_of,
    items_of,
    rows_of_items,
)
from homework.drafts import Head, draft_of, items_of_table
from homework.errors import BadFileError, ClassboxError
from homework.field_words import KIND_WORDS
from homework.typed_items import TypedItem, checked, typed_items
from homework.wording import Translate
from ui.workbooks import rows_of


@dataclass(frozen=True)
class Draft:
    """What stands on the page. `pictures` are addresses of the first pages as they are printed, of `pages` in all."""

    head: Head
    items: tuple[TypedItem, ...] = ()
    text: str = ""
    pictures: tuple[str, ...] = ()
    pages: int = 0
    refused: ClassboxError | None = None


def opened(assignment: Assignment) -> Draft:
    """Homework that is there, to be changed."""
    head, items = draft_of(assignment)
    return Draft(head, tuple(checked(item, grade=assignment.grade) for item in items))


def sent_draft(given: Mapping[str, str], name: str = "", data: bytes = b"") -> Draft:
    """The draft of a form: its rows, then those of its file, then those that were typed.

    What cannot be understood is `refused`, and stands there still.
    """
    draft = Draft(Head(title=given.get("title", "")), text=given.get("text", ""))
    try:
        draft = Draft(head_of(given), tuple(items_of(given)), text=given.get("text", ""))
        if data:
            draft = _with_file(draft, name, data)
        if draft.text.strip():
            section = next((item.section for item in reversed(draft.items) if item.section), "")
            grade = int(draft.head.grade) if draft.head.grade in GRADES else None
            more = typed_items(draft.text, grade=grade, section=section)
            draft = replace(draft, items=(*draft.items, *more), text="")
    except ClassboxError as refused:
        draft = replace(draft, refused=refused)
    return draft


def draft_values(
    draft: Draft,
    words: Translate,
    *,
    address: str,
    table_address: str,
    editing: bool,
    subjects: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What `_homework_draft.html` asks for (with `morning.css`). The form goes to `address` as `multipart/form-data`.

    Its button `do` says `read`, `preview` or `keep`; `table_address` is that of the empty table of questions;
    `subjects` to choose from, by what they are called in words, for who has more than one.
    """
    return {
        "draft": draft,
        "rows": rows_of_items(draft.items),
        "editing": editing,
        "subjects": subjects or {},
        "address": address,
        "table_address": table_address,
        "due": due_for_form(draft.head.due),
        "kinds": {kind: words(KIND_WORDS[kind]) for kind in KINDS},
        "pupil_ids": {kind: words(PUPIL_ID_WORDS[kind]) for kind in PUPIL_IDS},
        "layers": {layer: words(LAYER_WORDS[layer]) for layer in LAYERS},
        "papers": PAPERS,
        "grades": GRADES,
        "unanswered": sum(item.unanswered for item in draft.items),
        "refused": draft.refused.said(words) if draft.refused is not None else None,
    }


def as_data(pictures: Sequence[bytes]) -> tuple[str, ...]:
    """PNG pictures for the page itself: nothing is kept for a preview."""
    return tuple("data:image/png;base64," + base64.b64encode(picture).decode() for picture in pictures)


def _with_file(draft: Draft, name: str, data: bytes) -> Draft:
    """The draft with the questions of a file: an assignment file brings its head along, a table only its rows."""
    if name.lower().endswith(".toml"):
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadFileError(
                "{name} is no text in UTF-8.", remedy="Save it as UTF-8 and try again.", name=name
            ) from error
        head, items = draft_of(parse_assignment(text))
        return replace(draft, head=head if not draft.items else draft.head, items=(*draft.items, *items))
    return replace(draft, items=(*draft.items, *items_of_table(rows_of(data, name=name))))
