"""`classgate school`: add a school, enrol its boxes."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.access.deeds import Deed
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.store.audit_lines import write_line
from gateway.store.schools import add_school, checked_title, enrol_box, school_ids, school_key, set_title
from gateway.store.store import Store
from provisioning.identity import Identity
from provisioning.keys import enrolment_code
from ui.language import terminal_language, translator


@click.group(name="school")
def command() -> None:
    """Add schools, and enrol their boxes.

    \b
    Example: classgate school add no-1 && classgate school enrol no-1 box-1 --broker mqtt://192.168.1.10
    """  # noqa: D301 - \b is click's


@command.command()
@click.argument("school")
@click.option("--title", default="", help="What people call it.")
@config_option
def add(school: str, title: str, config_path: Path | None) -> None:
    """Add a school; it gets a key of its own.

    Example: classgate school add no-1 --title 第一小学
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> None:
        async with store.writing() as connection:
            await add_school(connection, store.vault, school, title=checked_title(title))
            await write_line(connection, school, deed="school", at_ms=unix_ms(), detail="add")

    with_store(config_path, work)
    print(_("Added the school {school}.").format(school=school))


@command.command()
@click.argument("school")
@click.option("--title", required=True, help="What people call it; “” for nothing but its id.")
@config_option
def rename(school: str, title: str, config_path: Path | None) -> None:
    """Say what people call a school. Its id stays: boxes and sheets know it by that.

    Example: classgate school rename no-1 --title 第一小学
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> None:
        async with store.writing() as connection:
            await set_title(connection, store.vault, school, title)
            await write_line(connection, school, deed="school", at_ms=unix_ms(), detail="rename")

    with_store(config_path, work)
    print(_("{school} is called “{title}” now.").format(school=school, title=title))


@command.command(name="list")
@config_option
def show(config_path: Path | None) -> None:
    """List the schools.

    Example: classgate school list
    """

    async def work(store: Store) -> tuple[str, ...]:
        async with store.reading() as connection:
            return await school_ids(connection)

    for school in with_store(config_path, work):
        print(school)


@command.command()
@click.argument("school")
@click.argument("box")
@click.option("--broker", required=True, metavar="URL", help="Where the box finds the broker: mqtt://HOST[:PORT].")
@config_option
def enrol(school: str, box: str, broker: str, config_path: Path | None) -> None:
    """Print the code that makes a box this one. Shown once; a new code voids the one before.

    Example: classgate school enrol no-1 box-1 --broker mqtt://192.168.1.10
    """

    async def work(store: Store) -> str:
        async with store.writing() as connection:
            key = await school_key(connection, store.vault, school)
            box_key = await enrol_box(connection, store.vault, school, box)
            await write_line(
                connection, school, deed=Deed.MANAGE_BOXES, at_ms=unix_ms(), thing=f"box={box}", detail="enrol"
            )
            # Inside the transaction: an address that is none must not void the box's key.
            return enrolment_code(Identity(school=school, box=box, school_key=key, box_key=box_key, broker_url=broker))

    print(with_store(config_path, work))
