"""`classbox print ASSIGNMENT.toml -o OUT/`: worksheets to hand out, their layout, and the key."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge.class_lists import class_list
from edge.named_files import read_named
from homework.assignment import parse_assignment
from homework.errors import BadFileError, ClassboxError
from homework.roster import Roster
from homework.sheets import SheetSet, make_sheets
from homework.sheets.printing import files_of, font_folders
from homework.sheets.words import WORDS
from ui.language import terminal_language, translator


@click.command(
    name="print",
    help="""Print an assignment's worksheets: worksheets.pdf, layout.json, assignment.toml and answers.pdf.

    \b
    Examples:
      classbox print homework.toml -o out/
      classbox print homework.toml --roster class.csv --class 3-1 -o out/
    """,
)
@click.argument("assignment_file", metavar="ASSIGNMENT.toml", type=click.Path(path_type=Path))
@click.option(
    "--roster",
    "roster_file",
    type=click.Path(path_type=Path),
    help="The class list (CSV: class,seat,name; or a OneRoster zip).",
)
@click.option("--class", "class_name", help="Which class of the list; its name is printed on the sheets.")
@click.option("--copies", type=click.IntRange(1, 500), default=1, help="How many copies of one master.")
@click.option("--duplex", is_flag=True, help="End each copy on an even page, for printing on both sides.")
@click.option(
    "--language", type=click.Choice(sorted(WORDS)), default="zh-CN", help="The language of the sheet's own words."
)
@click.option("-o", "--out", "out", type=click.Path(path_type=Path), required=True, help="The folder to write into.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON object.")
def command(
    *,
    assignment_file: Path,
    roster_file: Path | None,
    class_name: str | None,
    copies: int,
    out: Path,
    language: str,
    duplex: bool,
    as_json: bool,
) -> None:
    """Read, set, write; one line for each file."""
    assignment = parse_assignment(_text(assignment_file))
    roster = _roster(roster_file)
    if assignment.pupil_id == "printed" and copies > 1:
        raise click.UsageError(
            translator(terminal_language()).gettext(
                "--copies is for masters; this assignment is printed for each pupil."
            )
        )
    made = make_sheets(
        assignment,
        roster=roster,
        class_name=class_name,
        copies=copies,
        duplex=duplex,
        fonts=font_folders() or None,
        words=WORDS[language],
    )
    _write(made, out)
    _say(made, out, _pupil_count(made, roster, class_name), copies, as_json=as_json)


def _text(path: Path) -> str:
    try:
        return read_named(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFileError(
            "{name} is no text in UTF-8.", remedy="Save it as UTF-8 and try again.", name=path.name
        ) from error


def _roster(path: Path | None) -> Roster | None:
    return None if path is None else class_list(read_named(path))


def _write(made: SheetSet, out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files_of(made).items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise ClassboxError(
            "{folder} cannot be written to: {reason}.",
            remedy="Choose another folder with -o.",
            folder=out,
            reason=error.strerror or error,
        ) from error


def _pupil_count(made: SheetSet, roster: Roster | None, class_name: str | None) -> int:
    if made.assignment.pupil_id != "printed" or roster is None:
        return 0
    return len(roster.of_class(class_name or roster.classes()[0]))


def _say(made: SheetSet, out: Path, pupils: int, copies: int, *, as_json: bool) -> None:
    pages = len(made.layout.pages)
    paths = {name: str(out / name) for name in files_of(made)}
    if as_json:
        about = {
            "sheet": made.layout.sheet,
            "assignment": made.assignment.id,
            "pages": pages,
            "copies": pupils or copies,
            "files": paths,
        }
        print(json.dumps(about, ensure_ascii=False))
        return
    _ = translator(terminal_language()).gettext
    what = _("pupils: {n}, pages each: {pages}") if pupils else _("copies: {n}, pages each: {pages}")
    notes = {
        "worksheets.pdf": what.format(n=pupils or copies, pages=pages),
        "layout.json": _("sheet {sheet}: where every field is").format(sheet=made.layout.sheet),
        "assignment.toml": _("assignment {id}").format(id=made.assignment.id),
        "answers.pdf": _("the key, filled in"),
    }
    for name, note in notes.items():
        print(f"{paths[name]}  {note}")
