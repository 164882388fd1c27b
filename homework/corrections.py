"""What a person says of a field: putting it into a page, taking it out again, and carrying it over. Pure.

Nothing that was read is lost: a person's word stands beside the reading (`homework.results.Said`), and the page is
judged anew from both.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from homework.answers import normalise
from homework.assignment import Assignment
from homework.grading import regrade
from homework.layout import FieldKind
from homework.results import ItemResult, PageRecord, Said, Stamp, VerdictKind

LONGEST_TEXT = 64
"""What is longer does not fit a record on its way to the school."""

LONGEST_COMMENT = 200
Place = tuple[str, int]
"""An item and its blank, from 1."""


class Word(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a person says of a field now. What is UNSET stays as it was said before; None takes it back."""

    text: str | msgspec.UnsetType | None = msgspec.UNSET
    right: bool | msgspec.UnsetType | None = msgspec.UNSET
    score_hundredths: int | msgspec.UnsetType | None = msgspec.UNSET
    comment: str | msgspec.UnsetType = msgspec.UNSET
    stamp: Stamp | msgspec.UnsetType | None = msgspec.UNSET


def said_after(result: ItemResult, word: Word) -> Said | None:
    """What is said of a field once `word` is; None when nothing is left.

    The last word decides: a text leaves the verdict to the key again, a verdict takes the place of points and points
    that of a verdict. Text is brought into canonical form, and cut where it is too long, as a comment is.
    """
    said = result.said or Said(read=result.reading)
    if word.text is not msgspec.UNSET:
        kind = msgspec.convert(result.kind, FieldKind)
        text = None if word.text is None else normalise(kind, word.text)[:LONGEST_TEXT]
        said = msgspec.structs.replace(said, text=text, right=None, score_hundredths=None)
    if word.right is not msgspec.UNSET:
        said = msgspec.structs.replace(said, right=word.right, score_hundredths=None)
    if word.score_hundredths is not msgspec.UNSET:
        said = msgspec.structs.replace(said, right=None, score_hundredths=word.score_hundredths)
    if word.comment is not msgspec.UNSET:
        said = msgspec.structs.replace(said, comment=" ".join(word.comment.split())[:LONGEST_COMMENT])
    if word.stamp is not msgspec.UNSET:
        said = msgspec.structs.replace(said, stamp=word.stamp)
    return None if said == Said(read=said.read) else said


def corrected(record: PageRecord, said: Mapping[Place, Said | None], assignment: Assignment | None) -> PageRecord:
    """The page with other words on some of its fields (None: none any more), judged by the key."""
    items = tuple(
        _with(item, said[item.item, item.blank]) if (item.item, item.blank) in said else item for item in record.items
    )
    return regrade(msgspec.structs.replace(record, items=items), assignment)


def carried_over(before: PageRecord, now: PageRecord, assignment: Assignment | None) -> PageRecord:
    """A page that was read anew, with what people had said of it; `now` itself where nobody had."""
    words = {(item.item, item.blank): item.said for item in before.items if item.said is not None}
    found = {
        (item.item, item.blank): msgspec.structs.replace(word, read=item.read)
        for item in now.items
        if (word := words.get((item.item, item.blank))) is not None
    }
    return corrected(now, found, assignment) if found else now


def same_field(one: ItemResult, other: ItemResult) -> bool:
    """Whether two looks at a field rest on the same: what was read, marked and said. Its verdict may be another's."""
    return (one.read, one.mark, one.said) == (other.read, other.mark, other.said)


def field_of(record: PageRecord, place: Place) -> ItemResult | None:
    """The field of a page by its item and blank, or None."""
    return next((item for item in record.items if (item.item, item.blank) == place), None)


def toggled(result: ItemResult, own: VerdictKind) -> Word:
    """One tap on a verdict (切换打勾或打叉): ✓ becomes ✗, everything else ✓.

    `own` is what the field is without a person's verdict: a second tap that leads back there takes the first one back.
    """
    right = result.verdict.kind is not VerdictKind.CORRECT
    back = own is (VerdictKind.CORRECT if right else VerdictKind.WRONG)
    return Word(right=None if back else right)


def unruled(record: PageRecord, place: Place, assignment: Assignment | None) -> VerdictKind | None:
    """What a field is without the verdict that a person gave it; None when there is no such field."""
    item = field_of(record, place)
    if item is None:
        return None
    if item.said is None or not item.said.rules:
        return item.verdict.kind
    plain = field_of(corrected(record, {place: said_after(item, Word(right=None))}, assignment), place)
    return plain.verdict.kind if plain is not None else None


def _with(item: ItemResult, said: Said | None) -> ItemResult:
    return msgspec.structs.replace(item, reading=item.read, said=said)
