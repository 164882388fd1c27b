"""What the pages of homework show, in the reader's words: plain values for the templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from gateway.store.homework import Homework
from gateway.web.roster_view import moment
from homework.draft_form import due_for_form
from homework.load import subject_of
from homework.results import points
from homework.wording import Translate, counted

SUBJECTS = {"math": "Mathematics", "chinese": "Chinese", "english": "English", "science": "Science"}
"""Message ids of the subjects that the form offers."""


class HomeworkLine(NamedTuple):
    """One homework in the list."""

    title: str
    address: str
    about: str
    due: str
    changed: str
    sheets: str


def homework_lines(found: Sequence[Homework], list_address: str, _: Translate) -> list[HomeworkLine]:
    """The list."""
    return [_line(one, list_address, _) for one in found]


def subject_words(subject: str, _: Translate) -> str:
    """What a subject is called; one that we have no word for as it is."""
    known = SUBJECTS.get(subject_of(subject))
    return _(known) if known is not None else subject


def _line(one: Homework, list_address: str, _: Translate) -> HomeworkLine:
    assignment = one.assignment
    total = points(sum(item.points_hundredths for item in assignment.items)) or 0
    about = [
        subject_words(assignment.subject, _),
        counted(_, len(assignment.items), "{n} question", "{n} questions"),
        _("{points} points").format(points=total),
    ]
    if assignment.grade is not None:
        about.insert(0, _("Grade {grade}").format(grade=assignment.grade))
    return HomeworkLine(
        title=assignment.title,
        address=f"{list_address}/{quote(assignment.id, '')}",
        about=" · ".join(about),
        due=due_for_form(assignment.due or "").replace("T", " "),
        changed=moment(one.changed_ms),
        sheets=counted(_, one.pages, "{n} sheet", "{n} sheets") if one.pages else "",
    )
