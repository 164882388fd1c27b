"""A copy of the gateway's SQLite database, made while the gateway runs, and the database put back from one.

Of PostgreSQL: `gateway.store.dumps`. A database that somebody copied into place by hand is noticed at the next start
(`gateway.store.generation`).
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import make_url

from gateway.config import GatewayConfig
from gateway.keys import KEY_FILE_NAME, open_vault
from gateway.store.generation import GenerationFile
from homework.errors import ClassboxError, UsageError
from sync.whole_files import fsync_folder

_BESIDE = ("-wal", "-shm", "-journal")
"""Where SQLite keeps what is not yet in the database's own file. It must never meet another database."""


def back_up(config: GatewayConfig, to: Path) -> None:
    """Copy the database into the new file `to` (0600), whole or not at all. The gateway may run.

    The key file is not in it. Raises `UsageError` when there is such a file already, `ClassboxError` when the
    database is damaged or the copy cannot be written.
    """
    database = _database(config)
    refuse_to_overwrite(to)
    with written_beside(to) as beside:
        _copy(database, beside)


def restore(config: GatewayConfig, source: Path) -> Path | None:
    """Put the database back from `source` and return where the one before lies now, None when there was none.

    The next start gives it a new incarnation. Nothing changes unless the copy is whole and the key file opens it.
    Raises `ClassboxError` when it is not, or while a program still uses the database.
    """
    database = _database(config)
    file = GenerationFile(config.data)
    with written_beside(database) as beside:
        _copy(source, beside, put_back=True)
        generation = _generation_and_key(config, beside)
        _settle(database)
        # First: killed from here on, whichever database is found at the next start gets a new incarnation.
        file.write(max(generation, file.read() or 0) + 1)
        return _set_aside(database)


def refuse_to_overwrite(to: Path) -> None:
    """Raises `UsageError` when there is a file of that name."""
    if to.exists():
        raise UsageError(
            "There is already something at {path}.",
            remedy="Choose a new name; with the date in it each copy has its own.",
            path=to,
        )


def _database(config: GatewayConfig) -> Path:
    return Path(make_url(config.store_url).database or "")


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A file to write, which gets the name `path` when the block ends well and is gone when it does not."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        raise ClassboxError(
            "{path} cannot be written: {reason}.",
            remedy="Check that the disk has room and that the folder is yours.",
            path=path,
            reason=error.strerror,
        ) from error
    finally:
        for name in ("", *_BESIDE):
            Path(f"{beside}{name}").unlink(missing_ok=True)


def _copy(source: Path, to: Path, *, put_back: bool = False) -> None:
    """Copy a database as it is in one moment into one file. Raises `ClassboxError` when it is none, or not whole.

    `put_back`: it is a copy that takes the place of what is here, so that another copy is the way out.
    """
    if not source.is_file():
        raise ClassboxError("There is no database at {path}.", remedy="Check the path.", path=source)
    try:
        # Not `mode=ro`: a database whose writer was killed is recovered by whoever opens it next.
        with (
            closing(sqlite3.connect(f"file:{quote(str(source.resolve()))}?mode=rw", uri=True, timeout=30)) as there,
            closing(sqlite3.connect(to)) as copy,
        ):
            there.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, which can be read where nobody may write
            fault = copy.execute("PRAGMA quick_check(1)").fetchall()[0][0]
            tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        if put_back and getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            raise _not_ours(source) from error
        raise ClassboxError(
            "{path} cannot be copied: {reason}.",
            remedy="Check that the disk has room. If this copy is damaged, take an older one; nothing was changed."
            if put_back
            else "Check that the disk has room. A damaged one is replaced by `classgate db restore`.",
            path=source,
            reason=error,
        ) from error
    if fault != "ok":
        raise ClassboxError(
            "{path} is damaged: {reason}.",
            remedy="Take an older copy; nothing was changed."
            if put_back
            else "Put an older copy back with `classgate db restore`.",
            path=source,
            reason=fault,
        )
    if not tables >= {"gateway_identity", "schools"}:
        raise _not_ours(source)


def _not_ours(path: Path) -> ClassboxError:
    return ClassboxError("{path} is not a gateway's database.", remedy="Check the path.", path=path)


def _generation_and_key(config: GatewayConfig, copy: Path) -> int:
    """The generation of a copy. Raises `ClassboxError` unless the key file opens what lies sealed in it."""
    with closing(sqlite3.connect(copy)) as connection:
        columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(gateway_identity)")}
        sealed = connection.execute("SELECT school_id, key_sealed FROM schools LIMIT 1").fetchall()
        # A copy from before there were generations.
        found = connection.execute("SELECT generation FROM gateway_identity") if "generation" in columns else ()
        generation = max((number for (number,) in found), default=0)
    if sealed and not (config.data / KEY_FILE_NAME).exists():
        raise ClassboxError(
            "There is no key file in {folder}, and no other can open the copy.",
            remedy="Put the gateway.key that belongs to the copy there first.",
            folder=config.data,
        )
    for school, key in sealed:
        open_vault(config.data).open(bytes(key), purpose=f"school {school}")
    return generation


def _settle(database: Path) -> None:
    """Bring a database into its one file, so that no leaf of it meets its successor. Raises while it is in use."""
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database, timeout=1)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # SQLite lets only the one who is alone do that
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:  # the rest of the code says why
            raise ClassboxError(
                "A program still uses the database.", remedy="Stop `classgate run` first; nothing was changed."
            ) from error
        # Damaged: that is why it is replaced.


def _set_aside(database: Path) -> Path | None:
    """Give what is there a second name, under which it stays."""
    if not database.exists():
        return None
    names = (database.with_name(f"{database.name}.before-{number}") for number in count(1))
    aside = next(name for name in names if not name.exists())
    os.link(database, aside)  # not a rename: until its successor is there it must not look as if there were none
    for name in _BESIDE:
        with suppress(FileNotFoundError):
            Path(f"{database}{name}").rename(f"{aside}{name}")
    return aside
