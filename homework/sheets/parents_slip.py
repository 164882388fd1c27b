"""A slip for the parents' meeting, one A5 a pupil: how it went, what to practise, what is corrected, a few words.

It speaks of one child alone: no rank, no mean of the class, nobody else's result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from homework.sheets.fonts import find_fonts
from homework.sheets.typeset import typeset


class TrendPoint(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One homework: what stands below it, and how much of its own maximum the pupil earned, in percent."""

    label: str
    percent: float


class TrendLine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The homework of one subject, from the oldest on: of two subjects nobody can say that one went down."""

    subject: str
    points: tuple[TrendPoint, ...]


class WeakPoint(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A knowledge point to practise, how often it was right, and the homework in which it was not."""

    name: str
    right: str
    percent: float
    where: str = ""


class ParentsSlip(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one slip says, in the reader's words. `lines` are short facts: handed in, in time, corrected."""

    name: str
    about: str
    """Class, seat and period."""
    trend: tuple[TrendLine, ...]
    """One for each subject that has a finished homework."""
    weak: tuple[WeakPoint, ...]
    lines: tuple[tuple[str, str], ...]
    comment: str
    """"" for none: then there is no heading either."""
    by_teacher: bool = True
    """Whether a teacher wrote the comment, or saved it."""


class ParentsWords(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The headings of every slip. `language` is a language tag."""

    language: str
    trend: str
    weak: str
    no_trend: str
    no_weak: str
    facts: str
    comment: str
    summary: str
    """Above a comment that no teacher saved."""
    signature: str


def make_parents_slips(
    slips: Sequence[ParentsSlip], *, words: ParentsWords, fonts: Sequence[Path] | None = None
) -> bytes:
    """The PDF, one A5 page a slip, in the order given. Raises `ClassboxError` without a Chinese typeface."""
    book, families = find_fonts(fonts)
    data = {"fonts": list(families), "words": msgspec.to_builtins(words), "slips": msgspec.to_builtins(tuple(slips))}
    return typeset(data, book, template="parents_slip.typ")
