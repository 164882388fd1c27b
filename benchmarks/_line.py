"""A thin, slow and lossy line between two ends on this machine, for benchmarks and tests.

Each end is a network namespace in which programs run as they are; between the two a process of ours copies IP packets
with a rate, a delay and losses (`benchmarks._forwarder`). Nothing of it is seen outside, and nothing outlives the
process that made it. Linux only, as root; a kernel with `tun`, which most have, and no netem.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from benchmarks._forwarder import FAR, NEAR, Counted, Way
from homework.errors import ClassboxError

__all__ = ["Counted", "Line", "LineError", "Way"]
_TOOLS = {"ip": "iproute2", "nsenter": "util-linux"}


class LineError(ClassboxError):
    """A machine that allows no line."""


class End:
    """One end of a line: `address` is its own, `namespace` is open under that path, `command` runs a program there."""

    def __init__(self, address: str, namespace: str) -> None:
        self.address, self.namespace = address, namespace

    def command(self, *words: str | Path) -> list[str]:
        """What to start, so that `words` run at this end. The process has their id; the line's end is its own."""
        return ["nsenter", f"--net={self.namespace}", *map(str, words)]


class Line:
    """A line while the block runs, first quick and whole: see `become`. `near` is the box's end, `far` the school's."""

    def __enter__(self) -> Self:
        """Raises `LineError`, which says what is missing."""
        for tool, package in _TOOLS.items():
            if shutil.which(tool) is None:
                raise LineError("There is no `{tool}` here.", remedy="Install {package}.", tool=tool, package=package)
        if not Path("/dev/net/tun").exists():
            raise LineError("This kernel has no /dev/net/tun.", remedy="Load it: modprobe tun.")
        # Not in our process group: Ctrl-C ends what runs at the ends first, and then, with us, the line.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._forwarder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
            start_new_session=True,
        )
        try:
            said = self._hear()
        except BaseException:
            self._end()
            raise
        if "error" in said:
            self._end()
            raise LineError(
                "This machine allows no line: {reason}.",
                remedy="Run it as root on Linux; in a container with the capabilities NET_ADMIN and SYS_ADMIN.",
                reason=said["error"],
            )
        files = f"/proc/{self._process.pid}/fd"
        self.near, self.far = End(NEAR, f"{files}/{said['near']}"), End(FAR, f"{files}/{said['far']}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def become(self, *, up: Way, down: Way, seed: int = 0) -> None:
        """Be like this from now on. `up` goes from near to far; equal seeds lose equal packets, counted one by one."""
        self._ask({"up": msgspec.to_builtins(up), "down": msgspec.to_builtins(down), "seed": seed})

    def counted(self) -> tuple[Counted, Counted]:
        """What went up and what went down since the last `become`."""
        said = self._ask({})
        return msgspec.convert(said["up"], Counted), msgspec.convert(said["down"], Counted)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise LineError("The process that carries the line ended.", remedy="What it said stands above.")
        heard: dict[str, Any] = json.loads(said)
        return heard

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
