"""Results and answers as rows of a table: for CSV and Parquet alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.exports.sheets import ClassSheets, Sheet
from homework.results import ItemResult, points

Cell = str | int | float | None


class Column(NamedTuple):
    """A column and the kind of what stands in it."""

    name: str
    kind: type[str | int | float]


_SHEET: Final = (
    *(Column(name, str) for name in ("school", "class", "assignment", "title", "subject")),
    Column("grade", int),
    Column("attempt", int),
    Column("pupil", str),
    Column("seat", int),
)
NAMES: Final = (Column("pupil_id", str), Column("name", str))
"""Of pupils: only for who asks for them and may read them."""
RESULT_COLUMNS: Final = (
    *_SHEET,
    Column("pages", int),
    Column("score", float),
    Column("max_score", float),
    Column("pending", int),
    Column("received_ms", int),
)
ANSWER_COLUMNS: Final = (
    *_SHEET,
    Column("item", str),
    Column("blank", int),
    Column("kind", str),
    Column("reading", str),
    Column("verdict", str),
    Column("score", float),
    Column("confidence", float),
    Column("received_ms", int),
)


def result_rows(sheets: ClassSheets, *, names: bool) -> Iterator[tuple[Cell, ...]]:
    """A row for each pupil's sheet."""
    for sheet in sheets.sheets:
        result = sheet.result
        yield (
            *_of_sheet(sheets, sheet),
            sheet.pages,
            points(result.score_hundredths),
            points(result.max_score_hundredths),
            result.pending,
            sheet.received_ms,
            *(_names(sheet) if names else ()),
        )


def answer_rows(sheets: ClassSheets, *, names: bool) -> Iterator[tuple[Cell, ...]]:
    """A row for each blank of each pupil's sheet: what stands on the paper, and what was made of it."""
    for sheet in sheets.sheets:
        for item in sheet.result.items:
            yield (
                *_of_sheet(sheets, sheet),
                *_of_item(item),
                sheet.received_ms,
                *(_names(sheet) if names else ()),
            )


def _of_sheet(sheets: ClassSheets, sheet: Sheet) -> tuple[Cell, ...]:
    document = sheets.document
    return (
        sheets.school,
        sheets.class_name,
        sheets.assignment,
        sheets.title,
        sheets.subject,
        None if document is None else document.grade,
        sheet.attempt,
        None if sheet.pupil is None else sheet.pupil.hex(),
        sheet.seat,
    )


def _of_item(item: ItemResult) -> tuple[Cell, ...]:
    return (
        item.item,
        item.blank,
        item.kind,
        item.reading.text,
        item.verdict.kind.value,
        points(item.verdict.score_hundredths),
        round(item.reading.confidence, 3),
    )


def _names(sheet: Sheet) -> tuple[Cell, ...]:
    return (None, None) if sheet.known is None else (sheet.known.pupil.pupil_id, sheet.known.pupil.name)
