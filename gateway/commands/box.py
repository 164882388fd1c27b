"""`classgate box`: certificates of boxes for a broker that wants them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.broker import certify
from gateway.commands.options import config_option, with_store
from gateway.config import load_config
from gateway.store.schools import box_key
from gateway.store.store import Store
from homework.errors import ClassboxError
from ui.language import terminal_language, translator


@click.group(name="box")
def command() -> None:
    """Give enrolled boxes certificates for the broker.

    Example: classgate box certificate no-1 box-1 /media/stick/box-1
    """


@command.command()
@click.argument("school")
@click.argument("box")
@click.argument("folder", type=click.Path(path_type=Path))
@config_option
def certificate(school: str, box: str, folder: Path, config_path: Path | None) -> None:
    """Write a certificate for an enrolled box into the new FOLDER. Whoever has the folder is the box on the broker.

    Example: classgate box certificate no-1 box-1 /media/stick/box-1
    """
    _ = translator(terminal_language()).gettext

    async def enrolled(store: Store) -> bool:
        async with store.reading() as connection:
            return await box_key(connection, store.vault, school, box) is not None

    if not with_store(config_path, enrolled):
        raise ClassboxError(
            "The box {box} of school {school} is not enrolled here.",
            remedy="Enrol it with `classgate school enrol {school} {box} --broker URL`.",
            school=school,
            box=box,
        )
    issued = certify(load_config(config_path).data, school, box, folder, now=datetime.now(UTC))
    print(
        _("Good until {date}. Copy the files beside the box's box.toml, and add to it:").format(
            date=issued.until.date()
        )
    )
    print('[broker]\nca = "ca.crt"\ncert = "box.crt"\nkey = "box.key"')
