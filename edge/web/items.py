"""The items of one sheet as a list: what was read, what it counts, and what a person may say of each (复批)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from edge.correcting import Change
from edge.documents import Documents
from edge.ledger import FiledPage
from edge.release import is_released
from homework.assignment import Assignment
from homework.corrections import Place, Word, toggled, unruled
from homework.errors import UsageError
from homework.grading import share_points
from homework.layout import Box, Field
from homework.results import ItemResult, Said, Stamp, VerdictKind, points
from homework.review_answers import points_in


@dataclass(frozen=True)
class ItemRow:
    """One field; `place` is its place among the record's items, from 0. `box_mm` is where it is on the sheet."""

    place: int
    label: str
    blank: int
    blanks: int
    kind: str
    reading: str | None
    read: str | None
    verdict: VerdictKind
    score: int | float | None
    worth: int | float
    said: Said | None
    box_mm: Box | None


def item_rows(filed: FiledPage, documents: Documents) -> tuple[ItemRow, ...]:
    """The items of a sheet that a person may judge: of one that its key has judged, and that is not held back."""
    record = filed.record
    key = documents.assignment(record.assignment) if record is not None and record.assignment is not None else None
    if record is None or key is None or record.score_hundredths is None:
        return ()
    if not is_released(documents, record.assignment):
        return ()
    layout = documents.layout(record.sheet)
    page = layout.page(record.page) if layout is not None else None
    printed = {(field.item, field.blank): field for field in page.fields} if page is not None else {}
    return tuple(
        _row(place, result, key, printed)
        for place, result in enumerate(record.items)
        if result.verdict.kind is not VerdictKind.READ
    )


def change_of(filed: FiledPage, form: Mapping[str, str], documents: Documents) -> Change:
    """What a person asks for with the form of one item. Raises `UsageError` for what no form of ours sends."""
    record, place = filed.record, _whole(form.get("place"))
    if record is None or place is None or place >= len(record.items):
        raise _not_ours()
    revision = _whole(form.get("revision"))
    result = record.items[place]
    name: Place = (result.item, result.blank)
    do = form.get("do")
    if do == "toggle":
        key = documents.assignment(record.assignment) if record.assignment is not None else None
        own = unruled(record, name, key) if key is not None else None
        word = toggled(result, own) if own is not None else Word()
    elif do in ("right", "wrong"):
        word = Word(right=do == "right")
    elif do == "unsay":
        word = Word(text=None, right=None, score_hundredths=None, comment="", stamp=None)
    elif do == "more":
        word = _more(result, form)
    else:
        raise _not_ours()
    return Change(filed.capture, revision if revision is not None else filed.revision, name, word)


def _more(result: ItemResult, form: Mapping[str, str]) -> Word:
    """What of a longer form is not as it was: what was left alone is not said anew."""
    word = Word()
    text, given = form.get("text", "").strip(), form.get("points", "").strip()
    asked = result.verdict.kind is VerdictKind.REVIEW and text and not given  # kept as it stands: so it says
    if asked or text != (result.reading.text or ""):
        word = msgspec.structs.replace(word, text=text)
    score = result.verdict.score_hundredths
    if given and points_in(given) != score:
        word = msgspec.structs.replace(word, score_hundredths=points_in(given))
    stamp = form.get("stamp", "")
    comment = form.get("comment", "")
    before = result.said
    if comment != (before.comment if before is not None else ""):
        word = msgspec.structs.replace(word, comment=comment)
    found = Stamp(stamp) if stamp in [*Stamp] else None
    if found != (before.stamp if before is not None else None):
        word = msgspec.structs.replace(word, stamp=found)
    return word


def _row(place: int, result: ItemResult, key: Assignment, printed: Mapping[Place, Field]) -> ItemRow:
    item = key.item(result.item)
    field = printed.get((result.item, result.blank))
    worth = share_points(item.points_hundredths, item.blanks)[result.blank - 1] if item is not None else 0
    return ItemRow(
        place=place,
        label=(item.label or item.id) if item is not None else result.item,
        blank=result.blank,
        blanks=item.blanks if item is not None else 1,
        kind=result.kind,
        reading=result.reading.text,
        read=result.read.text,
        verdict=result.verdict.kind,
        score=points(result.verdict.score_hundredths),
        worth=points(worth) or 0,
        said=result.said,
        box_mm=field.hull_mm() if field is not None else None,
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None


def _not_ours() -> UsageError:
    return UsageError("This answer is not understood.", remedy="Open the page again and answer there.")
