"""Work of a benchmark that is shared out among processes, each of which says a line of JSON when it is done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]


def said_by(module: str, arguments: Sequence[Sequence[str]], *, failed: str) -> list[dict[str, Any]]:
    """What `python -m module` says, started at once with each of these arguments.

    None outlives this. Raises `SystemExit` with `failed` when one ends badly.
    """
    running: list[subprocess.Popen[str]] = []
    try:
        for some in arguments:
            words = [sys.executable, "-m", module, *some]
            running.append(subprocess.Popen(words, cwd=_ROOT, stdout=subprocess.PIPE, text=True))
        said = [process.communicate()[0] for process in running]
    finally:
        for process in running:
            process.kill()
    if any(process.returncode for process in running):
        raise SystemExit(failed)
    return [json.loads(text) for text in said]
