"""`classgate db unpack` and `export-pupil`: answers one by one; all that is kept of one pupil."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.keeping.forgetting import pupil_called
from gateway.keeping.pupil_export import pupil_file
from gateway.keeping.unpacking import COLUMNS, Row, page_items
from gateway.store.archive_file import arrow
from gateway.store.audit_lines import write_line
from gateway.store.schools import school_key
from gateway.store.store import Store
from homework.errors import BadFileError
from homework.tables import safe_text
from sync.whole_files import write_whole
from ui.language import terminal_language, translator


@click.command(name="unpack")
@click.argument("school")
@click.option("--month", type=click.IntRange(200001, 999912), metavar="YYYYMM", help="Only that month.")
@click.option("--everything", is_flag=True, help="Also what does not count: twins, seconds, older revisions.")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="A new file, .parquet or .csv.")
@config_option
def unpack_command(school: str, month: int | None, everything: bool, to: Path | None, config_path: Path | None) -> None:
    """Write every answer of a SCHOOL, a row for each field of each page: to a Parquet or CSV file, or as CSV here.

    For people with SQL: DuckDB, PostgreSQL's COPY and spreadsheets read it. Pupils stand in it by their pseudonyms.

    \b
    Example: classgate db unpack no-1 --month 202609 --to answers.parquet
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext

    async def work(store: Store) -> int:
        async with store.writing() as connection:  # before the first row of it
            await school_key(connection, store.vault, school)  # there is such a school
            await write_line(connection, school, deed="export", at_ms=unix_ms(), detail="answers.csv")
        async with store.reading() as connection:
            pieces = page_items(connection, school, month=month, everything=everything)
            if to is None:
                sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
                return await _as_csv(sys.stdout, pieces)
            if to.suffix == ".parquet":
                return await _as_parquet(to, pieces)
            with to.open("x", encoding="utf-8", newline="") as file:
                return await _as_csv(file, pieces)

    if to is not None and to.exists():
        raise BadFileError("{file} is there already.", remedy="Name a new file.", file=to)
    rows = with_store(config_path, work)
    if to is not None:
        print(_("{rows} rows in {file}.").format(rows=rows, file=to))


async def _as_csv(out: TextIO, pieces: AsyncIterator[list[Row]]) -> int:
    writer, count = csv.writer(out), 0
    writer.writerow(name for name, _ in COLUMNS)
    async for rows in pieces:
        writer.writerows([safe_text(value) if isinstance(value, str) else value for value in row] for row in rows)
        count += len(rows)
    return count


async def _as_parquet(to: Path, pieces: AsyncIterator[list[Row]]) -> int:
    pa, pq = arrow()
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS])
    count, beside = 0, to.with_name(f".{to.name}.{os.getpid()}")
    with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
        async for rows in pieces:
            if rows:
                writer.write_table(_table(pa, schema, rows))
                count += len(rows)
    beside.replace(to)
    return count


def _table(pa: Any, schema: Any, rows: Sequence[Row]) -> Any:
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


@click.command(name="export-pupil")
@click.argument("school")
@click.argument("pupil")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new zip file.")
@config_option
def export_pupil_command(school: str, pupil: str, to: Path, config_path: Path | None) -> None:
    """Write all that is kept of one PUPIL of SCHOOL into a zip: JSON, and the pictures of answers that there are.

    PUPIL is class and seat, or the pseudonym. The file has the name in it: hand it to whoever has a right to it.

    \b
    Example: classgate db export-pupil no-1 3-1#7 --to pupil.zip
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext
    if to.exists():
        raise BadFileError("{file} is there already.", remedy="Name a new file.", file=to)

    async def work(store: Store) -> bytes:
        async with store.writing() as connection:  # the line of the audit is there, or the file is not
            alias = await pupil_called(connection, store.vault, school, pupil)
            body = await pupil_file(connection, store.vault, school, alias)
            thing, at_ms = f"pupil={alias.hex()}", unix_ms()
            await write_line(connection, school, deed="export", thing=thing, detail="all of one pupil", at_ms=at_ms)
            return body

    body = with_store(config_path, work)
    write_whole(to, body)
    to.chmod(0o600)
    print(_("{bytes} bytes in {file}.").format(bytes=len(body), file=to))
