"""What waits for a person's look, put into groups that one answer settles. Pure: no picture is opened for it.

Fields that read alike make one question (“these 14 read 56”). What nobody can read is asked field by field, what is
read but not decided (a unit left out, a red mark that is not clear) is asked right or wrong, open items are rated.
Answers in words are put together by the likeness of their ink, which whoever keeps the ink judges.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from homework.answers import RIGHT_MARK, WRONG_MARK
from homework.assignment import Assignment, Item, letters_of
from homework.grading import share_points
from homework.layout import Field, FieldKind
from homework.results import Doubt, ItemResult, PageRecord, VerdictKind

MOST_POINTS = 21
"""Of an item worth more, points are typed: so many buttons are no help."""


class Question(StrEnum):
    """What is asked of a group."""

    READING = "reading"
    UNREAD = "unread"
    VERDICT = "verdict"
    POINTS = "points"


@dataclass(frozen=True)
class OpenPage:
    """A page that counts and has something to look at; `key` names it among all, in letters and digits.

    `inks` is what is kept of the ink of answers in words, by their place among the record's items (from 0).
    """

    key: str
    revision: int
    record: PageRecord
    version: str
    seat: int | None
    inks: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Crop:
    """One field to look at, of the page `key`; `place` is its place among the record's items, from 0.

    `candidates` are its likeliest texts, best first; `choices` is all that it can be, where that is a short list.
    """

    key: str
    revision: int
    place: int
    item: str
    blank: int
    label: str
    kind: FieldKind
    seat: int | None
    version: str
    text: str | None
    confidence: float
    candidates: tuple[str, ...]
    choices: tuple[str, ...]
    doubt: Doubt | None
    marked: bool
    field: Field | None

    @property
    def ident(self) -> str:
        """Its name in a form: what it is, and as of which revision it was seen."""
        return f"{self.key}-{self.revision}-{self.place}"

    @property
    def wide(self) -> bool:
        """Whether what matters may stand beside the field."""
        return self.marked or self.doubt in (Doubt.INK_BESIDE, Doubt.MIXED_INKS)


@dataclass(frozen=True)
class Group:
    """Fields that one answer may settle. `text` is what they read, `label` the item where it is about one."""

    key: str
    assignment: str | None
    question: Question
    kind: FieldKind
    text: str | None
    label: str | None
    crops: tuple[Crop, ...]
    worth_hundredths: int
    """What each field is worth, where the question is about one item."""

    @property
    def points(self) -> tuple[int, ...]:
        """The points to choose from, in hundredths; empty where they are better typed."""
        steps = range(0, self.worth_hundredths + 1, 50)
        found = tuple(dict.fromkeys([*steps, self.worth_hundredths]))
        return found if len(found) <= MOST_POINTS else ()

    @property
    def confidence(self) -> float:
        """How sure the box is of the whole, from 0."""
        return sum(crop.confidence for crop in self.crops) / len(self.crops)


def groups_of(
    pages: Sequence[OpenPage],
    *,
    keys: Mapping[str, Assignment],
    fields: Mapping[tuple[str, int], Mapping[tuple[str, int], Field]],
    alike: Callable[[bytes, bytes], bool],
    first: str | None = None,
) -> list[Group]:
    """The questions, the most doubtful first; those of assignment `first` before others, rating after doubts.

    `fields` holds the printed fields of each (sheet, page) by item and blank. `alike` says of the ink of two answers
    whether they look alike. Fields that are read equally surely keep the order of `pages`.
    """
    found: dict[tuple[str, ...], list[Crop]] = defaultdict(list)
    inks: dict[str, bytes] = {}
    for page in pages:
        record = page.record
        assignment = keys.get(record.assignment) if record.assignment is not None else None
        items = {item.id: item for item in assignment.items} if assignment is not None else {}
        printed = fields.get((record.sheet, record.page), {})
        for place, result in enumerate(record.items):
            item = items.get(result.item)
            # What only a person can judge waits for the key too: without it nobody knows what it is worth.
            if result.verdict.kind is VerdictKind.REVIEW and (item is not None or result.kind not in ("open", "text")):
                crop = _crop(page, place, result, item, printed.get((result.item, result.blank)))
                where = record.assignment or f"sheet:{record.sheet}"
                found[where, *_question(result, item)].append(crop)
                if place in page.inks:
                    inks[crop.ident] = page.inks[place]
    groups = [
        _group(name, crops, keys.get(name[0]))
        for question, members in found.items()
        for name, crops in _by_likeness(question, members, inks, alike)
    ]
    return sorted(groups, key=lambda group: _order(group, first))


def reading_of(result: ItemResult) -> str | None:
    """What a field in doubt most likely says: as it was read, or the likeliest candidate."""
    if result.reading.text is not None or not result.reading.candidates:
        return result.reading.text
    return result.reading.candidates[0].text


def choices_of(kind: FieldKind, item: Item | None, field: Field | None) -> tuple[str, ...]:
    """All that a field can say, where that is a short list."""
    if kind == "judge":
        return (RIGHT_MARK, WRONG_MARK)
    if kind == "compare":
        return (">", "<", "=")
    if kind == "letter":
        return tuple(item.letters) if item is not None else ()
    if kind == "choice" and field is not None and field.bubbles and not field.groups:
        return tuple(bubble.label for bubble in field.bubbles)
    return tuple(letters_of(len(item.options))) if kind == "choice" and item is not None else ()


def _question(result: ItemResult, item: Item | None) -> tuple[str, ...]:
    """What is asked of a field, and what it shares with others of which the same is asked."""
    if result.kind == "open":
        return (Question.POINTS, result.kind, "", result.item, str(result.blank))
    settled = result.reading.text is not None and result.reading.doubt is None
    if result.kind == "text" or (item is not None and (result.mark is not None or settled)):
        return (Question.VERDICT, result.kind, result.reading.text or "", result.item, str(result.blank))
    text = reading_of(result)
    if text is None:
        return (Question.UNREAD, result.kind, result.reading.doubt or "", "", "")
    return (Question.READING, result.kind, text, "", "")


def _crop(page: OpenPage, place: int, result: ItemResult, item: Item | None, field: Field | None) -> Crop:
    kind = msgspec.convert(result.kind, FieldKind)
    candidates = tuple(dict.fromkeys(one.text for one in result.reading.candidates))[:2]
    return Crop(
        key=page.key,
        revision=page.revision,
        place=place,
        item=result.item,
        blank=result.blank,
        label=(item.label or item.id) if item is not None else result.item,
        kind=kind,
        seat=page.seat,
        version=page.version,
        text=reading_of(result),
        confidence=result.reading.confidence,
        candidates=candidates,
        choices=choices_of(kind, item, field),
        doubt=result.reading.doubt,
        marked=result.mark is not None,
        field=field,
    )


def _group(name: tuple[str, ...], crops: Sequence[Crop], assignment: Assignment | None) -> Group:
    where, question, kind, text, item_id = name[:5]
    item = assignment.item(item_id) if assignment is not None else None
    asked = Question(question)
    return Group(
        key=hashlib.blake2b("\n".join(name).encode(), digest_size=6).hexdigest(),
        assignment=where,
        question=asked,
        kind=msgspec.convert(kind, FieldKind),
        text=text if asked is Question.READING or (asked is Question.VERDICT and text) else None,
        label=crops[0].label if item_id else None,
        crops=tuple(sorted(crops, key=lambda crop: crop.confidence)),
        worth_hundredths=share_points(item.points_hundredths, item.blanks)[crops[0].blank - 1] if item else 0,
    )


def _order(group: Group, first: str | None) -> tuple[object, ...]:
    return (
        group.assignment != first,
        group.assignment or "",
        group.question is Question.POINTS,
        group.confidence,
        group.key,
    )


def _by_likeness(
    question: tuple[str, ...],
    crops: Sequence[Crop],
    inks: Mapping[str, bytes],
    alike: Callable[[bytes, bytes], bool],
) -> list[tuple[tuple[str, ...], list[Crop]]]:
    """The group itself; answers in words parted by what they look like, each round the first that looks so."""
    if question[2] != "text":
        return [(question, list(crops))]
    parts: list[list[Crop]] = []
    for crop in crops:
        mine = inks.get(crop.ident, b"")
        theirs = ((part, inks.get(part[0].ident, b"")) for part in parts)
        like = next((part for part, other in theirs if mine and other and alike(mine, other)), None)
        if like is None:
            parts.append([crop])
        else:
            like.append(crop)
    return [((*question, part[0].key), part) for part in parts]
