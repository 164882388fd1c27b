"""One screen on which every answer that was read on a sheet is confirmed or corrected: then the sheet is the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from edge.deeds import By
from edge.documents import Documents
from edge.learning.key import assignment_id, assignment_of_key
from edge.ledger import FiledPage, Ledger
from edge.web.drawing import crop_size_px
from homework.errors import UsageError
from homework.layout import FieldKind, SheetLayout

CROP_HEIGHT_PX = 72


@dataclass(frozen=True)
class KeyField:
    """One answer to confirm. `place` names its picture; `sure` says that it was read without doubt."""

    place: int
    item: str
    blank: int
    kind: FieldKind
    text: str
    sure: bool
    size_px: tuple[int, int]
    choices: tuple[str, ...]
    """What it can be, where that is a short list."""

    @property
    def name(self) -> str:
        """The name of its input."""
        return f"answer-{self.place}"


def may_be_key(filed: FiledPage, documents: Documents) -> SheetLayout | None:
    """The layout of a sheet that can become its assignment's key: it was read, and there is no key yet."""
    if filed.record is None or not filed.record.items or filed.mm_to_px is None:
        return None
    layout = documents.layout(filed.record.sheet)
    if layout is None or len(layout.pages) != 1 or documents.assignment(assignment_id(layout)) is not None:
        return None
    return layout


def key_fields(filed: FiledPage, layout: SheetLayout, given: Mapping[str, str] | None = None) -> list[KeyField]:
    """The answers of a sheet as they were read, or as a person has them already (`given`, by input name)."""
    assert filed.record is not None
    page = layout.page(filed.record.page)
    fields = {(field.item, field.blank): field for field in page.fields} if page is not None else {}
    found = []
    for place, item in enumerate(filed.record.items):
        field = fields.get((item.item, item.blank))
        if field is None:
            continue
        likely = item.reading.candidates[0].text if item.reading.candidates else ""
        one = KeyField(
            place=place,
            item=item.item,
            blank=item.blank,
            kind=field.kind,
            text=item.reading.text or likely,
            sure=item.reading.doubt is None and bool(item.reading.text),
            size_px=crop_size_px(field.hull_mm(), CROP_HEIGHT_PX),
            choices=_choices(field.kind, tuple(bubble.label for bubble in field.bubbles)),
        )
        if given is not None:
            one = replace(one, text=given.get(one.name, one.text))
        found.append(one)
    return found


def keep_key(
    filed: FiledPage, layout: SheetLayout, given: Mapping[str, str], documents: Documents, ledger: Ledger, *, by: By
) -> None:
    """Store the confirmed answers; the sheet itself is nobody's homework. Raises `ClassboxError`: nothing is stored."""
    fields = key_fields(filed, layout, given)
    answers = {(one.item, one.blank): one.text for one in fields}
    assignment = assignment_of_key(layout, answers, title=given.get("title", ""))
    if documents.assignment(assignment.id) is not None:
        raise UsageError("This sheet has a key already.", remedy="Go back to the newest sheet.")
    documents.put_assignment(assignment)
    documents.put_layout(msgspec.structs.replace(layout, assignment=assignment.id))
    ledger.withdraw(filed.capture, by=by)


def _choices(kind: FieldKind, labels: tuple[str, ...]) -> tuple[str, ...]:
    if kind == "choice":
        return labels
    return {"judge": ("√", "×"), "compare": (">", "<", "=")}.get(kind, ())
