"""`classbox teacher`: who may sign in, from the box's own terminal; works while the box runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edge.access import pins
from edge.access.book import AccessBook, Person
from edge.config import load_config
from homework.errors import UsageError
from sync.clock import SystemClock
from ui.language import terminal_language, translator

_ = translator(terminal_language()).gettext


@click.group(
    name="teacher",
    help="""Who may sign in on the box's page.

    \b
    Examples:
      classbox teacher add 王老师
      classbox teacher list
      classbox teacher pin 王老师
      classbox teacher remove 王老师
    """,
)
def command() -> None:
    """The people of a box."""


_config = click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
_data = click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
_random = click.option("--random", "random_pin", is_flag=True, help="Make a PIN up and print it, instead of asking.")


@contextmanager
def _book(config: Path | None, data: Path | None) -> Iterator[AccessBook]:
    book = AccessBook(load_config(config, data=data).data_dir, SystemClock())
    try:
        yield book
    finally:
        book.close()


def _named(book: AccessBook, name: str) -> Person:
    person = book.called(name)
    if person is None:
        raise UsageError("Nobody is called {name} here.", remedy="See `classbox teacher list`.", name=name)
    return person


def _asked_pin(*, random_pin: bool) -> str:
    if random_pin:
        pin = pins.new_pin()
        print(_("PIN: {pin}").format(pin=pin))
        return pin
    again = _("The same PIN again")
    asked: str = click.prompt(_("PIN, at least six digits"), hide_input=True, confirmation_prompt=again)
    return pins.checked_pin(asked)


@command.command("add", help="Let a teacher sign in.\n\n\b\nExample:\n  classbox teacher add 王老师 --random")
@click.argument("name")
@_random
@_config
@_data
def add(name: str, config: Path | None, data: Path | None, *, random_pin: bool) -> None:
    """Add a teacher."""
    with _book(config, data) as book:
        if book.called(name) is not None:
            raise UsageError("{name} has access already.", remedy="Choose another name.", name=name)
        book.add(name, _asked_pin(random_pin=random_pin))
    print(_("{name} may sign in.").format(name=name))


@command.command("list", help="Who may sign in.\n\n\b\nExample:\n  classbox teacher list")
@_config
@_data
def list_(config: Path | None, data: Path | None) -> None:
    """Print who may sign in."""
    with _book(config, data) as book:
        for person in book.people():
            what = _("Teacher") if person.life_ms is None else _("Substitute for today")
            print(f"{person.name}\t{what}\t" + _("devices signed in: {count}").format(count=person.sessions))


@command.command("remove", help="Let somebody sign in no longer.\n\n\b\nExample:\n  classbox teacher remove 王老师")
@click.argument("name")
@_config
@_data
def remove(name: str, config: Path | None, data: Path | None) -> None:
    """Remove somebody."""
    with _book(config, data) as book:
        book.remove(_named(book, name).id)
    print(_("{name} no longer comes in.").format(name=name))


@command.command("pin", help="Set a forgotten PIN anew.\n\n\b\nExample:\n  classbox teacher pin 王老师 --random")
@click.argument("name")
@_random
@_config
@_data
def pin_(name: str, config: Path | None, data: Path | None, *, random_pin: bool) -> None:
    """Set a PIN anew."""
    with _book(config, data) as book:
        person = _named(book, name)
        book.set_pin(person.id, _asked_pin(random_pin=random_pin))
    print(_("The PIN of {name} is new; all devices are signed out.").format(name=name))
