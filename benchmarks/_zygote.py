"""Starts programs of ours in some milliseconds: a process that has imported everything forks for each of them.

A box needs half a second of processor to start and a gateway more than one, nearly all of it for imports: of a run
that kills them again and again that would be most. What is forked is the program itself, from its command line on.
Linux only.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET
_LARGEST = 65_536


class Forked:
    """A program that was started. Its standard input and output are text, by lines."""

    def __init__(self, handle: int, stdin: int, stdout: int) -> None:
        """Use `Zygote.start`. `handle` is a pidfd."""
        self._handle = handle
        self.stdin = os.fdopen(stdin, "w", buffering=1)
        self.stdout = os.fdopen(stdout)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it, unless the program has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False when it did not come in time."""
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """Let go of its files, once it has ended."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        self.stdout.close()
        os.close(self._handle)


class Zygote:
    """The process that forks. A context manager; what it started does not end with it."""

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks._zygote"],
                stdin=theirs.fileno(),
                cwd=Path(__file__).resolve().parents[1],
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
    ) -> Forked:
        """Start `program` (a key of `_programs`) with these words; what it complains of is appended to `log`.

        It dies at the n-th coming to a point (`at`), has a fault put back into its code (`fault`), and runs in a
        network namespace (the path of an open one). Raises `RuntimeError` when it cannot be started.
        """
        order = {
            "program": program,
            "words": [str(word) for word in words],
            "at": at,
            "fault": fault,
            "namespace": namespace,
        }
        stdin, stdout = os.pipe(), os.pipe()
        with log.open("ab") as errors:
            socket.send_fds(self._socket, [json.dumps(order).encode()], [stdin[0], stdout[1], errors.fileno()])
            os.close(stdin[0])
            os.close(stdout[1])
            said, handles, _, _ = socket.recv_fds(self._socket, _LARGEST, 1)
        if not handles:
            raise RuntimeError(f"{program} could not be started: {said.decode() or 'the zygote ended'}")
        return Forked(handles[0], stdin[1], stdout[0])


def enter_network(path: str) -> None:
    """Be in the network namespace that this open file names, from now on; this thread, and what it starts."""
    with Path(path).open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _NETWORK_NAMESPACE) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")


def _programs() -> Mapping[str, Callable[[], Any]]:
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
        __import__(name)
    return {"box": _light_box.main, "gateway": classgate}


def main() -> None:
    """Fork for each order that comes on standard input, which is a socket, until it is closed."""
    programs = _programs()
    orders = socket.socket(fileno=os.dup(0))
    while True:
        order, files, _, _ = socket.recv_fds(orders, _LARGEST, 3)
        if not order:
            return
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        child = os.fork()
        if child == 0:
            orders.close()
            _be(json.loads(order), files, programs)
        handle = os.pidfd_open(child)
        socket.send_fds(orders, [b"started"], [handle])
        for file in (handle, *files):
            os.close(file)


def _be(order: Mapping[str, Any], files: Sequence[int], programs: Mapping[str, Callable[[], Any]]) -> None:
    """In the child: be that program, and end with it."""
    from benchmarks._killed import POINTS, arm  # noqa: PLC0415 - imported long ago
    from benchmarks._real_mutants import REAL_MUTANTS  # noqa: PLC0415

    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    status = 1
    try:
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, buffering=1) for n, mode in enumerate("rww"))
        random.seed()  # not as the child before
        if order["namespace"] is not None:
            enter_network(order["namespace"])
        if order["at"] is not None:
            arm(POINTS[order["at"][0]], order["at"][1])
        sys.argv = [order["program"], *order["words"]]
        with ExitStack() as stack:
            if order["fault"] is not None:
                stack.enter_context(REAL_MUTANTS[order["fault"]].mutant.applied())
            programs[order["program"]]()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - there is nobody else to say it to
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
