"""`classgate run`: receive and show until stopped."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click

from gateway.app import run_gateway
from gateway.commands.options import config_option
from gateway.config import Parts, load_config
from ui.logs import ForPeople, Lines, Names


@click.command(name="run")
@config_option
@click.option(
    "--parts",
    type=click.Choice(["all", "pages", "boxes"]),
    default="all",
    show_default=True,
    help="What this process does: several may share one database.",
)
@click.option("--verbose", is_flag=True, help="Say more on stderr.")
def command(config_path: Path | None, parts: str, verbose: bool) -> None:
    """Receive the sheets of the school's boxes and show the class reports.

    Prints `ready URL` when the pages answer. Ends on Ctrl-C. With --parts the pages get a process of their own,
    which a stack of sheets does not slow down; each process needs its own [web] listen (CLASSGATE_WEB_LISTEN).

    \b
    Example: classgate run --config gateway.toml
    """  # noqa: D301 - \b is click's
    config = load_config(config_path)
    console = logging.StreamHandler(sys.stderr)
    names = Names()  # a gateway knows pupils by pseudonym; names are opened for a page, and stand in no error
    console.setFormatter(Lines(names) if config.log.format == "json" else ForPeople(names))
    logging.getLogger().addHandler(console)
    logging.getLogger().setLevel(logging.INFO if verbose else config.log.level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    asyncio.run(run_gateway(config, Parts[parts.upper()]))
