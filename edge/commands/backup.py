"""`classbox backup TO`: a copy of everything that the box knows, while it runs."""

from __future__ import annotations

from pathlib import Path

import click

from edge.config import load_config
from ui.language import terminal_language, translator


@click.command(
    name="backup",
    help="""Copy the box into a folder: ledger, documents, pictures. The box may go on working.

    Run it again to bring the copy up to date; pictures that are there already are not copied again. The copy is not
    encrypted: keep it as you keep the pupils' papers.

    \b
    Example:
      classbox backup /media/stick/classbox
    """,
)
@click.argument("to", type=click.Path(path_type=Path, file_okay=False))
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
@click.option("--with-keys", is_flag=True, help="Also what makes it this box: without it, enrol again after a restore.")
def command(to: Path, config: Path | None, data: Path | None, *, with_keys: bool) -> None:
    """Make the copy."""
    from edge.backup import make_backup  # noqa: PLC0415 - `--help` stays quick
    from sync.clock import SystemClock  # noqa: PLC0415

    _ = translator(terminal_language()).gettext
    made = make_backup(load_config(config, data=data).data_dir, to, clock=SystemClock(), keys=with_keys)
    print(
        _("Copied: {captures} sheets, {pictures} pictures ({new_pictures} new).").format(
            captures=made.captures, pictures=made.pictures, new_pictures=made.new_pictures
        )
    )
    if made.missing:
        print(_("{missing} pictures were no longer on the box.").format(missing=made.missing))
