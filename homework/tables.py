"""Cells of tables that people open in a spreadsheet: none is taken for a formula (OWASP, CSV injection)."""

from __future__ import annotations

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(value: object) -> object:
    """The value, with an apostrophe before what a spreadsheet would compute. Numbers stay numbers, also as text."""
    return safe_text(value) if isinstance(value, str) and not _is_number(value) else value


def safe_text(text: str) -> str:
    """The same for what is no number whatever it looks like: a name, a pupil's number."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isascii() and text.removeprefix("-").replace(".", "", 1).isdigit()
