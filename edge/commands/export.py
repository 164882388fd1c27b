"""`classbox export`: the results, for a spreadsheet or another program."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from edge.booking import Standing
from edge.config import load_config
from edge.documents import Documents
from edge.ledger import FILE_NAME, FiledPage, Ledger
from edge.stack import owner_of
from homework.errors import BadFileError, UsageError
from homework.results import points
from homework.tables import safe_cell
from sync.placing import NEVER_MS, BoxTimes
from ui.language import terminal_language, translator

CSV_COLUMNS = (
    "class",
    "seat",
    "name",
    "pupil",
    "assignment",
    "page",
    "attempt",
    "item",
    "blank",
    "kind",
    "reading",
    "verdict",
    "score",
    "confidence",
)


@click.command(
    name="export",
    help="""Write every result: --csv a row an answer (opens in any spreadsheet), --json a list of pages as
    `classbox grade --json` writes them. Sheets of which nobody knows whose they are stand in it without a pupil.

    \b
    Example:
      classbox export --csv -o results.csv
    """,
)
@click.option("--csv", "as_csv", is_flag=True, help="A row an answer.")
@click.option("--json", "as_json", is_flag=True, help="A list of pages.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file; else the terminal.")
@click.option("--assignment", help="Only this assignment.")
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
def command(
    output: Path | None, assignment: str | None, config: Path | None, data: Path | None, *, as_csv: bool, as_json: bool
) -> None:
    """Write the results."""
    if as_csv == as_json:
        raise UsageError("Say which form you want.", remedy="Add --csv or --json.")
    settings = load_config(config, data=data)
    pages = [
        page
        for page in exported_pages(settings.data_dir, class_name=settings.class_name)
        if assignment is None or page["assignment"] == assignment
    ]
    text = to_csv(pages) if as_csv else msgspec.json.encode(pages).decode() + "\n"
    # The mark at the start tells spreadsheets that this is UTF-8; on a terminal it would only be in the way.
    mark = "\ufeff" if as_csv and (output is not None or not sys.stdout.isatty()) else ""
    body = (mark + text).encode()
    if output is None:
        sys.stdout.buffer.write(body)
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        raise BadFileError(
            "{path} cannot be written: {reason}.", remedy="Choose another file.", path=output, reason=error.strerror
        ) from error
    _ = translator(terminal_language()).gettext
    print(_("Wrote {count} pages to {file}.").format(count=len(pages), file=output))


def exported_pages(data: Path, *, class_name: str | None) -> list[dict[str, Any]]:
    """Every page that counts or is asked about, in the shape of `classbox grade --json`, with the pupil's name.

    `captured_at_ms` is the likely time, between the earliest and the latest possible one (None: not known);
    `standing` says which; `number` is the page's number in the addresses of the box's own pages.
    """
    if not (data / FILE_NAME).exists():
        return []
    documents = Documents(data)
    ledger = Ledger(data)
    try:
        times = ledger.box_times()
        return [_page(filed, documents, class_name, times) for filed in ledger.booked_and_asked_pages()]
    finally:
        ledger.close()


def _page(filed: FiledPage, documents: Documents, class_name: str | None, times: BoxTimes) -> dict[str, Any]:
    record = filed.record
    assert record is not None
    asked = filed.standing is Standing.ASK
    placed = times.place(filed.clock)
    owner = None if asked else owner_of(record, documents.roster(), class_name)
    return {
        "number": filed.capture,
        "standing": filed.standing,
        "source": filed.source,
        "status": filed.status,
        "problems": [{"code": p.code, "message": p.message} for p in filed.problems],
        "capture": filed.digest,
        "revision": filed.revision,
        "captured_at_ms": placed.guess_ms,
        "captured_earliest_ms": placed.earliest_ms,
        "captured_latest_ms": placed.latest_ms if placed.latest_ms < NEVER_MS else None,
        "sheet": record.sheet,
        "assignment": record.assignment,
        "page": record.page,
        "attempt": record.attempt,
        "class": owner.class_name if owner is not None else record.who.class_name,
        "seat": owner.seat if owner is not None else record.who.seat,
        "pupil": owner.pupil_id if owner is not None else None if asked else record.who.pupil,
        "name": owner.name if owner is not None else None,
        "score": points(record.score_hundredths),
        "max_score": points(record.max_score_hundredths),
        "pending": record.pending,
        "items": [
            {
                "item": item.item,
                "blank": item.blank,
                "kind": item.kind,
                "reading": item.reading.text,
                "confidence": round(item.reading.confidence, 4),
                "verdict": item.verdict.kind,
                "score": points(item.verdict.score_hundredths),
            }
            for item in record.items
        ],
    }


def to_csv(pages: list[dict[str, Any]]) -> str:
    """A row an answer (RFC 4180). No cell can be taken for a formula (OWASP, CSV injection)."""
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(CSV_COLUMNS)
    for page in pages:
        for row in _rows(page):
            rows.writerow([safe_cell(cell) for cell in row])
    return out.getvalue()


def _rows(page: dict[str, Any]) -> Iterator[list[object]]:
    for item in page["items"]:
        both = {**page, **item}
        yield [both[name] for name in CSV_COLUMNS]
