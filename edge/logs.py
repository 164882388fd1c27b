"""What the box writes down: one JSON object a line in its data folder, bounded; a line for people on stderr.

No pupil's name belongs in it: `ui.logs` strikes them out.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from collections import deque
from pathlib import Path

from edge.config import LogConfig
from ui.logs import ForPeople, Lines, Names

FOLDER, FILE_NAME = "logs", "box.jsonl"
_KEPT_LINES = 200


class _Rotating(logging.handlers.RotatingFileHandler):
    """A full or read-only disk costs the line, and nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        pass


class _Newest(logging.Handler):
    def __init__(self, names: Names) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.setFormatter(ForPeople(names))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Logs:
    """What was set up; `names` learns who must not be named, `newest` are the last lines for the technician's page."""

    def __init__(self) -> None:
        self.names = Names()
        self._newest = _Newest(self.names)
        self._handlers: list[logging.Handler] = []

    def close(self) -> None:
        """Write no more: what is logged from now on goes nowhere."""
        self.names.learn(tuple)
        for handler in self._handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
        self._handlers.clear()

    def _add(self, handler: logging.Handler) -> None:
        logging.getLogger().addHandler(handler)
        self._handlers.append(handler)

    def newest(self) -> tuple[str, ...]:
        """The last lines, the newest at the end."""
        return tuple(self._newest.lines)

    def to_stderr(self, config: LogConfig) -> None:
        """Write to stderr from now on, and remember the last lines."""
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(ForPeople(self.names))
        logging.getLogger().setLevel(config.level.upper())
        for handler in (console, self._newest):
            self._add(handler)

    def to_folder(self, config: LogConfig, data: Path) -> None:
        """Write to the data folder, too. A disk that takes nothing is told once, and stops nothing."""
        folder = data / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            written = _Rotating(
                folder / FILE_NAME,
                maxBytes=config.max_kb * 1024,
                backupCount=config.files - 1,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            logging.getLogger(__name__).warning("the log cannot be kept in %s: %s", folder, error)
            return
        written.setFormatter(Lines(self.names))
        self._add(written)
