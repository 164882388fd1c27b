"""What is sent and answered when programs bring something in (`gateway.api.writing`)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from homework.results import VerdictKind


class RosterWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a list is to be taken."""

    class_name: Annotated[str, Meta(max_length=64, description="The class of a table that does not say it.")] = field(
        name="class", default=""
    )
    from_school: Annotated[
        str, Meta(max_length=255, description="Which school of a OneRoster zip that holds several: id, name or number.")
    ] = ""
    keep: Annotated[Literal["yes", "no"], Meta(description="no: only say what it would change.")] = "yes"


class ChangedClass(msgspec.Struct, frozen=True, kw_only=True):
    """What a list does to a class: how many pupils are new, have moved or are called otherwise; who leaves it."""

    class_name: str = field(name="class")
    is_new: bool
    new: int
    same: int
    moved: int
    renamed: int
    gone: int
    moved_away: int


class LeftOutLines(msgspec.Struct, frozen=True):
    """Lines of a file that were not taken, and why; `lines` are the first of them."""

    file: str
    why: str
    times: int
    lines: list[int]


class RosterAnswer(msgspec.Struct, frozen=True):
    """What became of a list. Classes that it does not name stay as they are."""

    kept: bool
    classes: list[ChangedClass]
    left_out: list[LeftOutLines]
    notes: list[str]


class AssignmentLine(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of homework. `sheets` of it have come in."""

    assignment: str
    title: str
    subject: str | None
    grade: int | None
    due: str | None
    changed_ms: int
    sheets: int


class AssignmentList(msgspec.Struct, frozen=True):
    """A part of a school's homework, the latest first."""

    assignments: list[AssignmentLine]
    next: str | None


class AssignmentMade(msgspec.Struct, frozen=True):
    """Homework that went to the school's boxes; `sheet` names its layout, which is printed on the school's page."""

    assignment: str
    sheet: str


class CorrectionWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of an answer: one of `right`, `text`, `score`, `undo`, and a comment beside."""

    assignment: Annotated[str, Meta(min_length=1, max_length=64)]
    class_name: Annotated[str, Meta(min_length=1, max_length=64)] = field(name="class")
    seat: Annotated[int, Meta(ge=1, le=999)]
    item: Annotated[str, Meta(min_length=1, max_length=64)]
    blank: Annotated[int, Meta(ge=1, le=255)] = 1
    attempt: Annotated[int, Meta(ge=1, le=255)] = 1
    right: bool | None = None
    text: Annotated[str, Meta(max_length=200)] | None = None
    score: Annotated[float, Meta(ge=0, le=9999)] | None = None
    comment: Annotated[str, Meta(max_length=200)] | None = None
    undo: bool = False


class Judged(msgspec.Struct, frozen=True):
    """How an answer is judged."""

    text: str | None
    verdict: VerdictKind
    score: float | None


class CorrectionMade(msgspec.Struct, frozen=True):
    """What became of it; not `changed`: it was said already."""

    changed: bool
    before: Judged
    after: Judged
