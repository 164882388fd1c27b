"""A folder that a scanner or a phone drops files into."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.camera.camera import CameraError
from edge.frames import Capture, Image
from edge.picture_files import captures_in, files_of
from homework.errors import BadFileError

log = logging.getLogger(__name__)

_PATIENCE_S = 10.0
"""So long a file that has not come to its end is waited for after it has stopped growing."""
_ENDS = ((b"\xff\xd8\xff", b"\xff\xd9"), (b"\x89PNG", b"IEND"), (b"%PDF", b"%%EOF"))
"""How files begin, and what stands near their end when they are whole."""
_TAIL = 2048


@dataclass(frozen=True)
class _Stamp:
    """Which file this is, whatever its name, and in which state."""

    device: int
    node: int
    size: int
    changed_ns: int

    @staticmethod
    def of(path: Path) -> _Stamp | None:
        """None when it is gone."""
        try:
            status = path.stat()
        except OSError:
            return None
        return _Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class WatchedFolder:
    """A `CaptureSource`: the pages of every file in `folder` and below, and of each that comes later.

    A file is taken when it has not changed between two looks, `poll_s` apart, and ends as a file of its kind does; one
    without an end is taken all the same when it has not changed for `patience_s`. One that changes while it is read is
    read again; one that gets another name is not. After a restart all are handed over again; whoever keeps pages
    knows by their digest which it has. A folder that goes away, a stick pulled out, raises `CameraError`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        poll_s: float = 0.5,
        patience_s: float = _PATIENCE_S,
        on_look: Callable[[Image | None], None] = lambda _image: None,
    ) -> None:
        self._folder = folder
        self._poll_s = poll_s
        self._looks = max(2, round(patience_s / poll_s))
        self._on_look = on_look
        self._closed = threading.Event()
        self._seen: dict[Path, tuple[_Stamp, int]] = {}
        """Of each file its state, and how many looks found it in that state."""
        self._done: set[_Stamp] = set()
        self._check()

    def captures(self) -> Iterator[Capture]:
        while not self._closed.is_set():
            self._on_look(None)
            self._check()
            for path, stamp in self._complete():
                yield from self._pages(path, stamp)
                if self._closed.is_set():
                    return
            self._closed.wait(self._poll_s)

    def close(self) -> None:
        self._closed.set()

    def _pages(self, path: Path, stamp: _Stamp) -> Iterator[Capture]:
        try:
            for count, capture in enumerate(captures_in(path)):
                if self._closed.is_set():
                    return
                # The first page is there when the file has been read: what it was read from must be what it is.
                if count == 0 and _Stamp.of(path) != stamp:
                    return
                yield capture
                self._on_look(None)
        except BadFileError as error:
            if _Stamp.of(path) != stamp:
                return
            # One bad file never costs the sheets around it.
            log.warning("%s", error)
        self._done.add(stamp)

    def _complete(self) -> list[tuple[Path, _Stamp]]:
        complete = []
        seen: dict[Path, tuple[_Stamp, int]] = {}
        for path in files_of(self._folder):
            stamp = _Stamp.of(path)
            if stamp is None or stamp in self._done:
                continue
            before, looks = self._seen.get(path, (None, 0))
            looks = looks + 1 if before == stamp else 1
            seen[path] = (stamp, looks)
            if looks >= self._looks or (looks > 1 and _has_its_end(path)):
                complete.append((path, stamp))
        self._seen = seen
        return complete

    def _check(self) -> None:
        if not self._folder.is_dir():
            raise CameraError(
                "There is no folder {name}.", remedy="Make it, or name the scanner's folder.", name=self._folder
            )
        if not os.access(self._folder, os.R_OK | os.X_OK):
            raise CameraError(
                "The folder {name} may not be read.",
                remedy="Give the box the right to read it.",
                name=self._folder,
            )


def _has_its_end(path: Path) -> bool:
    """Whether a file of a kind whose end is known has it; True for other kinds. A scanner may pause while it writes."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(max(0, path.stat().st_size - _TAIL))
            tail = file.read(_TAIL)
    except OSError:
        return True  # reading it will say what is wrong
    return next((end in tail for begin, end in _ENDS if head.startswith(begin)), True)
