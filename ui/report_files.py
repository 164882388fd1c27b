"""A class summary as files: CSV for any spreadsheet, and an Excel workbook. Nothing in them can be run as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence

from homework.class_report import ClassReport
from homework.results import points
from homework.statistics import PupilFigures
from homework.tables import safe_cell
from homework.wording import STATUS_WORDS, Translate, called, details, headline, item_label, score_text, timing_text
from ui.tables_out import Cell, Table, workbook

Rows = list[Sequence[Cell]]


PUPIL_COLUMNS = {
    "seat": "Seat",
    "name": "Name",
    "state": "State",
    "score": "Score",
    "wrong": "Wrong items",
    "blank": "Left blank",
    "review": "To look at",
    "items": "Every item",
}
"""What a table of pupils can say, by name, with its message id. `items` is a column an item: ✓ ✗ – ?."""
_USUAL = tuple(column for column in PUPIL_COLUMNS if column != "items")
Signs = Mapping[str, Mapping[str, str]]
"""By pupil and item, how it went, as a sign."""


def pupil_rows(
    report: ClassReport, _: Translate, *, columns: Collection[str] = _USUAL, signs: Signs | None = None
) -> Rows:
    """A heading and one row a pupil, by seat. With grades the grade stands where the points would.

    `columns` are of `PUPIL_COLUMNS`; they stand in its order. `signs` fills in what `items` asks for.
    """
    labels = {i.id: item_label(i.id, i) for i in report.assignment.items} if report.assignment is not None else {}
    items = [item.item for item in report.figures.items]
    head: dict[str, list[Cell]] = {name: [_(words)] for name, words in PUPIL_COLUMNS.items()}
    head["score"] = [_("Grade")] if report.settings.marks == "grades" else [_("Score"), _("Out of")]
    head["items"] = [labels.get(item, item) for item in items]
    rows: Rows = [_chosen(head, columns)]
    for pupil in report.figures.pupils:
        own = (signs or {}).get(pupil.pupil, {})
        cells: dict[str, list[Cell]] = {
            "seat": [pupil.seat],
            "name": [called(pupil.name, _)],
            "state": [_state(report, pupil, _)],
            "score": _score(report, pupil, _),
            "wrong": ["  ".join(labels.get(item, item) for item in pupil.wrong_items)],
            "blank": ["  ".join(labels.get(item, item) for item in pupil.blank_items)],
            "review": [pupil.pending],
            "items": [own.get(item, "") for item in items],
        }
        rows.append(_chosen(cells, columns))
    return rows


def _chosen(cells: Mapping[str, Sequence[Cell]], columns: Collection[str]) -> list[Cell]:
    return [cell for name in PUPIL_COLUMNS if name in columns for cell in cells[name]]


def _score(report: ClassReport, pupil: PupilFigures, _: Translate) -> list[Cell]:
    if report.settings.marks == "grades":
        return [score_text(pupil, report.settings, _)]
    return [points(pupil.score_hundredths), points(pupil.max_score_hundredths)]


def _state(report: ClassReport, pupil: PupilFigures, _: Translate) -> str:
    """已交, 补交, 未交 …; 已交，时间不详 where nobody can tell whether in time."""
    state = _(STATUS_WORDS[pupil.status])
    when = timing_text(pupil, report.notes[pupil.pupil], _)
    return state if when in ("", state) else _(", ").join([state, when])


def item_rows(report: ClassReport, _: Translate) -> Rows:
    """A heading and one row an item, with its commonest wrong answers."""
    rows: Rows = [
        [_("Item"), _("Question"), _("right"), _("wrong"), _("blank"), _("to look at"), "%", _("To teach again")]
    ]
    for item in report.figures.items:
        about = report.assignment.item(item.item) if report.assignment is not None else None
        flag = _("watch") if item.borderline else _("teach again") if item.reteach else ""
        rate = round(100 * item.correct / item.n, 1) if item.n else None
        rows.append(
            [
                item_label(item.item, about),
                about.prompt if about is not None else "",
                item.correct,
                item.wrong,
                item.blank,
                item.review,
                rate,
                flag,
            ]
        )
    return rows


def mistake_rows(report: ClassReport, _: Translate, *, named: bool = True) -> Rows:
    """A heading and one row for each wrong answer that is listed, `named` with who wrote it."""
    rows: Rows = [[_("Item"), _("They wrote"), _("How many"), *([_("Who")] if named else [])]]
    for item in report.figures.items:
        about = report.assignment.item(item.item) if report.assignment is not None else None
        for wrong in item.common_wrong:
            blank = f" ({wrong.blank})" if about is not None and about.blanks > 1 and wrong.blank is not None else ""
            who = _(", ").join(called(report.names[pupil], _) for pupil in wrong.pupils)
            rows.append([item_label(item.item, about) + blank, wrong.text, wrong.n, *([who] if named else [])])
    return rows


def summary_csv(report: ClassReport, _: Translate) -> bytes:
    """The pupils' rows (RFC 4180) with a BOM, without which Excel takes Chinese for something else."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for row in pupil_rows(report, _):
        writer.writerow([safe_cell(cell) for cell in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def summary_xlsx(
    report: ClassReport, _: Translate, *, columns: Collection[str] = _USUAL, signs: Signs | None = None
) -> bytes:
    """A workbook: the class in words, pupils (with `columns`), items, mistakes. Text is text, whatever it begins with.

    Who wrote what is left out where the columns do not name the pupils.
    """
    words: Rows = [[f"{report.class_name} · {report.title}"], [headline(report, _)], *([d] for d in details(report, _))]
    sheets = (
        (_("Class summary"), words),
        (_("Pupil by pupil"), pupil_rows(report, _, columns=columns, signs=signs)),
        (_("Item by item"), item_rows(report, _)),
        (_("Wrong answers"), mistake_rows(report, _, named="name" in columns)),
    )
    return workbook([Table(title, rows, _widths(rows), frozen=rows is not words) for title, rows in sheets])


def _widths(rows: Iterable[Sequence[Cell]]) -> list[float]:
    """Wide enough for what stands in a column; a Chinese character takes two."""
    widths: list[float] = []
    for row in rows:
        for place, value in enumerate(row):
            text = "" if value is None else str(value)
            need = min(48.0, 2.0 + (len(text) if text.isascii() else sum([1 + (char > "\u2e80") for char in text])))
            if place == len(widths):
                widths.append(8.0)
            widths[place] = max(widths[place], need)
    return widths
