"""`classgate held`: what boxes sent and this gateway could not take in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from gateway.commands.options import config_option, with_store
from gateway.held import Held, accept, held, refuse
from gateway.held_words import decision_words, held_words, what_is_held
from gateway.store.store import Store
from homework.wording import Translate
from ui.language import terminal_language, translator


@click.group(name="held")
def command() -> None:
    """Records that could not be read when they came: look at them, take them in, or refuse them.

    Each new version looks at them again by itself. Until one is decided, its box keeps it and its picture.

    \b
    Example: classgate held list
    """  # noqa: D301 - \b is click's


@command.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Also what was decided, and what conflicts with other records.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@config_option
def show(everything: bool, as_json: bool, config_path: Path | None) -> None:
    """List them, the oldest first: name, box, what it is, when it came, why it is held and what can be done.

    What the program itself said of it is in --json.

    \b
    Example: classgate held list
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> Sequence[Held]:
        async with store.reading() as connection:
            return await held(connection, everything=everything)

    found = with_store(config_path, work)
    for one in found:
        print(json.dumps(_fields(one), ensure_ascii=False) if as_json else _line(one, _))
    if not found and not as_json:
        print(_("Nothing is held."))


@command.command(name="accept")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@config_option
def accept_command(names: tuple[str, ...], config_path: Path | None) -> None:
    """Take them in, as if they came now in their places: all, or none when one cannot be read.

    Example: classgate held accept 3f2a91c07d1e
    """
    _ = translator(terminal_language()).gettext
    found = with_store(config_path, lambda store: accept(store, names, noted=True))
    print(_("Taken in: {count}.").format(count=len(found)))


@command.command(name="refuse")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@config_option
def refuse_command(names: tuple[str, ...], config_path: Path | None) -> None:
    """Say that they count nowhere. Their boxes need not keep them any longer.

    Pictures of their answers go; the bytes of the records stay in the database.

    Example: classgate held refuse 3f2a91c07d1e
    """
    _ = translator(terminal_language()).gettext
    found = with_store(config_path, lambda store: refuse(store, names, noted=True))
    print(_("Refused: {count}.").format(count=len(found)))


def _line(one: Held, _: Translate) -> str:
    came = datetime.fromtimestamp(one.received_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    name, box = one.digest.hex()[:12], f"{one.lane.school}/{one.lane.box}"
    why, remedy, _detail = held_words(one.reason, one.kind, _)
    told = [decision_words(one.decision, _)] if one.decision else [remedy]
    return "  ".join([name, box, what_is_held(one.lane.lane, one.seq, one.size, _), came, why, *told])


def _fields(one: Held) -> dict[str, object]:
    return {
        "name": one.digest.hex(),
        "school": one.lane.school,
        "box": one.lane.box,
        "epoch": one.lane.epoch.hex(),
        "lane": one.lane.lane.name.lower(),
        "seq": one.seq,
        "bytes": one.size,
        "received_ms": one.received_ms,
        "reason": one.reason,
        "decision": one.decision,
    }
