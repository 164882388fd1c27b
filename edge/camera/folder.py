"""A folder that a scanner or a phone drops files into."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from edge.camera.camera import CameraError
from edge.frames import Capture
from edge.picture_files import captures_in, files_of
from homework.errors import BadFileError

log = logging.getLogger(__name__)
_Stamp = tuple[int, int]
"""Size in bytes and time of change in ns."""


class WatchedFolder:
    """A `CaptureSource`: the pages of every file in `folder` and below, and of each that comes later.

    A file is taken when it has not changed between two looks, `poll_s` apart: it is complete then. After a restart
    all are handed over again; whoever keeps pages knows by their digest which it has.
    """

    def __init__(self, folder: Path, *, poll_s: float = 0.5) -> None:
        if not folder.is_dir():
            raise CameraError(
                "There is no folder {name}.", remedy="Make it, or name the scanner's folder.", name=folder
            )
        self._folder = folder
        self._poll_s = poll_s
        self._closed = threading.Event()
        self._seen: dict[Path, _Stamp] = {}
        self._done: dict[Path, _Stamp] = {}

    def captures(self) -> Iterator[Capture]:
        while not self._closed.is_set():
            for path in self._complete():
                try:
                    for capture in captures_in(path):
                        if self._closed.is_set():
                            return
                        yield capture
                except BadFileError as error:
                    # One bad file never costs the sheets around it.
                    log.warning("%s", error)
                self._done[path] = self._seen[path]
            self._closed.wait(self._poll_s)

    def close(self) -> None:
        self._closed.set()

    def _complete(self) -> list[Path]:
        complete = []
        for path in files_of(self._folder):
            try:
                status = path.stat()
            except OSError:
                continue  # gone again
            stamp = (status.st_size, status.st_mtime_ns)
            if self._done.get(path) == stamp:
                continue
            if self._seen.get(path) == stamp:
                complete.append(path)
            self._seen[path] = stamp
        return complete
