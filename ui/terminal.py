"""What both command lines share: lazy commands, one-line errors with a remedy, progress bars."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import track

from homework.errors import ClassboxError
from ui.language import terminal_language, translator

T = TypeVar("T")


class LazyGroup(click.Group):
    """A click group whose commands are imported only when called, so that `--help` stays quick.

    A `ClassboxError` ends the command with its message and remedy on one line of stderr and its exit code.
    """

    def __init__(self, name: str, *, commands: Mapping[str, str], about: str) -> None:
        super().__init__(name=name, help=about, context_settings={"help_option_names": ["-h", "--help"]})
        self._where = dict(commands)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._where)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._where:
            return None
        module, _, attribute = self._where[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except ClassboxError as error:
            say_error(error)
            sys.exit(error.exit_code)


def say_error(error: ClassboxError) -> None:
    """The message and the remedy, on one line of stderr, in the terminal's language."""
    message, remedy = error.said(translator(terminal_language()).gettext)
    print(f"{message} {remedy}", file=sys.stderr)


def progress(items: Iterable[T], *, label: str, total: int | None = None) -> Iterator[T]:
    """`items`, with a progress bar on stderr while a person watches; silent in pipes."""
    console = Console(stderr=True)
    yield from track(items, description=label, total=total, console=console, disable=not console.is_terminal)
