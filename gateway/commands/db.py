"""`classgate db`: look after the database."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import msgspec
from sqlalchemy import func, select

from gateway.access.deeds import Deed
from gateway.clock import unix_ms
from gateway.commands.archive import (
    archive_command,
    archives_command,
    read_archive_command,
    tidy_command,
    unarchive_command,
)
from gateway.commands.forget import forget_command, readmit_command
from gateway.commands.options import config_option, with_store
from gateway.commands.unpack import export_pupil_command, unpack_command
from gateway.config import load_config
from gateway.keys import KEY_FILE_NAME
from gateway.reports.check import check_summaries
from gateway.store.audit_lines import write_line
from gateway.store.backup import back_up, restore
from gateway.store.check import CheckResult, check
from gateway.store.dumps import dump, is_server, play_in
from gateway.store.store import Store
from gateway.store.tables.schools import boxes
from ui.language import terminal_language, translator


@click.group(name="db")
def command() -> None:
    """Look after the database.

    \b
    Example: classgate db backup /mnt/copies/classgate-$(date +%F).sqlite
    """  # noqa: D301 - \b is click's


for _each in (
    forget_command,
    readmit_command,
    archive_command,
    archives_command,
    read_archive_command,
    unarchive_command,
    tidy_command,
    unpack_command,
    export_pupil_command,
):
    command.add_command(_each)


@command.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--summaries", is_flag=True, help="Make every class's summary again, too; some 25 ms each.")
@config_option
def check_command(as_json: bool, summaries: bool, config_path: Path | None) -> None:
    """Compute what counts and every sum again from the records, and compare. Exit code 1 when they differ.

    Example: classgate db check
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> CheckResult:
        async with store.reading() as connection:
            result = await check(connection)
            if not summaries:
                return result
            looked = await check_summaries(connection, store.vault)
            return msgspec.structs.replace(
                result,
                faults=(*result.faults, *looked.faults),
                summaries=looked.summaries,
                waiting=looked.waiting,
            )

    result = with_store(config_path, work)
    if as_json:
        print(json.dumps({**result_fields(result), "ok": not result.faults}, ensure_ascii=False))
    else:
        for fault in result.faults:
            print(fault)
        print(
            _("{pages} page records, {counted} counted, {faults} faults.").format(
                pages=result.pages, counted=result.counted, faults=len(result.faults)
            )
        )
        if summaries:
            print(
                _("{summaries} summaries, {waiting} of them older than their sheets and class lists.").format(
                    summaries=result.summaries, waiting=result.waiting
                )
            )
        if result.waiting:
            print(_("A running gateway makes those anew within minutes. If they stay, it does not run."))
    sys.exit(1 if result.faults else 0)


def result_fields(result: CheckResult) -> dict[str, object]:
    """The result as plain values."""
    return {
        "schools": result.schools,
        "pages": result.pages,
        "counted": result.counted,
        "faults": list(result.faults),
        **({} if result.waiting is None else {"summaries": result.summaries, "waiting": result.waiting}),
    }


@command.command(name="backup")
@click.argument("to", type=click.Path(path_type=Path))
@config_option
def backup_command(to: Path, config_path: Path | None) -> None:
    """Copy the database into the new file TO; the gateway may run. Its key file is not in it: keep that apart.

    \b
    Example: classgate db backup /mnt/copies/classgate-$(date +%F).sqlite
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext
    config = load_config(config_path)
    (dump if is_server(config.store_url) else back_up)(config, to)
    with_store(config_path, _copied)
    print(_("Copied to {path}. Keep {key} as well, in another place.").format(path=to, key=config.data / KEY_FILE_NAME))


@command.command(name="restore")
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path))
@config_option
def restore_command(source: Path, config_path: Path | None) -> None:
    """Put the database back from the copy FROM. Stop the gateway before; the boxes send again what is missing.

    Example: classgate db restore /mnt/copies/classgate-2026-11-29.sqlite
    """
    _ = translator(terminal_language()).gettext
    config = load_config(config_path)
    before = None
    if is_server(config.store_url):
        play_in(config, source)
    else:
        before = restore(config, source)
    # Opened at once: so that an old schema, or a copy of a newer program, shows now and not at the next start.
    boxes = with_store(config_path, _put_back)
    if before is not None:
        print(_("What was there before lies in {path}.").format(path=before))
    print(
        _(
            "The database is back, with {boxes} boxes. Start `classgate run`: they send again what it does not have. "
            "What was enrolled or imported after the copy was made has to be enrolled or imported again."
        ).format(boxes=boxes)
    )
    print(
        _(
            "What people said here of absences (请假, 免做) since then comes back from the boxes that had heard of it. "
            "What else was done here since is gone: docs/operations.md names it."
        )
    )


async def _copied(store: Store) -> None:
    await store.move_on()  # so that this copy, put back by hand, is known for an old one
    async with store.writing() as connection:
        await write_line(connection, None, deed=Deed.EXPORT, at_ms=unix_ms(), detail="backup")


async def _put_back(store: Store) -> int:
    async with store.writing() as connection:
        await write_line(connection, None, deed="restore", at_ms=unix_ms())
        return int((await connection.execute(select(func.count()).select_from(boxes))).scalar_one())
