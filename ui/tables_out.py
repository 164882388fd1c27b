"""Tables as an Excel workbook. Pure.

Text is text, whatever it begins with: no cell has a formula or a link, so none can be run.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

Cell = str | int | float | None
MOST_CHARACTERS: Final = 32_767
"""In a cell (Excel's specification); what is longer is cut."""
_MOST_IN_TITLE: Final = 31
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no character for."""
_NOT_IN_TITLE = re.compile(r"[\\/*?:\[\]]")
_MADE = datetime(1980, 1, 1)  # noqa: DTZ001 - a day without a zone, as a workbook has it
"""The same tables make the same bytes."""


class Table(NamedTuple):
    """A sheet of the workbook: its first row is bold. `widths` are of its columns, in characters."""

    title: str
    rows: Sequence[Sequence[Cell]]
    widths: Sequence[float]
    frozen: bool
    """The first row stays where it is while the others are scrolled."""


def workbook(tables: Sequence[Table]) -> bytes:
    """The workbook of some tables (one at least)."""
    from xlsxwriter import Workbook  # noqa: PLC0415 - only who takes a workbook home waits for it

    out = io.BytesIO()
    with Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"created": _MADE})
        bold = book.add_format({"bold": True})
        for title, table in zip(_titles([table.title for table in tables]), tables, strict=True):
            sheet = book.add_worksheet(title)
            for column, width in enumerate(table.widths):
                sheet.set_column(column, column, width)
            if table.frozen:
                sheet.freeze_panes(1, 0)
            for line, row in enumerate(table.rows):
                look = None if line else bold
                for column, value in enumerate(row):
                    if isinstance(value, str):
                        sheet.write_string(line, column, _NOT_XML.sub("", value)[:MOST_CHARACTERS], look)
                    elif value is not None:
                        sheet.write_number(line, column, value, look)
    return out.getvalue()


def _titles(wanted: Sequence[str]) -> list[str]:
    """As a workbook allows them: not too long, without some signs, no two alike."""
    titles: list[str] = []
    for place, title in enumerate(wanted, 1):
        plain = _NOT_IN_TITLE.sub(" ", _NOT_XML.sub("", title)).strip("' ")[:_MOST_IN_TITLE] or str(place)
        taken = {one.casefold() for one in titles}
        titles.append(plain if plain.casefold() not in taken else f"{plain[: _MOST_IN_TITLE - 4]} {place}")
    return titles
