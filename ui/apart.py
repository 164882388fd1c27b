"""Runs a function in a process of its own that ends with it, one at a time: for what keeps memory once it was used.

Typesetting does (docs/first-morning.md has the figures), and a program runs for a term. `python -m ui.apart` is that
process: the call on its standard input, what came of it on its standard output.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from homework.errors import ClassboxError

T = TypeVar("T")
_TIMEOUT_S = 120
_ONE_AT_A_TIME = threading.Lock()


def apart(function: Callable[..., T], *values: object, **named: object) -> T:
    """What a function of a module returns or raises. Blocks for as long as it takes, a second at least.

    Raises `ClassboxError` also where the process itself fails or takes longer than two minutes.
    """
    with _ONE_AT_A_TIME:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "ui.apart"],
                input=pickle.dumps((function, values, named)),
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(type(error).__name__) from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise _failed(" ".join(last) or f"exit {done.returncode}")
    found: Any = pickle.loads(done.stdout)  # noqa: S301 - written by the process that was started here
    if isinstance(found, ClassboxError):
        raise found
    result: T = found
    return result


def _failed(reason: str) -> ClassboxError:
    return ClassboxError(
        "The pages could not be set: {reason}.", remedy="Try again; if it goes on, tell the technician.", reason=reason
    )


def _serve() -> None:
    """One call, then the end."""
    os.nice(10)  # sheets under the camera, and other pages, come first
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no part of the answer
    function, values, named = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own call
    try:
        found = function(*values, **named)
    except ClassboxError as error:
        found = error
    with answer:
        answer.write(pickle.dumps(found))


if __name__ == "__main__":
    _serve()
