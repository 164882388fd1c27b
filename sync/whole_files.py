"""Files that are the old one or the new one, whatever happens: written beside, fsynced, renamed."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, body: bytes, *, beside: Path | None = None, mode: int = 0o666) -> None:
    """Put `body` at `path`, durably. Raises `OSError` when the disk does not take it; nothing is left beside then.

    `beside` is the name that it has until it is whole: one of the writer's own where several write. `mode` is what
    others may do with it, from its first byte on.
    """
    beside = beside or path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        fsync_folder(path.parent)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def fsync_folder(folder: Path) -> None:
    """Make a rename durable: the entry is the folder's data, not the file's."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
