"""A PostgreSQL of its own for tests and benchmarks: made in a temporary folder, reached through a socket in it."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_START_S = 60.0
_SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
unix_socket_permissions = 0777
max_connections = 60
log_min_messages = warning
{more}
"""
QUICK = "fsync = off\nfull_page_writes = off\nshared_buffers = 32MB"
"""For tests: what survives the death of the server's processes, and not that of the machine."""


def programs() -> Path | None:
    """The folder of the newest server's programs, None where none is installed. Debian keeps them outside PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(re.sub(r"\D", "", p.parts[-3]) or 0)
    )
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class PostgreSQL:
    """A server process. A context manager; `url` is SQLAlchemy's for one of its databases."""

    def __init__(self, settings: str = QUICK, *, keep: Path | None = None) -> None:
        """Describe a server; entering makes it and starts it. `keep`: the folder in which its data stay (or are)."""
        self._settings = settings
        self._keep = keep
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            user = pwd.getpwnam("postgres")
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._keep is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="classbox-pg-")
        self.folder = Path(self._temporary.name) if self._temporary else self._keep or Path()
        self.folder.mkdir(exist_ok=True)
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        self.folder.chmod(0o755)  # the socket is for everybody here
        self.data = self.folder / "data"
        if not (self.data / "PG_VERSION").exists():
            self._make()
        self.start()
        return self

    def _make(self) -> None:
        self.program(
            "initdb",
            *("-D", self.data, "-U", "classgate", "-A", "trust", "-E", "UTF8"),
            *("--no-sync", "--no-instructions", "--locale=C.UTF-8"),
        )
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS.format(folder=self.folder, more=self._settings))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGINT if self._keep else signal.SIGQUIT)
        if self._temporary is not None:
            self._temporary.cleanup()

    def start(self) -> None:
        """Start the process (again) and wait until it takes connections."""
        there = programs()
        assert there is not None, "PostgreSQL is not installed"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [there / "postgres", "-D", self.data], stdout=log, stderr=log, start_new_session=True, **self._as
            )
        end_s = time.monotonic() + _START_S
        while not self.answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end_s, self.log()
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it takes connections."""
        there = programs()
        assert there is not None
        words = [str(there / "pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    def cpu_s(self) -> float:
        """The processor's time that the processes of its connections have had that are open now."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        spent = 0
        for number in children:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                spent += int(Path(f"/proc/{number}/schedstat").read_text(encoding="ascii").split()[0])
        return spent / 1e9

    def kill(self) -> None:
        """End every process of the server with SIGKILL, as when the machine dies."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for number in (self.process.pid, *map(int, children)):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it at once, without writing anything out (SIGQUIT, "immediate shutdown"), or in order (SIGINT)."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()

    def url(self, database: str = "postgres", *, user: str = "classgate") -> str:
        """The address of a database, as `[store] url` says it."""
        return f"postgresql+asyncpg://{user}@/{database}?host={self.folder}"

    def database(self, template: str = "template1") -> str:
        """The name of a new database, made like another that nobody uses just now."""
        name = f"t{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        """Remove a database, whoever uses it."""
        self.sql(f"DROP DATABASE {database} WITH (FORCE)")

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """What psql prints of a statement: values, separated by `|`."""
        return self.program("psql", "-h", self.folder, "-U", "classgate", "-d", database, "-qAtc", statement).strip()

    def log(self) -> str:
        """What the server has said."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def take_over(self, folder: Path) -> None:
        """Give files that were put in place to the user under whom the server runs."""
        if self._as:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self._as["user"], self._as["group"])

    def program(self, name: str, *words: str | Path) -> str:
        """What one of PostgreSQL's own programs prints."""
        there = programs()
        assert there is not None, "PostgreSQL is not installed"
        program = there / name
        if not program.exists():  # of Debian's psql the wrapper lies on the path
            program = Path(shutil.which(name) or program)
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [program, *words], check=False, capture_output=True, text=True, cwd=self.folder, **self._as
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
