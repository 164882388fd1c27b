"""What the box writes down: one JSON object a line in its data folder, bounded; a line for people on stderr.

No pupil's name belongs in a log. No line of ours names one; but a file that a person dropped may be called after a
pupil, and an error may quote it. So names of the class lists are struck out of every line before it is written.
"""

from __future__ import annotations

import logging
import logging.handlers
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from edge.config import LogConfig

FOLDER, FILE_NAME = "logs", "box.jsonl"
_STRUCK = "▢"
_KEPT_LINES = 200
_LONGEST = 4000


class Names:
    """The names that must not be written. Until somebody says which, none are known."""

    def __init__(self) -> None:
        self._ask: Callable[[], Iterable[str]] = tuple
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._busy = threading.local()

    def learn(self, ask: Callable[[], Iterable[str]]) -> None:
        """From now on these names are struck out; `ask` is cheap and is asked for every line."""
        self._ask = ask

    def struck(self, text: str) -> str:
        """The text without names."""
        if getattr(self._busy, "asking", False):
            return text  # reading the class list logged something itself
        self._busy.asking = True
        try:
            known = frozenset(name for name in self._ask() if len(name) > 1)
            if known != self._known:
                words = sorted(map(_as_word, known), key=len, reverse=True)
                self._pattern = re.compile("|".join(words)) if words else None
                self._known = known
        except Exception:  # noqa: BLE001, S110 - a list that cannot be read now must not cost the line
            pass
        finally:
            self._busy.asking = False
        return self._pattern.sub(_STRUCK, text) if self._pattern is not None else text


def _as_word(name: str) -> str:
    """Latin names only as whole words: Li is in "listen", too."""
    return rf"\b{re.escape(name)}\b" if name.isascii() else re.escape(name)


def _whole(text: str) -> str:
    """Text that can be written as UTF-8: a file's name may hold bytes that are none."""
    return text.encode("utf-8", "backslashreplace").decode()


class _Lines(logging.Formatter):
    """One JSON object a record."""

    def __init__(self, names: Names) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S")
        self._names = names

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03}",
            "level": record.levelname.lower(),
            "from": record.name,
            "thread": record.threadName,
            "message": _whole(self._names.struck(record.getMessage()))[:_LONGEST],
        }
        if record.exc_info:
            line["trace"] = _whole(self._names.struck(self.formatException(record.exc_info)))[-_LONGEST:]
        return msgspec.json.encode(line).decode()


class _ForPeople(logging.Formatter):
    def __init__(self, names: Names) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._names = names

    def format(self, record: logging.LogRecord) -> str:
        return _whole(self._names.struck(super().format(record)))


class _Rotating(logging.handlers.RotatingFileHandler):
    """A full or read-only disk costs the line, and nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        pass


class _Newest(logging.Handler):
    def __init__(self, names: Names) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.setFormatter(_ForPeople(names))

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
        console.setFormatter(_ForPeople(self.names))
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
        written.setFormatter(_Lines(self.names))
        self._add(written)
