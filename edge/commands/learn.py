"""`classbox learn BLANK...`: a layout from pictures of empty pages that somebody else printed."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

import click
import cv2

from edge.learning.fields_file import parse_fields
from edge.learning.learn import layout_of, learn_pages
from edge.named_files import read_named
from edge.picture_files import captures_in
from homework.assignment import Paper, parse_assignment
from homework.errors import BadFileError
from homework.layout import layout_to_json
from ui.language import terminal_language, translator


@click.command(
    name="learn",
    help="""Learn a page that was printed elsewhere (a workbook, last year's exercise) from a photo or a scan of it
    while it is empty. Several pictures, or a PDF of several pages, are the pages of one sheet.

    Places to answer are proposed: after =, in ( ), □ and ○, on ____, bubbles. Correct them on the box's page, or give
    them with --fields (docs/learned-pages.md has its form).

    \b
    Examples:
      classbox learn page12.jpg -o page12.json
      classbox learn scan.pdf --paper 16K --fields fields.json -o unit3.json
    """,
)
@click.argument("blanks", metavar="BLANK...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--fields", type=click.Path(path_type=Path), help="The places to answer (JSON), instead of proposals.")
@click.option("--assignment", type=click.Path(path_type=Path), help="The assignment whose items these are (TOML).")
@click.option("--paper", type=click.Choice(list(get_args(Paper))), help="The paper's size; else A4 where it fits.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The layout; its picture is put beside it."
)
def command(
    blanks: tuple[Path, ...], fields: Path | None, assignment: Path | None, paper: str | None, output: Path
) -> None:
    """Learn one sheet."""
    cv2.setNumThreads(1)
    _ = translator(terminal_language()).gettext
    learned = learn_pages(
        [capture.image for blank in blanks for capture in captures_in(blank)], paper=cast(Paper | None, paper)
    )
    given = None
    if fields is not None:
        given = parse_fields(read_named(fields), {n: page.mm_to_px for n, page in enumerate(learned.pages, start=1)})
    key = (
        parse_assignment(read_named(assignment).decode("utf-8-sig", errors="replace"))
        if assignment is not None
        else None
    )
    reference = output.with_suffix(learned.suffix)
    layout = layout_of(learned, given, reference=reference.name, assignment=key.id if key is not None else None)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        reference.write_bytes(learned.picture)
        output.write_text(layout_to_json(layout), encoding="utf-8")
    except OSError as error:
        raise BadFileError(
            "{name} cannot be written: {reason}.",
            remedy="Choose another place with -o.",
            name=output,
            reason=error.strerror or error,
        ) from error
    said = _("Learned: sheet {sheet}, {pages} pages, {fields} places to answer.")
    print(said.format(sheet=layout.sheet, pages=len(layout.pages), fields=sum(len(p.fields) for p in layout.pages)))
