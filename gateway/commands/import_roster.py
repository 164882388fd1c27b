"""`classgate import-roster`: who sits where."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.commands.options import config_option, with_store
from gateway.store.documents import publish_roster
from gateway.store.rosters import bring_in
from gateway.store.store import Store
from homework.errors import BadFileError
from homework.roster import parse_roster
from ui.language import terminal_language, translator


@click.command(name="import-roster")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--school", required=True, help="Whose pupils they are.")
@config_option
def command(file: Path, school: str, config_path: Path | None) -> None:
    """Bring a class list in (CSV: class,seat,name,pupil_id). Its classes become what it says; others stay.

    The boxes of the school get it too, sealed under the school's key.

    Example: classgate import-roster roster.csv --school no-1
    """
    _ = translator(terminal_language()).gettext
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadFileError(
            "{file} cannot be read: {reason}.", remedy="Check the path.", file=file, reason=error.strerror
        ) from error
    roster = parse_roster(data)

    async def work(store: Store) -> int:
        async with store.writing() as connection:
            found = await bring_in(connection, store.vault, school, roster)
            await publish_roster(connection, store.vault, school, roster)
            return found

    found = with_store(config_path, work)
    print(_("{pupils} pupils in {classes} classes.").format(pupils=len(roster.pupils), classes=len(roster.classes())))
    if found:
        print(_("{n} sheets that came before have found their pupil.").format(n=found))
