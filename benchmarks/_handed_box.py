"""`classbox run` under a camera whose frames at rest are handed in: a line on standard input names a picture.

Each picture is decoded first and then handed over, as a camera hands over the frame in which its trigger saw a sheet
at rest. When that was, on the wall clock in milliseconds, goes to the file that the command line names, a line each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import edge.app
from edge.cli import main as classbox
from edge.frames import Capture


class HandedFrames:
    """A `CaptureSource`."""

    def __init__(self, times: Path, on_alive: Callable[[], None] | None) -> None:
        self._times = times
        if on_alive is not None:
            on_alive()

    def captures(self) -> Iterator[Capture]:
        """The pictures, one at a time."""
        with self._times.open("a", encoding="utf-8") as times:
            for line in sys.stdin:
                image = cv2.imread(line.strip())
                if image is None:
                    raise FileNotFoundError(line)
                print(time.time_ns() / 1e6, file=times, flush=True)
                yield Capture(image=np.asarray(image, np.uint8), source="camera")

    def close(self) -> None:
        """Nothing to let go: the pipe ends with the process that holds it."""


def main() -> None:
    """`python -m benchmarks._handed_box TIMES BOX.TOML`."""
    times, config = sys.argv[1:]

    def opened(_spec: str, on_alive: Callable[[], None] | None = None, **_more: Any) -> HandedFrames:
        return HandedFrames(Path(times), on_alive)

    vars(edge.app)["open_source"] = opened
    classbox(["run", "--config", config])


if __name__ == "__main__":
    main()
