"""Tables from Excel and WPS are read row by row, and hostile ones cost a sentence."""

import io
import zipfile
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from homework.drafts import Head, assignment_of, items_of_table
from homework.errors import BadFileError
from homework.pasted_roster import pasted_roster
from ui.workbooks import MOST_ROWS, as_pasted, questions_workbook, rows_of


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return out.getvalue()


def test_a_class_list_in_a_workbook_is_a_class_list() -> None:
    data = workbook(("班级", "座号", "姓名"), ("3-1", 1, "王小明"), (None, None, None), ("3-1", 2.0, "李华"))
    found = pasted_roster(as_pasted(rows_of(data, name="a.xlsx"))).roster
    assert [(p.class_name, p.seat, p.name) for p in found.pupils] == [("3-1", 1, "王小明"), ("3-1", 2, "李华")]


def test_the_empty_table_of_questions_is_read_back() -> None:
    items = items_of_table(rows_of(questions_workbook(), name="题目.xlsx"))
    assert [(item.kind, item.answer, item.points) for item in items] == [
        ("number", "92", "2"),
        ("judge", "√", "1"),
        ("choice", "C", "1"),
    ]
    assert len(assignment_of(Head(title="x"), items).items) == 3


def test_csv_from_excel_is_a_table_too() -> None:
    assert rows_of("题目,答案\r\n23×4=,92\r\n".encode("gb18030")) == [["题目", "答案"], ["23×4=", "92"]]


def test_cells_of_every_type_become_text() -> None:
    data = workbook((1, 1.5, 0.1 + 0.2, True, date(2026, 12, 1), "a\n b", None, "=1+1"))
    assert rows_of(data)[0][:6] == ["1", "1.5", "0.3", "√", "2026-12-01", "a b"]


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cn")), max_size=20)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(cells, min_size=2, max_size=4), min_size=1, max_size=5))
def test_what_is_written_is_read(rows: list[list[str]]) -> None:
    found = rows_of(workbook(*map(tuple, rows)))
    wanted = [["" if cell.startswith("=") else cell for cell in row] for row in rows]
    assert [[c for c in row if c] for row in found] == [[c for c in row if c] for row in wanted if any(row)]


def bomb() -> bytes:
    return changed(workbook(("a",)), lambda name, text: text if "sheet" not in name else b"<x>" + b" " * 30_000_000)


def many_parts() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        for number in range(400):
            parts.writestr(f"{number}.xml", "")
    return out.getvalue()


def with_entities() -> bytes:
    laughs = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><sst>&b;</sst>'
    return changed(workbook(("a",)), lambda name, text: laughs if "styles" in name else text)


def lying_sizes() -> bytes:
    """The directory says 10 bytes where there are ten million."""
    data = bytearray(changed(workbook(("a",)), lambda name, text: text if "sheet1" not in name else b" " * 10_000_000))
    at = data.rfind((10_000_000).to_bytes(4, "little"))
    while at >= 0:
        data[at : at + 4] = (10).to_bytes(4, "little")
        at = data.rfind((10_000_000).to_bytes(4, "little"))
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 nonsense",
        b"PK",
        b"\xd0\xcf\x11\xe0" + b"\0" * 100,
        b"x" * 5_000_000,
        bomb(),
        many_parts(),
        with_entities(),
        lying_sizes(),
        workbook(("a",))[:-200],
        changed(workbook(("a",)), lambda name, text: b"" if name.endswith("workbook.xml") else text),
        changed(workbook(("a",)), lambda name, text: text.decode().encode("utf-16") if "sheet1" in name else text),
        workbook(*(("x",) for _ in range(MOST_ROWS + 1))),
    ],
    ids=[
        "no-zip",
        "two-bytes",
        "old-excel",
        "huge",
        "bomb",
        "parts",
        "entities",
        "lying",
        "cut",
        "empty",
        "utf16",
        "rows",
    ],
)
def test_what_is_no_table_costs_one_sentence(data: bytes) -> None:
    with pytest.raises(BadFileError) as caught:
        rows_of(data, name="题目.xlsx")
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_sheet_that_claims_a_million_rows_is_read_to_its_real_end() -> None:
    data = changed(
        workbook(("a", "b")),
        lambda name, text: text.replace(b'ref="A1:B1"', b'ref="A1:XFD1048576"') if "sheet1" in name else text,
    )
    assert rows_of(data)[0][:2] == ["a", "b"]


def test_the_template_keeps_fractions_as_text() -> None:
    sheet = load_workbook(io.BytesIO(questions_workbook())).active
    assert sheet is not None
    assert sheet["B2"].number_format == "@"
