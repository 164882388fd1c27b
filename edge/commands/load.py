"""`classbox load`: give the box the worksheets that `classbox print` made, or a layout that was learned or imported."""

from __future__ import annotations

from pathlib import Path

import click

from edge.config import load_config
from edge.documents import Documents
from edge.ledger import Ledger
from edge.loading import loadable
from edge.upstream import queue_documents
from homework.errors import BadFileError
from homework.print_run import LAYOUT
from ui.language import terminal_language, translator


@click.command(
    name="load",
    help="""Give the box the worksheets in FOLDER, as `classbox print` wrote them, or a LAYOUT.json that was learned
    or imported, with the picture that it names. A running box sees them at once, and grades the sheets that waited
    for them.

    \b
    Examples:
      classbox load sheets/ --roster class.csv
      classbox load workbook-12.json
    """,
)
@click.argument("what", metavar="FOLDER|LAYOUT.json", type=click.Path(path_type=Path))
@click.option(
    "--roster",
    type=click.Path(path_type=Path),
    help="The class list (CSV or a OneRoster zip); else roster.csv in FOLDER.",
)
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
def command(what: Path, roster: Path | None, config: Path | None, data: Path | None) -> None:
    """Load one print run, or one layout."""
    _ = translator(terminal_language()).gettext
    folder, layout_name = (what.parent, what.name) if what.is_file() else (what, LAYOUT)
    found = loadable(
        lambda name: _read(folder / name) if (folder / name).exists() or name == layout_name else None,
        where=str(folder),
        layout_name=layout_name,
        roster=_read(roster) if roster is not None else None,
    )
    assignment, layout, pupils = found.assignment, found.layout, found.roster
    assert layout is not None

    where = load_config(config, data=data).data_dir
    documents = Documents(where)
    found.keep(documents)
    ledger = Ledger(where)
    try:
        queue_documents(documents, ledger)
    finally:
        ledger.close()
    if assignment is not None:
        said = _("Loaded: {title}, {pages} pages, {items} items.").format(
            title=assignment.title, pages=len(layout.pages), items=len(assignment.items)
        )
    else:
        said = _("Loaded: sheet {sheet}, {pages} pages, {fields} fields.").format(
            sheet=layout.sheet, pages=len(layout.pages), fields=sum(len(page.fields) for page in layout.pages)
        )
    if pupils is not None:
        said += " " + _("Pupils: {count}.").format(count=len(pupils.pupils))
    print(said)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFileError(
            "{path} cannot be read: {reason}.",
            remedy="Name the folder that `classbox print` wrote.",
            path=path,
            reason=error.strerror,
        ) from error
