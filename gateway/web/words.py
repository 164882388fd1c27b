"""Days, moments, verdicts, subjects and grades as the gateway's pages say them; times are in this machine's zone."""

from __future__ import annotations

import time
from datetime import date

from homework.results import VerdictKind
from homework.wording import Translate

VERDICT_STYLES = {
    VerdictKind.CORRECT: "right",
    VerdictKind.WRONG: "wrong",
    VerdictKind.BLANK: "blank",
    VerdictKind.REVIEW: "ask",
    VerdictKind.READ: "blank",
}
"""The style sheet's classes; beside a colour there is always a sign (`homework.wording.VERDICT_SIGNS`)."""
_UNREAD: dict[VerdictKind | None, str] = {
    VerdictKind.CORRECT: "right in the teacher's eyes",
    VerdictKind.WRONG: "wrong in the teacher's eyes",
}
SUBJECT_WORDS = {"math": "Mathematics", "chinese": "Chinese", "english": "English"}


def answer_text(text: str | None, kind: VerdictKind | None, _: Translate) -> str:
    """What stands in a field, `text` as in `Reading`. What could not be read and yet was judged, a teacher judged:
    on the paper, or on a page.
    """
    if text is None:
        text = ""
        if kind is not VerdictKind.BLANK:
            return _(_UNREAD.get(kind, "not read"))
    return text or _("left blank")


def as_of(when_ms: int) -> str:
    """A moment (Unix milliseconds), to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when_ms / 1000))


def day_text(day: date) -> str:
    """A day of this year or the last: 11/30."""
    return f"{day.month}/{day.day}"


def grade_text(grade: int | None, _: Translate) -> str:
    """三年级."""
    return _("Grade unknown") if grade is None else _("Grade {grade}").format(grade=grade)


def subject_text(subject: str, _: Translate) -> str:
    """A subject in the reader's words; one that nobody translated as it was written."""
    return _(SUBJECT_WORDS[subject]) if subject in SUBJECT_WORDS else subject
