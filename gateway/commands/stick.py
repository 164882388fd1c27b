"""`classgate stick`: results that come on a memory stick, and the answers that go back on it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.access.deeds import Deed
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.ingest import StoreIngest
from gateway.stick import Taken, register_stick, take_stick
from gateway.store.audit_lines import write_line
from gateway.store.store import Store
from homework.errors import ClassboxError
from ui.language import terminal_language, translator


@click.group(name="stick")
def command() -> None:
    """Take in what boxes wrote onto a memory stick; the gateway may go on running.

    Example: classgate stick import /media/stick
    """


@command.command(name="import")
@click.argument("stick", type=click.Path(path_type=Path, file_okay=False, exists=True))
@config_option
def import_(stick: Path, config_path: Path | None) -> None:
    """Take in everything on the stick and write the answers onto it, for the way back.

    Example: classgate stick import /media/stick
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> list[Taken]:
        return await take_stick(store, StoreIngest(store), stick)

    taken = with_store(config_path, work)
    if not taken:
        raise ClassboxError(
            "There is nothing on the stick for any school here.",
            remedy="Put it into a box first, or run classbox stick export there.",
        )
    for one in taken:
        if one.trouble is not None:
            print(f"{one.school}/{one.box}: " + " ".join(one.trouble.said(_)))
        else:
            print(
                _("{box}: {messages} messages taken in, {answers} answers on the stick.").format(
                    box=f"{one.school}/{one.box}", messages=one.messages, answers=one.answers
                )
            )
        if one.torn:
            print(_("The file was not whole; what stood before its end was taken."))
    if all(one.trouble is not None for one in taken):
        raise SystemExit(1)


@command.command(name="register")
@click.argument("stick", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--school", required=True, help="Whose stick it is from now on.")
@config_option
def register(stick: Path, school: str, config_path: Path | None) -> None:
    """Make a stick the school's own: its boxes serve it by themselves when it is put in.

    Example: classgate stick register /media/stick --school no-1
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> None:
        await register_stick(store, stick, school)
        async with store.writing() as connection:
            await write_line(connection, school, deed=Deed.MANAGE_BOXES, at_ms=unix_ms(), detail="stick")

    with_store(config_path, work)
    print(_("The stick is {school}'s now. Its boxes serve it when it is put in.").format(school=school))
