"""`classbox pin`: the code that lets the first teacher in, again."""

from __future__ import annotations

from pathlib import Path

import click

from edge.config import load_config


@click.command(
    name="pin",
    help="""Show the set-up code with which the first teacher chooses a PIN on the box's page.

    Whoever can run this at the box's own terminal may set it up. Once somebody is set up there is no code; a forgotten
    PIN is set anew with `classbox teacher pin NAME`.

    \b
    Example:
      classbox pin --config box.toml
    """,
)
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
def command(config: Path | None, data: Path | None) -> None:
    """Print the code."""
    from edge.access.book import AccessBook  # noqa: PLC0415 - `--help` stays quick
    from homework.errors import UsageError  # noqa: PLC0415
    from sync.clock import SystemClock  # noqa: PLC0415
    from ui.language import terminal_language, translator  # noqa: PLC0415

    _ = translator(terminal_language()).gettext
    book = AccessBook(load_config(config, data=data).data_dir, SystemClock())
    try:
        code = book.setup_code()
    finally:
        book.close()
    if code is None:
        raise UsageError(
            "This box has been set up.", remedy="For a forgotten PIN: `classbox teacher pin NAME`; who: `teacher list`."
        )
    print(_("Set-up code: {code}").format(code=code))
