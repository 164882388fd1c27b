"""The one root of all errors that Classbox raises on purpose."""

from __future__ import annotations


class ClassboxError(Exception):
    """What happened, and what to do about it.

    `message` says what happened in one line; `remedy` says what to do, in one line. Both are English
    message ids: `ui` translates them where a person reads them. `exit_code` is what a command ends with.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


class UsageError(ClassboxError):
    """The command or the request was put wrongly; nothing was done."""

    exit_code = 2


class BadFileError(ClassboxError):
    """A file that a person gave (assignment, roster, layout, picture) cannot be used as it is."""
