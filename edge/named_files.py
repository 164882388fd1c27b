"""Files that a person named: their bytes, or a sentence that says what is wrong with them."""

from __future__ import annotations

from pathlib import Path

from homework.errors import BadFileError


def read_named(path: Path) -> bytes:
    """The bytes of a file. Raises `BadFileError` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFileError(
            "{name} cannot be read: {reason}.",
            remedy="Check the name of the file.",
            name=path,
            reason=error.strerror or error,
        ) from error
