"""Tables that come as files, row by row: XLSX from Excel and WPS, CSV as they save it. And the empty table to fill in.

A workbook is a zip of XML that a stranger may have made: its parts are counted and measured before any is read, and
a part that declares entities is refused. Sizes in the zip's directory bound what `zipfile` unpacks.
"""

from __future__ import annotations

import datetime as dt
import io
import warnings
import zipfile
from collections.abc import Sequence
from itertools import islice
from typing import Any

from homework.drafts import TABLE_HEADER
from homework.errors import BadFileError
from homework.roster import decoded, table_rows

MOST_BYTES = 4 * 1024**2
MOST_UNPACKED = 24 * 1024**2
MOST_PARTS = 300
MOST_ROWS = 1000
MOST_COLUMNS = 40
MOST_CELL = 2000
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


def rows_of(data: bytes, *, name: str = "", most_rows: int = MOST_ROWS) -> list[list[str]]:
    """The cells of a table's first sheet as text, rows without anything left out.

    Raises `BadFileError` for what is no table, is damaged, or is larger than any class list or worksheet.
    """
    if len(data) > MOST_BYTES:
        raise BadFileError(
            "{name} is larger than {most} MB.",
            remedy="Send a table with one sheet and without pictures.",
            name=name,
            most=MOST_BYTES // 1024**2,
        )
    if data.startswith(_OLD_EXCEL):
        raise BadFileError(
            "{name} is a workbook of an old kind.", remedy="Save it as .xlsx and send it again.", name=name
        )
    if not data.startswith(b"PK"):
        cells = [row for _, row in table_rows(decoded(data))]
        if len(cells) > most_rows:
            raise _too_long(name, most_rows)
        return cells
    _check(data, name)
    from openpyxl import load_workbook  # noqa: PLC0415 - 6 MB, for what a teacher does once a term

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that openpyxl leaves out are none of ours
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            try:
                return _rows(book, name, most_rows)
            finally:
                book.close()
    except BadFileError:
        raise
    except Exception as error:  # a damaged workbook fails in any of a hundred ways
        raise _damaged(name) from error


def questions_workbook() -> bytes:
    """An empty table of questions, with its header and three rows that show how it is filled in."""
    from openpyxl import Workbook  # noqa: PLC0415
    from openpyxl.styles import Alignment, Font  # noqa: PLC0415

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "题目"
    rows: tuple[tuple[str | int, ...], ...] = (
        TABLE_HEADER,
        ("一、口算", "23×4=", "", 2, "填数", "", "两位数乘一位数", "20×4=80, 3×4=12, 80+12=92"),
        ("二、判断", "3 是奇数", "√", 1, "判断", "", "奇数和偶数", ""),
        ("三、选择", "最大的是 ( )", "C", 1, "单选", "A. 3  B. 4  C. 5", "", ""),
    )
    for row in rows:
        sheet.append(row)
    for letter, width in zip("ABCDEFGH", (14, 44, 14, 8, 10, 28, 20, 44), strict=True):
        sheet.column_dimensions[letter].width = width
    for line in sheet.iter_rows():
        for cell in line:
            # As text, or a spreadsheet turns 1/2 into a date.
            cell.number_format = "@"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _check(data: bytes, name: str) -> None:
    """What the zip says of itself, and every part: no entities, and no encoding to hide them in."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            infos = parts.infolist()
            if len(infos) > MOST_PARTS or sum(info.file_size for info in infos) > MOST_UNPACKED:
                raise BadFileError(
                    "{name} unpacks to more than a table of questions or pupils can hold.",
                    remedy="Copy the rows into a new workbook and send that one.",
                    name=name,
                )
            for info in infos:
                part = parts.read(info)
                if b"<!DOCTYPE" in part or b"<!ENTITY" in part or part.startswith(_UTF_16):
                    raise _damaged(name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise _damaged(name) from error


def _rows(book: Any, name: str, most_rows: int) -> list[list[str]]:
    if not book.worksheets:
        raise BadFileError("{name} has no sheet.", remedy="Save the table as .xlsx and send it again.", name=name)
    sheet = book.worksheets[0]
    # A file may claim to have a million rows; what is really there is counted while it is read.
    sheet.reset_dimensions()
    rows: list[list[str]] = []
    for row in islice(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), most_rows * 5):
        cells = [_text(value) for value in row]
        if any(cells):
            rows.append(cells)
        if len(rows) > most_rows:
            raise _too_long(name, most_rows)
    return rows


def _too_long(name: str, most: int) -> BadFileError:
    return BadFileError("{name} has more than {most} rows.", remedy="Send it in parts.", name=name, most=most)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "√" if value else "×"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, dt.datetime) and (value.hour, value.minute) == (0, 0):
        value = value.date()
    return " ".join(str(value)[:MOST_CELL].split())


def as_pasted(rows: Sequence[Sequence[str]]) -> str:
    """A table as it would be pasted: cells parted by tabs."""
    return "\n".join("\t".join(cell.replace('"', "”") for cell in row) for row in rows)


def _damaged(name: str) -> BadFileError:
    return BadFileError(
        "{name} cannot be opened as a table.",
        remedy="Save it as .xlsx or .csv in Excel or WPS and send it again.",
        name=name,
    )
