"""`classbox restore FROM --data NEW`: a box made from a copy."""

from __future__ import annotations

from pathlib import Path

import click

from edge.config import load_config
from ui.language import terminal_language, translator


@click.command(
    name="restore",
    help="""Make a box from a copy that `classbox backup` wrote. Nothing is overwritten: the data folder must be new.

    Never let the old box and the restored one work at the same time. A stick's encrypted copy asks for its key.

    \b
    Example:
      classbox restore /media/stick/classbox --data /var/lib/classbox
      classbox restore /media/stick/classbox-copy --data /var/lib/classbox
    """,
)
@click.argument("source", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's new data folder.")
def command(source: Path, config: Path | None, data: Path | None) -> None:
    """Restore."""
    from edge.backup import restore_backup  # noqa: PLC0415 - `--help` stays quick
    from edge.second_copy import is_second_copy, restore_second_copy  # noqa: PLC0415
    from provisioning.identity import read_identity  # noqa: PLC0415
    from sync.clock import SystemClock  # noqa: PLC0415

    _ = translator(terminal_language()).gettext
    folder = load_config(config, data=data).data_dir
    if is_second_copy(source):
        key = click.prompt(_("Key of the copy"), type=str)
        made = restore_second_copy(source, folder, key=key, clock=SystemClock())
    else:
        made = restore_backup(source, folder, clock=SystemClock())
    print(_("Restored: {captures} sheets, {pictures} pictures.").format(captures=made.captures, pictures=made.pictures))
    if made.missing:
        print(_("{missing} pictures were no longer on the box.").format(missing=made.missing))
    if read_identity(folder) is None:
        print(_("The copy holds no keys: if the box belongs to a school, enrol it again with `classbox enrol`."))
