"""One or several gateways on one database: `classgate run` as real processes, each with a data folder of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

_ROOT = Path(__file__).resolve().parents[1]


class Gateways:
    """Processes and their folders. A context manager: it ends what it started."""

    def __init__(self, folder: Path, store_url: str | None, broker: str) -> None:
        """`store_url` names a database that is empty or whose schema is the newest; None is SQLite, for one gateway."""
        self.folder, self._store_url, self._broker = folder, store_url, broker
        self._configs: list[Path] = []
        self._gateways: dict[int, subprocess.Popen[str]] = {}
        self._urls: dict[int, str] = {}
        self._others: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._gateways.values(), *self._others):
            process.kill()
            process.wait()

    def config(self, number: int) -> Path:
        """The configuration of a gateway; all have the same key file."""
        while len(self._configs) <= number:
            home = self.folder / f"gateway-{len(self._configs)}"
            home.mkdir()
            file = home / "gateway.toml"
            store = f'[store]\nurl = "{self._store_url}"\n' if self._store_url is not None else ""
            file.write_text(
                f'data = "data"\n[web]\nlisten = "127.0.0.1:0"\n[broker]\nurl = "{self._broker}"\n'
                f"{store}[stick]\nroots = []\n",
                encoding="utf-8",
            )
            if self._configs:
                (home / "data").mkdir()
                shutil.copy(self._configs[0].parent / "data" / "gateway.key", home / "data")
            self._configs.append(file)
        return self._configs[number]

    def start_gateway(self, number: int) -> None:
        """Start a gateway and wait until its pages answer."""
        words = ["-c", "from gateway.cli import main; main()", "run", "--config", str(self.config(number)), "--verbose"]
        process = self._popen(f"gateway-{number}", words)
        assert process.stdout is not None
        self._gateways[number] = process
        said = process.stdout.readline()
        assert said.startswith("ready"), self.log(f"gateway-{number}")
        self._urls[number] = said.split()[1]

    def url(self, number: int) -> str:
        """Where a gateway's pages are, or were. Raises `KeyError` for one that never started."""
        return self._urls[number]

    def lives(self, number: int) -> bool:
        """Whether a gateway runs, as far as was said to it."""
        return number in self._gateways

    def health(self, number: int) -> dict[str, Any]:
        """What a gateway says of itself."""
        with urllib.request.urlopen(f"{self._urls[number]}health", timeout=10) as answer:
            health: dict[str, Any] = json.load(answer)
            return health

    def signal_gateway(self, number: int, what: signal.Signals) -> None:
        """Kill (SIGKILL), freeze (SIGSTOP), thaw (SIGCONT) or end (SIGTERM) a gateway."""
        process = self._gateways[number]
        process.send_signal(what)
        if what in (signal.SIGKILL, signal.SIGTERM):
            process.wait()
            del self._gateways[number]

    def start(self, name: str, words: Sequence[str], *, stdin: bool = False) -> subprocess.Popen[str]:
        """Start another program of Python beside them."""
        process = self._popen(name, words, stdin=stdin)
        self._others.append(process)
        return process

    def log(self, name: str) -> str:
        """The end of what a process has said on stderr."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def _popen(self, name: str, words: Sequence[str], *, stdin: bool = False) -> subprocess.Popen[str]:
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=_ROOT,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
