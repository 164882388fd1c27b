"""What both command lines share: lazy commands, one-line errors with a remedy, progress bars."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

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


def watched(items: Iterable[T], *, total: Callable[[], int]) -> Iterator[T]:
    """`items`, with a progress bar on stderr while a person watches; silent in pipes.

    `total` may grow while the work goes on. What is printed meanwhile goes where stdout leads, and nowhere else.
    """
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TimeElapsedColumn())
    with Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # only lines on the same screen must keep clear of the bar
    ) as bar:
        task = bar.add_task("", total=total())
        for item in items:
            yield item
            bar.update(task, advance=1, total=total())
