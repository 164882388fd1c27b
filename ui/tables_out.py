"""Tables as an Excel workbook (ECMA-376, Office Open XML), as far as a report needs one. Pure.

Text stands in the cells themselves and is text, whatever it begins with: no cell has a formula, so none can be run.
A library that can do everything takes ten times as long for the same sheets.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

Cell = str | int | float | None
MOST_CHARACTERS: Final = 32_767
"""In a cell (Excel's specification); what is longer is cut."""
_MOST_IN_TITLE: Final = 31
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no character for."""
_NOT_IN_TITLE = re.compile(r"[\\/*?:\[\]]")
_TO_ESCAPE = re.compile("[&<>\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]").search
_PACK_LEVEL: Final = 3
_MADE = (1980, 1, 1, 0, 0, 0)
"""The same tables make the same bytes."""
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


class Table(NamedTuple):
    """A sheet of the workbook: its first row is bold. `widths` are of its columns, in characters."""

    title: str
    rows: Sequence[Sequence[Cell]]
    widths: Sequence[float]
    frozen: bool
    """The first row stays where it is while the others are scrolled."""


def workbook(tables: Sequence[Table]) -> bytes:
    """The workbook of some tables (one at least)."""
    numbers = range(1, len(tables) + 1)
    titles = _titles([table.title for table in tables])
    sheets = "".join(
        f'<sheet name={quoteattr(title)} sheetId="{n}" r:id="rId{n}"/>'
        for n, title in zip(numbers, titles, strict=True)
    )
    links = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    parts = {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_KIND}.worksheet+xml"/>' for n in numbers
        )
        + "</Types>",
        "_rels/.rels": _relations([("rId1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations([*links, ("rIdStyles", "styles", "styles.xml")]),
        "xl/styles.xml": _STYLES,
    } | {f"xl/worksheets/sheet{n}.xml": _sheet(table) for n, table in zip(numbers, tables, strict=True)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, text in parts.items():
            packed.writestr(zipfile.ZipInfo(name, _MADE), text.encode(), zipfile.ZIP_DEFLATED, _PACK_LEVEL)
    return out.getvalue()


def column_name(number: int) -> str:
    """What a spreadsheet calls its columns, from 1: A to Z, then AA."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _relations(links: Iterable[tuple[str, str, str]]) -> str:
    lines = "".join(f'<Relationship Id="{name}" Type="{_LINKS}/{kind}" Target="{to}"/>' for name, kind, to in links)
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'


def _titles(wanted: Sequence[str]) -> list[str]:
    """As a workbook allows them: not too long, without some signs, no two alike."""
    titles: list[str] = []
    for place, title in enumerate(wanted, 1):
        plain = _NOT_IN_TITLE.sub(" ", _NOT_XML.sub("", title)).strip("' ")[:_MOST_IN_TITLE] or str(place)
        taken = {one.casefold() for one in titles}
        titles.append(plain if plain.casefold() not in taken else f"{plain[: _MOST_IN_TITLE - 4]} {place}")
    return titles


def _sheet(table: Table) -> str:
    lines = [f'{_HEAD}<worksheet xmlns="{_MAIN}">']
    if table.frozen:
        lines.append(
            '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" '
            'state="frozen"/></sheetView></sheetViews>'
        )
    if table.widths:
        columns = (f'<col min="{n}" max="{n}" width="{w:g}" customWidth="1"/>' for n, w in enumerate(table.widths, 1))
        lines.append(f"<cols>{''.join(columns)}</cols>")
    lines.append("<sheetData>")
    names = [column_name(n) for n in range(1, max(map(len, table.rows), default=0) + 1)]
    for number, row in enumerate(table.rows, 1):
        style = ' s="1"' if number == 1 else ""
        lines.append(f'<row r="{number}">')
        for name, value in zip(names, row, strict=False):
            if isinstance(value, str):
                text = _plain(value) if _TO_ESCAPE(value) else value
                lines.append(
                    f'<c r="{name}{number}"{style} t="inlineStr"><is><t xml:space="preserve">'
                    f"{text[:MOST_CHARACTERS] if text is value else text}</t></is></c>"
                )
            elif value is not None:
                lines.append(f'<c r="{name}{number}"{style}><v>{value!r}</v></c>')
        lines.append("</row>")
    lines.append("</sheetData></worksheet>")
    return "".join(lines)


def _plain(text: str) -> str:
    r"""A text in XML. A \r would become a \n there, and nobody sees either as more than a new line."""
    return escape(_NOT_XML.sub("", text)[:MOST_CHARACTERS])
