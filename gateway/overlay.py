"""What a page is worth once corrections are put over it that its box does not know of yet. Pure.

A box's newest revision counts, and says which corrections it accounts for (`settled`). Those of others that count
beside it are put over it here, so that a report is right while the box is away for weeks. What they do not touch stays
as the box judged it, whatever key it has by now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from homework.assignment import Assignment
from homework.corrections import Place
from homework.grading import max_score_hundredths, regrade
from homework.merging import Correction, counting, said_after_all
from homework.results import ItemResult, PageRecord, VerdictKind, WhoWroteIt
from sync.records import SETTLED_BYTES, VERDICT_CODES, FieldName, PackedItem, PackedMark, pack_item, unpack_item


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What a page says and is worth: its items in the order of the layout's fields, and their sums in hundredths."""

    items: tuple[PackedItem, ...]
    score_hundredths: int | None
    max_score_hundredths: int | None
    pending: int


def overlaid(
    sent: Content,
    *,
    names: Sequence[FieldName],
    marks: Sequence[PackedMark],
    corrections: Collection[Correction],
    settled: Collection[bytes],
    sheet: str,
    page: int,
    key: Assignment,
) -> Content:
    """The page as it counts. `sent` itself where everything that counts is settled, or `key` does not fit the page.

    `names` are those of the layout's fields, one for each item; `settled` the beginnings of ids.
    """
    by_place: dict[Place, list[Correction]] = defaultdict(list)
    for one in corrections:
        by_place[one.place].append(one)
    places = [(name.item, name.blank) for name in names]
    put_over = {place for place in places if _stands_over(by_place.get(place, ()), settled)}
    if not put_over or sent.score_hundredths is None or sent.max_score_hundredths is None:
        return sent
    known = {place: [one for one in found if one.id[:SETTLED_BYTES] in settled] for place, found in by_place.items()}
    items = _items(sent, names, marks, by_place, known)
    record = PageRecord(
        sheet=sheet,
        assignment=key.id,
        page=page,
        who=WhoWroteIt(),
        items=items,
        score_hundredths=sent.score_hundredths,
        max_score_hundredths=sent.max_score_hundredths,
        pending=sent.pending,
    )
    before = regrade(_said(record, known), key)
    after = regrade(_said(record, by_place), key)
    if before.score_hundredths is None or after.score_hundredths is None:
        return sent
    counts = tuple(
        pack_item(now) if place in put_over or now.verdict != was.verdict else item
        for item, place, was, now in zip(sent.items, places, before.items, after.items, strict=True)
    )
    worth = max_score_hundredths(key, after.items) - max_score_hundredths(key, before.items)
    return Content(
        items=counts,
        score_hundredths=sum(item.score_hundredths or 0 for item in counts),
        max_score_hundredths=max(0, sent.max_score_hundredths + worth),
        pending=sum(VERDICT_CODES[item.verdict] is VerdictKind.REVIEW for item in counts),
    )


def _stands_over(corrections: Sequence[Correction], settled: Collection[bytes]) -> bool:
    judging = counting(corrections).judgement
    return judging is not None and judging.id[:SETTLED_BYTES] not in settled


def _items(
    sent: Content,
    names: Sequence[FieldName],
    marks: Sequence[PackedMark],
    every: Mapping[Place, Sequence[Correction]],
    known: Mapping[Place, Sequence[Correction]],
) -> tuple[ItemResult, ...]:
    """The page's items as its box read them: where it sent a person's text, a correction tells what it had read."""
    marked = {mark.place: mark for mark in marks}
    found = []
    for place, (packed, name) in enumerate(zip(sent.items, names, strict=True)):
        item, field = unpack_item(packed, name, marked.get(place)), (name.item, name.blank)
        told = counting(known.get(field, ())).judgement
        if told is not None and told.judgement is not msgspec.UNSET and told.judgement.text is not None:
            read = next((one.read for one in every[field] if one.read is not None), item.reading)
            item = msgspec.structs.replace(item, reading=read)
        found.append(item)
    return tuple(found)


def _said(record: PageRecord, corrections: Mapping[Place, Sequence[Correction]]) -> PageRecord:
    items = tuple(
        msgspec.structs.replace(item, said=said_after_all(item, corrections.get((item.item, item.blank), ())))
        for item in record.items
    )
    return msgspec.structs.replace(record, items=items)
