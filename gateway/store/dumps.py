"""A copy of the gateway's PostgreSQL database and the database put back from one, by PostgreSQL's own programs.

`pg_dump` reads in one snapshot while gateways run. A dump is played in by `psql` in one transaction that first drops
what is there: until its last line has come nothing has changed. That the database was put back shows by itself, because
its tables are others now (`gateway.store.generation`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from sqlalchemy import URL, make_url

from gateway.config import GatewayConfig
from gateway.keys import KEY_FILE_NAME, open_vault
from gateway.store.backup import refuse_to_overwrite, written_beside
from homework.errors import ClassboxError

_EMPTY: Final = """
SET lock_timeout = '10s';
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace
      AND relkind IN ('r', 'p') AND NOT relispartition AND pg_get_userbyid(relowner) = current_user LOOP
    EXECUTE 'DROP TABLE ' || one.name || ' CASCADE';
  END LOOP;
END $$;
"""
"""Drops also the tables of a newer program, of which the dump knows nothing."""
_AT_WORK: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'classgate'"
)
_NO_PROGRAM: Final = (
    "Install PostgreSQL's own programs, of the server's version or newer: apt install postgresql-client."
)


def is_server(url: str) -> bool:
    """Whether a `[store] url` names a PostgreSQL server."""
    return make_url(url).get_backend_name() == "postgresql"


def dump(config: GatewayConfig, to: Path) -> None:
    """Copy the database into the new file `to` (0600, pg_dump's own format), whole or not at all. Gateways may run.

    Raises `UsageError` when there is such a file already, `ClassboxError` when the copy cannot be made.
    """
    refuse_to_overwrite(to)
    server = make_url(config.store_url)
    with written_beside(to) as beside:
        # A term is gigabytes, and most of it is packed already: more effort would cost hours and save little.
        words = ("pg_dump", "--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--file", str(beside))
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(  # noqa: S603
                _found(*words), env=_environment(server), stderr=said, check=False
            )
            if done.returncode != 0:
                raise _failed("The database cannot be copied: {reason}.", said)


def play_in(config: GatewayConfig, source: Path) -> None:
    """Put the database back from a file of `dump`. Nothing changes unless all of it goes in and the key file fits.

    Raises `ClassboxError` when it does not, or while a gateway uses the database.
    """
    if not source.is_file():
        raise ClassboxError("There is no copy at {path}.", remedy="Check the path.", path=source)
    server = make_url(config.store_url)
    with tempfile.TemporaryFile() as said:
        at_work = subprocess.run(  # noqa: S603
            _found("psql", "-XAtqc", _AT_WORK),
            env=_environment(server),
            stdout=subprocess.PIPE,
            stderr=said,
            check=False,
        )
        if at_work.returncode != 0:
            raise _failed("The database cannot be used: {reason}.", said)
    if int(at_work.stdout):
        raise ClassboxError(
            "A program still uses the database.", remedy="Stop every `classgate run` first; nothing was changed."
        )
    _look_whether_the_key_fits(config, source)
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as said_of_the_file:
        psql = subprocess.Popen(  # noqa: S603
            _found("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", "-"),
            env=_environment(server),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        assert psql.stdin is not None
        whole = _tell(source, psql.stdin, said_of_the_file)
        if psql.wait() != 0:
            raise _failed("The copy cannot be played in: {reason}. Nothing was changed.", said)
        if not whole:
            raise _damaged(source, said_of_the_file)


def _tell(source: Path, to: IO[bytes], said: IO[bytes]) -> bool:
    """Say the whole copy, and COMMIT only where it is whole. Returns whether it is."""
    words = ("pg_restore", "--clean", "--if-exists", "--no-owner", "--no-privileges", "--file=-", str(source))
    with subprocess.Popen(_found(*words), stdout=subprocess.PIPE, stderr=said) as statements:  # noqa: S603
        assert statements.stdout is not None
        try:
            to.write(b"BEGIN;" + _EMPTY.encode())
            shutil.copyfileobj(statements.stdout, to)
            whole = statements.wait() == 0
            if whole:
                to.write(b"COMMIT;\n")
            to.close()  # without it psql goes, and the server takes everything back
        except BrokenPipeError:  # psql has ended, and has said why
            statements.kill()
            return False
        return whole


def _look_whether_the_key_fits(config: GatewayConfig, source: Path) -> None:
    """Raises `ClassboxError` unless the copy is a gateway's and the key file opens what lies sealed in it."""
    schools = _rows(source, "schools", ("school_id", "key_sealed"))
    if schools and not (config.data / KEY_FILE_NAME).exists():
        raise ClassboxError(
            "There is no key file in {folder}, and no other can open the copy.",
            remedy="Put the gateway.key that belongs to the copy there first.",
            folder=config.data,
        )
    for school, sealed in schools:
        open_vault(config.data).open(bytes.fromhex(sealed.removeprefix("\\\\x")), purpose=f"school {school}")


def _rows(source: Path, table: str, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The values of some columns of a table in a copy, as COPY writes them; names there hold nothing to be escaped."""
    words = ("pg_restore", "--data-only", "--table", table, "--file=-", str(source))
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(_found(*words), stdout=subprocess.PIPE, stderr=said, check=False)  # noqa: S603
        if done.returncode != 0:
            raise _damaged(source, said)
    return list(_copied(iter(done.stdout.decode().splitlines()), source, columns))


def _copied(lines: Iterator[str], source: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    head = next((line for line in lines if line.startswith("COPY ")), None)
    if head is None:
        raise ClassboxError("{path} is not a gateway's database.", remedy="Check the path.", path=source)
    names = head.partition("(")[2].partition(")")[0].split(", ")
    places = [names.index(column) for column in columns]
    for line in lines:
        if line == "\\.":
            return
        values = line.split("\t")
        yield tuple(values[place] for place in places)


def _environment(server: URL) -> Mapping[str, str]:
    """What PostgreSQL's programs take from the environment, so that no password stands in a list of processes."""
    query = server.query
    said = {
        "PGHOST": server.host or query.get("host"),
        "PGPORT": server.port or query.get("port"),
        "PGUSER": server.username or query.get("user"),
        "PGPASSWORD": server.password or query.get("password"),
        "PGDATABASE": server.database or query.get("database"),
        "PGSSLMODE": query.get("ssl") or query.get("sslmode"),
        "PGCONNECT_TIMEOUT": 10,
    }
    return {**os.environ, **{name: str(value) for name, value in said.items() if value is not None}}


def _found(program: str, *words: str) -> list[str]:
    path = shutil.which(program)
    if path is None:
        raise ClassboxError("There is no {program} on this machine.", remedy=_NO_PROGRAM, program=program)
    return [path, *words]


def _damaged(source: Path, said: IO[bytes]) -> ClassboxError:
    return _failed(
        "{path} is damaged, or not a copy made by `classgate db backup`: {reason}. Nothing was changed.",
        said,
        remedy="Put an older copy back.",
        path=source,
    )


def _failed(message: str, said: IO[bytes], *, remedy: str | None = None, **of_it: object) -> ClassboxError:
    said.seek(0)
    lines = said.read(4000).decode(errors="replace").strip().splitlines() or ["the program said nothing"]
    reason = lines[0].partition("error: ")[2] or lines[0]
    if remedy is None:
        other = "version mismatch" in " ".join(lines)
        remedy = (
            _NO_PROGRAM if other else "Check [store] url, that its user owns the database, and that disks have room."
        )
    return ClassboxError(message, remedy=remedy, reason=reason.rstrip("."), **of_it)
