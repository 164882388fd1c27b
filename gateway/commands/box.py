"""`classgate box`: certificates of boxes for a broker that wants them, and locking a box out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from gateway.access.deeds import Deed
from gateway.broker import certify, lock_out, locked_out
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.config import load_config
from gateway.store.audit_lines import write_line
from gateway.store.down_log import Behind, how_far
from gateway.store.schools import KnownBox, all_boxes, box_key, not_enrolled, void_box
from gateway.store.store import Store
from ui.language import terminal_language, translator


@click.group(name="box")
def command() -> None:
    """List boxes, give them certificates for the broker, lock them out.

    Example: classgate box certificate no-1 box-1 /media/stick/box-1
    """


@command.command(name="list")
@config_option
def show(config_path: Path | None) -> None:
    """List the boxes, when each was last heard, and whether it has all documents of its school.

    Example: classgate box list
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> tuple[tuple[KnownBox, ...], dict[tuple[str, str], Behind]]:
        async with store.reading() as connection:
            return await all_boxes(connection), await how_far(connection)

    known_boxes, documents = with_store(config_path, work)
    denied = locked_out(load_config(config_path).data, now=datetime.now(UTC))
    for known in known_boxes:
        heard = _("never heard")
        if known.heard_ms is not None:
            heard = datetime.fromtimestamp(known.heard_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
        print(
            f"{known.school}/{known.box}  {heard}{_documents(documents.get((known.school, known.box)), _)}"
            + ("  " + _("locked out") if (known.school, known.box) in denied else "")
        )


def _documents(found: Behind | None, _: Callable[[str], str]) -> str:
    if found is None:
        return ""
    words = _("{n} documents behind").format(n=found.behind) if found.behind else _("up to date")
    if found.refused:
        words += ", " + _("{n} documents it cannot use").format(n=found.refused)
    return "  " + words


@command.command()
@click.argument("school")
@click.argument("box")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--request", type=click.File("rb"), help="A request (PKCS#10, PEM) of a box that keeps its key.")
@config_option
def certificate(school: str, box: str, folder: Path, request: BinaryIO | None, config_path: Path | None) -> None:
    """Write a certificate for an enrolled box into the new FOLDER. Whoever has the folder is the box on the broker.

    Example: classgate box certificate no-1 box-1 /media/stick/box-1
    """
    _ = translator(terminal_language()).gettext

    async def enrolled(store: Store) -> bool:
        async with store.writing() as connection:
            if await box_key(connection, store.vault, school, box) is None:
                return False
            await write_line(
                connection, school, deed=Deed.MANAGE_BOXES, at_ms=unix_ms(), thing=f"box={box}", detail="certificate"
            )
            return True

    if not with_store(config_path, enrolled):
        raise not_enrolled(school, box)
    asked = None if request is None else request.read()
    issued = certify(load_config(config_path).data, school, box, folder, now=datetime.now(UTC), request=asked)
    print(
        _("Good until {date}. Copy the files beside the box's box.toml, and add to it:").format(
            date=issued.until.date()
        )
    )
    print('[broker]\nca = "ca.crt"\ncert = "box.crt"\nkey = "box.key"')


@command.command()
@click.argument("school")
@click.argument("box")
@config_option
def revoke(school: str, box: str, config_path: Path | None) -> None:
    """Lock a box out that was lost or stolen: its key and its certificates are void from now on.

    Example: classgate box revoke no-1 box-1
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> None:
        async with store.writing() as connection:
            await void_box(connection, store.vault, school, box)
            await write_line(
                connection, school, deed=Deed.MANAGE_BOXES, at_ms=unix_ms(), thing=f"box={box}", detail="lock-out"
            )

    with_store(config_path, work)
    told = lock_out(load_config(config_path).data, school, box, now=datetime.now(UTC))
    print(_("Locked out: {school}/{box}. Nothing that it sends is taken any more.").format(school=school, box=box))
    if told:
        print(_("The broker has been told, and refuses it."))
    elif told is False:
        print(_("The broker does not run here. Copy its folder to it again, and let it read that in (SIGHUP)."))
