"""Processes of a benchmark that are spoken with in lines, and what they had of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class Program:
    """A process that is spoken with in lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def say(self, line: str) -> None:
        """A line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def hear(self) -> str:
        """Its next line. Raises `SystemExit` when it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit("a process of the benchmark ended early; its log lies in the folder")
        return line


def cpu_s(pid: int) -> float:
    """The processor's time that a program has had, all its threads."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def waited_s(pid: int) -> float:
    """How long the program's main thread could have run, and others had the processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


_GIVE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def given_listener(number: int, words: Sequence[str]) -> list[str]:
    """The command that runs another and gives it a file that listens, as systemd does (sd_listen_fds(3)).

    Let the file of that `number` through (`pass_fds`).
    """
    return [sys.executable, "-c", _GIVE, str(number), *words]
