"""`classgate db archive` and its like: months that are over go into files, are read there and come back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.config import load_config
from gateway.keeping.archiving import Archived, archive_month
from gateway.keeping.retention import Retention
from gateway.keeping.unarchiving import Contents, known_as, look_into, unarchive
from gateway.store.archived import ArchivedMonth, archived
from gateway.store.schools import school_ids, school_key
from gateway.store.store import Store
from homework.errors import ClassboxError, UsageError
from homework.wording import Translate
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


@click.command(name="read-archive")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@config_option
def read_archive_command(files: tuple[Path, ...], config_path: Path | None) -> None:
    """Read archives from beginning to end: school, months, worksheets, rows, and whether they are as they were written.

    Exit code 1 when one cannot be read, or is not what this gateway has archived.

    \b
    Example: classgate db read-archive /mnt/archive/no-1/*.parquet
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> bool:
        good = True
        for file in files:
            try:
                contents = look_into(file)
            except ClassboxError as error:
                print(f"{file}: {' '.join(error.said(_))}")
                good = False
                continue
            async with store.reading() as connection:
                known = await known_as(connection, contents)
            print(_line(file, contents, _), end=" ")
            print(_("It is as this gateway wrote it.") if known else _("This gateway knows no such archive."))
            good = good and known is not None
        return good

    if not with_store(config_path, work):
        raise SystemExit(1)


def _line(file: Path, contents: Contents, _: Translate) -> str:
    return _(
        "{file}: {school} {months}, {worksheets} worksheets, {classes} classes, {rows} rows, {counted} counted, "
        "{absences} words on absences, digest {digest}."
    ).format(
        file=file,
        school=" ".join(contents.schools),
        months=" ".join(map(str, contents.months)),
        worksheets=len({name for _month, name in contents.worksheets}),
        classes=len(contents.classes),
        rows=contents.rows,
        counted=contents.counted,
        absences=contents.absences,
        digest=contents.digest.hex(),
    )


@click.command(name="unarchive")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--days", type=click.IntRange(1, 366), default=30, show_default=True, help="How long [retention] leaves it here."
)
@config_option
def unarchive_command(file: Path, days: int, config_path: Path | None) -> None:
    """Put the month of an archive back, to be looked at: all of it or nothing. The file stays where it is.

    Example: classgate db unarchive /mnt/archive/no-1/no-1-202609.parquet
    """
    _ = translator(terminal_language()).gettext
    one, rows = with_store(config_path, lambda store: unarchive(store, file, days=days, now_ms=unix_ms()))
    print(_("{school}: {month} is here again, {rows} rows.").format(school=one.school, month=one.month, rows=rows))
    print(_("Archive it again when it has been looked at: who is erased meanwhile is still in the file until then."))


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
