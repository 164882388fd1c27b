"""The one root of all errors that Classbox raises on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_LONGEST_VALUE = 300
"""A list of all the known keys still fits; a whole file that landed in one value does not."""


class Phrase:
    """A value of a message that is itself a message id to translate: `Phrase("Item {id}", id="3")`."""

    def __init__(self, text: str, **values: object) -> None:
        self._text = text
        self._values = values

    def __str__(self) -> str:
        return self.said(str)

    def said(self, translate: Callable[[str], str]) -> str:
        """The text, translated and filled in."""
        return _filled(translate(self._text), self._values, translate)


class ClassboxError(Exception):
    """What happened, and what to do about it.

    `message` says what happened in one line; `remedy` says what to do, in one line. Both are English
    message ids that may hold `{names}`; `values` fill them in, so that a catalogue can translate the sentence
    and not only one instance of it. `exit_code` is what a command ends with.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str, **values: object) -> None:
        super().__init__(message)
        self._message_id = message
        self._remedy_id = remedy
        self._values = values
        self.message = _filled(message, values, str)
        self.remedy = _filled(remedy, values, str)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with `args` alone, and fails when a worker process raises this.
        return _rebuild, (type(self), self._message_id, self._remedy_id, self._values)

    def said(self, translate: Callable[[str], str]) -> tuple[str, str]:
        """Message and remedy, each translated (`gettext`) and then filled in."""
        return (
            _filled(translate(self._message_id), self._values, translate),
            _filled(translate(self._remedy_id), self._values, translate),
        )


class UsageError(ClassboxError):
    """The command or the request was put wrongly; nothing was done."""

    exit_code = 2


class BadFileError(ClassboxError):
    """A file that a person gave (assignment, roster, layout, picture) cannot be used as it is."""


def one_line(value: object, *, limit: int = _LONGEST_VALUE) -> str:
    """`value` as text that fits into a one-line message: no control characters, at most `limit` characters."""
    text = "".join(c if c.isprintable() else " " for c in str(value)[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _filled(text: str, values: Mapping[str, object], translate: Callable[[str], str]) -> str:
    # Without values the text is taken as it is: it may hold braces of its own.
    if not values:
        return text
    return text.format(**{name: one_line(_said(value, translate)) for name, value in values.items()})


def _said(value: object, translate: Callable[[str], str]) -> object:
    return value.said(translate) if isinstance(value, Phrase) else value


def _rebuild(kind: type[ClassboxError], message: str, remedy: str, values: dict[str, object]) -> ClassboxError:
    return kind(message, remedy=remedy, **values)
