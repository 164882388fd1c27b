"""Pages from a camera for ever: one that fails is told, and opened again until it is well."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from edge.camera.camera import CaptureSource
from edge.frames import Capture
from homework.errors import ClassboxError

log = logging.getLogger(__name__)
_PAUSE_S = 3.0


class KeptSource:
    """Hands every page of a source to `put` until that says False, the source has come to its end, or `stop`.

    `open_source(on_alive)` opens it; `on_trouble` hears what is wrong and, with None, that it is well again: with its
    first good picture, not when it opens, for a camera that sees only black opens too. `on_turn` is a sign of life
    before every try.
    """

    def __init__(
        self,
        open_source: Callable[[Callable[[], None]], CaptureSource],
        *,
        put: Callable[[Capture], bool],
        on_trouble: Callable[[ClassboxError | None], None],
        pause_s: float = _PAUSE_S,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._open = open_source
        self._put = put
        self._on_trouble = on_trouble
        self._pause_s = pause_s
        self._on_turn = on_turn
        self._stopping = threading.Event()
        self._source: CaptureSource | None = None

    def run(self) -> None:
        """Take pages; returns when there are no more."""
        while not self._stopping.is_set():
            try:
                self._on_turn()
                self._source = self._open(lambda: self._on_trouble(None))
                for capture in self._source.captures():
                    if not self._put(capture):
                        return
            except ClassboxError as error:
                self._tell(error)
            except Exception:
                log.exception("the camera failed")
                self._tell(
                    ClassboxError("The camera has stopped.", remedy="Check its cable; it is tried again by itself.")
                )
            else:
                return  # a folder, a video
            finally:
                self._let_go()
            self._stopping.wait(self._pause_s)

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._stopping.set()
        self._let_go()

    def _tell(self, error: ClassboxError) -> None:
        # A camera that is being closed gives no picture: that is nobody's trouble.
        if not self._stopping.is_set():
            self._on_trouble(error)

    def _let_go(self) -> None:
        source = self._source
        if source is not None:
            with suppress(Exception):
                source.close()
