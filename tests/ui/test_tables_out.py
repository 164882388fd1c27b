"""A workbook is what a spreadsheet reads: values come back as they went in, and nothing in it can be run."""

import io
import zipfile

import xlsxwriter  # noqa: F401 - loaded when the first table is made, which Hypothesis would call slow
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from ui.tables_out import MOST_CHARACTERS, Cell, Table, workbook

PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20)
CELLS = st.none() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9).map(lambda x: round(x, 6)) | PRINTABLE


def read(data: bytes, place: int = 0) -> list[list[Cell]]:
    sheet = load_workbook(io.BytesIO(data)).worksheets[place]
    return [[cell.value for cell in row] for row in sheet.iter_rows()]  # type: ignore[misc]


def table(*rows: list[Cell]) -> Table:
    return Table("t", rows, [], frozen=False)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=5))
def test_what_goes_in_comes_out(rows: list[list[Cell]]) -> None:
    there = read(workbook([table(*rows)]))
    there += [[None] * 3] * (len(rows) - len(there))  # openpyxl leaves out rows and columns in which nothing stands
    assert [row + [None] * (3 - len(row)) for row in there] == rows


def test_text_is_text_whatever_it_begins_with() -> None:
    hostile: list[Cell] = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "<f>1+1</f>", "]]>", "&amp;"]
    data = workbook([table(["head"], hostile)])
    sheet = load_workbook(io.BytesIO(data)).worksheets[0]
    assert [(cell.value, cell.data_type) for cell in sheet[2]] == [(value, "s") for value in hostile]
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_signs_that_xml_has_not_are_left_out_and_what_is_too_long_for_a_cell_is_cut() -> None:
    (row,) = read(workbook([table(["a\0b\x1fc\ud800d", "好" * 40_000, "&" * 40_000])]))
    assert row == ["abcd", "好" * MOST_CHARACTERS, "&" * MOST_CHARACTERS]


def test_titles_are_such_as_a_workbook_takes() -> None:
    book = load_workbook(
        io.BytesIO(workbook([Table(t, [["x"]], [9], frozen=True) for t in ("a/b" * 20, "", "A", "a")]))
    )
    assert book.sheetnames == [("a b" * 20)[:31], "2", "A", "a 4"]
    assert book.worksheets[0].freeze_panes == "A2"
    assert book.worksheets[0].column_dimensions["A"].width >= 9
    assert book.worksheets[0]["A1"].font.bold


def test_the_same_tables_make_the_same_bytes() -> None:
    assert workbook([table(["x", 1])]) == workbook([table(["x", 1])])
