"""The teacher's marks on the paper: what they do to a verdict. Pure.

Her mark counts. Where it is in doubt what it is, or whose, it only confirms: a verdict that it agrees with stands, any
other is for her to look at. Nothing that she marked is ever settled against her in silence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from homework.results import MarkKind, Problem, TeacherMark, Verdict, VerdictKind

MARKS_DIFFER = "marks-differ"
"""The code of the problem that a mark says otherwise than the box."""

DIFFERING = Problem(MARKS_DIFFER, "The teacher's red marks and what was read here do not agree everywhere.")

SAYS_WRONG = frozenset({MarkKind.CROSS, MarkKind.SLASH, MarkKind.RING, MarkKind.DOT})
REVIEW = Verdict(VerdictKind.REVIEW, None)


def marked(own: Verdict, mark: TeacherMark | None, worth_hundredths: int) -> Verdict:
    """The verdict on a field of that worth: the box's own, and what the teacher's mark makes of it.

    A tick earns all, a half tick half, a cross, a slash, a ring and a dot nothing, a written score itself. A tick on
    an empty field is a question, and so is every mark that is unclear.
    """
    if mark is None:
        return own
    if mark.kind in SAYS_WRONG:
        if own.kind in (VerdictKind.BLANK, VerdictKind.WRONG):
            return own  # she says the same; what was partly right keeps its part
        return Verdict(VerdictKind.WRONG, 0) if mark.sure else REVIEW
    if mark.kind is MarkKind.TICK:
        if own.kind is VerdictKind.CORRECT:
            return own
        sure = mark.sure and own.kind is not VerdictKind.BLANK
        return Verdict(VerdictKind.CORRECT, worth_hundredths) if sure else REVIEW
    score = (worth_hundredths + 1) // 2 if mark.kind is MarkKind.HALF else mark.score_hundredths
    if not mark.sure or score is None or score > worth_hundredths or own.kind is VerdictKind.BLANK:
        return REVIEW
    return Verdict(VerdictKind.CORRECT if score == worth_hundredths else VerdictKind.WRONG, score)


def settled(marks: Sequence[TeacherMark | None], own: Mapping[int, VerdictKind]) -> list[TeacherMark | None]:
    """The marks of a page's fields, less sure where one stroke spans several and not all of them can be meant.

    `own` holds the box's verdict by place. A tick over a whole section marks all of it right only when nothing in it
    is wrong or empty.
    """
    spans: dict[int, list[int]] = defaultdict(list)
    for place, mark in enumerate(marks):
        if mark is not None:
            spans[mark.stroke].append(place)
    doubtful = {
        place
        for places in spans.values()
        if len(places) > 1 and any(own[place] in (VerdictKind.WRONG, VerdictKind.BLANK) for place in places)
        for place in places
    }
    return [
        msgspec.structs.replace(mark, sure=False) if mark is not None and place in doubtful else mark
        for place, mark in enumerate(marks)
    ]


def differs(own: Verdict, final: Verdict) -> bool:
    """Whether the box had a verdict of its own and a mark led to another."""
    return own.kind is not VerdictKind.REVIEW and own != final
