"""What the gateway's commands share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.config import load_config
from gateway.store.audit_lines import at_the_terminal
from gateway.store.store import Store, open_store

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """`--config gateway.toml`, for every command."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="CLASSGATE_CONFIG",
        help="The gateway's configuration; without it, defaults.",
    )(function)


def with_store(config_path: Path | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Open the store of a configuration, do the work, close it. What it writes into the audit says who sits here."""

    async def run() -> T:
        at_the_terminal()
        async with open_store(load_config(config_path)) as store:
            return await work(store)

    return asyncio.run(run())
