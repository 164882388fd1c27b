"""A box as its users have it, `classbox run` in a process of its own; benchmarks and tests slide sheets under it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

from edge.commands.load import command as load_worksheets

CLASSBOX = str(Path(sys.executable).parent / "classbox")
ENVIRONMENT = {"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


class Program(Protocol):
    """A program that was started, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its number, as long as it runs."""

    @property
    def stdout(self) -> IO[str] | None:
        """What it prints."""

    def send_signal(self, number: signal.Signals, /) -> None:
        """Send it, unless the program has ended."""

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises `subprocess.TimeoutExpired`."""


class Start(Protocol):
    """How `classbox` is started."""

    def __call__(self, words: Sequence[str], *, errors: Path, environment: Mapping[str, str]) -> Program:
        """Start it with these words; what it complains of is appended to `errors`."""


def start_fresh(words: Sequence[str], *, errors: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `classbox` as its users do."""
    with errors.open("a") as complaints:
        return subprocess.Popen(
            [CLASSBOX, *words], stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment
        )


def run_classbox(*words: str | Path) -> str:
    """Run a `classbox` command to its end and return what it printed. Raises when it fails."""
    done = subprocess.run([CLASSBOX, *map(str, words)], check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return done.stdout


class RunningBox:
    """A box that watches `scans`. `made` is what `benchmarks._scans` wrote: sheets, class list and scans."""

    def __init__(
        self,
        folder: Path,
        made: Path,
        *,
        load: bool = True,
        more: str = "",
        host: str = "127.0.0.1",
        web: str = "",
        path: str = ENVIRONMENT["PATH"],
        starting: Start = start_fresh,
    ) -> None:
        """`more` is added to its box.toml, `web` to its table of that name; without `load` it knows no class.

        `path` is its PATH.
        """
        self._starting = starting
        folder.mkdir(parents=True, exist_ok=True)
        self.made, self.scans, self.data = made, folder / "scans", folder / "data"
        self.scans.mkdir(exist_ok=True)
        self.config = folder / "box.toml"
        self._more, self._listen, self._web = more, f"{host}:0", web
        self._environment = {**ENVIRONMENT, "PATH": path}
        self._errors = folder / "errors.txt"
        if load:
            # The command itself, without a process of its own, which would take longer to start than to load.
            words = [str(made / "sheets"), "--roster", str(made / "roster.csv"), "--data", str(self.data)]
            with redirect_stdout(StringIO()):
                load_worksheets.main(words, standalone_mode=False)
        self.start()

    def start(self) -> None:
        """Start it, on the address that it had before."""
        self.config.write_text(
            f'data = "{self.data}"\n[web]\nlisten = "{self._listen}"\n{self._web}\n'
            f'[camera]\nsource = "folder:{self.scans}"\n{self._more}',
            encoding="utf-8",
        )
        begun_s = time.monotonic()
        self.process = self._starting(
            ["run", "--config", str(self.config)], errors=self._errors, environment=self._environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            self.process.wait(timeout=30)
            raise AssertionError(f"the box did not start: {self.errors()}")
        self.ready_after_s = time.monotonic() - begun_s
        self.url = line.split()[1]
        self._listen = urlsplit(self.url).netloc

    def errors(self) -> str:
        """What it wrote to standard error, of all its starts."""
        return self._errors.read_text(encoding="utf-8")

    def slide(self, *numbers: int) -> None:
        """Lay the n-th scans under its camera."""
        for number in numbers:
            self.slide_file(self.made / "scans" / f"{number:02}.jpg")

    def slide_file(self, path: Path) -> None:
        """Lay any picture under its camera; it appears there whole."""
        beside = self.scans.parent / f"coming-{path.name}"
        shutil.copy(path, beside)
        beside.replace(self.scans / path.name)

    def kill(self) -> None:
        """Pull the plug."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self) -> None:
        """End it as its users would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
