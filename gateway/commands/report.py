"""`classgate report`: a class report on the terminal, as JSON or as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gateway.access.audit import written_thing
from gateway.access.deeds import Deed, Thing
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.reports.class_report import SchoolReport, class_report
from gateway.reports.export import report_to_csv, report_to_json, signs_of
from gateway.store.audit_lines import write_line
from gateway.store.reading import ReportLine, report_lines
from gateway.store.schools import school_ids
from gateway.store.store import Store
from homework.errors import ClassboxError, UsageError
from homework.wording import report_text
from ui.language import terminal_language, translator
from ui.report_files import PUPIL_COLUMNS, summary_xlsx


@click.command(name="report")
@click.argument("class_name", metavar="CLASS")
@click.option("--assignment", help="Which worksheet; the one that came last when left out.")
@click.option("--school", help="Whose class; needed when several schools have one of that name.")
@click.option("--json", "form", flag_value="json", help="One JSON object.")
@click.option("--csv", "form", flag_value="csv", help="One line a pupil, for programs: in English, in points.")
@click.option(
    "--xlsx",
    "workbook",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a workbook for Excel and WPS: pupils, items, wrong answers.",
)
@config_option
def command(
    *,
    class_name: str,
    assignment: str | None,
    school: str | None,
    form: str | None,
    workbook: Path | None,
    config_path: Path | None,
) -> None:
    """Print the report of a class, or write it as a workbook.

    Example: classgate report 3-1 --json
    """
    if form is not None and workbook is not None:
        raise UsageError("These do not go together.", remedy="Use one of --json, --csv and --xlsx.")

    async def work(store: Store) -> SchoolReport:
        async with store.reading() as connection:
            places = await school_ids(connection) if school is None else (school,)
            lines = [line for one in places for line in await report_lines(connection, one, {class_name})]
            line = _chosen(lines, class_name, assignment)
            found = await class_report(connection, store.vault, line.school, line.class_name, line.assignment)
        kind = "xlsx" if workbook is not None else form
        deed = Deed.SEE_CLASS if kind is None else Deed.EXPORT
        thing = written_thing(Thing(line.school, line.class_name, line.assignment))
        async with store.writing() as connection:
            await write_line(
                connection, line.school, deed=deed, at_ms=unix_ms(), thing=thing, detail=f".{kind}" if kind else ""
            )
        return found

    report = with_store(config_path, work)
    translate = translator(terminal_language()).gettext
    if workbook is not None:
        _write(workbook, summary_xlsx(report, translate, columns=[*PUPIL_COLUMNS], signs=signs_of(report)))
        print(translate("{file}: written.").format(file=workbook))
    elif form == "json":
        print(json.dumps(report_to_json(report), ensure_ascii=False))
    elif form == "csv":
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
        print(report_to_csv(report), end="")
    else:
        print(report_text(report, translate))


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ClassboxError(
            "{path} cannot be written: {reason}.",
            remedy="Name a file in a folder that you may write to.",
            path=path,
            reason=error.strerror or error,
        ) from error


def _chosen(lines: Sequence[ReportLine], class_name: str, assignment: str | None) -> ReportLine:
    """The newest line that fits. Raises `ClassboxError` when there is none, `UsageError` when schools differ."""
    fitting = [line for line in lines if assignment in (None, line.assignment)]
    if lines and not fitting:
        raise ClassboxError(
            "No sheet of {assignment} has come from class {name} yet.",
            remedy="Check the name of the worksheet; that of the last one is {last}.",
            assignment=assignment,
            name=class_name,
            last=lines[0].assignment,
        )
    if not fitting:
        raise ClassboxError(
            "No sheet of class {name} has come yet.",
            remedy="Check the name of the class, or wait until the box has a network.",
            name=class_name,
        )
    if len({line.school for line in fitting}) > 1:
        raise UsageError("Several schools have a class {name}.", remedy="Say which one with --school.", name=class_name)
    return fitting[0]
