"""How both programs write a log: one JSON object a line for programs, a line for people; no pupil's name in either.

No line of ours names a pupil; but a file that a person dropped may be called after one, and an error may quote it. So
names of the class lists are struck out of every line before it is written.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable

import msgspec

_STRUCK = "▢"
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


class Lines(logging.Formatter):
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


class ForPeople(logging.Formatter):
    """A line for people."""

    def __init__(self, names: Names) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._names = names

    def format(self, record: logging.LogRecord) -> str:
        return _whole(self._names.struck(super().format(record)))
