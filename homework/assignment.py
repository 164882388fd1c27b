"""The assignment: what is asked, what counts as right, what it is worth.

`parse_assignment` reads the TOML contract; `assignment_to_toml` writes it back with the final id.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from homework.layout import FieldKind, PupilKind

Form = Literal["integer", "proper", "improper", "mixed", "fraction", "decimal", "percent", "simplest"]
Layer = Literal["A", "B", "C"]
Paper = Literal["A4", "B5", "16K", "8K", "A3"]
Credit = Literal["all", "proportional", "no-wrong"]


class AnswerRule(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as the same answer for one item.

    `accepted[b]` are the accepted canonical texts of blank b (from 0). `form` demands a way of writing
    (see `homework/answers.py`), `tolerance` is an exact decimal or fraction in text, absolute.
    """

    kind: FieldKind
    accepted: tuple[tuple[str, ...], ...]
    any_order: bool = False
    credit: Credit = "all"
    form: Form | None = None
    tolerance: str | None = None
    unit: str | None = None
    unit_written: bool = False


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `id` is unique in the assignment; `points_hundredths` is shared by its blanks."""

    id: str
    kind: FieldKind
    prompt: str
    rule: AnswerRule
    blanks: int = 1
    section: str | None = None
    label: str | None = None
    options: tuple[str, ...] = ()
    letters: str = "ABCD"
    points_hundredths: int = 100
    layer: Layer = "A"
    knowledge: tuple[str, ...] = ()
    explanation: str | None = None
    video: str | None = None


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of homework. `due` is an ISO 8601 time with offset, or None."""

    id: str
    title: str
    items: tuple[Item, ...]
    subject: str = "math"
    grade: int | None = None
    due: str | None = None
    paper: Paper = "A4"
    mode: Literal["homework", "test"] = "homework"
    pupil_id: PupilKind = "digits"
    minutes: int | None = None
    columns: int | None = None
    correction_space: bool = False

    def item(self, item_id: str) -> Item | None:
        """The item of that id, or None."""
        return next((i for i in self.items if i.id == item_id), None)
