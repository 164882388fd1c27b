"""Starts programs of ours in some milliseconds: a process that has imported everything forks for each of them.

A box needs a second of processor to start and a gateway more than that, nearly all of it for imports: of a run that
starts and kills them again and again that would be most. What is forked is the program itself, from its command line
on, with an environment, a folder and files of its own, to its end, which is the interpreter's. What it shares with its
siblings: the seed of Python's hashes, and the limits and the session of the process that forks. That process has no
thread of Python's, opens no network, and keeps no file open; those of OpenBLAS are stopped by OpenBLAS before a fork.
Linux only.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET
_LARGEST = 65_536


class Forked:
    """A program that was started, much as `subprocess.Popen` has it. Its standard input and output are text."""

    def __init__(self, handle: int, stdin: int, stdout: int, status: int) -> None:
        """Use `Zygote.start`. `handle` is a pidfd; on `status` the zygote says how the program ended."""
        self._handle = handle
        self._status = os.fdopen(status, "rb", buffering=0)
        self._ended: int | None = None
        self.stdin = os.fdopen(stdin, "w", buffering=1)
        self.stdout = os.fdopen(stdout)

    @property
    def pid(self) -> int:
        """Its number, as long as it runs."""
        facts = Path(f"/proc/self/fdinfo/{self._handle}").read_text(encoding="ascii")
        return int(dict(line.split(":\t") for line in facts.splitlines())["Pid"])

    def send_signal(self, number: signal.Signals) -> None:
        """Send it, unless the program has ended."""
        if self._ended is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def ends_within(self, timeout_s: float | None) -> bool:
        """Wait for the end; False when it did not come in time."""
        if self._ended is not None:
            return True
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        if self._ended is None and self.ends_within(0):
            self._ended = int(self._status.read(16))
            self._status.close()
            os.close(self._handle)
            with suppress(BrokenPipeError):
                self.stdin.close()
        return self._ended

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end: its exit status. Raises `subprocess.TimeoutExpired` after so many seconds."""
        if not self.ends_within(timeout):
            raise subprocess.TimeoutExpired("a forked program", timeout or 0)
        status = self.poll()
        assert status is not None
        return status

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """Let go of its files, once it has ended."""
        self.wait()
        self.stdout.close()


class Zygote:
    """The process that forks. A context manager; what it started does not end with it."""

    def __init__(self, programs: str = "faults", environment: Mapping[str, str] | None = None) -> None:
        """`programs` is a key of `_SETS`; with an `environment` it has that one alone from its start on."""
        self._programs, self._environment = programs, environment

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks._zygote", self._programs],
                stdin=theirs.fileno(),
                cwd=Path(__file__).resolve().parents[1],
                env=self._environment,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.wait()

    def start(
        self,
        program: str,
        words: Sequence[str | Path],
        *,
        log: Path,
        at: tuple[str, int] | None = None,
        fault: str | None = None,
        namespace: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Forked:
        """Start `program` (of its set) with these words; what it complains of is appended to `log`.

        With an `environment` it has that one alone. It dies at the n-th coming to a point (`at`), has a fault put
        back into its code (`fault`), and runs in a network namespace (the path of an open one). Raises `RuntimeError`
        when it cannot be started.
        """
        order = {
            "program": program,
            "words": [str(word) for word in words],
            "at": at,
            "fault": fault,
            "namespace": namespace,
            "environment": None if environment is None else dict(environment),
            "folder": str(Path.cwd()),
        }
        stdin, stdout, status = os.pipe(), os.pipe(), os.pipe()
        with log.open("ab") as errors:
            theirs = (stdin[0], stdout[1], errors.fileno(), status[1])
            socket.send_fds(self._socket, [json.dumps(order).encode()], theirs)
            for file in (stdin[0], stdout[1], status[1]):
                os.close(file)
            said, handles, _, _ = socket.recv_fds(self._socket, _LARGEST, 1)
        if not handles:
            raise RuntimeError(f"{program} could not be started: {said.decode() or 'the zygote ended'}")
        return Forked(handles[0], stdin[1], stdout[0], status[0])


def enter_network(path: str) -> None:
    """Be in the network namespace that this open file names, from now on; this thread, and what it starts."""
    with Path(path).open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _NETWORK_NAMESPACE) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")


def _faults() -> Mapping[str, Callable[[], Any]]:
    from benchmarks import _light_box  # noqa: PLC0415 - whoever only starts programs needs none of this
    from gateway.cli import main as classgate  # noqa: PLC0415

    # What the gateway imports only when it needs it.
    for name in (
        "benchmarks._killed",
        "benchmarks._real_mutants",
        "gateway.app",
        "gateway.commands.run",
        "sqlalchemy.dialects.sqlite.aiosqlite",
        "asyncpg",
        "alembic.command",
    ):
        importlib.import_module(name)
    return {"box": _light_box.main, "gateway": classgate}


def _classbox() -> Mapping[str, Callable[[], Any]]:
    from edge.cli import main as classbox  # noqa: PLC0415
    from models.runtime import RUNTIMES  # noqa: PLC0415

    for name in ("edge.commands.run", "edge.app", "edge.logs", "edge.camera.folder", "jinja2.ext", "encodings.idna"):
        importlib.import_module(name)
    # Imported only: an interpreter of a network is the program's own.
    for name in RUNTIMES:
        with suppress(ImportError):
            importlib.import_module(name)
            break
    return {"classbox": classbox}


_SETS: Mapping[str, Callable[[], Mapping[str, Callable[[], Any]]]] = {"faults": _faults, "classbox": _classbox}


def main() -> Callable[[], Any] | None:
    """Fork for each order that comes on standard input, which is a socket, until it is closed.

    Returns in each child what is to be done there, with nothing of the zygote's left on the stack: its end is that of
    any program.
    """
    programs = _SETS[sys.argv[1]]()
    gc.freeze()  # what all share is neither looked through nor copied by each; in the end it is thrown away
    atexit.register(gc.unfreeze)
    orders = socket.socket(fileno=os.dup(0))
    children: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(orders, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in children:
                poll.unregister(ready)
                _bury(ready, *children.pop(ready))
                continue
            order, files, _, _ = socket.recv_fds(orders, _LARGEST, 4)
            if not order:
                return None
            child = os.fork()
            if child == 0:
                orders.close()
                return partial(_be, json.loads(order), files[:3], programs)
            handle = os.pidfd_open(child)
            socket.send_fds(orders, [b"started"], [handle])
            for file in files[:3]:
                os.close(file)
            children[handle] = (child, files[3])
            poll.register(handle, select.POLLIN)


def _bury(handle: int, child: int, told: int) -> None:
    """Say how a child ended, to whoever started it."""
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
    os.close(told)
    os.close(handle)


def _be(order: Mapping[str, Any], files: Sequence[int], programs: Mapping[str, Callable[[], Any]]) -> None:
    """In the child: be that program."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - three files that are open as long as the program
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    random.seed()  # not as the child before
    os.chdir(order["folder"])
    if order["environment"] is not None:
        os.environ.clear()
        os.environ.update(order["environment"])
    sys.argv = [order["program"], *order["words"]]
    sys.modules["__main__"].__package__ = None  # else it would call itself `python -m benchmarks. …`
    with ExitStack() as stack:
        if order["namespace"] is not None:
            enter_network(order["namespace"])
        if order["at"] is not None or order["fault"] is not None:
            from benchmarks._killed import POINTS, arm  # noqa: PLC0415 - imported long ago
            from benchmarks._real_mutants import REAL_MUTANTS  # noqa: PLC0415

            if order["at"] is not None:
                arm(POINTS[order["at"][0]], order["at"][1])
            if order["fault"] is not None:
                stack.enter_context(REAL_MUTANTS[order["fault"]].mutant.applied())
        programs[order["program"]]()


if __name__ == "__main__":
    become = main()
    if become is not None:
        become()
