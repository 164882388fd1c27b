"""`classgate db archive`, `archives` and `tidy`: months that are over go into files; what is old goes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.config import load_config
from gateway.keeping.archiving import Archived, archive_month
from gateway.keeping.retention import Retention
from gateway.store.archived import ArchivedMonth, archived
from gateway.store.schools import school_ids, school_key
from gateway.store.store import Store
from homework.errors import ClassboxError, UsageError
from ui.language import terminal_language, translator


@click.command(name="archive")
@click.argument("school", required=False)
@click.option("--all", "every", is_flag=True, help="Every school.")
@click.option("--month", type=click.IntRange(200001, 999912), required=True, metavar="YYYYMM", help="Which month.")
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder of archives.")
@config_option
def archive_command(school: str | None, every: bool, month: int, to: Path, config_path: Path | None) -> None:
    """Write a month of SCHOOL into a Parquet file in the folder, read it back, and take it away from here.

    A month lies in the archive as SCHOOL/SCHOOL-YYYYMM.parquet. One with pages that wait for a person stays.

    \b
    Example: classgate db archive --all --month 202609 --to /mnt/archive
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext
    if (school is None) is not every:
        raise UsageError("Name one school, or say --all.", remedy="`classgate school list` shows them.")
    if not 1 <= month % 100 <= 12:
        raise UsageError("{month} is no month.", remedy="Write it like 202609.", month=month)

    folder = to.resolve()

    async def work(store: Store) -> tuple[list[Archived], list[str]]:
        async with store.reading() as connection:
            names = await school_ids(connection) if school is None else (school,)
            if school is not None:
                await school_key(connection, store.vault, school)  # there is such a school
        done, refused = [], []
        for name in names:
            now_ms = unix_ms()
            try:
                one = await archive_month(store, name, month, folder, now_ms=now_ms)
            except ClassboxError as error:  # what one school's disk or rows are like is no reason for the others
                if not every:
                    raise
                refused.append(f"{name}: {' '.join(error.said(_))}")
                continue
            if one is not None:
                done.append(one)
        return done, refused

    done, refused = with_store(config_path, work)
    for one in done:
        print(_("{school}: {rows} rows in {file}.").format(school=one.school, rows=one.rows, file=one.file))
    if not done and not refused:
        print(_("Nothing of that month is here."))
    for line in refused:
        print(line)
    if refused:
        raise SystemExit(1)


@click.command(name="archives")
@config_option
def archives_command(config_path: Path | None) -> None:
    """List the months that were archived or let go of, with their files and the digests of what they say.

    Example: classgate db archives
    """
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> list[ArchivedMonth]:
        async with store.reading() as connection:
            return await archived(connection)

    for one in with_store(config_path, work):
        when = datetime.fromtimestamp(one.archived_ms / 1000).astimezone().strftime("%Y-%m-%d")
        print(f"{one.school} {one.month} {one.rows} {when} {one.digest.hex()} {one.file or _('let go of')}")


@click.command(name="tidy")
@config_option
def tidy_command(config_path: Path | None) -> None:
    """Do now what the gateway does daily: old months, sessions, links and lines of the audit go, as [retention] says.

    Example: classgate db tidy
    """
    _ = translator(terminal_language()).gettext
    config = load_config(config_path)

    async def work(store: Store) -> bool:
        return await Retention(store, config.retention).once()

    print(_("Done.") if with_store(config_path, work) else _("Another gateway is doing it just now."))
