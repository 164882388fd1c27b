"""Boxes for tests, forked from a process that has imported all of `classbox`: a start costs a third of a fresh one.

What is tested of a start itself (`tests/edge/test_supervised.py`, `test_backup.py`, the first test of `test_app.py`)
starts the command that users start.
"""

import atexit
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from benchmarks._box import ENVIRONMENT
from benchmarks._zygote import Forked, Zygote


def start_forked(words: Sequence[str], *, errors: Path, environment: Mapping[str, str]) -> Forked:
    """Start `classbox` with these words; what it complains of is appended to `errors`."""
    return _zygote().start("classbox", words, log=errors, environment=environment)


@cache
def _zygote() -> Zygote:
    zygote = Zygote("classbox", ENVIRONMENT).__enter__()
    atexit.register(zygote.__exit__)
    return zygote
