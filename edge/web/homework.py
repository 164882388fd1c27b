"""The homework on the box as its lists show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.documents import Documents
from homework.assignment import Assignment
from homework.draft_form import due_for_form
from homework.layout import SheetLayout
from homework.results import points

COPIES_SETTING = "copies:"
HIDDEN_SETTING = "hidden:"


@dataclass(frozen=True)
class Line:
    """One homework in the list."""

    assignment: Assignment
    pages: int
    copies: int
    handed_in: int
    points: int | float
    due: str


def listed(documents: Documents, handed_in: Mapping[str, int]) -> list[Line]:
    """The homework on the box, the newest first. What is hidden stays away while nobody handed it in."""
    layouts: dict[str, list[SheetLayout]] = {}
    for layout in documents.layouts():
        layouts.setdefault(layout.assignment or "", []).append(layout)
    lines = []
    for assignment in reversed(documents.assignments()):
        of_it = layouts.get(assignment.id, [])
        came = sum(handed_in.get(layout.sheet, 0) for layout in of_it)
        if came or not documents.setting(HIDDEN_SETTING + assignment.id):
            lines.append(
                Line(
                    assignment=assignment,
                    pages=len(of_it[-1].pages) if of_it else 0,
                    copies=copies_of(documents, assignment.id),
                    handed_in=came,
                    points=points(sum(item.points_hundredths for item in assignment.items)) or 0,
                    due=due_for_form(assignment.due or "").replace("T", " "),
                )
            )
    return lines


def copies_of(documents: Documents, assignment_id: str) -> int:
    """How many copies of its worksheets were made on this box."""
    said = documents.setting(COPIES_SETTING + assignment_id) or ""
    return int(said) if said.isdecimal() else 0
