"""Rows as a file that is sent while it is made: CSV, Parquet, JSON lines, a OneRoster zip.

Each is an async generator of pieces of bytes; what it holds at a time is one class's rows, and for Parquet a row group.
Pieces are made in a thread, so that pages and boxes do not wait for them.
"""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.exports.rows import Cell, Column
from gateway.exports.sheets import ClassSheets, Sheet, received_day
from gateway.reports.periods import day_at, term_of
from homework import oneroster_results as oneroster
from homework import xapi
from homework.assignment import Assignment
from homework.results import ItemResult, VerdictKind, points
from homework.statistics import item_states
from homework.tables import safe_text

if TYPE_CHECKING:
    import pyarrow as pa

Sheets = Callable[[], AsyncIterator[ClassSheets]]
"""Begins to read what is taken out; a file that tells it twice reads it twice, and keeps none of it."""
Rows = Callable[[ClassSheets], Iterator[tuple[Cell, ...]]]
_ROW_GROUP: Final = 20_000
_PIECE: Final = 64 * 1024


async def csv_file(sheets: Sheets, columns: Sequence[Column], rows: Rows) -> AsyncIterator[bytes]:
    """For Excel and WPS: with a BOM, and no text that a spreadsheet would run as a formula."""
    yield "\ufeff".encode() + _csv([tuple(column.name for column in columns)])
    async for some in sheets():
        yield await asyncio.to_thread(_csv, (tuple(map(_safe, row)) for row in rows(some)))


async def parquet_file(sheets: Sheets, columns: Sequence[Column], rows: Rows) -> AsyncIterator[bytes]:
    """Apache Parquet, zstd, in row groups. Raises `ImportError` where pyarrow (extra `district`) is not installed."""
    import pyarrow as pa  # noqa: PLC0415 - 55 MB that only this needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(column.name, kinds[column.kind]) for column in columns])
    sink = _Sink()
    writer = pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd")
    waiting: list[tuple[Cell, ...]] = []
    async for some in sheets():
        waiting += rows(some)
        if len(waiting) >= _ROW_GROUP:
            await asyncio.to_thread(writer.write_table, _table(waiting, schema))
            waiting = []
            yield sink.taken()
    if waiting:
        await asyncio.to_thread(writer.write_table, _table(waiting, schema))
    writer.close()
    yield sink.taken()


async def xapi_lines(sheets: Sheets, home: str) -> AsyncIterator[bytes]:
    """A statement a line: one for each sheet of a known pseudonym, and one for each of its items."""
    async for some in sheets():
        yield await asyncio.to_thread(_statement_lines, some, home)


async def oneroster_zip(sheets: Sheets, *, system: str, code: str) -> AsyncIterator[bytes]:
    """Line items and results of first attempts, of the pupils of the class lists."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, lines in (
            (oneroster.MANIFEST, list(oneroster.manifest(system, code))),
            (oneroster.CATEGORIES, list(oneroster.categories())),
        ):
            whole.writestr(name, _csv([oneroster.HEADERS[name], *lines]))
        terms = {}
        for name in (oneroster.LINE_ITEMS, oneroster.RESULTS):
            with whole.open(name, "w", force_zip64=True) as file:
                file.write(_csv([oneroster.HEADERS[name]]))
                async for some in sheets():
                    item = _line_item(some)
                    terms[item.term] = term_of(item.given)
                    told = [item.cells()] if name == oneroster.LINE_ITEMS else _results(some, item)
                    await asyncio.to_thread(file.write, _csv(told))
                    if sink.waiting >= _PIECE:
                        yield sink.taken()
        told = [oneroster.session(term.name, term.name, term.first, term.last) for term in terms.values()]
        whole.writestr(oneroster.SESSIONS, _csv([oneroster.HEADERS[oneroster.SESSIONS], *sorted(told)]))
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that cannot be gone back in: what was written is taken out of it piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self.waiting += len(self._pieces[-1])
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """What has come since."""
        pieces, self._pieces, self.waiting = self._pieces, [], 0
        return b"".join(pieces)


def _table(rows: Sequence[tuple[Cell, ...]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415

    columns = list(zip(*rows, strict=True))
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def _csv(rows: Iterable[Sequence[Cell]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _safe(value: Cell) -> Cell:
    return safe_text(value) if isinstance(value, str) else value


def _line_item(sheets: ClassSheets) -> oneroster.LineItem:
    """A class's homework: given when its first sheet came, and due then, where it does not say when."""
    given = day_at(min((sheet.received_ms for sheet in sheets.sheets), default=0))
    document = sheets.document
    due = given if document is None or document.due is None else date.fromisoformat(document.due[:10])
    worth = max((sheet.result.max_score_hundredths or 0 for sheet in sheets.sheets), default=0)
    return oneroster.LineItem(
        class_name=sheets.class_name,
        assignment=sheets.assignment,
        title=sheets.title,
        mode="homework" if document is None else document.mode,
        given=given,
        due=due,
        term=term_of(given).name,
        max_score=_number(worth),
    )


def _results(sheets: ClassSheets, item: oneroster.LineItem) -> list[oneroster.Cells]:
    return [
        oneroster.Result(
            line_item=item.id,
            student=sheet.known.pupil.pupil_id,
            status=_status(sheet),
            score=_number(sheet.result.score_hundredths) if _is_settled(sheet) else "",
            day=received_day(sheet),
        ).cells()
        for sheet in sheets.sheets
        if sheet.attempt == 1 and sheet.known is not None
    ]


def _is_settled(sheet: Sheet) -> bool:
    return sheet.result.score_hundredths is not None and not sheet.result.pending


def _status(sheet: Sheet) -> oneroster.ScoreStatus:
    if _is_settled(sheet):
        return "fully graded"
    return "submitted" if sheet.result.score_hundredths is None else "partially graded"


def _number(hundredths: int | None) -> str:
    found = points(hundredths)
    return "" if found is None else f"{found:g}"


def _statement_lines(sheets: ClassSheets, home: str) -> bytes:
    encode = msgspec.json.Encoder().encode
    statements = (one for sheet in sheets.sheets for one in _statements(sheets, sheet, home))
    return b"".join(encode(one) + b"\n" for one in statements)


def _statements(sheets: ClassSheets, sheet: Sheet, home: str) -> Iterator[xapi.Statement]:
    if sheet.pupil is None:
        return
    result = sheet.result
    about = xapi.Sheet(
        home=home,
        pupil=sheet.pupil.hex(),
        class_name=sheets.class_name,
        assignment=sheets.assignment,
        title=sheets.title,
        attempt=sheet.attempt,
        at_ms=sheet.received_ms,
        score=_score(result.score_hundredths, result.max_score_hundredths) if _is_settled(sheet) else None,
        completed=result.score_hundredths is not None,
    )
    yield xapi.about_sheet(about)
    by_item: dict[str, list[ItemResult]] = {}
    for blank in result.items:
        by_item.setdefault(blank.item, []).append(blank)
    states = item_states(result.items)
    for name, blanks in by_item.items():
        yield xapi.about_item(
            about,
            name,
            kind=blanks[0].kind,
            prompt=_prompt(sheets.document, name),
            response=_response([blank.reading.text for blank in blanks]),
            success=_success(states[name]),
            score=None,
        )


def _success(state: VerdictKind | None) -> bool | None:
    """None while it waits for a look, was left alone, or was not judged."""
    if state in (VerdictKind.CORRECT, VerdictKind.WRONG, VerdictKind.BLANK):
        return state is VerdictKind.CORRECT
    return None


def _response(texts: Sequence[str | None]) -> str | None:
    """The answers to the blanks of an item: `[,]` stands between several (xAPI 1.0.3, appendix C)."""
    read = [text for text in texts if text is not None]
    return "[,]".join(read) if len(read) == len(texts) else None


def _score(hundredths: int | None, most: int | None) -> xapi.Score | None:
    if hundredths is None or not most:
        return None
    return xapi.Score(raw=hundredths / 100, min=0, max=most / 100, scaled=round(hundredths / most, 4))


def _prompt(document: Assignment | None, name: str) -> str:
    return "" if document is None else next((item.prompt for item in document.items if item.id == name), "")
