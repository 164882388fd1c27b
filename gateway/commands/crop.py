"""`classgate crop`: the pictures of fields that wait for a person's look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from gateway.access.audit import written_thing
from gateway.access.deeds import Deed, Thing
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.store.audit_lines import write_line
from gateway.store.crops import KeptCrop, list_crops, open_crop
from gateway.store.schools import school_key
from gateway.store.store import Store
from homework.errors import ClassboxError
from ui.language import terminal_language, translator

_SHORTEST = 8
"""Hexadecimal digits of a capture that a person must write at least."""


@click.group(name="crop")
def command() -> None:
    """Pictures of answers that the boxes of a school have doubts about: list them, open one.

    They lie sealed under the school's key, and show nothing but the field on the paper.

    \b
    Example: classgate crop list no-1
    """  # noqa: D301 - \b is click's


@command.command(name="list")
@click.argument("school", metavar="SCHOOL")
@config_option
def show(school: str, config_path: Path | None) -> None:
    """List them, the oldest first: capture, item, field, when it came, whose it is.

    Example: classgate crop list no-1
    """
    _ = translator(terminal_language()).gettext
    found = with_store(config_path, lambda store: _found(store, school))
    for one in found:
        print(_line(one))
    if not found:
        print(_("No pictures of answers are here."))


@command.command(name="open")
@click.argument("school", metavar="SCHOOL")
@click.argument("capture", metavar="CAPTURE")
@click.argument("item", metavar="ITEM")
@click.option("--blank", type=click.IntRange(1, 255), default=1, show_default=True, help="Which field of the item.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The WebP file.")
@config_option
def open_command(school: str, capture: str, item: str, *, blank: int, output: Path, config_path: Path | None) -> None:
    """Write one of them to a file; the beginning of the capture's name is enough.

    Example: classgate crop open no-1 3f2a91c0 7 -o answer.webp
    """

    async def work(store: Store) -> bytes | None:
        fitting = [
            one
            for one in await _found(store, school)
            if one.name.capture.hex().startswith(capture.lower()) and one.name[1:] == (item, blank)
        ]
        if len(capture) < _SHORTEST or len(fitting) != 1:
            return None
        (one,) = fitting
        thing = written_thing(Thing(school, one.class_name, one.assignment), seat=one.seat, item=item)
        async with store.writing() as connection:  # the line is there, or the picture is not
            await write_line(connection, school, deed=Deed.SEE_CROP, at_ms=unix_ms(), thing=thing, detail="open")
            return await open_crop(connection, store.vault, school, one.name)

    picture = with_store(config_path, work)
    if picture is None:
        raise ClassboxError(
            "There is no picture of item {item} of “{capture}” here.",
            remedy="`classgate crop list {school}` shows what there is; write at least 8 letters of the capture.",
            item=item,
            capture=capture,
            school=school,
        )
    output.write_bytes(picture)


async def _found(store: Store, school: str) -> Sequence[KeptCrop]:
    async with store.reading() as connection:
        await school_key(connection, store.vault, school)  # says so when there is no such school
        return await list_crops(connection, school)


def _line(one: KeptCrop) -> str:
    came = datetime.fromtimestamp(one.received_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    whose = " ".join(str(part) for part in (one.assignment, one.class_name, one.seat) if part is not None)
    return f"{one.name.capture.hex()}  {one.name.item} ({one.name.blank})  {came}  {one.size} B  {whose}"
