"""One capture in, one graded page out. Nothing is read, written or kept here: callers hand everything in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.frames import Capture, FieldCrop, Quad, RegisteredPage
from edge.reading.recogniser import Recogniser
from homework.assignment import Assignment
from homework.layout import SheetLayout
from homework.results import PageRecord, PageStatus, Problem
from homework.roster import Roster


@dataclass(frozen=True)
class Books:
    """What the box knows while it grades: where to look a sheet and an assignment up, and whose class it is.

    `class_name` is the class chosen for the stack; `only_assignment`, when set, sends sheets of any other
    assignment back as `wrong-assignment`.
    """

    layout_of: Callable[[str], SheetLayout | None]
    assignment_of: Callable[[str], Assignment | None]
    roster: Roster | None = None
    class_name: str | None = None
    only_assignment: str | None = None


@dataclass(frozen=True)
class FieldOnPage:
    """Where one field lies in the capture, and how it looks: the n-th belongs to the record's n-th item."""

    item: str
    blank: int
    quad_px: Quad
    crop: FieldCrop


@dataclass(frozen=True)
class GradedPage:
    """What became of one capture. `record` is None unless the page was read.

    `ink` is the page's ink signature (see `edge.reading.signature.same_ink`), b"" when it was not read.
    """

    status: PageStatus
    registered: RegisteredPage
    record: PageRecord | None
    problems: tuple[Problem, ...]
    fields: tuple[FieldOnPage, ...] = ()
    ink: bytes = b""
    elapsed_ms: float = 0.0
    stages_ms: dict[str, float] = field(default_factory=dict)


def grade_capture(capture: Capture, books: Books, recogniser: Recogniser) -> GradedPage:
    """Find the page, read its fields, judge them. Never raises for what a picture shows: that is a status."""
    raise NotImplementedError
