"""`classbox load`: give the box the worksheets that `classbox print` made."""

from __future__ import annotations

from pathlib import Path

import click

from edge.config import load_config
from edge.documents import Documents
from edge.ledger import Ledger
from edge.upstream import queue_documents
from homework.assignment import parse_assignment
from homework.errors import BadFileError
from homework.layout import layout_from_json
from homework.roster import parse_roster
from ui.language import terminal_language, translator


@click.command(
    name="load",
    help="""Give the box the worksheets in FOLDER, as `classbox print` wrote them. A running box sees them at once,
    and grades the sheets that waited for them.

    \b
    Example:
      classbox load sheets/ --roster class.csv
    """,
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--roster", type=click.Path(path_type=Path), help="The class list; else roster.csv in FOLDER.")
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
def command(folder: Path, roster: Path | None, config: Path | None, data: Path | None) -> None:
    """Load one print run."""
    _ = translator(terminal_language()).gettext
    # Everything is read before anything is kept: a folder is loaded whole or not at all.
    assignment = parse_assignment(_read(folder / "assignment.toml").decode("utf-8", errors="replace"))
    layout = layout_from_json(_read(folder / "layout.json"))
    beside = folder / "roster.csv"
    roster = roster or (beside if beside.exists() else None)
    pupils = parse_roster(_read(roster)) if roster is not None else None
    if layout.assignment != assignment.id:
        raise BadFileError(
            "The layout in {path} belongs to another assignment.", remedy="Print the worksheets again.", path=folder
        )

    where = load_config(config, data=data).data_dir
    documents = Documents(where)
    documents.put_assignment(assignment)
    if pupils is not None:
        documents.put_roster(pupils)
    documents.put_layout(layout)
    ledger = Ledger(where)
    try:
        queue_documents(documents, ledger)
    finally:
        ledger.close()
    said = _("Loaded: {title}, {pages} pages, {items} items.").format(
        title=assignment.title, pages=len(layout.pages), items=len(assignment.items)
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
