"""From readings and answer rules to verdicts and the record of a page.

The key decides what a reading is worth, never what was read: readings pass through untouched. Whatever is
doubtful goes to review with no score; a wrong verdict given in silence is the one thing to avoid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction

import msgspec

from homework.answers import AnswerRule, check_answer, is_readable, normalise, unit_in_question
from homework.assignment import Assignment, Item, letters_of
from homework.layout import Field, FieldKind
from homework.marks import DIFFERING, MARKS_DIFFER, differs, marked, settled
from homework.results import (
    ItemResult,
    MarkKind,
    PageRecord,
    Problem,
    Reading,
    Said,
    TeacherMark,
    Verdict,
    VerdictKind,
    WhoWroteIt,
)
from homework.written_numbers import clean

WRONG_ASSIGNMENT = "wrong-assignment"
"""The code of the problem that the sheet asks for items which the assignment does not have."""

_WRONG_ASSIGNMENT_MESSAGE = "The sheet and the assignment do not belong together."


def share_points(points_hundredths: int, blanks: int) -> tuple[int, ...]:
    """What each blank of an item is worth; the shares sum to the points exactly.

    Equal shares, rounded by the largest remainder (Hamilton's method): what is left over after rounding down goes
    to the first blanks, a hundredth each. 1 point for three blanks: 0.34, 0.33, 0.33.
    """
    share, left = divmod(points_hundredths, blanks)
    return tuple(share + (1 if index < left else 0) for index in range(blanks))


def grade_item(item: Item, readings: Sequence[Reading]) -> tuple[Verdict, ...]:
    """One verdict a blank, in order; `readings` holds one for each blank of the item.

    Review: unreadable, in doubt, nothing that its kind can hold, two marks on a `choice`, `open` and `text`, a
    right number with a unit in question, and every answer whose unit must be written in a script that is not read.
    A B or C item of which every blank is empty is BLANK without a score; any other empty blank earns 0.
    """
    if len(readings) != item.blanks:
        raise ValueError(f"{len(readings)} readings for {item.blanks} blanks")
    verdicts = _grade_blanks(item, dict(enumerate(readings, start=1)))
    return tuple(verdicts[blank] for blank in range(1, item.blanks + 1))


def grade_page(
    assignment: Assignment | None,
    sheet: str,
    page_number: int,
    fields: Sequence[tuple[Field, Reading]],
    who: WhoWroteIt,
    *,
    attempt: int = 1,
    problems: Sequence[Problem] = (),
    marks: Sequence[TeacherMark | None] = (),
    said: Sequence[Said | None] = (),
    bound: bool = True,
) -> PageRecord:
    """The record of one page (numbered from 1), its fields in the order given; `marks` are the teacher's on them.

    `said` is what a person said of them since: her text is judged in place of the reading, her verdict outranks key and
    marks.

    Without an assignment every field is READ, BLANK or REVIEW and nothing is scored. The same, with a problem
    `wrong-assignment`, when a field's item is not in the assignment, or is of another kind there, or has fewer
    blanks: a key that does not fit one field is not trusted with the others. A layout that was not printed for the
    assignment (not `bound`) may have more: a card's roll number is READ, and the key judges the rest.
    """
    said = said or [None] * len(fields)
    told = {(f.item, f.blank) for (f, _), word in zip(fields, said, strict=True) if word and word.text is not None}
    fields = [(field, _with_word(reading, word)) for (field, reading), word in zip(fields, said, strict=True)]
    named = [bound or (assignment is not None and assignment.item(field.item) is not None) for field, _ in fields]
    keyed = [pair for pair, has_key in zip(fields, named, strict=True) if has_key]
    fits = assignment is not None and bool(keyed or bound) and all(_fits(assignment, field) for field, _ in keyed)
    verdicts = _read_only(fields, told)
    if assignment is not None and fits:
        judged = iter(_grade_fields(assignment, keyed, told))
        verdicts = [next(judged) if has_key else read for read, has_key in zip(verdicts, named, strict=True)]
    items = tuple(
        ItemResult(field.item, field.blank, field.kind, reading, verdict, mark, said=word)
        for (field, reading), verdict, mark, word in zip(
            fields, verdicts, marks or [None] * len(fields), said, strict=True
        )
    )
    if assignment is not None and fits:
        items = tuple(_ruled(assignment, item) for item in _with_marks(assignment, items))
    found = tuple(problem for problem in problems if problem.code not in (WRONG_ASSIGNMENT, MARKS_DIFFER))
    if any(item.own is not None and not (item.said and item.said.rules) for item in items):
        found = (*found, DIFFERING)
    if assignment is not None and not fits:
        found = (*found, Problem(WRONG_ASSIGNMENT, _WRONG_ASSIGNMENT_MESSAGE))
    return PageRecord(
        sheet=sheet,
        assignment=assignment.id if assignment is not None else None,
        page=page_number,
        who=who,
        items=items,
        score_hundredths=sum(i.verdict.score_hundredths or 0 for i in items) if fits else None,
        max_score_hundredths=max_score_hundredths(assignment, items) if assignment is not None and fits else None,
        pending=sum(i.verdict.kind is VerdictKind.REVIEW for i in items),
        attempt=attempt,
        problems=found,
    )


def regrade(record: PageRecord, assignment: Assignment | None) -> PageRecord:
    """The same page judged by another key, from its readings and what people said of them."""
    fields = [(Field(i.item, i.blank, msgspec.convert(i.kind, FieldKind)), i.read) for i in record.items]
    return grade_page(
        assignment,
        record.sheet,
        record.page,
        fields,
        record.who,
        attempt=record.attempt,
        problems=record.problems,
        bound=record.score_hundredths is None or all(i.verdict.kind is not VerdictKind.READ for i in record.items),
        marks=[item.mark for item in record.items],
        said=[item.said for item in record.items],
    )


def _with_marks(assignment: Assignment, items: Sequence[ItemResult]) -> tuple[ItemResult, ...]:
    """The items with the verdicts that the teacher's marks make of their own."""
    marks = settled([item.mark for item in items], {n: item.verdict.kind for n, item in enumerate(items)})
    found = []
    for result, mark in zip(items, marks, strict=True):
        item = assignment.item(result.item)
        if item is None or mark is None:
            found.append(result)
            continue
        whole = mark.kind is MarkKind.SCORE and item.blanks > 1  # one score box: it does not say which blank earns it
        counts = msgspec.structs.replace(mark, sure=False) if whole else mark
        verdict = marked(result.verdict, counts, share_points(item.points_hundredths, item.blanks)[result.blank - 1])
        own = result.verdict.kind if differs(result.verdict, verdict) else None
        found.append(msgspec.structs.replace(result, verdict=verdict, own=own))
    return tuple(found)


def _ruled(assignment: Assignment, result: ItemResult) -> ItemResult:
    """The item with the verdict that a person gave it, where one did."""
    item, word = assignment.item(result.item), result.said
    if item is None or word is None or not word.rules:
        return result
    worth = share_points(item.points_hundredths, item.blanks)[result.blank - 1]
    score = word.score_hundredths if word.score_hundredths is not None else worth if word.right else 0
    score = min(score, worth)
    kind = VerdictKind.CORRECT if score == worth else VerdictKind.WRONG
    return msgspec.structs.replace(result, verdict=Verdict(kind, score))


def max_score_hundredths(assignment: Assignment, items: Sequence[ItemResult]) -> int:
    """What the fields of a page could earn, in hundredths; B and C items left alone (blank, no score) do not count."""
    total = 0
    for result in items:
        item = assignment.item(result.item)
        if item is not None and not is_unattempted(result):
            total += share_points(item.points_hundredths, item.blanks)[result.blank - 1]
    return total


def is_unattempted(result: ItemResult) -> bool:
    """Whether a field belongs to a B or C item that the pupil left alone: it counts nowhere."""
    return result.verdict.kind is VerdictKind.BLANK and result.verdict.score_hundredths is None


def _fits(assignment: Assignment, field: Field) -> bool:
    item = assignment.item(field.item)
    return item is not None and item.kind == field.kind and 1 <= field.blank <= item.blanks


def _with_word(reading: Reading, word: Said | None) -> Reading:
    """What stands in a field: as a person said it, which is sure and in no doubt, else as it was read."""
    return reading if word is None or word.text is None else Reading(word.text, 1.0)


def _read_only(fields: Sequence[tuple[Field, Reading]], told: AbstractSet[tuple[str, int]]) -> list[Verdict]:
    """Verdicts without a key. `open` and `text` are for the teacher whatever the key."""
    verdicts = []
    for field, reading in fields:
        labels = {bubble.label for bubble in field.bubbles}
        two_marks = field.kind == "choice" and bool(labels) and not field.groups and reading.text not in labels
        if reading.text == "" and reading.doubt is None:
            kind = VerdictKind.BLANK
        elif (field.item, field.blank) in told and field.kind != "open":
            kind = VerdictKind.READ
        elif reading.text is None or reading.doubt is not None or field.kind in ("open", "text") or two_marks:
            kind = VerdictKind.REVIEW
        else:
            kind = VerdictKind.READ
        verdicts.append(Verdict(kind, None))
    return verdicts


def _grade_fields(
    assignment: Assignment, fields: Sequence[tuple[Field, Reading]], told: AbstractSet[tuple[str, int]]
) -> list[Verdict]:
    by_item: dict[str, dict[int, Reading]] = {}
    for field, reading in fields:
        by_item.setdefault(field.item, {})[field.blank] = reading
    graded = {
        item.id: _grade_blanks(item, by_item[item.id], {n for n in by_item[item.id] if (item.id, n) in told})
        for item in assignment.items
        if item.id in by_item
    }
    return [graded[field.item][field.blank] for field, _ in fields]


def _grade_blanks(
    item: Item, readings: Mapping[int, Reading], told: AbstractSet[int] = frozenset()
) -> dict[int, Verdict]:
    """Verdicts of the blanks (from 1) that a page shows of an item; usually all of them.

    Of those that are `told` a person said what stands there: nobody need look again.
    """
    blank = {n for n, reading in readings.items() if reading.text == "" and reading.doubt is None}
    if item.layer != "A" and len(blank) == len(readings):
        return {n: Verdict(VerdictKind.BLANK, None) for n in readings}
    worth = share_points(item.points_hundredths, item.blanks)
    written = {
        n: reading.text
        for n, reading in readings.items()
        if n not in blank
        and reading.text is not None
        and (item.kind != "open" if n in told else not _for_review(item, reading))
    }
    if item.rule.any_order:
        shares = _in_any_order(item.rule, written)
    else:
        shares = {n: _credit(item.rule, n, text) for n, text in written.items()}
    verdicts = {}
    for n in readings:
        if n in blank:
            verdicts[n] = Verdict(VerdictKind.BLANK, 0)
        elif (share := shares.get(n)) is None:
            verdicts[n] = Verdict(VerdictKind.REVIEW, None)
        else:
            kind = VerdictKind.CORRECT if share == 1 else VerdictKind.WRONG
            verdicts[n] = Verdict(kind, _rounded(worth[n - 1] * share))
    return verdicts


def _for_review(item: Item, reading: Reading) -> bool:
    """Whether a person must look before anything is said, whatever the key says."""
    if (
        reading.text is None
        or reading.doubt is not None
        or not is_readable(item.kind, reading.text, unit=item.rule.unit)
    ):
        return True
    if item.kind in ("choice", "choices", "letter"):
        # A label that the item does not have was misread, or its bubbles are labelled otherwise than its options.
        labels = item.letters if item.kind == "letter" else letters_of(len(item.options))
        return not set(normalise(item.kind, reading.text)) <= set(labels)
    # Only Latin script is read; a unit in another one is in the picture, not in the text.
    return item.rule.unit_written and item.rule.unit is not None and not clean(item.rule.unit).isascii()


def _credit(rule: AnswerRule, blank: int, text: str) -> Fraction | None:
    """The share of a blank's worth, 0 to 1; None when a person should decide."""
    if check_answer(rule, blank, text):
        return Fraction(1)
    if rule.kind == "text" or unit_in_question(rule, blank, text):
        return None  # other words than the key's may be right too
    if rule.kind == "choices" and rule.credit != "all":
        return max(_partial(rule, text, right) for right in rule.accepted[blank - 1])
    return Fraction(0)


def _partial(rule: AnswerRule, text: str, right: str) -> Fraction:
    """Partial credit for several picks.

    `proportional`: right picks less wrong picks, out of the right ones, never below 0, so that marking everything
    earns nothing where half of the options are wrong. `no-wrong`: right picks out of all right ones, but nothing
    as soon as one pick is wrong.
    """
    picks, wanted = set(normalise("choices", text)), set(right)
    hits, misses = len(picks & wanted), len(picks - wanted)
    if rule.credit == "no-wrong":
        return Fraction(0 if misses else hits, len(wanted))
    return Fraction(max(0, hits - misses), len(wanted))


def _in_any_order(rule: AnswerRule, written: Mapping[int, str]) -> dict[int, Fraction | None]:
    """A largest matching of answers to slots, each slot used once (augmenting paths; Kuhn 1955).

    Blanks in review take no part. Nothing is lost by that: an augmenting path never frees an answer that has
    a slot, so whatever a person reads there later, those matched stay right; and another competitor for the slots
    could not have helped those unmatched, so they stay wrong.
    """
    slots = range(1, len(rule.accepted) + 1)
    fits = {n: [slot for slot in slots if check_answer(rule, slot, text)] for n, text in written.items()}
    holder: dict[int, int] = {}

    def place(n: int, tried: set[int]) -> bool:
        for slot in fits[n]:
            if slot not in tried:
                tried.add(slot)
                if slot not in holder or place(holder[slot], tried):
                    holder[slot] = n
                    return True
        return False

    shares: dict[int, Fraction | None] = {}
    for n, text in written.items():
        if place(n, set()):
            shares[n] = Fraction(1)
        else:
            open_unit = not fits[n] and any(unit_in_question(rule, slot, text) for slot in slots)
            shares[n] = None if open_unit else Fraction(0)
    return shares


def _rounded(value: Fraction) -> int:
    """To whole hundredths, halves up."""
    return int(value + Fraction(1, 2))
