"""One process runs a box: a lock that any death frees, and who holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from homework.errors import ClassboxError, UsageError

LOCK_NAME = ".box.lock"


class AlreadyRunningError(ClassboxError):
    """Another process runs this box."""


@contextmanager
def only_instance(data: Path) -> Iterator[Callable[[str], None]]:
    """Hold the box's lock: two processes on one ledger would each grade what the other has. Freed by any death.

    Yields what writes the box's address beside it, for `classbox address`. Raises `AlreadyRunningError`.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        handle = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ClassboxError(
            "{path} cannot be written: {reason}.",
            remedy="Make room on the disk, or check who may write there.",
            path=data,
            reason=error.strerror,
        ) from error
    with os.fdopen(handle, "r+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                "A box is running on {path} already.",
                remedy="Stop it first, or choose another folder with --data.",
                path=data,
            ) from error

        def say(address: str) -> None:
            lock.seek(0)
            lock.truncate()
            lock.write(f"{os.getpid()}\n{address}\n")
            lock.flush()

        say("")
        yield say


def running_port(data: Path) -> int:
    """The port of the box that runs on this folder. Raises `UsageError` when none does."""
    try:
        pid, address, *_ = (data / LOCK_NAME).read_text(encoding="utf-8").split("\n")
        os.kill(int(pid), 0)
        port = urlsplit(address).port
        if port is not None:
            return port
    except (OSError, ValueError):
        pass  # it does not run, or has not said it yet
    raise UsageError(
        "The box chooses its port when it starts.", remedy="Start it first, or name a port under [web] listen."
    )
