"""What stands at the ends of a line: a school's server with its gateway at the far one, boxes at the near one.

Each is a process of its own (`benchmarks._line_gateway`, `benchmarks._line_box`); the line's end is theirs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks._line import Counted, Line, LineError, Way
from sync.embedded_broker import mosquitto_path

ROOT = Path(__file__).resolve().parents[1]
_LAST_WORDS_S = 1.0
"""After the last receipt: its acknowledgements belong to what it cost."""


class Took(msgspec.Struct, kw_only=True):
    """One lot of sheets: seconds to the last receipt (None: not in time) and what went over the line for them.

    `cpu_seconds` is what the box's process needed, `payload_bytes` the size of its first envelope.
    """

    seconds: float | None
    cpu_seconds: float
    payload_bytes: int
    up: Counted
    down: Counted


class BoxAtTheLine:
    """A new box with an empty outbox at the near end. A context manager."""

    def __init__(self, line: Line, what: str) -> None:
        self._line = line
        self._process = subprocess.Popen(
            line.near.command(sys.executable, "-m", "benchmarks._line_box", what),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def sends(self, sheets: int, *, up: Way, down: Way, seed: int) -> Took:
        """Let the line be like this and so many sheets come."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._line.become(up=up, down=down, seed=seed)
        self._process.stdin.write(f"{sheets}\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        time.sleep(_LAST_WORDS_S)
        went_up, went_down = self._line.counted()
        return Took(up=went_up, down=went_down, **said)

    def close(self) -> None:
        """Say that the box is offline, quickly, and end it."""
        quick = Way(bits_per_s=100_000_000)
        self._line.become(up=quick, down=quick)
        self._process.communicate()


@contextmanager
def school(*, tls: bool = True) -> Iterator[tuple[Line, str]]:
    """A line with a school's server at its far end, and what a box has to know of it. Raises `LineError`."""
    if mosquitto_path() is None:
        raise LineError("There is no mosquitto here.", remedy="Install it: apt install mosquitto.")
    with TemporaryDirectory(prefix="classbox-line-") as folder, Line() as line:
        Path(folder).chmod(0o755)  # mosquitto does not stay root, and must find its files
        words = [folder, line.far.address, *(["--tls"] if tls else [])]
        command = line.far.command(sys.executable, "-m", "benchmarks._line_gateway", *words)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as gateway:
            assert gateway.stdout is not None
            try:
                what = gateway.stdout.readline().strip()
                if not what:
                    raise LineError(
                        "The gateway at the line's far end did not start.", remedy="What it said stands above."
                    )
                yield line, what
            finally:
                gateway.terminate()
