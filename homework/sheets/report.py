"""The class report on A4, to print or to keep: what its page shows first, in black and white, nothing below 9 pt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from homework.sheets.fonts import find_fonts
from homework.sheets.typeset import typeset


class ReportBar(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One item: its bar in percent of the answers that are decided, and what stands beside it.

    `wrong` are its commonest wrong answers, each with how many wrote it.
    """

    section: str
    label: str
    prompt: str
    right_percent: float
    blank_percent: float
    wrong_percent: float
    right: str
    flag: str
    wrong: tuple[tuple[str, str], ...]


class ReportList(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A short list under a heading: a line is what comes first, and what is said of it."""

    heading: str
    lines: tuple[tuple[str, str], ...]


class ReportTable(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A table; `numbers` are the columns (from 0) that stand to the right."""

    heading: str
    columns: tuple[str, ...]
    numbers: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


class ReportSheet(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is printed, in the reader's words. `language` is a language tag; `foot` stands below every page."""

    language: str
    title: str
    headline: str
    details: tuple[str, ...]
    notices: tuple[str, ...]
    items_heading: str
    line_percent: int
    items: tuple[ReportBar, ...]
    lists: tuple[ReportList, ...]
    tables: tuple[ReportTable, ...]
    foot: str


def make_report(sheet: ReportSheet, *, fonts: Sequence[Path] | None = None) -> bytes:
    """The PDF. Raises `ClassboxError` without a Chinese typeface."""
    book, families = find_fonts(fonts)
    return typeset({"fonts": list(families), **msgspec.to_builtins(sheet)}, book, template="report.typ")
