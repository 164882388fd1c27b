"""`classbox enrol CODE`: make this box one of a school's."""

from __future__ import annotations

from pathlib import Path

import click

from edge.config import load_config
from provisioning.identity import read_identity, write_identity
from provisioning.keys import parse_enrolment_code
from ui.language import terminal_language, translator


@click.command(
    name="enrol",
    help="""Make this box one of a school's, with the code that `classgate school enrol` printed.

    \b
    Example:
      classbox enrol CB1-SXTGK-…
    """,
)
@click.argument("code", nargs=-1, required=True)
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
@click.option("--replace", is_flag=True, help="Take the place of an earlier enrolment.")
def command(code: tuple[str, ...], config: Path | None, data: Path | None, *, replace: bool) -> None:
    """Write the identity into the data folder."""
    _ = translator(terminal_language()).gettext
    identity = parse_enrolment_code("".join(code))
    folder = load_config(config, data=data).data_dir
    before = read_identity(folder) if not replace else None
    if before is not None and (before.school, before.box) != (identity.school, identity.box):
        raise click.UsageError(
            _("This box is {school}/{box} already. Add --replace to change that.").format(
                school=before.school, box=before.box
            )
        )
    path = write_identity(folder, identity)
    print(_("Enrolled as {school}/{box}: {path}").format(school=identity.school, box=identity.box, path=path))
