"""`classbox run`: the box in the classroom."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path

import click

from edge.config import load_config


@click.command(
    name="run",
    help="""Run the box: watch the camera, grade what comes to rest, show it on the live page.

    Prints `ready URL` when the page can be opened. Ends on SIGTERM or Ctrl-C; what is booked by then stays booked.

    \b
    Example:
      classbox run --config box.toml
    """,
)
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
def command(config: Path | None, data: Path | None) -> None:
    """Run until told to stop."""
    from edge.app import run_box  # noqa: PLC0415 - `--help` stays quick
    from edge.logs import Logs  # noqa: PLC0415

    faulthandler.enable()  # a crash in a native library must not end the box without a word
    settings = load_config(config, data=data)
    logs = Logs()
    logs.to_stderr(settings.log)
    run_box(settings, out=sys.stdout, logs=logs)
